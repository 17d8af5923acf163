"""The client's side of a raw TCP stream, watched for a ClientHello, an HTTP request or SOCKS inside.

A server that greets first makes any stream raw before the client has said a word, and STARTTLS begins TLS
in the middle; so each message is looked at, and what may be the beginning of a name is held back until the
name is whole.
"""

from embargo.enforce.streams.http_text import HttpText, body_length
from embargo.enforce.streams.passage import Passage
from embargo.enforce.streams.socks import Step, read_socks
from embargo.enforce.tls.first_bytes import (
    LONGEST_HEAD,
    Kind,
    hidden_hello,
    may_be_http,
    preface_length,
    read,
    request_head,
)
from embargo.enforce.tls.handshake import Handshake

_OVERLAP = 7  # bytes of the last message in which a ClientHello's first eight may have begun


class RawStream:
    """Feeds messages through, holding what is not yet a whole name."""

    def __init__(self, *, begun: bool = False, tls: bool = False) -> None:
        """*begun*: the first bytes have been looked at already. *tls*: so has the ClientHello with which it begins."""
        self._held = b""
        self._given_up = False
        self._started = begun  # whether the first bytes have been read
        # Once a ClientHello has gone by: nothing else can be read.
        self._handshake: Handshake | None = Handshake() if tls else None
        self._seen = 0  # bytes that have gone by unread; a hidden ClientHello is looked for in the first 64 KiB
        self._tail = b""  # the last of them
        self._socks: bytes | None = b""  # what came, while it may be SOCKS
        self._http: HttpText | None = None  # of a stream that speaks HTTP
        self._message: int | None = None  # bytes to come of the current HTTP message; None: where it ends is not known

    def feed(self, data: bytes) -> Passage:
        """What becomes of *data*, the client's next bytes."""
        if not data or self._given_up:
            return Passage(data)
        if self._handshake is not None:
            return self._handshake.feed(data)
        if self._http is not None:
            return self._follow_http(self._http, data)
        if self._socks is not None and (passage := self._follow_socks(data)) is not None:
            return passage
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
                return self._follow_http(HttpText(), data)
            case Kind.RAW:
                return self._follow_unread(data)

    def give_up(self) -> None:
        """Hold and read nothing any more; what is held is the caller's to send."""
        self._given_up = True

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

    def _follow_socks(self, data: bytes) -> Passage | None:
        """The part of a client of SOCKS; None where *data* is none."""
        assert self._socks is not None
        gone = len(self._socks) - len(self._held)
        self._socks += data
        progress = read_socks(self._socks)
        match progress.step:
            case Step.NOT:
                self._socks = None
                return None
            case Step.GREETED:
                return None  # or something else that begins so, and hides what it wants
            case Step.HOLD:
                self._held += data
                return Passage(b"")
        text, self._socks, self._held = self._socks, None, b""
        self._started, self._seen, self._tail = False, 0, b""
        passage = self.feed(text[progress.end :])  # what it says to whom it has asked for
        return Passage(
            text[gone : progress.end] + passage.release,
            (progress.host, *passage.names),
            passage.snis,
            passage.refuse,
        )

    def _begin_http(self, data: bytes, preface: int) -> Passage:
        if (passage := self._begin_message(data, preface)) is not None:
            return passage
        return self._follow_http(HttpText(), data)

    def _begin_message(self, data: bytes, preface: int = 0) -> Passage | None:
        """Reads the head that *data* begins with, behind a *preface*; a passage where nothing can go on yet."""
        text = data[preface:]
        if text.lstrip().startswith(b"PRI "):
            self._started = True
            return Passage(data, refuse="HTTP/2 where its names cannot be read")
        head = request_head(text)
        if head is None:
            if len(data) >= LONGEST_HEAD:
                self._started = True
                return Passage(data, refuse="a request head that does not end")
            self._held = data
            return Passage(b"")
        length = body_length(head)
        before = len(data) - len(text.lstrip(b"\r\n"))
        self._message = before + len(head) + length if length is not None else None
        return None

    def _follow_http(self, http: HttpText, data: bytes) -> Passage:
        """Names in *data*, in bodies too; a further request goes on once its head is whole."""
        self._http = http
        data, self._held = self._held + data, b""
        release, names = list[bytes](), list[str]()
        while data:
            if self._message == 0 and (passage := self._next_message(data)) is not None:
                done = Passage(b"".join(release), tuple(names))
                return Passage(
                    done.release + passage.release, (*done.names, *passage.names), passage.snis, passage.refuse
                )
            ends = self._message is not None and self._message <= len(data)
            part, data = (data[: self._message], data[self._message :]) if ends else (data, b"")
            passage = http.feed(part, ends=ends)
            if self._message is not None:
                self._message -= len(part)
            release.append(passage.release)
            names += passage.names
            if passage.refuse is not None:
                return Passage(b"".join(release) + data, tuple(names), refuse=passage.refuse)
        return Passage(b"".join(release), tuple(names))

    def _next_message(self, data: bytes) -> Passage | None:
        """What follows a message that is over; a passage where that is no message that can go on yet."""
        reading = read(data)
        match reading.kind:
            case Kind.WAIT:
                self._held = data
                return Passage(b"")
            case Kind.MALFORMED:
                return Passage(data, refuse="a ClientHello or request head that cannot be read")
            case Kind.TLS:
                return self._begin_tls(data, 0, reading.names)
            case Kind.HTTP:
                return self._begin_message(data)
            case Kind.RAW:
                self._message = None  # whatever it is, its lines are looked at
                return None
