"""The store: one face to all that is asked of it.

Every number comes from one place (`Counting`, `Paging` over one `Selection`), in one transaction, up to one *snapshot*:
the highest row that counts. So numbers and rows of one snapshot agree, whatever is written meanwhile; rows whose files
retention deletes are gone from both.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, Engine, func, select

from embargo.journal.query import Query, parse_query
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.sighting import Sighting
from embargo.journal.store import dialect, schema
from embargo.journal.store.counting import Counting
from embargo.journal.store.devices import devices
from embargo.journal.store.dimensions import Dimension, tops
from embargo.journal.store.filling import PATIENCE, Filling
from embargo.journal.store.heartbeats import heartbeats
from embargo.journal.store.ingest import Caught, Progress
from embargo.journal.store.kinds import class_of
from embargo.journal.store.late import End, late_keys
from embargo.journal.store.lexicon import Lexicon
from embargo.journal.store.paging import Paging
from embargo.journal.store.place import Place
from embargo.journal.store.reading import Gone, Known, known, lines
from embargo.journal.store.recent import Recent
from embargo.journal.store.rows import Cell, Device, Heartbeat, Key, Page, Row, StoreStatus, Top
from embargo.journal.store.selection import Selection, select_by
from embargo.journal.store.sightings import sightings
from embargo.journal.store.spans import instant, micros
from embargo.journal.store.standing import broken, status
from embargo.journal.verdict_class import VerdictClass

_ALL = 1 << 62  # a snapshot that nothing came after


class Store:
    """The records of one log directory. Thread-safe, but for `catch_up`, which one thread calls at a time."""

    def __init__(self, log: Path, place: Place) -> None:
        self.log = log
        self.place = place
        self._filling = Filling(log, place)
        self._reading: Engine | None = None
        self._read_path: Path | None = None
        self._lexicon, self._recent = Lexicon(), Recent()
        self._lock = Lock()

    @classmethod
    def open(cls, log: Path) -> "Store":
        """The store of the log directory *log*, made where there is none.

        Raises NoPlace where it can be kept nowhere, UnknownVersion where a newer embargo made it.
        """
        store = cls(log, Place.of(log))
        store._filling.ensure()
        return store

    def close(self) -> None:
        """Gives up all connections."""
        with self._lock:
            if self._reading is not None:
                self._reading.dispose()
                self._reading = None
        self._filling.close()

    # --- filling

    @property
    def notices(self) -> list[str]:
        """What became of the store: set aside, made anew. To be cleared by who told it."""
        return self._filling.notices

    def catch_up(self, progress: Progress | None = None, patience: float = PATIENCE) -> Caught:
        """Takes in what is new in the files. *progress* gets bytes read and to read.

        Waits up to *patience* seconds for another process that does the same. Raises Busy where that takes longer,
        OSError where the log cannot be read.
        """
        return self._filling.catch_up(progress, patience)

    def rebuild(self, progress: Progress | None = None, patience: float = PATIENCE) -> Caught:
        """Builds the store anew from the files; the old one answers until it is whole. Raises as `catch_up`."""
        return self._filling.rebuild(progress, patience)

    # --- asking

    @contextmanager
    def _connect(self, database: Path | None = None) -> Iterator[Connection]:
        """A reading transaction; the lexicon is up to date with it."""
        with self._lock:
            database = database or self.place.database()
            if database is None:
                raise FileNotFoundError(self.place.link)
            if self._reading is None or database != self._read_path:
                if self._reading is not None:
                    self._reading.dispose()
                self._reading = dialect.engine(database, writing=False)
                self._read_path = database
                self._lexicon, self._recent = Lexicon(), Recent()
            engine, lexicon, recent = self._reading, self._lexicon, self._recent
        with engine.begin() as connection:
            connection.info.update(lexicon=lexicon, recent=recent)
            yield connection

    @contextmanager
    def _asked(self, query: Query) -> Iterator[tuple[Connection, Lexicon, Selection]]:
        with self._connect() as connection:
            lexicon: Lexicon = connection.info["lexicon"]
            lexicon.refresh(connection)
            yield connection, lexicon, select_by(query, connection, lexicon)

    def snapshot(self) -> int:
        """The highest row there is: pins counts and pages."""
        with self._connect() as connection:
            return connection.scalar(select(func.max(schema.record.c.row))) or 0

    def count(self, query: Query, snapshot: int) -> int:
        """How many rows *query* has."""
        return sum(self.classes(query, snapshot).values())

    def classes(self, query: Query, snapshot: int) -> dict[VerdictClass | None, int]:
        """How many rows *query* has, by class; None: what is no decision. Classes without rows are left out."""
        with self._asked(query) as (connection, lexicon, selection):
            counted = Counting(connection, lexicon, snapshot, connection.info["recent"]).by_class(selection)
            return {class_of(number): n for number, n in counted.items()}

    def page(
        self,
        query: Query,
        snapshot: int,
        after: Key | None = None,
        limit: int = 50,
        fold: bool = False,
        before: Key | None = None,
    ) -> Page:
        """The *limit* rows after *after* (older), or the nearest before *before* (newer); without both the newest.

        `Key.at(time)` as *after* jumps to a time. *fold*: records of one client, user, apps, class and hour are one
        row, with how many they are and the query that has them.
        """
        with self._asked(query) as (connection, lexicon, selection):
            paging = Paging(connection, lexicon, snapshot)
            if fold:
                return paging.folded(query, selection, after, before, limit)
            return paging.page(selection, after, before, limit)

    def rows(self, query: Query, snapshot: int, limit: int | None = None, batch: int = 2000) -> Iterator[Row]:
        """All rows of *query*, oldest first (with *limit*: the newest so many), read in batches."""
        begin: Key | None = None
        if limit is not None:
            with self._asked(query) as (connection, lexicon, selection):
                keys = Paging(connection, lexicon, snapshot).keys(selection, None, limit)
                held = Paging(connection, lexicon, snapshot).rows(keys[::-1])
            yield from held
            return
        begin = Key(-(1 << 62), 0)
        while True:
            with self._asked(query) as (connection, lexicon, selection):
                paging = Paging(connection, lexicon, snapshot)
                found = paging.rows(paging.keys(selection, begin, batch, oldest_first=True))
            yield from found
            if len(found) < batch:
                return
            begin = found[-1].key

    def series(self, query: Query, snapshot: int, bucket: timedelta) -> list[Cell]:
        """Rows by time and class, in order of time; cells without rows are left out. Buckets begin as UTC's hours."""
        length = bucket // timedelta(microseconds=1)
        with self._asked(query) as (connection, lexicon, selection):
            counted = Counting(connection, lexicon, snapshot, connection.info["recent"]).by_time(selection, length)
        return [
            Cell(instant(at * length), bucket, class_of(number), n, query)
            for (at, number), n in sorted(counted.items())
        ]

    def top(self, query: Query, snapshot: int, dimension: Dimension, limit: int = 10) -> list[Top]:
        """The values of *dimension* that come most often, each with the query that has its rows."""
        with self._asked(query) as (connection, lexicon, selection):
            return tops(
                Counting(connection, lexicon, snapshot, connection.info["recent"]),
                connection,
                lexicon,
                query,
                selection,
                dimension,
                limit,
            )

    # --- records

    def record(self, wanted: str | Row) -> Record:
        """The record with that event.id, or of that row, read from the log. Raises Gone."""
        return self.read([self.find(wanted) if isinstance(wanted, str) else wanted])[0]

    def find(self, identifier: str) -> Row:
        """The row of the record with that event.id. Raises Gone."""
        query = parse_query([f"id:{identifier}"], instant(0)) if identifier and "*" not in identifier else None
        page = self.page(query, 1 << 62, limit=1) if query is not None else None
        if page is None or not page.rows:
            raise Gone(f"{identifier}: no record has that id")
        return page.rows[0]

    def read(self, rows: Sequence[Row]) -> list[Record]:
        """The records of *rows*, in their order, read from the log. Raises Gone."""
        found = []
        for row, line in self.lines(rows):
            if line is None:
                raise Gone(f"row {row.row}: its line is no longer in the log")
            try:
                found.append(Record.parse(line))
            except BrokenRecord as broken:
                raise Gone(f"row {row.row}: its line is no record any more: {broken}") from broken
        return found

    def lines(self, rows: Iterable[Row]) -> Iterator[tuple[Row, bytes | None]]:
        """Each of *rows* with its line as it is written, without line feed; None where it is gone."""
        yield from lines(self._known, self.log, rows)

    def _known(self, file: int) -> Known | None:
        with self._connect() as connection:
            return known(connection, file)

    def neighbours(self, record: Record | Row, around: timedelta = timedelta(minutes=5), limit: int = 50) -> Page:
        """What the same client did *around* that time, and what is of the same connection, newest first."""
        if isinstance(record, Row):
            (record,) = self.read([record])
        pages: list[Row] = []
        snapshot = self.snapshot()
        if record.client is not None:
            near = parse_query([f"client:={record.client}"], record.time)
            pages += self.page(near.between(record.time - around, record.time + around), snapshot, limit=limit).rows
        if record.connection is not None and "*" not in record.connection:
            same = parse_query([f"connection:{record.connection}"], record.time)
            pages += self.page(same, snapshot, limit=limit).rows
        rows = sorted({row.row: row for row in pages}.values(), key=lambda row: row.key, reverse=True)
        return Page(tuple(rows), None, None)

    def devices(self, query: Query, snapshot: int) -> list[Device]:
        """What each client had to do with each app: within whole days of the query's period, of its clients and apps.

        Of the query's terms, `client:`, `user:` and `app:` count, and since and until (to the day, in UTC).
        """
        with self._asked(query) as (connection, lexicon, selection):
            return devices(connection, lexicon, query, selection, snapshot)

    def sightings(self, query: Query, snapshot: int) -> list[Sighting]:
        """What each client asked of each app, by hour, of the rows of *query*: counted row by row."""
        with self._asked(query) as (connection, lexicon, selection):
            return sightings(connection, lexicon, selection, snapshot)

    def late(
        self, ends: Mapping[tuple[str, int], End], since: datetime, until: datetime, snapshot: int, limit: int = 1000
    ) -> list[Row]:
        """The newest *limit* rows of that time which were written when the chains had ended at *ends* once."""
        with self._connect() as connection:
            lexicon: Lexicon = connection.info["lexicon"]
            lexicon.refresh(connection)
            keys = late_keys(connection, ends, micros(since), micros(until), snapshot, limit)
            return list(Paging(connection, lexicon, snapshot).rows(keys))

    def heartbeats(
        self, since: datetime | None = None, until: datetime | None = None, snapshot: int = _ALL
    ) -> Iterator[Heartbeat]:
        """What the workers said of themselves in that time, oldest first; no file is read for it."""
        with self._connect() as connection:
            yield from heartbeats(connection, since, until, snapshot)

    def changes(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[Record]:
        """The records of category configuration in that time, oldest first. Those that are gone are left out."""
        query = parse_query(["category:configuration"], instant(0)).between(since, until)
        for _, line in self.lines(self.rows(query, self.snapshot())):
            if line is not None:
                yield Record.parse(line)

    def broken(self, limit: int = 20) -> tuple[int, list[str]]:
        """How many lines of the log are no records, and the first of them as `FILE: WHY`."""
        with self._connect() as connection:
            return broken(connection, limit)

    def status(self) -> StoreStatus:
        """How the store stands. Raises OSError."""
        with self._connect() as connection:
            return status(connection, self.place, self.log, tuple(self.notices))
