"""What the store's numbers stand for, read once and kept up: kinds, who, and extras; hosts are asked for in SQL."""

from collections.abc import Callable
from threading import Lock

from sqlalchemy import Connection, Table, select

from embargo.journal.store import schema
from embargo.journal.store.kinds import Extra, Kind, Who


class Lexicon:
    """Values by number. Numbers never change their meaning in one database. Thread-safe."""

    def __init__(self) -> None:
        self.kinds: dict[int, Kind] = {}
        self.whos: dict[int, Who] = {}
        self.extras: dict[int, Extra] = {}
        self.appsets: dict[int, tuple[str, ...]] = {}
        self._highest = [0, 0, 0, 0]
        self._lock = Lock()

    def refresh(self, connection: Connection) -> None:
        """Learn what has come."""
        with self._lock:
            learners: tuple[tuple[Table, Callable[..., None]], ...] = (
                (schema.kind, self._kind),
                (schema.who, self._who),
                (schema.extra, self._extra),
                (schema.appset, self._appset),
            )
            for place, (table, learn) in enumerate(learners):
                rows = connection.execute(select(table).where(table.c.id > self._highest[place]).order_by(table.c.id))
                for row in rows:
                    learn(*row)
                    self._highest[place] = row[0]

    def _kind(self, number: int, text: str, _class: int) -> None:
        self.kinds[number] = Kind.read(text)

    def _who(self, number: int, client: str, user: str) -> None:
        self.whos[number] = Who(client[1:] if client else None, user[1:] if user else None)

    def _extra(self, number: int, text: str) -> None:
        self.extras[number] = Extra.read(text)

    def _appset(self, number: int, text: str) -> None:
        self.appsets[number] = tuple(text.split("\n"))
