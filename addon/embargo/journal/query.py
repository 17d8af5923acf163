"""The terms by which people search the log, `key:value`, on the command line and in the console (DESIGN 8). Pure.

| term | takes records |
| --- | --- |
| `app:alipay` | of that app; `*` stands for any characters, as in every text value |
| `client:10.1.2.3`, `client:10.1.0.0/16` | of that client or network |
| `user:alice` | of that user |
| `host:weixin.qq.com`, `host:*.weixin.*` | with that name or one below it; with a name of that form |
| `rule:banned-apps` | that this rule decided |
| `verdict:block`, `would:block` | with that verdict; that a shadow rule or monitor would have given |
| `trial:alipay`, `trial:domain:x.example` | that an endpoint on trial, of that app or that one, would judge stricter |
| `surface:tls` | judged there |
| `category:configuration` | of changes to what is enforced: policies, exceptions; also `network`, `web`, `process` |
| `action:exception-added` | that say this happened |
| `since:2026-11-01`, `until:2h` | from then on; before then. A date is 00:00 UTC; `30m`, `2h`, `7d`, `2w` are ago |
| `weixin` | with that text in one of their names |

Terms with different keys must all hold, of several with the same key any (of `since` and `until` the narrowest).
"""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from fnmatch import translate
from ipaddress import ip_address, ip_network

from embargo.core.decision import Verdict
from embargo.core.hostname import MalformedHost, canonical
from embargo.core.request import Surface
from embargo.journal.record import Record

KEYS = (
    *("app", "client", "user", "host", "rule", "verdict", "would", "trial", "surface", "category", "action"),
    *("since", "until"),
)
_VERDICTS = tuple(str(verdict) for verdict in (Verdict.BLOCK, Verdict.LOG, Verdict.ALLOW))
_CATEGORIES = ("network", "web", "configuration", "process")  # ECS event.category, as far as records have it
_SURFACES = tuple(surface.value for surface in Surface)
_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # seconds

_FRAME = (b'{"@timestamp":', b"}}")  # how every line of ours begins and ends
_QUOTED_AS_IT_IS = re.compile(r"[ !#-\[\]-~]+")  # characters that JSON writes unescaped

type Test = Callable[[Record], bool]


class BadTerm(ValueError):
    """A term that cannot be understood; says what could be meant."""


@dataclass(frozen=True, slots=True)
class Query:
    """Terms, understood."""

    tests: Mapping[str, tuple[Test, ...]]  # by key: of each any must hold
    since: datetime | None = None  # aware; the first instant that counts
    until: datetime | None = None  # aware; the first that no longer does
    needles: tuple[tuple[bytes, ...], ...] = ()  # of each any must be in the lower-case line of a record that matches

    def matches(self, record: Record) -> bool:
        """Whether *record* is asked for."""
        if self.since is not None and record.time < self.since:
            return False
        if self.until is not None and record.time >= self.until:
            return False
        return all(any(test(record) for test in tests) for tests in self.tests.values())

    def may_match(self, line: bytes) -> bool:
        """Whether the record of *line* may be asked for; a tenth of the cost of parsing it.

        A line that is not in the form of ours may always: it is to be parsed, and told if it is broken.
        """
        stripped = line.rstrip(b"\n")
        if not (stripped.startswith(_FRAME[0]) and stripped.endswith(_FRAME[1])):
            return True
        lowered = stripped.lower()
        return all(any(needle in lowered for needle in anyone) for anyone in self.needles)


def split_terms(text: str) -> list[str]:
    """The terms of a search box's text; quotes hold spaces together. Raises BadTerm."""
    try:
        return shlex.split(text)
    except ValueError as unbalanced:
        raise BadTerm(f"{text!r}: a quotation mark has no partner") from unbalanced


def parse_query(terms: Iterable[str], now: datetime) -> Query:
    """The query that *terms* spell; times ago count from *now* (aware). Raises BadTerm."""
    tests: dict[str, list[Test]] = {}
    needles: dict[str, list[bytes | None]] = {}
    since = until = None
    for term in terms:
        key, value = _split(term)
        if key == "since":
            instant = _instant(term, value, now)
            since = instant if since is None else max(since, instant)
        elif key == "until":
            instant = _instant(term, value, now)
            until = instant if until is None else min(until, instant)
        else:
            tests.setdefault(key, []).append(_TESTS[key](term, value))
            needles.setdefault(key, []).append(_needle(key, value))
    return Query(
        {key: tuple(anyone) for key, anyone in tests.items()},
        since,
        until,
        tuple(known for anyone in needles.values() if len(known := tuple(filter(None, anyone))) == len(anyone)),
    )


def _needle(key: str, value: str) -> bytes | None:
    """What stands in the lower-case line of every record that the term takes; None where nothing certain does."""
    if key == "trial":
        return b'"trial":{'
    if "*" in value or key == "client" or _QUOTED_AS_IT_IS.fullmatch(value) is None:
        return None
    if key == "host":
        return canonical(value).text.encode("ascii")
    text = value.lower()
    return (text if key == "" else f'"{text}"').encode("ascii")


