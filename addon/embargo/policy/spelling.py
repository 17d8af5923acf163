"""How the values of a policy file are spelled, as JSON Schema says it: what an editor checks, and offers as examples.

A schema cannot say all that the loader does (that a day exists, that a suffix is public), so a pattern here refuses
nothing that the loader takes. Patterns are of the dialect that ECMA-262 and Python have in common.
"""

from typing import Any

from embargo.policy.instants import DURATIONS, SIZES

type Schema = dict[str, Any]

_DAY = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"[0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_HTTP = "[Hh][Tt][Tt][Pp]"
_IDENTIFIER = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def text(*examples: str) -> Schema:
    """Text that is not blank."""
    return {"type": "string", "pattern": r"\S", **_examples(examples)}


def spelled(pattern: str, *examples: str, told: str) -> Schema:
    """Text that *pattern* describes whole; *told* is what an editor says of any other."""
    return {"type": "string", "pattern": f"^(?:{pattern})$", "patternErrorMessage": told, **_examples(examples)}


def _examples(examples: tuple[str, ...]) -> Schema:
    return {"examples": list(examples)} if examples else {}


def _quantity(units: dict[str, Any], *examples: str) -> Schema:
    words = "|".join(units)
    return spelled(rf"[0-9]+(?:\.[0-9]+)? ?(?:{words})", *examples, told=f"a number with one of {', '.join(units)}")


_ID_RULE = "up to 64 letters a-z, digits, '.', '_' and '-', beginning with a letter or digit"
TEXT = text()
ID = spelled(_IDENTIFIER, told=_ID_RULE)
APP_ID = ID | {"not": {"const": "all"}}
RULE_ID = ID | {"not": {"const": "default"}}
LANGUAGE = spelled(
    r"\*|[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", "en", "de", "zh-Hans", told="a language tag such as en, or *"
)
CONTACT = spelled(
    rf'(?:{_HTTP}[Ss]?://|[Mm][Aa][Ii][Ll][Tt][Oo]:|[Tt][Ee][Ll]:)[^\s<>"]+|[^\s@<>"]+@[^\s@<>"]+',
    "https://help.example.com/?incident={incident}", "help@example.com", told="a mail address or a URL",
) | {"allOf": [{"pattern": r"^(?:[^{}]|\{incident\})*$"}]}  # fmt: skip
WEB_ADDRESS = spelled(rf'{_HTTP}[Ss]?://[^\s<>"]+', "https://example.org/order", told="a URL that begins with https://")
FILE = text() | {"not": {"pattern": r"\x00"}}
DAY = spelled(_DAY, "2026-11-24", told="a date such as 2026-11-24")
INSTANT = spelled(
    f"{_DAY}(?:[Tt ]{_CLOCK})?", "2026-12-31", "2026-12-31T18:00:00+01:00",
    told="a date (00:00 UTC) or a time with offset such as 2026-12-31T18:00:00+01:00",
)  # fmt: skip
HOURS = spelled(
    r"(?!(.{5})-\1$)(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)",
    "08:00-18:00", "22:00-06:00", told="hours of a day such as 22:00-06:00",
)  # fmt: skip
TIMEZONE = text("UTC", "America/New_York", "Europe/Berlin", "Asia/Shanghai")
DURATION = _quantity(DURATIONS, "200ms", "1h", "365d")
SIZE = _quantity(SIZES, "256MiB")
DOMAIN = spelled(
    r"(?!\s*\.)[^*/:]*[^*/:\s][^*/:]*", "example.com",
    told="a domain without scheme, port, path and *: it covers all below it",
)  # fmt: skip
HOST = DOMAIN | {"patternErrorMessage": "a host name without scheme, port, path and *", "examples": ["www.example.com"]}
URL = spelled(
    r"(?![A-Za-z][A-Za-z0-9+.-]*://)[^/*]*[^/*\s][^/*]*/[^\x00]*", "example.com/app/*", "example.com/page?id=1",
    told="a host, then a path: without scheme, * in the path alone",
)  # fmt: skip
NETWORK = spelled(
    r"[0-9A-Fa-f.:]+(?:%[^/]+)?(?:/[0-9.]+)?", "10.20.0.0/16", "2001:db8::/32", "192.0.2.7",
    told="an address or a network such as 203.0.113.0/24",
)  # fmt: skip
ADDRESS = NETWORK | {"patternErrorMessage": "an address such as 192.0.2.7", "examples": ["192.0.2.7", "2001:db8::7"]}
REQUEST = text("https://www.example.com/", "www.example.com", "192.0.2.7") | {
    "not": {"pattern": rf"^\s*(?!(?:{_HTTP}[Ss]?|[Ww][Ss][Ss]?)://)[A-Za-z][A-Za-z0-9+.-]*://"}
}
SINK = spelled(
    r"/[^\x00]*[^/\x00]|(?:[Uu][Dd][Pp]|[Tt][Cc][Pp]|[Tt][Ll][Ss]|[Rr][Ee][Ll][Pp][Ss]?|[Hh][Tt][Tt][Pp][Ss]?)://[^\s]+",
    "relps://siem.example.com:2514", "https://elastic.example.com:9200", "/var/log/embargo/export.jsonl",
    told="an address such as relps://siem.example.com:2514, or the absolute path of a file",
)  # fmt: skip
ABSOLUTE_FILE = spelled(r"/[^\x00]*[^/\x00]", "/etc/embargo/siem-token", told="the absolute path of a file")
FACILITY: Schema = {"type": "integer", "minimum": 0, "maximum": 23, "examples": [13]}
COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": 2**31}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65_535, "examples": [443]}
VERSION: Schema = {"const": 1, "type": "integer"}
STATUS: Schema = {"enum": [403, 451, None]}
APPLE_ID: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": 10**19 - 1},
        spelled("[0-9]{1,19}", told="the number in the listing's address"),
    ],
    "examples": [333206289],
}
PLAY_ID = spelled(
    r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)+", "com.example.app", told="a package name like com.example.app"
)
MICROSOFT_ID: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 10**7, "maximum": 10**32 - 1},
        spelled("[A-Za-z0-9]{8,32}", told="the product id in the listing's address"),
    ],
    "examples": ["9NBLGGH4SLX7"],
}
