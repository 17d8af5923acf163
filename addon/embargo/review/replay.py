"""Past requests, as a policy would judge them: what would have been blocked, for whom, by which rule.

Streams: a request is judged, counted and forgotten. `tally` says how the counts stay bounded.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from embargo.core.decision import Decision, Verdict
from embargo.core.inquiry import UnreadableRequest
from embargo.core.seen import Seen, Unread
from embargo.review.judge import Judge
from embargo.review.recorded import Recorded
from embargo.review.tally import AT, BLOCK, PASS, WOULD, Clients, Counts, Tally, judged_in, no_counts

MOST_EXAMPLES = 10  # pieces of a source that could not be read and are shown
_MOST_CHANGED = 2000  # hosts whose verdict changed, of one kind of change
VERDICTS = (Verdict.BLOCK, Verdict.LOG, Verdict.ALLOW, Verdict.PASS)


class By(StrEnum):
    """By what requests are counted."""

    APP = "app"
    RULE = "rule"
    CLIENT = "client"
    USER = "user"
    HOST = "host"
    HOUR = "hour"  # in UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The requests of one app, rule, client, user, host or hour."""

    key: str
    counts: Counts
    clients: int | None = None  # different ones of those that an app owns; None: not known

    @property
    def touched(self) -> bool:
        """Whether anything but passing happened, or would have."""
        return any(self.counts[:PASS])


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All rows by one thing, the heaviest first."""

    rows: tuple[Row, ...]
    others: Row | None = None  # what did not fit; None: everything did


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Requests of the decision log on which the policy decides otherwise than was decided then."""

    then: Verdict
    now: Verdict
    count: int
    hosts: tuple[tuple[str, int], ...] = ()  # with their requests, the most first


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a replay found."""

    counts: Counts
    tables: dict[By, Table]
    clients: int | None  # different ones that met a block; None: not known
    first: datetime | None  # of the requests' own times
    last: datetime | None
    recorded: int = 0  # requests of the decision log, whose verdict of then is known
    changes: tuple[Change, ...] = ()
    unread: int = 0
    examples: tuple[tuple[str, Unread], ...] = ()  # the first of them, each with its source's name

    @property
    def requests(self) -> int:
        """How many were judged."""
        return judged_in(self.counts)

    def document(self, most: int | None = None) -> dict[str, Any]:
        """What `replay --json` prints; *most* rows of each table, None: all."""
        return {
            "requests": self.requests,
            **_members(self.counts),
            "clients_blocked": self.clients,
            "first": _spelled(self.first),
            "last": _spelled(self.last),
            "by": {by.value: _table(table, most) for by, table in self.tables.items()},
            "recorded": self.recorded,
            "changes": [
                {
                    "then": str(change.then),
                    "now": str(change.now),
                    "requests": change.count,
                    "hosts": [{"host": host, "requests": count} for host, count in change.hosts[:most]],
                }
                for change in self.changes
            ],
            "unread": {
                "count": self.unread,
                "examples": [
                    {"source": source, "where": unread.where, "why": unread.why} for source, unread in self.examples
                ],
            },
        }


@dataclass(slots=True)
class Replay:
    """Judges what it is given, and counts."""

    judge: Judge
    source: str = ""  # the name of what is being read, for the examples
    requests: int = 0
    unread: int = 0
    _examples: list[tuple[str, Unread]] = field(default_factory=list)
    _counts: Counts = field(default_factory=no_counts)
    _tallies: dict[By, Tally] = field(default_factory=lambda: {by: Tally() for by in By})
    _clients: dict[tuple[By, str], Clients] = field(default_factory=dict)  # of apps and rules
    _blocked: Clients = field(default_factory=Clients)
    _first: datetime | None = None
    _last: datetime | None = None
    _hour: tuple[datetime | None, str] = (None, "")
    _recorded: int = 0
    _changes: dict[tuple[Verdict, Verdict], Tally] = field(default_factory=dict)
    _changed: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)

    def take_all(self, items: Iterable[Seen | Unread]) -> None:
        """Judge and count *items*."""
        for item in items:
            self.take(item)

    def take(self, item: Seen | Unread) -> None:
        """Judge and count one."""
        if isinstance(item, Unread):
            self._note(item)
            return
        try:
            decision, host = self.judge.judge(item)
        except UnreadableRequest as unreadable:
            self._note(Unread(item.request[:200], str(unreadable)))
            return
        count, verdict = item.count, AT[decision.verdict]
        self.requests += count
        self._counts[verdict] += count
        tallies = self._tallies
        of_host = tallies[By.HOST].counts.get(host) or tallies[By.HOST][host]
        of_host[verdict] += count
        if item.client is not None:
            tallies[By.CLIENT][str(item.client)][verdict] += count
        if item.user is not None:
            tallies[By.USER][item.user][verdict] += count
        if item.time is not None:
            tallies[By.HOUR][self._hour_of(item.time)][verdict] += count
        if verdict is not PASS or decision.would is not None:
            self._take_owned(item, decision, host)
        if type(item) is Recorded:
            self._compare(item, decision, host)

    def summary(self) -> Summary:
        """What was found so far."""
        changes = [
            Change(then=then, now=now, count=self._changed[then, now], hosts=_hosts(tally))
            for (then, now), tally in self._changes.items()
        ]
        return Summary(
            counts=list(self._counts),
            tables={by: self._table_of(by) for by in By},
            clients=self._blocked.number,
            first=self._first,
            last=self._last,
            recorded=self._recorded,
            changes=tuple(sorted(changes, key=lambda change: (-change.now, -change.count))),
            unread=self.unread,
            examples=tuple(self._examples),
        )

    def _take_owned(self, item: Seen, decision: Decision, host: str) -> None:
        """Count what is not simply passed: by app and rule too, and whom it concerned."""
        count, verdict, would = item.count, AT[decision.verdict], decision.would is Verdict.BLOCK
        client = str(item.client) if item.client is not None else item.user
        rule = decision.rule_id or decision.reason.value
        keys = [(By.APP, app) for app in decision.apps] + [(By.RULE, rule)]
        for by, key in keys:
            self._tallies[by][key][verdict] += count
        if would:
            self._counts[WOULD] += count
            self._would(item, host, count)
            for app in decision.apps:
                self._tallies[By.APP][app][WOULD] += count
            shadow = decision.shadow_rule or rule
            self._tallies[By.RULE][shadow][WOULD] += count
            if shadow != rule:
                keys.append((By.RULE, shadow))
        for place in keys:
            self._count_client(self._clients.setdefault(place, Clients()), client, item.clients)
        if verdict == BLOCK:
            self._count_client(self._blocked, client, item.clients)

    def _would(self, item: Seen, host: str, count: int) -> None:
        tallies = self._tallies
        tallies[By.HOST][host][WOULD] += count
        if item.client is not None:
            tallies[By.CLIENT][str(item.client)][WOULD] += count
        if item.user is not None:
            tallies[By.USER][item.user][WOULD] += count
        if item.time is not None:
            tallies[By.HOUR][self._hour_of(item.time)][WOULD] += count

    @staticmethod
    def _count_client(clients: Clients, client: str | None, told: int | None) -> None:
        if client is not None:
            clients.add(client)
        elif told is not None:
            clients.at_least(told)

    def _hour_of(self, time: datetime) -> str:
        hour = time.replace(minute=0, second=0, microsecond=0)
        if hour != self._hour[0]:
            self._hour = hour, f"{hour.astimezone(UTC):%Y-%m-%dT%H:00Z}"
        if self._first is None or time < self._first:
            self._first = time
        if self._last is None or time > self._last:
            self._last = time
        return self._hour[1]

    def _compare(self, item: Recorded, decision: Decision, host: str) -> None:
        self._recorded += item.count
        if item.then is not decision.verdict:
            change = item.then, decision.verdict
            self._changed[change] += item.count
            if change not in self._changes:
                self._changes[change] = Tally(_MOST_CHANGED)
            self._changes[change][host][AT[decision.verdict]] += item.count

    def _note(self, unread: Unread) -> None:
        self.unread += 1
        if len(self._examples) < MOST_EXAMPLES:
            self._examples.append((self.source, unread))

    def _table_of(self, by: By) -> Table:
        tally = self._tallies[by]
        rows = []
        for key, counts in tally.ranked():
            clients = self._clients.get((by, key))
            rows.append(Row(key=key, counts=counts, clients=clients.number if clients is not None else None))
        others = Row(key="others", counts=tally.others) if tally.put_together else None
        return Table(rows=tuple(rows), others=others)


def _hosts(tally: Tally) -> tuple[tuple[str, int], ...]:
    return tuple((host, judged_in(counts)) for host, counts in tally.ranked())


def _members(counts: Counts) -> dict[str, int]:
    return {**{str(verdict): counts[AT[verdict]] for verdict in VERDICTS}, "would_block": counts[WOULD]}


def _table(table: Table, most: int | None) -> dict[str, Any]:
    rows = [{"key": row.key, **_members(row.counts), "clients": row.clients} for row in table.rows[:most]]
    others = _members(table.others.counts) if table.others is not None else None
    return {"rows": rows, "others": others}


def _spelled(time: datetime | None) -> str | None:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if time is not None else None
