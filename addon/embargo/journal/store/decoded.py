"""A line of the log as the row that the store keeps of it.

msgspec reads the members that a row needs in a sixth of the time that `json` takes for all. What it does not take
(another type, a lone surrogate, another form of time) is read by `Record`, which says what a record is.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, Protocol, cast

from msgspec import UNSET, MsgspecError
from msgspec.json import Decoder
from msgspec.structs import astuple

from embargo.journal.heartbeat import ACTION, host_of, process_of
from embargo.journal.record import Record
from embargo.journal.seal.chain import MARK
from embargo.journal.store.identity import identity
from embargo.journal.store.kinds import Extra, Kind, Who, is_browser
from embargo.journal.store.line import SHARED, Line, Ours
from embargo.journal.store.spans import micros

_MOST_KEPT = 100_000  # values that are looked up and not built anew


class Intern(Protocol):
    """Gives equal values one number (in a test, the value itself)."""

    def kind(self, kind: Kind, /) -> int:
        """The number of *kind*."""

    def who(self, who: Who, /) -> int:
        """The number of *who*."""

    def names(self, names: tuple[str, ...], /) -> int:
        """The number of *names*; the first is the one that people think of."""

    def extra(self, extra: Extra, /) -> int:
        """The number of *extra*."""


class Beat(NamedTuple):
    """What the store keeps of a heartbeat, so that a year of them is added up without the log's files."""

    host: str | None
    pid: int | None
    text: str  # JSON: the record's embargo.heartbeat


class Row(NamedTuple):
    """What the store keeps of a record."""

    time: int  # microseconds since 1970
    kind: int
    who: int
    names: int
    extra: int
    id_high: int  # of event.id
    id_low: int
    connection: int  # 0: none
    heartbeat: Beat | None


class LineReader:
    """Reads lines. For one thread."""

    def __init__(self, intern: Intern) -> None:
        self._intern = intern
        self._decode = cast(Callable[[bytes], Line], Decoder(Line).decode)
        self._seconds: dict[str, int] = {}
        self._kinds: dict[tuple[Any, ...], int] = {}
        self._whos: dict[tuple[str | None, str | None], int] = {}
        self._names: dict[tuple[Any, ...], int] = {}
        self._extras: dict[tuple[Any, ...], int] = {}

    def row(self, line: bytes) -> Row | None:
        """The row of *line*; None of one of the seal's own records, which say nothing that happened.

        Raises BrokenRecord.
        """
        try:
            read = self._decode(line)
            event = read.event
            if event.action == _CHECKPOINT and MARK in line:
                return None
            text = read.time
            second, milli = self._seconds.get(text[:20]), _MILLIS.get(text[20:])
            time = self._time(text) if second is None or milli is None else second + milli
        except (MsgspecError, ValueError, UnicodeError):
            return row_of(Record.parse(line), self._intern) if MARK not in line else None
        rule, source, http = read.rule, read.source, read.http
        ours = read.embargo or _NOTHING
        agent = read.user_agent.original if read.user_agent else None
        key = (
            astuple(ours)[:SHARED],
            rule.id if rule else None,
            event.category,
            event.action,
            event.outcome,
            None if agent is None else is_browser(agent),
        )
        if (kind := self._kinds.get(key)) is None:
            kind = _kept(self._kinds, key, self._intern.kind(_kind(ours, *key[1:])))
        pair = ((source.ip or source.address) if source else None, read.user.name if read.user else None)
        if (who := self._whos.get(pair)) is None:
            who = _kept(self._whos, pair, self._intern.who(Who(*pair)))
        destination = read.destination
        seen = (
            read.url.domain if read.url else None,
            read.dns.question.name if read.dns and read.dns.question else None,
            read.tls.client.server_name if read.tls and read.tls.client else None,
            (destination.domain or destination.ip or destination.address) if destination else None,
            read.related.hosts if read.related else None,
        )
        if (names := self._names.get(seen)) is None:
            names = _kept(self._names, seen, self._intern.names(_hosts(*seen)))
        rest = (
            rule.ruleset if rule else None,
            http.request.method if http and http.request else None,
            http.response.status_code if http and http.response else None,
        )
        if (extra := self._extras.get(rest)) is None:
            extra = _kept(self._extras, rest, self._intern.extra(Extra(*rest)))
        connection = ours.connection
        high, low = identity(event.id)
        connected = 0 if connection is None else identity(connection)[1]
        beat = None if ours.heartbeat is UNSET else _beat(Record.parse(line))  # one a minute
        return _row(Row, (time, kind, who, names, extra, high, low, connected, beat))

    def _time(self, text: str) -> int:
        """Ours are `2026-01-05T10:00:00.123Z`, of which many share the second; others are read the long way."""
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no offset")
        time = micros(moment)
        if len(text) == 24 and text[19] == "." and (milli := _MILLIS.get(text[20:])) is not None:
            _kept(self._seconds, text[:20], time - milli)
        return time


