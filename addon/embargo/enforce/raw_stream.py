"""The client's side of a raw TCP stream, watched for a ClientHello or an HTTP request inside.

A server that greets first makes any stream raw before the client has said a word, and STARTTLS begins TLS
in the middle; so each message is looked at, and what may be the beginning of a name is held back until the
name is whole.
"""

from embargo.enforce.first_bytes import (
    LONGEST_HEAD,
    Kind,
    hidden_hello,
    hosts_in,
    may_be_http,
    preface_length,
    read,
    request_head,
    unfinished,
)
from embargo.enforce.handshake import Handshake
from embargo.enforce.passage import Passage

_OVERLAP = 6  # bytes of the last message in which a ClientHello's first seven may have begun


class RawStream:
    """Feeds messages through, holding what is not yet a whole name."""

    def __init__(self) -> None:
        self._held = b""
        self._started = False  # whether the first bytes have been read
        self._handshake: Handshake | None = None  # once a ClientHello has gone by: nothing else can be read
        self._seen = 0  # bytes that have gone by unread; a hidden ClientHello is looked for in the first 64 KiB
        self._tail = b""  # the last of them
        self._http_line: bytes | None = None  # of a stream that speaks HTTP: the line that is not yet whole

    def feed(self, data: bytes) -> Passage:
        """What becomes of *data*, the client's next bytes."""
        if not data:
            return Passage(data)
        if self._handshake is not None:
            return self._handshake.feed(data)
        if self._http_line is not None:
            return self._follow_http(data)
        data, self._held = self._held + data, b""
        # Later messages are only looked at where TLS may begin: a body may well hold a request line.
        if self._started and not b"\x16\x03".startswith(data[:2]):
            return self._follow_unread(data)
        preface = 0 if self._started else preface_length(data)
        if preface is None or (preface and preface == len(data)):
            self._held = data
            return Passage(b"")
        reading = read(data[preface:])
        match reading.kind:
            case Kind.MALFORMED:
                self._started = True
                return Passage(data, refuse="a ClientHello or request head that cannot be read")
            case Kind.WAIT:
                self._held = data
                return Passage(b"")
            case Kind.TLS:
                return self._begin_tls(data, preface, reading.names)
            case Kind.HTTP:
                return self._begin_http(data, preface)
            case Kind.RAW if may_be_http(data[preface:]):
                return self._follow_http(data)
            case Kind.RAW:
                return self._follow_unread(data)

    def answered(self, data: bytes) -> None:
        """The server's next bytes."""
        if self._handshake is not None:
            self._handshake.answered(data)

    def _begin_tls(self, data: bytes, position: int, names: tuple[str, ...], sent: int = 0) -> Passage:
        """A ClientHello at *position*, and whatever already follows it; the first *sent* bytes have gone by."""
        self._handshake = Handshake()
        passage = self._handshake.feed(data[position:])
        release = (data[:position] + passage.release)[sent:]
        return Passage(release, snis=(*names, *(passage.snis or ())), refuse=passage.refuse)

    def _follow_unread(self, data: bytes) -> Passage:
        """Bytes of a protocol that is not read, with a look for a ClientHello hidden behind its first ones."""
        self._started = True
        if self._seen >= LONGEST_HEAD:
            return Passage(data)
        text = self._tail + data
        position = hidden_hello(text)
        if position is not None:
            reading = read(text[position:])
            match reading.kind:
                case Kind.WAIT:
                    self._held = data
                    return Passage(b"")
                case Kind.TLS:
                    return self._begin_tls(text, position, reading.names, sent=len(self._tail))
                case Kind.MALFORMED:
                    self._seen = LONGEST_HEAD
                    return Passage(data, refuse="a ClientHello that cannot be read")
        self._seen += len(data)
        self._tail = text[-_OVERLAP:]
        return Passage(data)

    def _begin_http(self, data: bytes, preface: int) -> Passage:
        if data[preface:].lstrip().startswith(b"PRI "):
            self._started = True
            return Passage(data, refuse="HTTP/2 where its names cannot be read")
        if request_head(data[preface:]) is None:
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
