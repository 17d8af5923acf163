"""The forms in which DNS over HTTPS is answered: a message of DNS, or JSON as public resolvers share it."""

import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from embargo.core.address import plain
from embargo.core.dns_message import LONGEST, Message, Record, Type, parse
from embargo.core.dns_wire import MalformedMessage
from embargo.enforce.dns.doh_request import BODIES, Form

LONGEST_JSON = 8 * LONGEST  # octets: an address takes 16 of them in a message, some 64 in this form
_BEFORE_JSON = b" \t\r\n\0\xef\xbb\xbf\xfe\xff"  # white space, and what UTF-8, -16 and -32 have there
_NAMES = frozenset({Type.CNAME, Type.DNAME})


@dataclass(frozen=True, slots=True)
class Unread:
    """An answer of DNS that cannot be read."""

    error: str


def read(kind: str, body: bytes) -> tuple[Form, Message | Unread] | None:
    """The answer in *body*, which is said to be of the media type *kind*; None where it is no answer of DNS.

    Not every client looks at the type, so what is a response with a question counts under any.
    """
    if kind.lower().encode(errors="replace").startswith(BODIES):
        try:
            return Form.MESSAGE, parse(body[:LONGEST])
        except MalformedMessage as error:
            return Form.MESSAGE, Unread(str(error))
    if body.lstrip(_BEFORE_JSON).startswith(b"{"):
        if len(body) > LONGEST_JSON:
            return Form.JSON, Unread(f"a JSON document of {len(body)} octets")
        document = _from_json(body)
        return (Form.JSON, document) if document is not None else None
    try:
        message = parse(body[:LONGEST])
    except MalformedMessage:
        return None
    return (Form.MESSAGE, message) if message.questions and not message.is_query else None


def to_json(message: Message) -> bytes:
    """A refusal in the form of Google's and Cloudflare's JSON API."""
    document: dict[str, object] = {
        "Status": message.flags & 0xF,
        "TC": False,
        "RD": bool(message.flags & 0x0100),
        "RA": True,
        "AD": False,
        "CD": False,
        "Question": [{"name": f"{question.name}.", "type": question.type} for question in message.questions],
    }
    answers = [
        {"name": f"{record.owner}.", "type": record.type, "TTL": record.ttl, "data": str(address)}
        for record in message.answers
        for address in record.addresses
    ]
    if answers:
        document["Answer"] = answers
    document["Comment"] = "blocked by policy"
    return json.dumps(document).encode()


def _from_json(body: bytes) -> Message | None:
    """The answers of a JSON document, as far as they lead somewhere; None where it is no such document."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    entries = document.get("Answer") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return None
    records = [record for entry in entries if (record := _record(entry)) is not None]
    return Message(id=0, flags=0x8000, questions=(), answers=tuple(records))


def _record(entry: object) -> Record | None:
    if not isinstance(entry, dict):
        return None
    owner, kind, data, ttl = (entry.get(key) for key in ("name", "type", "data", "TTL"))
    if not (isinstance(owner, str) and isinstance(kind, int) and isinstance(data, str)):
        return None
    seconds = ttl if isinstance(ttl, int) else 0
    owner = owner.removesuffix(".")
    if kind in (Type.A, Type.AAAA):
        try:
            return Record(owner, kind, seconds, None, (plain(ip_address(data)),))
        except ValueError:
            return Record(owner, kind, seconds)
    if kind in _NAMES or kind in (Type.MX, Type.SRV, Type.HTTPS, Type.SVCB):
        words = data.split()
        at = 0 if kind in _NAMES else (3 if kind == Type.SRV else 1)
        target = words[at].removesuffix(".") if len(words) > at else None
        return Record(owner, kind, seconds, target or None, _hints(words))
    return Record(owner, kind, seconds)


def _hints(words: list[str]) -> tuple[Any, ...]:
    """Addresses in the presentation form of an HTTPS record (RFC 9460, 2.1)."""
    found = []
    for word in words:
        key, _, value = word.partition("=")
        if key in ("ipv4hint", "ipv6hint"):
            for text in value.strip('"').split(","):
                try:
                    found.append(plain(ip_address(text)))
                except ValueError:
                    continue
    return tuple(found)
