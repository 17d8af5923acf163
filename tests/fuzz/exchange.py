"""Requests as clients write them, and as nobody should: strategies for what goes into a connection.

An exchange is a text with a gap for a name, so that the same one can be sent for a banned name and for its innocent
twin. `legal` ones are such as any client may send: for the twin those must work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hypothesis import strategies as st

BANNED = "banned.test"
TWIN = "benign.test"  # as long as the banned one
COVER = "cover.test"  # what the tunnel is opened for: innocent as well


class Place(StrEnum):
    """Where an exchange takes place."""

    PROXY = "proxy"  # on the client's connection to the proxy
    TUNNEL = "tunnel"  # in a tunnel to port 80
    TLS = "tls"  # inside of TLS, in a tunnel to port 443


@dataclass(frozen=True)
class Spelling:
    """A way to write a host."""

    title: str
    write: Callable[[str], bytes]
    legal: bool = False

    def __repr__(self) -> str:
        return self.title


def _fullwidth(name: str) -> bytes:
    return "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in name).encode()


def _mixed(name: str) -> bytes:
    return "".join(c.upper() if number % 2 else c for number, c in enumerate(name)).encode()


PLAIN = Spelling("plain", str.encode, legal=True)
SPELLINGS = (
    PLAIN,
    Spelling("capitals", lambda name: name.upper().encode(), legal=True),
    Spelling("mixed case", _mixed, legal=True),
    Spelling("a name below", lambda name: b"a.b." + name.encode(), legal=True),
    Spelling("with an underscore", lambda name: b"_x." + name.encode(), legal=True),
    Spelling("with the port", lambda name: name.encode() + b":80"),
    Spelling("with a padded port", lambda name: name.encode() + b":00080"),
    Spelling("with an empty port", lambda name: name.encode() + b":"),
    Spelling("with letters for a port", lambda name: name.encode() + b":x"),
    Spelling("with two ports", lambda name: name.encode() + b":80:80"),
    Spelling("a trailing dot", lambda name: name.encode() + b"."),
    Spelling("two trailing dots", lambda name: name.encode() + b".."),
    Spelling("fullwidth", _fullwidth),
    Spelling("ideographic stop", lambda name: name.replace(".", "。").encode()),
    Spelling("a percent escape", lambda name: name.replace(".", "%2e").encode()),
    Spelling("behind a user", lambda name: b"cover.test@" + name.encode()),
    Spelling("before a comma", lambda name: name.encode() + b", cover.test"),
    Spelling("behind a comma", lambda name: b"cover.test," + name.encode()),
    Spelling("with a path", lambda name: name.encode() + b"/x"),
    Spelling("in brackets", lambda name: b"[" + name.encode() + b"]"),
    Spelling("in quotes", lambda name: b'"' + name.encode() + b'"'),
    Spelling("before a NUL", lambda name: name.encode() + b"\0"),
    Spelling("before a bare CR", lambda name: name.encode() + b"\rX: y"),
    Spelling("folded", lambda name: b"\r\n " + name.encode()),
    Spelling("folded with a tab", lambda name: b"\r\n\t" + name.encode()),
)
spellings = st.sampled_from(SPELLINGS)

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH")
ODD_METHODS = ("get", "G", "X1", "M-SEARCH", "SSH", "TRACE", "A" * 65, "P\x0bT", "PRI")
ODD_VERSIONS = ("HTTP/1.0", "http/1.1", "HTTP/01.1", "HTTP/1.1 x", "HTTP/1.2", "HTTP/2.0", "HTTP/9")
SPACES = (" ", "\t", "  ", " \t ", "\x0b", "\r")
HEADERS = (
    b"Accept: */*",
    b"User-Agent: fuzz/1.0",
    b"X-Forwarded-For: 192.0.2.1",
    b"Cookie: a=b; c=d",
    b"Accept-Encoding: gzip",
    b"X-Empty:",
    b"Hostess: cover.test",
    b"X-Host: cover.test",
)
ODD_HEADERS = (b"X: a\r\n b", b"no colon", b": no name", b"X : y", b"X\t: y", b"\x80: y", b"X: \xff", b"X: a\rY: b")
HOST_KEYS = (b"Host", b"HOST", b"host", b"hOsT")
ODD_HOST_KEYS = (b"Host ", b"Host\t", b" Host", b"Host\x0b")


@dataclass(frozen=True)
class Exchange:
    """What a client sends, where, in which segments; `{}` is where a name stands."""

    place: Place
    text: Callable[[str], bytes]
    cuts: tuple[float, ...]  # where a segment ends, as shares of the whole
    legal: bool
    requests: int
    shown: str  # the text for the banned name, for a person who reads the failure

    def segments(self, name: str) -> list[bytes]:
        text = self.text(name)
        ends = sorted({int(cut * len(text)) for cut in self.cuts} - {0, len(text)})
        return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]

    def __repr__(self) -> str:
        return f"Exchange({self.place}, legal={self.legal}, cuts={self.cuts}, {self.shown})"


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    place = draw(st.sampled_from(Place))
    odd = draw(st.sets(st.sampled_from(["host", "method", "version", "space", "headers", "key", "end", "lead"])))
    if draw(st.booleans()):
        odd = set()
    legal = not odd
    spelling = draw(spellings if "host" in odd else st.sampled_from([s for s in SPELLINGS if s.legal]))
    method = draw(st.sampled_from(ODD_METHODS if "method" in odd else METHODS)).encode()
    version = draw(st.sampled_from(ODD_VERSIONS)).encode() if "version" in odd else b"HTTP/1.1"
    space = draw(st.sampled_from(SPACES)).encode() if "space" in odd else b" "
    end = draw(st.sampled_from([b"\n", b"\r\n"])) if "end" in odd else b"\r\n"
    lead = draw(st.sampled_from([b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\0"])) if "lead" in odd else b""
    key = draw(st.sampled_from(ODD_HOST_KEYS if "key" in odd else HOST_KEYS))
    headers = draw(st.lists(st.sampled_from(HEADERS), max_size=4, unique=True))
    if "headers" in odd:
        headers += draw(st.lists(st.sampled_from(ODD_HEADERS), min_size=1, max_size=2))
    where = draw(st.sampled_from(["host", "target", "both", "two hosts", "two hosts, the name first"]))
    if where not in ("host", "both"):
        legal = False
    if where in ("target", "both") and place is not Place.PROXY:
        legal = False  # absolute form belongs to a proxy
    body = draw(st.sampled_from(["none", "length", "chunked", "both", "two lengths"]))
    if body in ("both", "two lengths"):
        legal = False
    if body != "none" and method in (b"GET", b"HEAD", b"OPTIONS", b"DELETE"):
        body = "none"
    pipelined = draw(st.booleans())
    scheme = draw(st.sampled_from([b"http", b"HTTP", b"ftp", b"ws"]))
    if place is Place.PROXY and scheme != b"http":
        legal = False
    header_at = draw(st.integers(0, len(headers)))

    def request(name: str, *, last: bool) -> bytes:
        host = spelling.write(name) if last else COVER.encode()
        cover = COVER.encode()
        in_target, in_host = host, host
        hosts = [in_host]
        absolute = place is Place.PROXY or (last and where in ("target", "both"))
        match where if last else "both":
            case "host":
                in_target = cover
                if place is Place.PROXY and legal:
                    in_target = host
            case "target":
                hosts = [cover]
            case "two hosts":
                hosts, in_target = [cover, host], cover
            case "two hosts, the name first":
                hosts, in_target = [host, cover], cover
        target = b"/a?b=c"
        if absolute:
            target = (b"http" if not last else scheme) + b"://" + in_target + target
        lines = list(headers)
        lines[header_at:header_at] = [(key if last else b"Host") + b": " + each for each in hosts]
        content = b""
        if last and body != "none":
            chunked = b"4\r\ndata\r\n0\r\n\r\n"
            content = b"data" if body in ("length", "two lengths") else chunked
            if body in ("length", "two lengths", "both"):
                lines.append(b"Content-Length: 4")
            if body in ("chunked", "both"):
                lines.append(b"Transfer-Encoding: chunked")
            if body == "two lengths":
                lines.append(b"Content-Length: 5")
        line = method + space + target + space + version if last else b"GET " + target + b" HTTP/1.1"
        return (lead if last else b"") + end.join([line, *lines, b"", b""]) + content

    def text(name: str) -> bytes:
        return (request(name, last=False) if pipelined else b"") + request(name, last=True)

    cuts = draw(st.lists(st.floats(0, 1), max_size=4))
    return Exchange(place, text, tuple(cuts), legal, 1 + pipelined, repr(text(BANNED)))
