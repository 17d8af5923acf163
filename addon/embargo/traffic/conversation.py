"""What a client asks for on a TCP connection: the names of its ClientHello, its HTTP requests, its DNS questions.

Told by the first bytes. Behind a CONNECT whatever is in the tunnel is read as a connection of its own.
"""

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import h11

from embargo.core.client_hello import client_hello
from embargo.core.dns_framing import Frames
from embargo.core.dns_message import questions
from embargo.core.dns_wire import MalformedMessage
from embargo.core.server_names import server_names

LONGEST_HEAD = 65_536  # bytes of an HTTP request's head
_DNS = 53
_HANDSHAKE, _CHANGE_CIPHER_SPEC = 0x16, 0x14  # TLS record types
_REQUEST_LINE = re.compile(rb"[A-Z][A-Z-]{2,19} [^\r\n]+ HTTP/1\.[01]\r?\n")
_MAY_BE_REQUEST = re.compile(rb"[A-Z][A-Z-]{0,19}(?: [^\r\n]*\r?)?")
_TO_MESSAGE, _CLIENT_HELLO = 6, 0x01  # octets up to a handshake message's type, which follows the record's header
_BLANK = b"\r\n"  # that some clients send between requests (RFC 9112, 2.2)
_HTTP_2 = b"PRI * HTTP/2.0\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """A ClientHello."""

    names: tuple[str, ...]  # of its server_name extensions; empty: it has none
    tunnel: str | None = None  # what the CONNECT before it asked for
    user_agent: str | None = None  # of that CONNECT


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request of HTTP/1."""

    method: str
    target: str  # as it came: a path, or a URL where a proxy is asked
    host: str | None = None
    user_agent: str | None = None
    websocket: bool = False


@dataclass(frozen=True, slots=True)
class DnsQuestion:
    """A name that is asked for."""

    name: str
    type: int  # of the records that are wanted


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part that could not be made out, and why."""

    why: str


type Asked = Hello | HttpRequest | DnsQuestion | Unreadable


class Conversation:
    """What the client says, piece by piece (`tcp_streams.StreamReader`)."""

    def __init__(self, port: int, tell: Callable[[Asked], None]) -> None:
        """*port* is the server's; *tell* is called with each thing that is asked for."""
        self.done = False
        self._begun = b""  # not yet told apart
        self._reader: _Tls | _Http | _Dns | None = _Dns() if port == _DNS else None
        self._tunnel: HttpRequest | None = None
        self._tell = tell

    @property
    def held(self) -> int:
        """Bytes that wait for others."""
        return len(self._begun) + (self._reader.held if self._reader is not None else 0)

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        while data and not self.done:
            if self._reader is None and not self._tell_apart(data):
                return
            assert self._reader is not None, "told apart"
            if self._begun:
                data, self._begun = self._begun, b""
            self._tell_all(self._reader.feed(data))
            data = self._reader.rest
            if (tunnel := self._reader.tunnel) is not None:
                self._tunnel, self._reader = tunnel, None
            elif self._reader.done:
                self.done, data = True, b""

    def may_begin(self, data: bytes) -> bool:
        """Whether a client's side may begin with *data*."""
        return self._reader is not None or data[:2] == b"\x16\x03" or _REQUEST_LINE.match(data) is not None

    def skip(self) -> None:
        """Bytes are missing."""
        if self._reader is None:
            self._begun = b""
        else:
            self._tell_all(self._reader.skip())
            self.done = self.done or self._reader.done

    def end(self) -> None:
        """Nothing more comes."""
        if self._reader is not None:
            self._tell_all(self._reader.skip())
        else:
            if self._begun[:1].isupper() and b" " in self._begun:
                self._tell(Unreadable("the head of an HTTP request of which a part is missing"))
            self._give_up()
        self.done = True

    def _tell_all(self, asked: Iterator[Asked]) -> None:
        for each in asked:
            self._tell(each)

    def _tell_apart(self, data: bytes) -> bool:
        """Whether it is known now what is spoken, and is something that is read."""
        begun = self._begun + data
        tunnel = self._tunnel
        if begun[0] == _HANDSHAKE and begun[1:2] in (b"", b"\x03"):
            if len(begun) > 1:
                self._reader = _Tls(tunnel)
        elif begun.startswith(_HTTP_2):
            self._tell(Unreadable("HTTP/2 without TLS, which is not read"))
            self._give_up()
        elif _REQUEST_LINE.match(begun.lstrip(_BLANK)) is not None:
            self._reader = _Http()
            if tunnel is not None:
                self._tell(tunnel)  # that the tunnel was refused may be why there is a request
        elif len(begun) > LONGEST_HEAD or _MAY_BE_REQUEST.fullmatch(begun.lstrip(_BLANK)) is None:
            self._give_up()
        self._begun = b"" if self.done else begun
        if self._reader is None:
            return False
        self._tunnel = None
        return True

    def _give_up(self) -> None:
        if self._tunnel is not None:
            self._tell(self._tunnel)
            self._tunnel = None
        self.done = True


