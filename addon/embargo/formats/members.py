"""Members of a record's document by dotted path, whatever stands there: a format never fails for a strange record."""

import re
from collections.abc import Mapping
from typing import Any

from embargo.journal.ecs import encode_json
from embargo.journal.privacy import CUT, keyword
from embargo.journal.record import Record

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
# control characters, line separators, what turns the direction of writing, halves of characters, byte order marks

_SURROGATE = re.compile("[\ud800-\udfff]")


def member(record: Record, path: str) -> Any:
    """What stands at *path*, such as `source.ip`; None where nothing does."""
    found: Any = record.document
    for name in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def text(record: Record, path: str) -> str | None:
    """The text at *path*; None where there is none, or an empty one."""
    found = member(record, path)
    return keyword(found, len(found)) if isinstance(found, str) and found else None


def number(record: Record, path: str) -> int | None:
    """The whole number at *path*."""
    found = member(record, path)
    return found if type(found) is int else None


def client_words(record: Record) -> str | None:
    """What stands for a client whose address is not told: a pseudonym, or a masked address."""
    if text(record, "source.ip") is not None and member(record, "embargo.masked") is not True:
        return None
    return text(record, "embargo.client") or text(record, "source.address") or text(record, "source.ip")


def client_address(record: Record) -> str | None:
    """The client's address in full; a masked one is none."""
    return None if member(record, "embargo.masked") is True else text(record, "source.ip")


def cut(value: str, longest: int) -> tuple[str, bool]:
    """*value* in at most *longest* characters, and whether that took some away."""
    return (value[: longest - 1] + CUT, True) if len(value) > longest else (value, False)


def one_line(value: str) -> str:
    """*value* without a character that ends a line, hides or turns text: each becomes U+FFFD."""
    return UNPRINTABLE.sub("\ufffd", value)


def encoded(value: Any) -> str:
    """*value* as JSON in printable ASCII, well-formed for the strictest parser."""
    line = encode_json(value)
    return encode_json(_mended(value)) if "\\ud" in line else line


def _mended(value: Any) -> Any:
    """*value* without half a character, for which a strict parser would refuse the whole record."""
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [_mended(item) for item in value]
        case dict():
            return {_mended(key): _mended(item) for key, item in value.items()}
    return value
