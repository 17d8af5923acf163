"""The names that some server might read in the bytes it got, be they well-formed or not.

The oracle of the fuzzers: kept apart from the code under test, and more lenient than any one server.
"""

import re
import unicodedata
from urllib.parse import unquote

_FOLD = re.compile(rb"\r?\n[ \t]+")
_HOST = re.compile(r"(?:^|[\r\n])[ \t\x0b\x0c]*host[ \t\x0b\x0c]*:([^\r\n]*)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.\-]*://([^/?#\s]*)", re.IGNORECASE)
_CONNECT = re.compile(r"(?:^|[\r\n])connect\s+(\S+)", re.IGNORECASE)
_NAME = re.compile(r"[0-9a-z_.\-]+")
_SERVER_NAME = re.compile(rb"[!-~\x80-\xff]+")  # what stands in a line of text is none
_FIRST_LINE = re.compile(r"(?:^|[\r\n])[^\r\n]*\sHTTP/[^\r\n]*", re.IGNORECASE)


def is_below(text: str, domain: str) -> bool:
    """Whether a name in *text*, which may hold much else, is *domain* or lies below it."""
    plain = unicodedata.normalize("NFKC", unquote(text)).replace("。", ".").lower()
    names = [name.strip(".") for name in _NAME.findall(plain)]
    return any(name == domain or name.endswith("." + domain) for name in names)


def http_names(data: bytes) -> list[str]:
    """What Host headers, absolute targets and CONNECT lines in *data* say, as it came."""
    text = _FOLD.sub(b" ", data).decode("utf-8", "replace")
    found = _HOST.findall(text) + _CONNECT.findall(text)
    for line in _FIRST_LINE.findall(text):
        found += _ABSOLUTE.findall(line)
    return found


def handshake(data: bytes) -> bytes:
    """*data* without the headers of its TLS records, from wherever the first one begins."""
    start, message = data.find(b"\x16\x03"), b""
    while start >= 0 and data[start : start + 2] == b"\x16\x03" and len(data) >= start + 5:
        end = start + 5 + int.from_bytes(data[start + 3 : start + 5])
        message += data[start + 5 : end]
        start = end
    return message


def tls_names(data: bytes) -> list[str]:
    """Every text in a ClientHello, or in *data* as it is, that stands behind its own length as a server name does."""
    found = []
    for text in (data, handshake(data)):
        for position in range(len(text) - 2):
            length = int.from_bytes(text[position : position + 2])
            name = text[position + 2 : position + 2 + length]
            if 3 < length < 256 and len(name) == length and _SERVER_NAME.fullmatch(name):
                found.append(name.decode("utf-8", "replace"))
    return found


def arrived(data: bytes, domain: str) -> bool:
    """Whether any server might take *data* to be for *domain*."""
    if domain.encode() not in data.lower() and not any(byte > 127 for byte in data) and b"%" not in data:
        folded = handshake(data).lower()
        if domain.encode() not in folded and domain.encode() not in _FOLD.sub(b"", data).lower():
            return False
    return any(is_below(name, domain) for name in (*http_names(data), *tls_names(data)))
