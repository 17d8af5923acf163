"""What the store answers with: rows, pages, counts; each number with the query that has just as many rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from embargo.journal.heartbeat import Heartbeat as Told
from embargo.journal.heartbeat import told_of
from embargo.journal.query import Query
from embargo.journal.store.kinds import Extra, Kind, Who
from embargo.journal.store.spans import instant
from embargo.journal.verdict_class import VerdictClass


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A place in the order of rows: newest first. `str` suits a URL; `Key.read` reads it."""

    time: int  # microseconds since 1970
    row: int

    def __str__(self) -> str:
        return f"{self.time}.{self.row}"

    @classmethod
    def read(cls, text: str) -> "Key":
        """Raises ValueError."""
        time, _, row = text.partition(".")
        return cls(int(time), int(row))

    @classmethod
    def at(cls, moment: datetime) -> "Key":
        """What `after` takes to begin a page with the last record before *moment* (aware)."""
        from embargo.journal.store.spans import micros

        return cls(micros(moment), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record as the store knows it, or several of one client, app and hour, folded. No file is read for it."""

    key: Key
    kind: Kind
    who: Who
    hosts: tuple[str, ...]  # the first is the one that people think of
    extra: Extra
    id: str | None  # event.id where it is a UUID, as all of ours are
    file: int
    offset: int
    length: int
    n: int = 1  # records
    first: datetime | None = None  # of those folded, the oldest
    asked: Query | None = field(default=None, repr=False)  # of those folded: what was asked for

    @property
    def query(self) -> Query | None:
        """Has just the n rows that are folded into this one; None where nothing is."""
        if self.asked is None:
            return None
        hour = self.time.replace(minute=0, second=0, microsecond=0)
        narrowed = self.asked.and_(
            "-client:*" if self.client is None else f"client:={self.client}",
            "-user:*" if self.user is None else f"user:={self.user}",
            f"apps:{','.join(self.apps)}" if self.apps else "-app:*",
            f"since:{hour.isoformat()}",
            f"until:{(hour + timedelta(hours=1)).isoformat()}",
        )
        return of_class(narrowed, self.verdict_class)

    @property
    def row(self) -> int:
        """Its number in this store, until that is rebuilt."""
        return self.key.row

    @property
    def time(self) -> datetime:
        """Aware, UTC; of those folded, the newest."""
        return instant(self.key.time)

    @property
    def host(self) -> str | None:
        """The name that people think of."""
        return self.hosts[0] if self.hosts else None

    @property
    def client(self) -> str | None:
        """Literal address, or what stands for one."""
        return self.who.client

    @property
    def user(self) -> str | None:
        """None where unknown."""
        return self.who.user

    @property
    def apps(self) -> tuple[str, ...]:
        """Ids, the most specific owner first."""
        return self.kind.apps

    @property
    def verdict(self) -> str | None:
        """None where it is no decision."""
        return self.kind.verdict

    @property
    def verdict_class(self) -> VerdictClass | None:
        """What it counts as; None where it is no decision."""
        return self.kind.verdict_class

    @property
    def rule(self) -> str | None:
        """Id of the rule that decided."""
        return self.kind.rule

    @property
    def surface(self) -> str | None:
        """Where it was judged."""
        return self.kind.surface


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first."""

    rows: tuple[Row, ...]
    next: Key | None  # `after` of the page with older ones; None: there are none
    previous: Key | None  # `before` of the page with newer ones; None: there are none


@dataclass(frozen=True, slots=True)
class Cell:
    """A bar of a timeline."""

    time: datetime  # when it begins
    length: timedelta
    verdict_class: VerdictClass | None  # None: no decisions
    n: int
    asked: Query = field(repr=False)  # of the whole timeline

    @property
    def query(self) -> Query:
        """Has just these n rows."""
        began, ended = self.time.isoformat(), (self.time + self.length).isoformat()
        return of_class(self.asked.and_(f"since:{began}", f"until:{ended}"), self.verdict_class)


@dataclass(frozen=True, slots=True)
class Top:
    """A value with how often it came."""

    value: str | None  # None: records that say none
    n: int  # rows of `query`; not to be shown as one number, but where one class alone was asked for
    classes: Mapping[VerdictClass | None, int]  # the same by class
    query: Query

    def of(self, verdict_class: VerdictClass | None) -> Query:
        """The query for the rows of one class."""
        return of_class(self.query, verdict_class)


def of_class(query: Query, verdict_class: VerdictClass | None) -> Query:
    """*query*, narrowed to one class."""
    return query.and_("-class:*" if verdict_class is None else f"class:{verdict_class}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a client had to do with an app."""

    client: str
    app: str
    users: tuple[str, ...]
    first: datetime  # aware, UTC; shared hits count here
    last: datetime
    attempts: int  # records that are no shared hits
    shared: int  # hits of shared endpoints: no use of the app
    calls: int  # of the attempts, on endpoints of role api or telemetry
    browser: int  # of the attempts, with a browser's user agent
    agent: int  # of the attempts, with another user agent; the rest show none
    days: int  # on which there were attempts
    period: Query = field(repr=False)  # the days that were asked for

    @property
    def query(self) -> Query:
        """Has just the attempts."""
        return self._own.and_("-class:shared")

    @property
    def shared_query(self) -> Query:
        """Has just the shared hits."""
        return self._own.and_("class:shared")

    @property
    def _own(self) -> Query:
        return self.period.and_(f"client:={self.client}", f"app:={self.app}", "verdict:*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a worker said of itself and its last interval."""

    row: int
    time: datetime  # aware, UTC
    chain: tuple[str, int]
    host: str | None
    pid: int | None
    members: Mapping[str, Any] = field(repr=False)  # the record's embargo.heartbeat

    @property
    def told(self) -> Told | None:
        """As `heartbeat_of` reads the record: None where it is not in the form of ours."""
        return told_of(self.time, self.host, self.pid, self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """How the store stands."""

    path: str
    version: int
    rows: int
    highest: int
    files: int
    broken: int  # lines that are no records
    behind: int  # bytes in the log that have not been read; of compressed files those on the disk
    size: int  # bytes
    newest: datetime | None  # time of the newest record
    notices: tuple[str, ...] = ()
