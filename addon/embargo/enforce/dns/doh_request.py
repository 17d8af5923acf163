"""Where an HTTP request carries a DNS question (RFC 8484, and the JSON form that public resolvers share)."""

import base64
import binascii
import re
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import unquote, unquote_to_bytes

from mitmproxy import http

from embargo.core import dns_framing
from embargo.core.dns_message import HEADER, IN, LONGEST, Type
from embargo.core.request import Name, Source

MESSAGE, JSON = "application/dns-message", "application/dns-json"  # media types
BODIES = (b"application/dns-message", b"application/dns-udpwireformat")  # the second is a draft's, still taken by some
_FORM = b"application/x-www-form-urlencoded"  # some servers read its fields like those of a URL
_MESSAGE_PATH, _JSON_PATH = "/dns-query", "/resolve"  # resolvers' own: RFC 8484's example, and Google's for JSON
_MAY_ASK = re.compile(  # a parameter `dns` or `name`, percent-encoded or not
    rb"[?&;](?:(?:d|%[46]4)(?:n|%[46]e)(?:s|%[57]3)|(?:n|%[46]e)(?:a|%[46]1)(?:m|%[46]d)(?:e|%[46]5))=", re.IGNORECASE
)
_RECURSION_DESIRED = 0x0100


class Form(Enum):
    """How a question is put, and wants to be answered."""

    MESSAGE = auto()
    JSON = auto()


@dataclass(frozen=True, slots=True)
class Carried:
    """A DNS query that a request carries."""

    form: Form
    query: bytes  # as a message; what cannot be read as one is handed on as it is, to be refused


def in_url(request: http.Request) -> list[Carried]:
    """The queries in the URL of *request*.

    A parameter `dns` counts wherever it holds a query, a `name` at a resolver's usual path or where the answer is
    wanted as DNS; other sites use these words too. What may be a message that only a lenient server reads counts at
    a resolver's path; what is shorter than any message, only where nothing else is asked there.
    """
    if _MAY_ASK.search(request.data.path) is None:
        return []
    return _in_parameters(request, request.data.path.decode("utf-8", "replace").partition("?")[2])


def _in_parameters(request: http.Request, query: str) -> list[Carried]:
    path = _path(request)
    accept = request.headers.get("accept", "").lower()
    wants_json = JSON in accept
    found = []
    values: dict[str, list[str]] = {}
    for piece in re.split("[&;]", query.partition("#")[0]):
        key, _, value = piece.partition("=")
        values.setdefault(unquote(key).lower(), []).append(value)
    wants_json |= any(JSON in unquote(value).lower() for value in values.get("ct", ()))
    for value in values.get("dns", ()):
        message = _decoded(value)
        may_be_one = path.endswith(_MESSAGE_PATH) and (len(message) >= HEADER.size or "name" not in values)
        if _is_query(message) or may_be_one or MESSAGE in accept:
            found.append(Carried(Form.MESSAGE, message))
    if path.endswith((_MESSAGE_PATH, _JSON_PATH)) or wants_json:
        kinds = [_type(unquote(value)) for value in values.get("type", ())] or [Type.A]
        for value in values.get("name", ()):
            message = _question(unquote(value.replace("+", " ")), kinds)
            if message or wants_json:
                found.append(Carried(Form.JSON, message))
    return found


def has_query_body(request: http.Request) -> bool:
    """Whether the body of *request* may be a DNS query, by what its head says; see `in_body`."""
    if request.data.method in (b"GET", b"HEAD", b"OPTIONS", b"CONNECT"):
        return False
    return any(kind.startswith(BODIES) for kind in _types(request)) or _path(request).endswith(_MESSAGE_PATH)


def must_be_query(request: http.Request) -> bool:
    """Whether a body that `has_query_body` tells of is a query or cannot be read: nothing says that it is else."""
    kinds = _types(request)
    return not kinds or any(kind.startswith(BODIES) for kind in kinds)


def in_body(request: http.Request, body: bytes) -> list[Carried]:
    """The queries in the *body* of *request*, which may be one. Where its type says otherwise, what it is counts."""
    if must_be_query(request):
        return [Carried(Form.MESSAGE, body if len(body) <= LONGEST else b"")]
    if _is_query(body):
        return [Carried(Form.MESSAGE, body)]
    if any(kind.startswith(_FORM) for kind in _types(request)) and len(body) <= LONGEST:
        return _in_parameters(request, body.decode("utf-8", "replace"))
    return []


def _path(request: http.Request) -> str:
    return unquote(request.data.path.partition(b"?")[0].decode("utf-8", "replace")).lower().rstrip("/")


def _types(request: http.Request) -> list[bytes]:
    """What its head says of its body."""
    fields = request.data.headers.fields
    return [value.strip().lower() for key, value in fields if len(key) == 12 and key.lower() == b"content-type"]


def _decoded(value: str) -> bytes:
    """Base64url, as leniently as servers read it: padding, the other alphabet, characters of neither."""
    text = unquote_to_bytes(value).replace(b"+", b"-").replace(b"/", b"_").rstrip(b"=")
    try:
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        return b""


def _is_query(message: bytes) -> bool:
    if len(message) > LONGEST:
        return False
    return dns_framing.framing(len(message).to_bytes(2) + message) is dns_framing.Framing.QUERY


def _type(text: str) -> int:
    text = text.strip().upper()
    if text.isascii() and text.removeprefix("TYPE").isdigit():
        return int(text.removeprefix("TYPE")[:5]) & 0xFFFF
    return Type[text] if text in Type.__members__ else Type.A


def _question(text: str, kinds: list[int]) -> bytes:
    """A query for the host that *text* names; empty where it is none."""
    host = Name.parse(Source.QUESTION, text).host
    if host is None:
        return b""
    wire = b"".join(bytes([len(label)]) + label.encode() for label in host.text.split(".")) + b"\0"
    header = HEADER.pack(0, _RECURSION_DESIRED, len(kinds[:8]), 0, 0, 0)
    return header + b"".join(wire + kind.to_bytes(2) + IN.to_bytes(2) for kind in kinds[:8])
