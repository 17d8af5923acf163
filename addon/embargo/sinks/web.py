"""Batches by HTTP: answers that blame the batch are traced to the messages that they are about, by halving it."""

import http.client
import socket
from collections.abc import Sequence
from typing import NamedTuple

from embargo import __version__
from embargo.core.sink import Sink
from embargo.journal.privacy import REDACTED
from embargo.sinks.batches import FORMS
from embargo.sinks.message import Message
from embargo.sinks.receiver import PATIENCE, Delivery, Unreachable, secret, shown, tls_context

_OF_THE_BATCH = frozenset({400, 413, 422})  # malformed, too large: some message in it is
_LONGEST_ANSWER = 32 * 1024 * 1024  # bytes
_SECRET = 8  # characters: what is shorter is no secret, and may stand in any answer
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


class Response(NamedTuple):
    """An answer."""

    status: int
    body: bytes


class _Blamed(Exception):
    """The answer says that something in the batch is wrong."""


class Web:
    """A server that takes batches, over a connection that is kept."""

    def __init__(self, sink: Sink, patience: float = PATIENCE) -> None:
        self._sink = sink
        self._form = FORMS[sink.batch]
        path, mark, query = sink.to.path.partition("?")
        if not path.endswith(self._form.path):
            path += self._form.path
        self._path = f"{path or '/'}{mark}{query}"
        self._patience = patience
        self._connection: http.client.HTTPConnection | None = None
        self._token = b""  # of the newest request, without its scheme

    def deliver(self, messages: Sequence[Message]) -> Delivery:
        """Send them in one request, in several where one is refused as a whole. Raises Unreachable."""
        refused: list[tuple[int, str]] = []
        answered = False
        again: list[int] = []
        why = ""
        parts = [(0, len(messages))]
        while parts:
            start, end = parts.pop()
            try:
                found = self._send(messages[start:end])
            except _Blamed as blamed:
                if end - start > 1:
                    middle = (start + end) // 2
                    parts += [(middle, end), (start, middle)]
                else:
                    refused.append((start, str(blamed)))
                continue
            except Unreachable as failure:
                if not answered:
                    raise
                again += range(start, end)
                again += [position for part in parts for position in range(*part)]
                why = str(failure)
                break
            answered = True
            again += [start + position for position in found.again]
            refused += [(start + position, said) for position, said in found.refused]
            why = why or found.why
        if len(refused) == len(messages):
            # it takes nothing at all: not the records are wrong, but the address, the index or the server
            raise Unreachable(f"everything is refused: {refused[0][1]}", everything=True)
        return Delivery(again=tuple(sorted(again)), why=why, refused=tuple(sorted(refused)))

    def idle(self) -> None:
        """A connection that the server closes meanwhile is opened anew when it is needed."""

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, messages: Sequence[Message]) -> Delivery:
        response = self._exchange(self._form.body(self._sink, messages))
        if 200 <= response.status < 300:
            return self._form.read(response.body, len(messages))
        said = shown(f"answers {response.status} {response.body[:400].decode('utf-8', 'replace')}")
        if response.status in _OF_THE_BATCH:
            raise _Blamed(said)
        raise Unreachable(said)  # redirections too: a token goes nowhere but to the address that the policy names

    def _exchange(self, body: bytes) -> Response:
        headers = {"Content-Type": self._form.media, "User-Agent": f"embargo/{__version__}", "Accept": "*/*"}
        self._token = b""
        if self._sink.token_file is not None:
            token = secret(self._sink.token_file)
            self._token = token.rpartition(" ")[2].encode("ascii")
            headers["Authorization"] = token if " " in token else f"{self._form.scheme} {token}"
        kept = self._connection is not None
        try:
            return self._once(body, headers)
        except _STALE as failure:
            self.close()
            if not kept:
                raise Unreachable(f"{self._where}: the server closed the connection") from failure
        except (OSError, http.client.HTTPException, ValueError) as failure:
            self.close()
            raise Unreachable(f"{self._where}: {_why(failure)}") from failure
        try:
            return self._once(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as failure:
            self.close()
            raise Unreachable(f"{self._where}: {_why(failure)}") from failure

    def _once(self, body: bytes, headers: dict[str, str]) -> Response:
        if self._connection is None:
            self._connection = self._connected()
        self._connection.request("POST", self._path, body, headers)
        with self._connection.getresponse() as response:
            answer = response.read(_LONGEST_ANSWER + 1)
            if len(answer) > _LONGEST_ANSWER:
                raise ValueError("the answer is too long")
            if response.will_close:
                self.close()
            if len(self._token) >= _SECRET:  # an answer is told in errors and dead letters
                answer = answer.replace(self._token, REDACTED.encode("ascii"))
            return Response(response.status, answer)

    def _connected(self) -> http.client.HTTPConnection:
        to = self._sink.to
        if to.transport.is_encrypted:
            context = tls_context(self._sink)
            return http.client.HTTPSConnection(to.host, to.port, timeout=self._patience, context=context)
        return http.client.HTTPConnection(to.host, to.port, timeout=self._patience)

    @property
    def _where(self) -> str:
        return f"{self._sink.to.host}:{self._sink.to.port}"


def _why(failure: Exception) -> str:
    if isinstance(failure, TimeoutError | socket.timeout):
        return "no answer in time"
    return str(getattr(failure, "verify_message", None) or getattr(failure, "strerror", None) or failure)