class _Tls:
    """A ClientHello, and a second one where the server asks for it (RFC 8446, 4.1.4)."""

    tunnel = None

    def __init__(self, tunnel: HttpRequest | None) -> None:
        self._through = tunnel
        self._data = b""
        self._first: tuple[str, ...] | None = None
        self.done, self.rest = False, b""

    @property
    def held(self) -> int:
        return len(self._data)

    def feed(self, data: bytes) -> Iterator[Asked]:
        self._data += data
        while self._data and not self.done:
            if self._data[0] == _CHANGE_CIPHER_SPEC and self._first is not None:
                end = 5 + int.from_bytes(self._data[3:5])
                if len(self._data) < max(5, end):
                    return
                self._data = self._data[end:]
                continue
            if len(self._data) < _TO_MESSAGE:
                return
            if self._data[0] != _HANDSHAKE or self._data[_TO_MESSAGE - 1] != _CLIENT_HELLO:
                self.done, self._data = True, b""  # a server's side, or the handshake goes on without another hello
                return
            try:
                hello = client_hello(self._data)
                names = server_names(hello.message) if hello is not None else ()
            except ValueError as broken:
                self.done, self._data = True, b""
                if self._first is None:
                    yield Unreadable(str(broken))
                return
            if hello is None:
                return
            self._data = self._data[hello.end :]
            if names != self._first:
                self._first = names
                through = self._through
                yield Hello(
                    names=names,
                    tunnel=through.target if through is not None else None,
                    user_agent=through.user_agent if through is not None else None,
                )

    def skip(self) -> Iterator[Asked]:
        if not self.done and self._first is None:
            yield Unreadable("a ClientHello of which a part is missing")
        self.done, self._data = True, b""


class _Dns:
    """DNS over TCP."""

    tunnel = None

    def __init__(self) -> None:
        self._frames = Frames()
        self._waiting = 0
        self.done, self.rest = False, b""

    @property
    def held(self) -> int:
        return self._waiting

    def feed(self, data: bytes) -> Iterator[Asked]:
        self._waiting += len(data)
        for message in self._frames.feed(data):
            self._waiting = max(0, self._waiting - len(message) - 2)
            yield from asked_in(message)

    def skip(self) -> Iterator[Asked]:
        if self._waiting:
            yield Unreadable("a DNS message of which a part is missing")
        self.done, self._waiting = True, 0


def asked_in(message: bytes) -> Iterator[DnsQuestion | Unreadable]:
    """The questions of a DNS query; none of a response."""
    if len(message) > 2 and message[2] & 0x80:
        return
    try:
        found = questions(message)
    except MalformedMessage as broken:
        yield Unreadable(f"no DNS query: {broken}")
        return
    for question in found:
        if question.name:
            yield DnsQuestion(question.name, question.type)


class _Http:
    """The requests of an HTTP/1 connection; after a gap, from the next that begins with a segment on."""

    def __init__(self) -> None:
        self.tunnel: HttpRequest | None = None
        self.done, self.rest = False, b""
        self._connection: h11.Connection | None = None
        self._waiting = 0  # bytes of a head that is not whole
        self._lost = False  # what comes may be the middle of something
        self._upgraded = False

    @property
    def held(self) -> int:
        return self._waiting

    def feed(self, data: bytes) -> Iterator[Asked]:
        while data and not self.done:
            if self._connection is None:
                data = data.lstrip(_BLANK)
                if self._upgraded or not data or (self._lost and _REQUEST_LINE.match(data) is None):
                    self.done = self._upgraded
                    return
                self._connection, self._lost = h11.Connection(h11.SERVER, LONGEST_HEAD), False
            data = yield from self._read(self._connection, data)

    def skip(self) -> Iterator[Asked]:
        if self._connection is not None and self._waiting:
            yield Unreadable("the head of an HTTP request of which a part is missing")
        self._connection, self._waiting, self._lost = None, 0, True

    def _read(self, connection: h11.Connection, data: bytes) -> Generator[Asked, None, bytes]:
        """Reads *data*, and returns what is left of it for the next request."""
        try:
            connection.receive_data(data)
            self._waiting += len(data)
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    if connection.their_state is not h11.IDLE:
                        self._waiting = 0
                    return b""
                if isinstance(event, h11.Request):
                    self._waiting = 0
                    request = self._request(event)
                    if request.method == "CONNECT":
                        self.tunnel, self.rest = request, connection.trailing_data[0]
                        return b""
                    yield request
                elif event is h11.PAUSED or isinstance(event, h11.EndOfMessage):
                    self._connection = None
                    return bytes(connection.trailing_data[0])
        except h11.RemoteProtocolError as refused:
            self._connection, self._waiting, self._lost = None, 0, True
            yield Unreadable(f"no HTTP request that can be read: {refused}")
            return b""

    def _request(self, event: h11.Request) -> HttpRequest:
        headers = dict(event.headers)
        self._upgraded = b"websocket" in headers.get(b"upgrade", b"").lower()
        return HttpRequest(
            method=event.method.decode("ascii"),
            target=event.target.decode("utf-8", "replace"),
            host=_text(headers.get(b"host")),
            user_agent=_text(headers.get(b"user-agent")),
            websocket=self._upgraded,
        )


def _text(value: bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if value is not None else None
