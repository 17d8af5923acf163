"""The terms by which people search the log, `key:value`, on the command line and in the console (DESIGN 8). Pure.

| term | takes records |
| --- | --- |
| `app:alipay` | of that app; `*` stands for any characters, as in every text value |
| `client:10.1.2.3`, `client:10.1.0.0/16` | of that client or network |
| `client:c1-k7q2m4x5n6p3r6t2` | of the client with that pseudonym |
| `user:alice` | of that user |
| `host:weixin.qq.com`, `host:*.weixin.*` | with that name or one below it; with a name of that form |
| `host:=qq.com` | with just that name; behind `=` any text value, and a client, is taken literally |
| `rule:banned-apps` | that this rule decided |
| `verdict:block`, `would:block` | with that verdict; that a shadow rule or monitor would have given |
| `class:would-block` | counted as that: `blocked`, `would-block`, `logged`, `allowed`, `shared` |
| `trial:alipay`, `trial:domain:x.example` | that an endpoint on trial, of that app or that one, would judge stricter |
| `surface:tls`, `role:cdn`, `endpoint:domain:qq.com` | judged there; by an endpoint of that role; by that endpoint |
| `authority:eo-13971`, `authority:eo-13971:stayed` | of apps that this order names; in that state; or `order:` |
| `policy:5f5f` | under the policy whose digest begins so |
| `method:post`, `status:451` | of that method; answered with that status |
| `category:configuration` | of changes to what is enforced: policies, exceptions; also `network`, `web`, `process` |
| `category:authentication` | of log-ins to the console; `session`, `iam`, `database`: of what else is done there |
| `action:exception-added`, `outcome:failure` | that say this happened; that this came of it |
| `apps:qq,wechat` | of exactly these apps |
| `id:…`, `connection:…` | with that `event.id`; on that connection |
| `since:2026-11-01`, `until:2h` | from then on; before then. A date is 00:00 UTC; `30m`, `2h`, `7d`, `2w` are ago |
| `weixin` | with that text in one of their names |
| `-app:qq`, `-weixin` | that the term without the minus would leave; `-client:*`: that name no client |
| `+app:qq` | that it takes, whatever the other terms with its key say |

Terms with different keys must all hold, of several with the same key any (of `since` and `until` the narrowest);
each with a plus must, none with a minus may.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from ipaddress import ip_address
from itertools import groupby

from embargo.journal.record import Record
from embargo.journal.terms import READERS, BadTerm, Term, Test, understood

__all__ = ["KEYS", "BadTerm", "Query", "Term", "parse_query", "split_terms"]

_TIMES = ("since", "until")
KEYS = (*(key for key in READERS if key), *_TIMES)
_ALIASES = {"order": "authority"}
_ORDER = {key: place for place, key in enumerate((*KEYS, ""))}
_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # seconds
_QUOTED = re.compile(r"[ \t\r\n'\"\\]")  # what `shlex.split` does not take as it is

_FRAME = (b'{"@timestamp":', b"}}")  # how every line of ours begins and ends
_QUOTED_AS_IT_IS = re.compile(r"[ !#-\[\]-~]+")  # characters that JSON writes unescaped
_UNSAID = frozenset({"client", "class", "apps", "policy", "status", "trial"})  # not written as the term has it


@dataclass(frozen=True, slots=True)
class Query:
    """Terms, understood. `str` writes them back in canonical order; `parse_query` reads that as the same query."""

    terms: tuple[Term, ...] = ()  # canonical order, each once
    since: datetime | None = None  # aware; the first instant that counts
    until: datetime | None = None  # aware; the first that no longer does
    _any: tuple[tuple[Test, ...], ...] = field(init=False, compare=False, repr=False)  # by key: of each any must hold
    _needles: tuple[tuple[bytes, ...], ...] = field(init=False, compare=False, repr=False)  # of each any is in the line

    def __post_init__(self) -> None:
        ordered = sorted(
            dict.fromkeys(self.terms), key=lambda term: (_ORDER[term.key], term.sign, term.value.lower(), term.value)
        )
        taking = [[term] for term in ordered if term.sign == "+"]
        either = (term for term in ordered if not term.sign)
        taking += [list(group) for _, group in groupby(either, key=lambda term: term.key)]
        needles = [[_needle(term.key, term.value) for term in group] for group in taking]
        known = [tuple(needle for needle in group if needle is not None) for group in needles]
        object.__setattr__(self, "terms", tuple(ordered))
        object.__setattr__(self, "_any", tuple(tuple(term.test for term in group) for group in taking))
        object.__setattr__(
            self, "_needles", tuple(some for some, group in zip(known, needles, strict=True) if len(some) == len(group))
        )

    def matches(self, record: Record) -> bool:
        """Whether *record* is asked for."""
        if self.since is not None and record.time < self.since:
            return False
        if self.until is not None and record.time >= self.until:
            return False
        return all(any(test(record) for test in tests) for tests in self._any) and not any(
            term.test(record) for term in self.terms if term.sign == "-"
        )

    def may_match(self, line: bytes) -> bool:
        """Whether the record of *line* may be asked for; a tenth of the cost of parsing it.

        A line that is not in the form of ours may always: it is to be parsed, and told if it is broken.
        """
        stripped = line.rstrip(b"\n")
        if not (stripped.startswith(_FRAME[0]) and stripped.endswith(_FRAME[1])):
            return True
        lowered = stripped.lower()
        return all(any(needle in lowered for needle in anyone) for anyone in self._needles)

    def and_(self, *terms: str) -> "Query":
        """This query, narrowed to records that each of *terms* (without sign) takes too. Raises BadTerm.

        Times are RFC 3339: none is ago.
        """
        added = parse_query(terms, datetime.max.replace(tzinfo=UTC))
        held = {term.key for term in self.terms if not term.sign}
        narrowing = (replace(term, sign="+") if not term.sign and term.key in held else term for term in added.terms)
        return Query(
            (*self.terms, *narrowing),
            max(filter(None, (self.since, added.since)), default=None),
            min(filter(None, (self.until, added.until)), default=None),
        )

    def without(self, *keys: str) -> "Query":
        """This query without its terms of *keys*."""
        return Query(
            tuple(term for term in self.terms if term.key not in keys),
            None if "since" in keys else self.since,
            None if "until" in keys else self.until,
        )

    def between(self, since: datetime | None, until: datetime | None) -> "Query":
        """This query with that period in place of its own."""
        return replace(self, since=since, until=until)

    def __str__(self) -> str:
        times = [
            f"{key}:{instant.astimezone(UTC).isoformat().replace('+00:00', 'Z')}"
            for key, instant in zip(_TIMES, (self.since, self.until), strict=True)
            if instant is not None
        ]
        return " ".join(_written(text) for text in (*map(str, self.terms), *times))


def _written(term: str) -> str:
    return shlex.quote(term) if _QUOTED.search(term) else term


def split_terms(text: str) -> list[str]:
    """The terms of a search box's text; quotes hold spaces together. Raises BadTerm."""
    try:
        return shlex.split(text)
    except ValueError as unbalanced:
        raise BadTerm(f"{text!r}: a quotation mark has no partner") from unbalanced


