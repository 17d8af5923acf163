"""Keeps a store's database: makes it where there is none, fills it, and replaces one that is no good."""

from pathlib import Path

from sqlalchemy import func, select

from embargo.journal.store import dialect, schema
from embargo.journal.store.ingest import Caught, Ingester, Progress
from embargo.journal.store.migrations import Outdated, check, migrate
from embargo.journal.store.place import Place
from embargo.journal.store.sources import signature

PATIENCE = 10.0  # seconds to wait for another process that fills the store
_BUILT_FROM = 64 << 20  # bytes of log from which on a store with nothing in it is built rather than filled


class Filling:
    """The writing side of a store. For one thread at a time."""

    def __init__(self, log: Path, place: Place) -> None:
        self.notices: list[str] = []  # what became of the store: set aside, made anew
        self._log = log
        self._place = place
        self._ingester: Ingester | None = None
        self._written_path: Path | None = None
        self._seen: object = None  # signature of the log that has been taken in whole

    def ensure(self) -> None:
        """A sound database of the present version is in use when this returns. Raises Busy, UnknownVersion."""
        database = self._place.database()
        if database is not None:
            engine = dialect.engine(database, writing=False)
            try:
                with engine.begin() as connection:
                    if check(connection):
                        return
            except dialect.DamageError as failure:
                if not dialect.is_damage(failure):
                    raise
            finally:
                engine.dispose()
        with self._place.locked(PATIENCE):
            self._ensure_locked()

    def catch_up(self, progress: Progress | None = None, patience: float = PATIENCE) -> Caught:
        """Takes in what is new in the files; as `Store.catch_up`."""
        seen = signature(self._log)
        if seen == self._seen and self._place.database() == self._written_path:
            return Caught()
        with self._place.locked(patience):
            database = self._database()
            if sum(size for _, _, size in seen) > _BUILT_FROM and _is_empty(database):
                return self._build(progress)
            try:
                caught = self._ingesting(database).run(progress)
            except BaseException as failure:
                self._give_up()
                if not dialect.is_damage(failure):
                    raise
                self._set_aside(database, failure)
                self._ensure_locked()
                caught = self._ingesting(self._database()).run(progress)
            self._place.hand_over(self._log)
            self._seen = seen
        return caught

    def rebuild(self, progress: Progress | None = None, patience: float = PATIENCE) -> Caught:
        """Builds the store anew from the files; the old one answers until it is whole."""
        with self._place.locked(patience):
            return self._build(progress)

    def close(self) -> None:
        """Gives up the connection."""
        self._give_up()

    def _ingesting(self, database: Path) -> Ingester:
        if self._ingester is None or database != self._written_path:
            self._give_up()
            self._ingester = Ingester(dialect.engine(database, writing=True), self._log)
            self._written_path = database
        return self._ingester

    def _give_up(self) -> None:
        if self._ingester is not None:
            self._ingester.close()
        self._ingester = self._written_path = None

    def _build(self, progress: Progress | None) -> Caught:
        """Without indexes while it is filled, which takes half the time."""
        database = self._place.fresh()
        engine = dialect.engine(database, writing=True, building=True)
        with engine.begin() as connection:
            migrate(connection)
            for index in schema.INDEXES:
                index.drop(connection)
        ingester = Ingester(engine, self._log, building=True)
        try:
            caught = ingester.run(progress)
            with engine.begin() as connection:
                for index in schema.INDEXES:
                    index.create(connection)
        finally:
            ingester.close()
        dialect.finish(database)
        self._place.use(database)
        self._place.hand_over(self._log)
        self._give_up()
        return caught

    def _ensure_locked(self) -> None:
        database = self._place.database()
        if database is not None:
            engine = dialect.engine(database, writing=True)
            try:
                with engine.begin() as connection:
                    migrate(connection)
                return
            except Outdated:
                self.notices.append(f"{database} is of an older version: the store is built anew from the log")
            except dialect.DamageError as failure:
                if not dialect.is_damage(failure):
                    raise
                engine.dispose()
                self._set_aside(database, failure)
            finally:
                engine.dispose()
        database = self._place.fresh()
        engine = dialect.engine(database, writing=True, building=True)
        with engine.begin() as connection:
            migrate(connection)
        engine.dispose()
        dialect.finish(database)
        self._place.use(database)

    def _set_aside(self, database: Path, failure: BaseException) -> None:
        kept = self._place.set_aside(database)
        cause = getattr(failure, "orig", None) or failure
        self.notices.append(f"{database} is damaged ({cause}): it is kept as {kept.name}, and built anew from the log")

    def _database(self) -> Path:
        database = self._place.database()
        if database is None:
            self._ensure_locked()
            database = self._place.database()
        assert database is not None
        return database


def _is_empty(database: Path) -> bool:
    engine = dialect.engine(database, writing=False)
    try:
        with engine.begin() as connection:
            return connection.scalar(select(func.count()).select_from(schema.file)) == 0
    except dialect.DamageError as failure:
        if not dialect.is_damage(failure):
            raise
        return False  # filling it finds out
    finally:
        engine.dispose()
