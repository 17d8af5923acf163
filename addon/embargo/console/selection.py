"""What a page of the log shows, as it stands in its URL: filter, snapshot, folding, columns, place. The one model.

Every number of the console is a link made here from the filter that counted it. A filter is the query of
`embargo log`, its times absolute once something has been counted, and `snapshot` pins the rows that were there then.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlencode

from flask import g, url_for
from werkzeug.datastructures import MultiDict

from embargo.journal.query import BadTerm, Query, parse_query, split_terms
from embargo.journal.store.rows import Key

DEFAULT_COLUMNS = ("time", "verdict", "app", "host", "client", "user", "rule", "surface")
COLUMNS: Mapping[str, tuple[str, str | None]] = {  # by name: heading, and key of the term that filters for a value
    "time": ("Time", None),
    "verdict": ("Verdict", None),
    "app": ("App", "app"),
    "host": ("Host", "host"),
    "client": ("Client", "client"),
    "user": ("User", "user"),
    "rule": ("Rule", "rule"),
    "surface": ("Surface", "surface"),
    "role": ("Role", "role"),
    "endpoint": ("Endpoint", "endpoint"),
    "method": ("Method", "method"),
    "status": ("Status", "status"),
    "policy": ("Policy", "policy"),
}
PRESETS = (("last hour", timedelta(hours=1)), ("24 hours", timedelta(days=1)), ("7 days", timedelta(days=7)),
           ("30 days", timedelta(days=30)), ("a year", timedelta(days=365)))  # fmt: skip
_UNESCAPED = "!$'()*,/:;?@"  # in the query of a URL (RFC 3986, 3.4)
_TEXTS = frozenset({"user", "rule", "endpoint", "method"})  # whose values `*` and `=` mean something in
_LONGEST = 4_000  # characters of a filter: more than anybody writes, less than a URL may hold
_MOST = 100  # terms: each is a condition of the database, and each link of a page repeats them all
_BEGIN, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)  # of times that can be reckoned with


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A part of the log."""

    query: Query
    text: str  # as it was typed, or canonical
    now: datetime  # from which times ago count
    snapshot: int | None = None  # the last row that counts; None: all that is there
    fold: bool = True  # repeats of a client, an app and an hour are one row
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    after: Key | None = None  # rows behind this place; None: from the newest on
    before: Key | None = None  # the rows nearest before this place
    tailing: bool = False  # the live tail is on

    @classmethod
    def of(cls, query: Query, now: datetime, snapshot: int | None = None) -> "Selection":
        """All of *query*."""
        return cls(query=query, text=str(query), now=now, snapshot=snapshot)

    @classmethod
    def read(cls, given: MultiDict[str, str], now: datetime, zone: tzinfo = UTC) -> "Selection":
        """What the parameters of a URL say; times ago count from *now*, others without an offset are of *zone*.

        Raises BadTerm.
        """
        text = given.get("q", "").strip()
        if len(text) > _LONGEST:
            raise BadTerm(f"a filter of {len(text)} characters; at most {_LONGEST}")
        terms = split_terms(text)
        if len(terms) > _MOST:
            raise BadTerm(f"a filter of {len(terms)} terms; at most {_MOST}")
        query = parse_query(terms, now)
        _within(query.since, query.until)
        since, until = (_instant(given.get(name, ""), name, now, zone) for name in ("since", "until"))
        if since is not None or until is not None:
            query = query.between(since or query.since, until or query.until)
            text = str(query)
        chosen = tuple(name for name in COLUMNS if name in given.getlist("column"))
        return cls(
            query=query,
            text=text,
            now=now,
            snapshot=_number(given.get("snapshot", "")),
            fold=given.get("fold") != "no",
            columns=tuple(dict.fromkeys(("time", *chosen))) if chosen else DEFAULT_COLUMNS,
            after=_key_of(given.get("after", "")),
            before=_key_of(given.get("before", "")),
            tailing=given.get("tail") == "on",
        )

    # --- what it says

    @property
    def since(self) -> datetime | None:
        """The first instant that counts."""
        return self.query.since

    @property
    def until(self) -> datetime | None:
        """The first that no longer does."""
        return self.query.until

    @property
    def period(self) -> bool:
        """Whether a period is chosen."""
        return self.since is not None or self.until is not None

    @property
    def terms(self) -> tuple[str, ...]:
        """Its terms, one a chip."""
        return tuple(split_terms(self.text))

    @property
    def live(self) -> bool:
        """Whether what comes now may be in it."""
        return self.until is None and self.snapshot is None

    def names_people(self) -> bool:
        """Whether its filter asks for a client or user."""
        return any(term.key in ("client", "user", "connection", "id") for term in self.query.terms)

    # --- others beside it

    def url(self, endpoint: str = "log.show") -> str:
        """Its address."""
        return _address(endpoint, self._parameters())

    def narrowed(self, *terms: str) -> "Selection":
        """Only those of its records that each of *terms* takes: what a number counted."""
        query = self.query.and_(*terms)
        return replace(self, query=query, text=str(query), after=None, before=None)

    def only_url(self, key: str, value: str) -> str:
        """The address of only the records with that *value*. A page has hundreds of these, so no query is parsed."""
        return self._beside(_kept(self.text, key), term(key, value))

    def out_url(self, key: str, value: str) -> str:
        """The address of only the records without that *value*."""
        return self._beside(self.text, f"-{term(key, value)}")

    def _beside(self, kept: str, spelt: str) -> str:
        return _address("log.show", [("q", f"{kept} {written(spelt)}".lstrip()), *self.hidden()])

    def without(self, spelt: str) -> "Selection":
        """Without the term that is spelt so."""
        return self._of([each for each in self.terms if each != spelt])

    def timeless(self) -> "Selection":
        """Of all time."""
        return self._of([each for each in self.terms if not each.startswith(("since:", "until:"))])

    def last(self, span: timedelta) -> "Selection":
        """Of the last *span*, as a time ago, and what is newest then."""
        hours = int(span.total_seconds() // 3600)
        ago = f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"
        found = self.timeless()
        return replace(found._of([*found.terms, f"since:{ago}"]), snapshot=None)

    def unfolded(self, query: Query) -> "Selection":
        """The records of *query*, each on its own row, up to the same snapshot."""
        return replace(self, query=query, text=str(query), fold=False, after=None, before=None)

    def refold(self) -> "Selection":
        """Folded where it is not, and the other way round."""
        return replace(self, fold=not self.fold, after=None, before=None)

    def at(self, *, after: Key | None = None, before: Key | None = None) -> "Selection":
        """At that place."""
        return replace(self, after=after, before=before)

    def pinned(self, snapshot: int) -> "Selection":
        """With the rows up to *snapshot* alone, and its times fixed: what was counted stays what is shown."""
        return replace(self, snapshot=snapshot, text=str(self.query))

    def lasting(self) -> str:
        """The address's query as a saved view keeps it: times ago stay so, no snapshot, no place."""
        return replace(self, snapshot=None).at().url().partition("?")[2]

    def hidden(self, *, snapshot: bool = True, columns: bool = True) -> Iterator[tuple[str, str]]:
        """What a form keeps of it beside the filter."""
        if snapshot and self.snapshot is not None:
            yield "snapshot", str(self.snapshot)
        if not self.fold:
            yield "fold", "no"
        if columns and self.columns != DEFAULT_COLUMNS:
            yield from (("column", name) for name in self.columns)

    def _of(self, terms: list[str]) -> "Selection":
        text = " ".join(map(written, terms))
        query = parse_query(terms, self.now)
        return replace(self, query=query, text=text, after=None, before=None)

    def _parameters(self) -> list[tuple[str, str]]:
        found = [("q", self.text)] if self.text else []
        found += self.hidden()
        found += ((name, str(key)) for name, key in (("after", self.after), ("before", self.before)) if key is not None)
        return found


def _address(endpoint: str, parameters: list[tuple[str, str]]) -> str:
    """What `url_for` would give, which looks the endpoint up for each of a page's hundreds of links."""
    paths: dict[str, str] = g.setdefault("paths", {})
    if endpoint not in paths:
        paths[endpoint] = url_for(endpoint)
    given = urlencode(parameters, safe=_UNESCAPED)
    return f"{paths[endpoint]}?{given}" if given else paths[endpoint]


def term(key: str, value: str) -> str:
    """The term for exactly *value*."""
    if key == "host" or (key in _TEXTS and ("*" in value or value.startswith(("=", "//")))):
        return f"{key}:={value}"
    if key == "client":
        try:
            ip_address(value)
        except ValueError:
            return f"client:={value}"
    return f"{key}:{value}"


def _key(spelt: str) -> str:
    """The key by which a term takes, with others of that key or alone; "-" of one that leaves out, "" of a word."""
    if spelt.startswith("-"):
        return "-"
    key, colon, _ = spelt.removeprefix("+").partition(":")
    return key if colon else ""


def written(spelt: str) -> str:
    """A term as it stands in a search box."""
    return shlex.quote(spelt) if any(letter in " \t\r\n'\"\\" for letter in spelt) else spelt


@lru_cache(maxsize=256)
def _kept(text: str, key: str) -> str:
    """*text* without the terms of which one of *key* takes the place."""
    return " ".join(written(each) for each in split_terms(text) if _key(each) != key)


def _key_of(text: str) -> Key | None:
    try:
        found = Key.read(text)
    except ValueError:
        return None
    return found if all(-(1 << 62) < number < 1 << 62 for number in (found.time, found.row)) else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _instant(text: str, name: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The instant that somebody typed; one without an offset is of *zone*. Raises BadTerm."""
    text = text.strip()
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
    except ValueError:
        query = parse_query([f"{name}:{text}"], now)  # 7d, 2h
        found = query.since or query.until or now
    except OverflowError as far:
        raise BadTerm(f"{text!r} is a time of no log") from far
    _within(found)
    return found


def _within(*instants: datetime | None) -> None:
    """Raises BadTerm where one is so far away that zones and buckets cannot be reckoned there."""
    for instant in instants:
        if instant is not None and not _BEGIN <= instant < _END:
            raise BadTerm(f"{instant:%Y-%m-%d} is a time of no log")


def instant(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """As the period's fields read a time. Raises BadTerm."""
    return _instant(text, "since", now, zone)