def _split(term: str) -> tuple[str, str]:
    """Key and value; the key "" for a bare word."""
    key, colon, value = term.partition(":")
    if not colon or _is_address(term):
        if not term.strip():
            raise BadTerm("an empty term")
        return "", term
    if "//" in value[:2]:
        raise BadTerm(f"{term!r} is a URL; search its host, as in host:{value.lstrip('/').partition('/')[0]}")
    if key not in KEYS:
        near = get_close_matches(key.lower(), KEYS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(KEYS)}"
        raise BadTerm(f"{term!r}: unknown key {key!r}; {hint}")
    if not value:
        raise BadTerm(f"{term!r} has no value")
    return key, value


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _word(_term: str, value: str) -> Test:
    wanted = value.lower()
    return lambda record: any(wanted in host for host in record.hosts)


def _matcher(value: str) -> Callable[[str], bool]:
    """A whole-text comparison, in which `*` stands for any characters; case is ignored."""
    wanted = value.casefold()
    if "*" not in wanted:
        if value.isascii():  # so that `_needle` is right: no letter beyond ASCII folds into one of it
            return lambda text: text.isascii() and text.lower() == wanted
        return lambda text: text.casefold() == wanted
    pattern = re.compile(_glob(wanted))
    return lambda text: pattern.match(text.casefold()) is not None


def _glob(text: str) -> str:
    """A regular expression for *text* in which only `*` is special: names hold `?` and `[` in no other sense."""
    return translate(re.sub(r"[?\[]", lambda found: f"[{found[0]}]", text))


def _app(_term: str, value: str) -> Test:
    wanted = _matcher(value)
    return lambda record: any(wanted(app) for app in record.apps)


def _user(_term: str, value: str) -> Test:
    wanted = _matcher(value)
    return lambda record: record.user is not None and wanted(record.user)


def _rule(_term: str, value: str) -> Test:
    wanted = _matcher(value)
    return lambda record: record.rule is not None and wanted(record.rule)


def _trial(_term: str, value: str) -> Test:
    wanted = _matcher(value)
    return lambda record: record.trial is not None and any(map(wanted, record.trial))


def _action(_term: str, value: str) -> Test:
    wanted = _matcher(value)
    return lambda record: wanted(record.action)


def _host(term: str, value: str) -> Test:
    if "*" in value:
        pattern = re.compile(_glob(value.lower().removesuffix(".")))
        return lambda record: any(pattern.match(host) is not None for host in record.hosts)
    try:
        wanted = canonical(value).text
    except MalformedHost as malformed:
        raise BadTerm(f"{term!r}: {malformed}") from malformed
    below = "." + wanted
    return lambda record: any(host == wanted or host.endswith(below) for host in record.hosts)


def _client(term: str, value: str) -> Test:
    try:
        network = ip_network(value.strip("[]"), strict=False)
    except ValueError as malformed:
        raise BadTerm(f"{term!r}: {value!r} is no address and no network; write 10.1.2.3 or 10.1.0.0/16") from malformed

    def inside(record: Record) -> bool:
        if record.client is None:
            return False
        try:
            return ip_address(record.client) in network
        except ValueError:
            return False  # a pseudonym

    return inside


def _choice(
    what: str, choices: tuple[str, ...], read: Callable[[Record], str | tuple[str, ...] | None]
) -> Callable[[str, str], Test]:
    def test(term: str, value: str) -> Test:
        wanted = value.lower()
        if wanted not in choices:
            near = get_close_matches(wanted, choices, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(choices)}"
            raise BadTerm(f"{term!r}: {value!r} is no {what}; {hint}")
        return lambda record: (found := read(record)) == wanted or (type(found) is tuple and wanted in found)

    return test


_TESTS: Mapping[str, Callable[[str, str], Test]] = {
    "": _word,
    "app": _app,
    "client": _client,
    "user": _user,
    "host": _host,
    "rule": _rule,
    "verdict": _choice("verdict", _VERDICTS, lambda record: record.verdict),
    "would": _choice("verdict", _VERDICTS, lambda record: record.would),
    "trial": _trial,
    "surface": _choice("surface", _SURFACES, lambda record: record.surface),
    "category": _choice("category", _CATEGORIES, lambda record: record.categories),
    "action": _action,
}


def _instant(term: str, value: str, now: datetime) -> datetime:
    try:
        if (ago := _AGO.fullmatch(value.lower())) is not None:
            return now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError) as malformed:
        raise BadTerm(
            f"{term!r}: {value!r} is no time; write 7d, 2h, 2026-11-24 or 2026-11-24T08:00:00+08:00"
        ) from malformed
    if len(value) > len("2026-11-24"):
        raise BadTerm(f"{term!r}: {value!r} has no offset; add Z or +08:00")
    return instant.replace(tzinfo=UTC)
