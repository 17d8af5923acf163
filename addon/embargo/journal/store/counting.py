"""How many rows a selection has, by kind, client, host or time: as kept, where that is exact, else counted.

Exact means: whole hours, days or spans, of which what came after the snapshot is taken off again. What is left at the
edges of a period is counted in an index.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import ColumnElement, Subquery, Table, func, select, union_all

from embargo.journal.store import schema
from embargo.journal.store.dialect import among, rounded
from embargo.journal.store.kinds import NO_CLASS
from embargo.journal.store.row_counting import RowCounting
from embargo.journal.store.selection import Selection
from embargo.journal.store.spans import DAY, HOUR, LENGTHS, SPAN, Piece, covering, pieces

_record = schema.record.c
_WHO = (schema.by_who, schema.by_who.c.who, _record.who)
_NAMES = (schema.by_names, schema.by_names.c.names, _record.names)


class Counting(RowCounting):
    """Counts in one transaction. *snapshot*: the highest row that counts."""

    def by_kind(self, selection: Selection) -> Counter[int]:
        """Rows by kind."""
        if selection.nothing:
            return Counter()
        if not selection.only_kinds:
            return self._recently(selection, "kind", _record.kind)
        return self._kept(selection)

    def by_class(self, selection: Selection) -> Counter[int]:
        """Rows by class."""
        found: Counter[int] = Counter()
        if selection.nothing:
            return found
        everything = replace(selection, kinds=None, whos=None, names=None)
        kinds = replace(everything, kinds=selection.kinds)
        if everything.only_kinds and self._whole_classes(kinds) is not None:
            for numbers, others, kept in (
                (selection.names, selection.whos, _NAMES),
                (selection.whos, selection.names, _WHO),
            ):
                if numbers is not None and others is None:
                    for (_, number), n in self._by(kinds, *kept, numbers=numbers).items():
                        found[number] += n
                    return found
        for kind, n in self.by_kind(selection).items():
            found[self._lexicon.kinds[kind].class_number] += n
        return found

    def by_time(self, selection: Selection, length: int) -> Counter[tuple[int, int]]:
        """Rows by bucket (of *length* microseconds, from 1970) and class."""
        if selection.nothing:
            return Counter()
        bucket = rounded(_record.time, length)
        if not selection.only_kinds or length % LENGTHS[HOUR]:
            counted = self._recently(selection, f"time by {length}", bucket, _record.kind)
            self._keep(selection, "kind", lambda: _summed_up(counted))
            return self._classed(counted)
        classes = self._whole_classes(selection)
        table = schema.by_kind if classes is None else schema.by_class
        key = schema.by_kind.c.kind if classes is None else schema.by_class.c["class"]
        first, last = self._extent()
        begin, end = max(selection.begin, first), min(selection.end, last + 1)
        highest = max(level for level in (HOUR, DAY, SPAN) if length % LENGTHS[level] == 0)
        found: Counter[tuple[int, int]] = Counter()
        for piece in covering(
            begin // LENGTHS[HOUR] * LENGTHS[HOUR] if selection.begin < first else begin,
            -(-end // LENGTHS[HOUR]) * LENGTHS[HOUR] if selection.end > last else end,
            HOUR,
            highest,
        ):
            if piece.level < 0:
                found.update(self._classed(self._counted(_within_time(selection, piece), bucket, _record.kind)))
                continue
            whole = rounded(table.c.bucket, length // LENGTHS[piece.level])
            wanted = [] if classes is not None or selection.kinds is None else [among(key + 0, selection.kinds)]
            rows = self._connection.execute(
                select(whole, key, func.sum(table.c.n)).where(*_within(table, piece), *wanted).group_by(whole, key)
            )
            counted = Counter({(int(at), value): n for at, value, n in rows if classes is None or value in classes})
            found.update(self._classed(counted) if classes is None else counted)
            found.subtract(self._classed(self._later(_within_time(selection, piece), bucket, _record.kind)))
        return +found

    def classed(self, selection: Selection, name: str) -> Subquery | None:
        """Rows by "who" or "names" (*name*) and class, to be added up in SQL: columns key, class, n; None: no rows."""
        table, key, column = {"who": _WHO, "names": _NAMES}[name]
        if selection.nothing:
            return None
        classes = self._whole_classes(selection)
        if classes is None:
            return self._edge(selection, column).subquery()
        parts = []
        for piece in self._pieces(selection, DAY):
            within = _within_time(selection, piece)
            if piece.level < 0:
                parts.append(self._edge(within, column, piece.sign))
                continue
            parts.append(
                select(key.label("key"), table.c["class"].label("class"), (table.c.n * piece.sign).label("n")).where(
                    *_within(table, piece), among(table.c["class"], classes)
                )
            )
            if not self._newest():
                later = [*within.conditions(driver="row"), _record.row > self._snapshot]
                parts.append(self._summed(later, column, -piece.sign))
        return union_all(*parts).subquery() if parts else None

    def _added_up(self, selection: Selection) -> Counter[tuple[int, int]]:
        found: Counter[tuple[int, int]] = Counter()
        if (counted := self.classed(selection, "who")) is not None:
            for who, *classes in self._connection.execute(select(by_key(counted))):
                for number, n in enumerate(classes):
                    if n:
                        found[who, number] = n
        return found

    def by_extra(self, selection: Selection) -> Counter[tuple[int, int]]:
        """Rows by extra and class."""
        return self._classed(self._recently(selection, "extra", _record.extra, _record.kind))

    def keeps(self, selection: Selection) -> bool:
        """Whether the counts by who and names are kept, and need not be counted row by row."""
        return self._whole_classes(selection) is not None

    def by_who(self, selection: Selection) -> Counter[tuple[int, int]]:
        """Rows by who and class. What is found is kept for a while: clients and users are both asked for."""
        if selection.nothing:
            return Counter()
        if self.keeps(selection):
            asked = self._asked(selection, "who, kept")
            known = self._recent.get(asked) if asked is not None and self._recent is not None else None
            if known is None:
                known = self._added_up(selection)
                self._keep(selection, "who, kept", lambda: known)
            return known
        if selection.whos is not None and len(selection.whos) == 1:
            (who,) = selection.whos
            return self._classed(Counter({(who, kind): n for kind, n in self.by_kind(selection).items()}))
        return self._classed(self._recently(selection, "who", _record.who, _record.kind))

    # --- ways

    def _by(
        self,
        selection: Selection,
        table: Table,
        key: ColumnElement[int],
        column: ColumnElement[int],
        numbers: frozenset[int] | None = None,
    ) -> Counter[tuple[int, int]]:
        """Rows by *column*, which *table* has as *key*, and class; of *numbers* alone."""
        if selection.nothing:
            return Counter()
        classes = self._whole_classes(selection)
        if classes is None:
            return self._classed(self._counted(selection, column, _record.kind))
        found: Counter[tuple[int, int]] = Counter()
        pieces_ = self._pieces(selection, DAY)
        for piece in pieces_:
            within = _within_time(selection, piece)
            if numbers is not None:
                within = replace(within, whos=numbers) if column is _record.who else replace(within, names=numbers)
            if piece.level < 0:
                counted = self._classed(self._counted(within, column, _record.kind))
            else:
                wanted = [] if numbers is None else [among(key, numbers)]
                rows = self._connection.execute(
                    select(key, table.c["class"], func.sum(table.c.n))
                    .where(*_within(table, piece), *wanted)
                    .group_by(table.c["class"], key)
                )
                counted = Counter({(value, number): n for value, number, n in rows if number in classes})
                counted.subtract(self._classed(self._later(within, column, _record.kind)))
            found.update(counted) if piece.sign > 0 else found.subtract(counted)
        return found if self._newest() and all(piece.sign > 0 for piece in pieces_) else +found

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

    def _kept(self, selection: Selection) -> Counter[int]:
        table = schema.by_kind
        found: Counter[int] = Counter()
        for piece in self._pieces(selection, HOUR):
            within = _within_time(selection, piece)
            if piece.level < 0:
                counted = self._counted(within, _record.kind)
            else:
                rows = self._connection.execute(
                    select(table.c.kind, func.sum(table.c.n)).where(*_within(table, piece)).group_by(table.c.kind)
                )
                kinds = selection.kinds
                counted = Counter({kind: n for kind, n in rows if kinds is None or kind in kinds})
                counted.subtract(self._later(within, _record.kind))
            found.update(counted) if piece.sign > 0 else found.subtract(counted)
        return +found

    def _extent(self) -> tuple[int, int]:
        """The times of the first and the last row; the second before the first where there is none."""
        first = self._connection.scalar(select(func.min(_record.time)))
        last = self._connection.scalar(select(func.max(_record.time)))
        return (1, 0) if first is None or last is None else (first, last)

    def _pieces(self, selection: Selection, lowest: int) -> list[Piece]:
        first, last = self._extent()
        return pieces(selection.begin, selection.end, lowest, first, last + 1) if first <= last else []


def by_key(counted: Subquery) -> Subquery:
    """What `Counting.classed` found, a row a key: key, n0, n1, … by class; NULL for none."""
    sums = (
        func.sum(counted.c.n).filter(counted.c["class"] == number).label(f"n{number}") for number in range(NO_CLASS + 1)
    )
    return select(counted.c.key, *sums).group_by(counted.c.key).subquery()


def _summed_up(counted: Counter[tuple[int, int]]) -> Counter[int]:
    """Counts by a value and kind as counts by kind."""
    found: Counter[int] = Counter()
    for (_, kind), n in counted.items():
        found[kind] += n
    return found


def _within_time(selection: Selection, piece: Piece) -> Selection:
    """*selection*, of that stretch of time."""
    length = 1 if piece.level < 0 else LENGTHS[piece.level]
    return replace(selection, begin=piece.begin * length, end=piece.end * length)


def _within(table: Table, piece: Piece) -> Iterator[ColumnElement[bool]]:
    yield table.c.level == piece.level
    if piece.end == piece.begin + 1:
        yield table.c.bucket == piece.begin  # so that the rest of the key is in order, and grouping needs no sorting
    else:
        yield table.c.bucket >= piece.begin
        yield table.c.bucket < piece.end
