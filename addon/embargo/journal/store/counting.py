"""How many rows a selection has, by kind, client, host or time: from the counts kept, where they are exact, else counted.

Exact means: whole hours, days or spans, of which what came after the snapshot is taken off again. What is left at the
edges of a period is counted in an index.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, literal, select

from embargo.journal.store import schema
from embargo.journal.store.lexicon import Lexicon
from embargo.journal.store.selection import LEAST, MOST, Selection
from embargo.journal.store.spans import DAY, HOUR, LENGTHS, SPAN, Piece, pieces

_LIFT = 1 << 56  # microseconds: more than from the first year to 1970
_record = schema.record.c


class Counting:
    """Counts in one transaction. *snapshot*: the highest row that counts."""

    def __init__(self, connection: Connection, lexicon: Lexicon, snapshot: int) -> None:
        self._connection = connection
        self._lexicon = lexicon
        self._snapshot = snapshot

    def by_kind(self, selection: Selection) -> Counter[int]:
        """Rows by kind."""
        if selection.nothing:
            return Counter()
        if not selection.only_kinds:
            return self._counted(selection, _record.kind)
        return self._kept(selection, schema.by_kind, schema.by_kind.c.kind, _record.kind, HOUR)

    def by_time(self, selection: Selection, length: int) -> Counter[tuple[int, int]]:
        """Rows by bucket (of *length* microseconds, from 1970) and kind."""
        found: Counter[tuple[int, int]] = Counter()
        if selection.nothing:
            return found
        if not selection.only_kinds or length % LENGTHS[HOUR]:
            return self._counted(selection, _bucket(_record.time, length), _record.kind)
        selection = self._bounded(selection)
        if selection.nothing:
            return found
        highest = SPAN if length % LENGTHS[SPAN] == 0 else DAY if length % LENGTHS[DAY] == 0 else HOUR
        for piece in pieces(selection.begin, selection.end, HOUR, highest):
            if piece.level < 0:
                edge = replace(selection, begin=piece.begin, end=piece.end)
                found.update(self._counted(edge, _bucket(_record.time, length), _record.kind))
                continue
            bucket = _bucket(schema.by_kind.c.bucket, length // LENGTHS[piece.level])
            rows = self._connection.execute(
                select(bucket, schema.by_kind.c.kind, func.sum(schema.by_kind.c.n))
                .where(*_within(schema.by_kind, piece))
                .group_by(bucket, schema.by_kind.c.kind)
            )
            kinds = selection.kinds
            for at, kind, n in rows:
                if kinds is None or kind in kinds:
                    found[int(at), kind] += n
            later = replace(selection, begin=piece.begin * LENGTHS[piece.level], end=piece.end * LENGTHS[piece.level])
            found.subtract(self._later(later, _bucket(_record.time, length), _record.kind))
        return +found

    def by_who(self, selection: Selection) -> Counter[tuple[int, int]]:
        """Rows by who and class."""
        return self._by(selection, schema.by_who, schema.by_who.c.who, _record.who)

    def by_names(self, selection: Selection) -> Counter[tuple[int, int]]:
        """Rows by names and class."""
        return self._by(selection, schema.by_names, schema.by_names.c.names, _record.names)

    def by_extra(self, selection: Selection) -> Counter[tuple[int, int]]:
        """Rows by extra and class."""
        return self._classed(self._counted(selection, _record.extra, _record.kind))

    # --- ways

    def _by(
        self, selection: Selection, table: Table, key: ColumnElement[int], column: ColumnElement[int]
    ) -> Counter[tuple[int, int]]:
        if selection.nothing:
            return Counter()
        classes = self._whole_classes(selection)
        if classes is None:
            return self._classed(self._counted(selection, column, _record.kind))
        selection = self._bounded(selection)
        found: Counter[tuple[int, int]] = Counter()
        for piece in pieces(selection.begin, selection.end, DAY):
            if piece.level < 0:
                edge = replace(selection, begin=piece.begin, end=piece.end)
                found.update(self._classed(self._counted(edge, column, _record.kind)))
                continue
            rows = self._connection.execute(
                select(key, table.c["class"], func.sum(table.c.n))
                .where(*_within(table, piece))
                .group_by(key, table.c["class"])
            )
            for value, number, n in rows:
                if number in classes:
                    found[value, number] += n
            later = replace(selection, begin=piece.begin * LENGTHS[piece.level], end=piece.end * LENGTHS[piece.level])
            found.subtract(self._classed(self._later(later, column, _record.kind)))
        return +found

    def _whole_classes(self, selection: Selection) -> frozenset[int] | None:
        """The classes of the selection's kinds, where it takes all kinds of each and asks for nothing else."""
        if not selection.only_kinds:
            return None
        kinds = self._lexicon.kinds
        if selection.kinds is None:
            return frozenset(kind.class_number for kind in kinds.values())
        classes = frozenset(kinds[number].class_number for number in selection.kinds)
        whole = sum(kind.class_number in classes for kind in kinds.values())
        return classes if whole == len(selection.kinds) else None

    def _classed(self, counted: Counter[tuple[int, int]]) -> Counter[tuple[int, int]]:
        """Counts by value and kind as counts by value and class."""
        found: Counter[tuple[int, int]] = Counter()
        for (value, kind), n in counted.items():
            found[value, self._lexicon.kinds[kind].class_number] += n
        return found

    def _kept(
        self, selection: Selection, table: Table, key: ColumnElement[int], column: ColumnElement[int], lowest: int
    ) -> Counter[int]:
        selection = self._bounded(selection)
        found: Counter[int] = Counter()
        if selection.nothing:
            return found
        for piece in pieces(selection.begin, selection.end, lowest):
            if piece.level < 0:
                found.update(self._counted(replace(selection, begin=piece.begin, end=piece.end), column))
                continue
            rows = self._connection.execute(
                select(key, func.sum(table.c.n)).where(*_within(table, piece)).group_by(key)
            )
            for value, n in rows:
                if selection.kinds is None or value in selection.kinds:
                    found[value] += n
            later = replace(selection, begin=piece.begin * LENGTHS[piece.level], end=piece.end * LENGTHS[piece.level])
            found.subtract(self._later(later, column))
        return +found

    def _bounded(self, selection: Selection) -> Selection:
        """Within the time of the records that are there, so that an open period is no longer than they."""
        first = self._connection.scalar(select(func.min(_record.time)))
        last = self._connection.scalar(select(func.max(_record.time)))
        if first is None or last is None:
            return replace(selection, begin=0, end=0)
        begin, end = selection.begin, selection.end
        begin = max(begin, first // LENGTHS[SPAN] * LENGTHS[SPAN])
        end = min(end, (last // LENGTHS[SPAN] + 1) * LENGTHS[SPAN])
        return replace(selection, begin=begin, end=end)

    def _later(self, selection: Selection, *columns: ColumnElement[Any]) -> Counter[Any]:
        """What the counts hold and the snapshot does not."""
        return self._grouped(
            [*selection.conditions(driver="row"), _record.row > self._snapshot], columns
        )

    def _counted(self, selection: Selection, *columns: ColumnElement[Any]) -> Counter[Any]:
        """Rows by *columns*, counted in an index."""
        if selection.nothing:
            return Counter()
        conditions = [*selection.conditions(driver=self.driver(selection)), _record.row + 0 <= self._snapshot]
        return self._grouped(conditions, columns)

    def _grouped(
        self, conditions: list[ColumnElement[bool]], columns: tuple[ColumnElement[Any], ...]
    ) -> Counter[Any]:
        rows = self._connection.execute(select(*columns, func.count()).where(*conditions).group_by(*columns))
        if len(columns) == 1:
            return Counter({row[0]: row[1] for row in rows})
        return Counter({tuple(map(int, row[:-1])): row[-1] for row in rows})

    def driver(self, selection: Selection) -> str:
        """The column whose index finds the selection's rows soonest."""
        if selection.identifiers is not None:
            return "id"
        if selection.connections is not None:
            return "connection"
        estimates = {
            name: self.estimate(name, numbers, selection)
            for name, numbers in (("who", selection.whos), ("names", selection.names), ("kind", selection.kinds))
            if numbers is not None
        }
        if not estimates:
            return "time"
        best = min(estimates, key=lambda name: estimates[name])
        return best

    def total(self, selection: Selection) -> int:
        """About how many rows there are in the spans that the period touches."""
        table = schema.by_kind.c
        conditions = [table.level == SPAN]
        if selection.begin != LEAST:
            conditions.append(table.bucket >= selection.begin // LENGTHS[SPAN])
        if selection.end != MOST:
            conditions.append(table.bucket <= selection.end // LENGTHS[SPAN])
        return self._connection.scalar(select(func.sum(table.n)).where(*conditions)) or 0

    def estimate(self, name: str, numbers: frozenset[int], selection: Selection) -> int:
        """About how many rows have one of *numbers*, in the spans that the period touches."""
        table: Table
        table, key = {
            "who": (schema.by_who, schema.by_who.c.who),
            "names": (schema.by_names, schema.by_names.c.names),
            "kind": (schema.by_kind, schema.by_kind.c.kind),
        }[name]
        conditions = [table.c.level == SPAN]
        if selection.begin != LEAST:
            conditions.append(table.c.bucket >= selection.begin // LENGTHS[SPAN])
        if selection.end != MOST:
            conditions.append(table.c.bucket <= selection.end // LENGTHS[SPAN])
        rows = self._connection.execute(select(key, func.sum(table.c.n)).where(*conditions).group_by(key))
        return sum(n for value, n in rows if value in numbers)


def _bucket(column: ColumnElement[int], length: int) -> ColumnElement[int]:
    """*column* by *length*, rounded down: SQL rounds towards zero, so it is asked of numbers above it."""
    lifted = -(-_LIFT // length)
    return (column + literal(lifted * length)) // literal(length) - literal(lifted)


def _within(table: Table, piece: Piece) -> Iterator[ColumnElement[bool]]:
    yield table.c.level == piece.level
    yield table.c.bucket >= piece.begin
    yield table.c.bucket < piece.end
