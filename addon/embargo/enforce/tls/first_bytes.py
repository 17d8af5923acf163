"""What the first bytes of a stream are, told only once there are enough of them.

mitmproxy 12.2 takes a ClientHello cut after its first byte, `G` before `ET`, or a leading line break for
raw TCP, which no TLS or HTTP hook sees (measured). So nothing is classified before its protocol is known,
and what cannot be known within a bound in bytes, or in time, is refused.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

from mitmproxy.proxy.layers.tls import get_client_hello

from embargo.core.proxy_protocol import LONGEST_1, SIGNATURE_1, SIGNATURE_2
from embargo.core.server_names import server_names

LONGEST_LINE = 4096  # bytes of an unfinished line that are remembered; a host name is 253
LONGEST_HEAD = 65_536  # bytes held before the protocol must be known; a ClientHello or request head is far smaller
LONGEST_WAIT = 30.0  # seconds until those bytes must be there; common servers give a head 10 to 60

_HANDSHAKE = 0x16  # TLS record type (RFC 8446, 5.1)
_OTHER_RECORDS = (b"\x14", b"\x15", b"\x17")  # change_cipher_spec, alert, application_data
_HANDSHAKE_HEADER = 4  # octets: type and length
_CLIENT_HELLO = 0x01  # handshake type
_NEWEST_RECORD_VERSION = 0x03  # TLS 1.2 and 1.3 write 03 03; servers ignore the byte, mitmproxy takes 00 to 03
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # RFC 9110, 5.6.2
SPACE = rb"[ \t\x0b\x0c\r]"  # what a lenient server takes for a space in the request line (RFC 9112, 3)
_BLANK = rb"[ \t\x0b\x0c]"  # and between a header's name and its colon
_METHOD = re.compile(rb"%b+" % TOKEN)  # of any length: some servers take any
_LONG_METHOD = re.compile(rb"%b{65}" % TOKEN)
_OLD_REQUEST = re.compile(rb"GET[ \t]+/\S*\s*")  # HTTP/0.9: some servers still speak it, mitmproxy does not
_BEGINS_LIKE_TEXT = re.compile(rb"(?:%b{1,64}(?:%b.*)?)?" % (TOKEN, SPACE), re.DOTALL)
BLANK_LINE = re.compile(rb"\n\r?\n")
_VERSION = re.compile(rb"HTTP/[\d.]+", re.IGNORECASE)
_HELLO = re.compile(  # in a record of up to 2^14 + 2048 octets, or of one
    rb"\x16\x03.(?:[\x00-\x48].\x01\x00|\x00\x01\x01\x16\x03)", re.DOTALL
)
_HOST_LINE = re.compile(rb"\nhost%b*:[ \t]*([^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*)" % _BLANK, re.IGNORECASE)
_ABSOLUTE_TARGET = re.compile(rb"\n%b*\S{1,64}%b+[a-z][a-z0-9+.\-]*://([^/?#\s]*)" % (SPACE, SPACE), re.IGNORECASE)
_CONNECT_TARGET = re.compile(rb"\nCONNECT%b+([^/\s]+)%b+HTTP/" % (SPACE, SPACE), re.IGNORECASE)
_BARE_RETURN = re.compile(rb"\r(?!\n)")  # ends a line for some servers, Python's own among them
_OPEN_HOST = re.compile(rb"\nhost%b*:[^\n]*\n(?:[ \t][^\n]*\n)*(?:[ \t][^\n]*)?\Z" % _BLANK, re.IGNORECASE)
_NAME_TO_COME = re.compile(rb"%b*(?:host%b*:.*|%b{0,64}%b*)" % (SPACE, _BLANK, TOKEN, SPACE), re.IGNORECASE | re.DOTALL)


class Kind(Enum):
    """What a stream is, by its first bytes."""

    WAIT = auto()  # not enough bytes to know
    TLS = auto()  # a whole ClientHello
    HTTP = auto()  # a whole request line
    RAW = auto()  # neither
    MALFORMED = auto()  # TLS that mitmproxy could not read though a server might


@dataclass(frozen=True, slots=True)
class Reading:
    """The kind of a stream, with the names of the ClientHello where it is TLS."""

    kind: Kind
    names: tuple[str, ...] = ()  # those of the ClientHello


WAIT = Reading(Kind.WAIT)
HTTP = Reading(Kind.HTTP)
RAW = Reading(Kind.RAW)
MALFORMED = Reading(Kind.MALFORMED)


def read(data: bytes) -> Reading:
    """The reading of a stream that begins with *data*; at `LONGEST_HEAD` bytes it no longer waits."""
    if data[:1] in _OTHER_RECORDS:
        return _read_other_record(data)
    reading = _read_tls(data) if data[:1] == bytes([_HANDSHAKE]) else _read_text(data)
    if reading.kind is Kind.WAIT and len(data) >= LONGEST_HEAD:
        return MALFORMED
    return reading


def _read_other_record(data: bytes) -> Reading:
    """An alert or the like before the ClientHello, which OpenSSL skips, would hide it."""
    if len(data) == 1:
        return WAIT
    return MALFORMED if data[1] == 3 else RAW


def _read_tls(data: bytes) -> Reading:
    if len(data) >= 2 and data[1] != 3:
        return RAW
    if data[3:5] == b"\0\0":
        return MALFORMED  # OpenSSL skips empty records before the hello, so they would hide it (measured)
    if len(data) < 6:
        return WAIT
    if data[5] != _CLIENT_HELLO:
        return RAW
    if data[2] > _NEWEST_RECORD_VERSION:
        return MALFORMED
    try:
        hello = get_client_hello(data)
        return WAIT if hello is None else Reading(Kind.TLS, server_names(hello[_HANDSHAKE_HEADER:]))
    except ValueError:
        return MALFORMED


def _read_text(data: bytes) -> Reading:
    text = data.lstrip()  # some servers skip space and empty lines before a request (RFC 9112, 2.2; Python's own)
    line, ended, _ = text.partition(b"\n")
    if ended:
        if _OLD_REQUEST.fullmatch(line):
            return MALFORMED
        return HTTP if _is_request_line(line) else RAW
    return WAIT if _BEGINS_LIKE_TEXT.fullmatch(text) else RAW


def _is_request_line(line: bytes) -> bool:
    words = line.split()
    return len(words) > 1 and _METHOD.fullmatch(words[0]) is not None and _VERSION.fullmatch(words[-1]) is not None


def may_be_http(data: bytes) -> bool:
    """Whether a stream whose first line is no request line may still be HTTP to a lenient server."""
    line, ended, _ = data.lstrip().partition(b"\n")
    return b"HTTP/" in line.upper() or (not ended and _LONG_METHOD.match(line) is not None)


def hidden_hello(data: bytes) -> int | None:
    """Where in *data* something begins that reads like a ClientHello; None where nothing does."""
    found = _HELLO.search(data)
    return found.start() if found is not None else None


def preface_length(data: bytes) -> int | None:
    """Bytes of a PROXY protocol header (v1 or v2) at the start of *data*; None while it is incomplete.

    An origin that takes one reads the ClientHello or the request behind it.
    """
    signature = data[: len(SIGNATURE_2)]
    if (len(data) >= 2 and SIGNATURE_2.startswith(signature)) or data.startswith(SIGNATURE_2):
        if len(data) < 16:
            return None
        length = 16 + int.from_bytes(data[14:16])
        return length if len(data) >= length else None
    if data.startswith(SIGNATURE_1):
        end = data.find(b"\n")
        return end + 1 if end >= 0 else (None if len(data) <= LONGEST_1 else 0)
    return 0


def request_head(data: bytes) -> bytes | None:
    """The head of the HTTP request that *data* begins with; None while it is incomplete."""
    body = data.lstrip(b"\r\n")
    end = BLANK_LINE.search(body)
    return body[: end.end()] if end is not None else None


def hosts_in(text: bytes) -> list[str]:
    """Every host that the HTTP requests in *text* name (each line after a line feed): Host headers, absolute-form
    targets, and those of CONNECT.
    """
    found = _ABSOLUTE_TARGET.findall(text) + _CONNECT_TARGET.findall(text)
    if _BARE_RETURN.search(text) is not None:
        text = _BARE_RETURN.sub(b"\n", text)
    found += [match[1] for match in _HOST_LINE.finditer(text)]
    return [re.sub(rb"\r?\n[ \t]+", b"", host).decode("utf-8", "replace").strip() for host in found]


def unfinished(text: bytes) -> bytes | None:
    """The end of *text* in which a name may still be incomplete, to be read again before what follows; None where
    that grows beyond `LONGEST_LINE`.

    That is the last line, and a Host header before it, which the next line may continue (obs-fold, RFC 9112, 5.2).
    """
    start = text.rfind(b"\n") + 1
    if (folded := _OPEN_HOST.search(text)) is not None:
        start = folded.start() + 1
    line = text[start:]
    if len(line) <= LONGEST_LINE:
        return line
    return None if _NAME_TO_COME.fullmatch(line) else b"."  # the rest of a line that names nothing