def parse_query(terms: Iterable[str], now: datetime) -> Query:
    """The query that *terms* spell; times ago count from *now* (aware). Raises BadTerm."""
    read: list[Term] = []
    times: Mapping[str, list[datetime]] = {key: [] for key in _TIMES}
    for term in terms:
        sign, key, value = _split(term)
        if key not in _TIMES:
            read.append(understood(term, sign, key, value))
        elif sign == "-":
            raise BadTerm(f"{term!r}: a time has no minus; write {_TIMES[key == 'since']}:{value}")
        else:
            times[key].append(_instant(term, value, now))
    return Query(tuple(read), max(times["since"], default=None), min(times["until"], default=None))


def _needle(key: str, value: str) -> bytes | None:
    """What stands in the lower-case line of every record that the term takes; None where nothing certain does."""
    if key == "trial":
        return b'"trial":{'
    if "*" in value or key in _UNSAID or _QUOTED_AS_IT_IS.fullmatch(value) is None:
        return None
    value = value.removeprefix("=")
    if key == "host":
        return value.lower().encode("ascii")
    if key == "authority":
        value = value.partition(":")[0]
    text = value.lower()
    return (text if key == "" else f'"{text}"').encode("ascii")


def _split(term: str) -> tuple[str, str, str]:
    """Its sign ("", "+", "-"), key and value; the key "" for a bare word."""
    sign = term[:1] if term.startswith(("+", "-")) else ""
    bare = term[len(sign) :]
    key, colon, value = bare.partition(":")
    if not colon or _is_address(bare):
        if not bare.strip():
            raise BadTerm("an empty term")
        return sign, "", bare
    if "//" in value[:2]:
        raise BadTerm(f"{term!r} is a URL; search its host, as in host:{value.lstrip('/').partition('/')[0]}")
    key = _ALIASES.get(key, key)
    if key not in KEYS:
        near = get_close_matches(key.lower(), KEYS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(KEYS)}"
        raise BadTerm(f"{term!r}: unknown key {key!r}; {hint}")
    if not value:
        raise BadTerm(f"{term!r} has no value")
    return sign, key, value


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


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
