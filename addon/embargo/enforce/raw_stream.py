"""The client's side of a raw TCP stream, watched for a ClientHello or an HTTP request inside.

A server that greets first makes any stream raw before the client has said a word, and STARTTLS begins TLS
in the middle; so each message is looked at, and what may be the beginning of a name is held back until the
name is whole.
"""

from dataclasses import dataclass

from embargo.enforce.first_bytes import LONGEST_HEAD, Kind, hosts_in, read, request_head, unfinished


@dataclass(frozen=True, slots=True)
class Passage:
    """What becomes of the bytes of one message."""

    release: bytes  # may go on unless what follows is blocked; empty while held
    names: tuple[str, ...] = ()  # hosts that the bytes name
    sni: str | None = None
    refuse: str | None = None  # why nothing may go on, save where monitor lets it


class RawStream:
    """Feeds messages through, holding what is not yet a whole name."""

    def __init__(self) -> None:
        self._held = b""
        self._started = False  # whether the first bytes have been read
        self._encrypted = False  # whether a ClientHello has gone by: nothing more can be read
        self._http_line: bytes | None = None  # of a stream that speaks HTTP: the line that is not yet whole

    def feed(self, data: bytes) -> Passage:
        """What becomes of *data*, the client's next bytes."""
        if self._encrypted or not data:
            return Passage(data)
        if self._http_line is not None:
            return self._follow_http(data)
        data, self._held = self._held + data, b""
        # Later messages are only looked at where TLS may begin: a body may well hold a request line.
        if self._started and not b"\x16\x03".startswith(data[:2]):
            return Passage(data)
        reading = read(data)
        match reading.kind:
            case Kind.MALFORMED:
                self._started = True
                return Passage(data, refuse="a ClientHello or request head that cannot be read")
            case Kind.WAIT:
                self._held = data
                return Passage(b"")
            case Kind.TLS:
                assert reading.hello is not None
                self._encrypted = True
                return Passage(data, sni=reading.hello.sni)
            case Kind.HTTP:
                return self._begin_http(data)
            case Kind.RAW:
                self._started = True
                return Passage(data)

    def _begin_http(self, data: bytes) -> Passage:
        if request_head(data) is None:
            if len(data) >= LONGEST_HEAD:
                self._started = True
                return Passage(data, refuse="a request head that does not end")
            self._held = data
            return Passage(b"")
        self._http_line = b""
        return self._follow_http(data)

    def _follow_http(self, data: bytes) -> Passage:
        """Names in *data*, those of further requests and of a line cut across messages included."""
        text = b"\n" + (self._http_line or b"") + data
        self._http_line = unfinished(text)
        if self._http_line is None:
            return Passage(data, refuse="a line of a request head that does not end")
        return Passage(data, names=tuple(hosts_in(text)))
