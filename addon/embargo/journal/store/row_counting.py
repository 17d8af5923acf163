"""Rows counted one by one in an index, up to a snapshot; what was counted of late is not counted again."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from embargo.journal.store import schema
from embargo.journal.store.estimating import Estimating
from embargo.journal.store.lexicon import Lexicon
from embargo.journal.store.recent import Asked, Recent
from embargo.journal.store.removal import removals
from embargo.journal.store.selection import Selection

_record = schema.record.c


class RowCounting(Estimating):
    """Counts in one transaction. *snapshot*: the highest row that counts."""

    def __init__(self, connection: Connection, lexicon: Lexicon, snapshot: int, recent: Recent | None = None) -> None:
        super().__init__(connection)
        self._lexicon = lexicon
        self._snapshot = snapshot
        self._recent = recent
        self._removals: int | None = None
        self._highest: int | None = None

    def _later(self, selection: Selection, *columns: ColumnElement[Any]) -> Counter[Any]:
        """What the counts hold and the snapshot does not."""
        if self._newest():
            return Counter()
        return self._grouped([*selection.conditions(driver="row"), _record.row > self._snapshot], columns)

    def _newest(self) -> bool:
        """Whether nothing came after the snapshot."""
        if self._highest is None:
            self._highest = self._connection.scalar(select(func.max(_record.row))) or 0
        return self._highest <= self._snapshot

    def _recently(self, selection: Selection, name: str, *columns: ColumnElement[Any]) -> Counter[Any]:
        """As `_counted`; *name* tells the columns apart. What is found is kept for a while."""
        asked = self._asked(selection, name)
        if asked is None or self._recent is None:
            return self._counted(selection, *columns)
        if (found := self._recent.get(asked)) is None:
            found = self._counted(selection, *columns)
            self._recent.put(asked, found)
        return found

    def _keep(self, selection: Selection, name: str, found: Callable[[], Counter[Any]]) -> None:
        """Keep what `_recently` will be asked for."""
        asked = self._asked(selection, name)
        if asked is not None and self._recent is not None and self._recent.get(asked) is None:
            self._recent.put(asked, found())

    def _asked(self, selection: Selection, name: str) -> Asked | None:
        """None where rows may come that count, too."""
        if self._removals is None:
            self._removals = removals(self._connection)
        self._newest()
        assert self._highest is not None
        return None if self._snapshot > self._highest else (selection, name, self._snapshot, self._removals)

    def _counted(self, selection: Selection, *columns: ColumnElement[Any]) -> Counter[Any]:
        """Rows by *columns*, counted in an index."""
        if selection.nothing:
            return Counter()
        conditions = [*selection.conditions(driver=self.driver(selection)), _record.row + 0 <= self._snapshot]
        return self._grouped(conditions, columns)

    def _grouped(self, conditions: list[ColumnElement[bool]], columns: tuple[ColumnElement[Any], ...]) -> Counter[Any]:
        keys = [column + 0 for column in columns]  # the index is chosen by what is looked for, not by what it is sorted
        rows = self._connection.execute(select(*keys, func.count()).where(*conditions).group_by(*keys))
        if len(columns) == 1:
            return Counter({row[0]: row[1] for row in rows})
        return Counter({tuple(map(int, row[:-1])): row[-1] for row in rows})

    def _edge(self, selection: Selection, column: ColumnElement[int], sign: int = 1) -> Select[Any]:
        """What `_counted` counts, as SQL."""
        conditions = [*selection.conditions(driver=self.driver(selection)), _record.row + 0 <= self._snapshot]
        return self._summed(conditions, column, sign)

    def _summed(self, conditions: list[ColumnElement[bool]], column: ColumnElement[int], sign: int) -> Select[Any]:
        keys = ((column + 0).label("key"), (_record.kind + 0).label("kind"))
        found = select(*keys, func.count().label("n")).where(*conditions).group_by(*keys).subquery()
        kind = schema.kind.c
        return select(found.c.key, kind["class"], (found.c.n * sign).label("n")).join_from(
            found, schema.kind, kind.id == found.c.kind
        )

    def _classed(self, counted: Counter[tuple[int, int]]) -> Counter[tuple[int, int]]:
        """Counts by value and kind as counts by value and class."""
        found: Counter[tuple[int, int]] = Counter()
        for (value, kind), n in counted.items():
            found[value, self._lexicon.kinds[kind].class_number] += n
        return found