_CHECKPOINT = "seal-checkpoint"  # action of what `MARK` marks
_NOTHING = Ours()
_MILLIS = {f"{milli:03}Z": milli * 1000 for milli in range(1000)}  # microseconds
_row = tuple.__new__  # of a named tuple, in a third of the time


def _kept[K, V](kept: dict[K, V], key: K, value: V) -> V:
    if len(kept) >= _MOST_KEPT:
        kept.clear()
    kept[key] = value
    return value


def _kind(
    ours: Ours,
    rule: str | None,
    categories: tuple[str, ...] | None,
    action: str,
    outcome: str | None,
    browser: bool | None,
) -> Kind:
    return Kind(
        verdict=ours.verdict,
        would=ours.would,
        surface=ours.surface,
        apps=ours.app or (),
        rule=rule,
        shadow_rule=ours.shadow_rule,
        endpoint=ours.endpoint,
        role=ours.role,
        shared=ours.shared,
        authorities=tuple((each.id, each.state) for each in ours.authority),
        categories=categories or (),
        action=action,
        outcome=outcome,
        trial=(ours.trial.app, ours.trial.endpoint) if ours.trial else None,
        anonymous=ours.anonymous or False,
        mismatch=ours.mismatch or False,
        browser=browser,
    )


def _hosts(
    domain: str | None,
    question: str | None,
    server_name: str | None,
    reached: str | None,
    related: tuple[str, ...] | None,
) -> tuple[str, ...]:
    """As `Record.host`, and then the others of `Record.hosts`."""
    if domain is not None and domain.startswith("["):
        domain = domain[1:-1]
    reached = reached or None
    host = domain or question or server_name or reached
    return tuple(name for name in dict.fromkeys((host, reached, server_name, *(related or ()))) if name is not None)


def row_of(record: Record, intern: Intern) -> Row:
    """The row of *record*."""
    agent = record.user_agent
    return Row(
        micros(record.time),
        intern.kind(
            Kind(
                verdict=record.verdict,
                would=record.would,
                surface=record.surface,
                apps=record.apps,
                rule=record.rule,
                shadow_rule=record.shadow_rule,
                endpoint=record.endpoint,
                role=record.role,
                shared=record.shared,
                authorities=record.authorities,
                categories=record.categories,
                action=record.action,
                outcome=record.outcome,
                trial=record.trial,
                anonymous=record.anonymous,
                mismatch=record.mismatch,
                browser=None if agent is None else is_browser(agent),
            )
        ),
        intern.who(Who(record.client, record.user)),
        intern.names(_first(record.host, record.hosts)),
        intern.extra(Extra(record.policy, record.method, record.status)),
        *identity(record.id),
        0 if record.connection is None else identity(record.connection)[1],
        _beat(record),
    )


def _beat(record: Record) -> Beat | None:
    ours = record.document.get("embargo", {})
    if record.action != ACTION or "heartbeat" not in ours:
        return None
    text = json.dumps(ours["heartbeat"], separators=(",", ":"))
    return Beat(host_of(record.document), process_of(record.document), text)


def _first(host: str | None, hosts: tuple[str, ...]) -> tuple[str, ...]:
    return hosts if host is None else tuple(dict.fromkeys((host, *hosts)))
