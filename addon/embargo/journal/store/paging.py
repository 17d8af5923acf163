"""Pages of rows, newest first, by key and never by number: page 1,000 costs what page 1 does."""

import heapq
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, func, select, tuple_

from embargo.journal.query import Query
from embargo.journal.store import schema
from embargo.journal.store.counting import Counting
from embargo.journal.store.dialect import among
from embargo.journal.store.identity import uuid_of
from embargo.journal.store.lexicon import Lexicon
from embargo.journal.store.rows import Key, Page, Row
from embargo.journal.store.selection import Selection
from embargo.journal.store.spans import HOUR, LENGTHS, instant

_SORTED = 50_000  # rows that are sorted rather than walked to
_WALKED = 200_000  # rows that a walk through time may pass for one page
_STREAMS = 64  # numbers whose rows are merged
_HOUR = LENGTHS[HOUR]
_NOWHERE = Key(1 << 62, 1 << 62)
_record = schema.record.c


class Paging:
    """Reads pages in one transaction."""

    def __init__(self, connection: Connection, lexicon: Lexicon, snapshot: int) -> None:
        self._connection = connection
        self._lexicon = lexicon
        self._snapshot = snapshot
        self._counting = Counting(connection, lexicon, snapshot)

    def page(self, selection: Selection, after: Key | None, before: Key | None, limit: int) -> Page:
        """The *limit* rows behind *after*, or the nearest before *before*; else the newest."""
        backwards = before is not None
        keys = self.keys(selection, before if backwards else after, limit + 1, oldest_first=backwards)
        more = len(keys) > limit
        keys = keys[:limit]
        if backwards:
            keys.reverse()
        rows = tuple(self.rows(keys))
        older = newer = None
        if keys:
            if more if not backwards else True:
                older = keys[-1] if not backwards or self.keys(selection, keys[-1], 1) else None
            if more if backwards else self.keys(selection, keys[0], 1, oldest_first=True):
                newer = keys[0]
        return Page(rows, older, newer)

    def keys(self, selection: Selection, beyond: Key | None, limit: int, *, oldest_first: bool = False) -> list[Key]:
        """The keys of up to *limit* rows beyond *beyond*, newest first or *oldest_first*."""
        if selection.nothing or limit <= 0:
            return []
        driver, numbers, rows = self._way(selection, limit)
        if driver in ("time", "id", "connection") or rows <= _SORTED or len(numbers) > _STREAMS:
            return self._walk(selection.conditions(driver=driver), beyond, limit, oldest_first, driver)
        streams = []
        for number in sorted(numbers):
            one = selection.with_one(driver, number)
            streams.append(self._walk(one.conditions(driver=driver), beyond, limit, oldest_first, driver))
        return list(heapq.merge(*streams, reverse=not oldest_first))[:limit]

    def _way(self, selection: Selection, limit: int) -> tuple[str, frozenset[int], int]:
        """The column to go by, its numbers, and about how many rows have them."""
        driver = self._counting.driver(selection)
        if driver in ("time", "id", "connection"):
            return driver, frozenset(), 0
        sets = {"who": selection.whos, "names": selection.names, "kind": selection.kinds}
        numbers = sets[driver]
        assert numbers is not None
        rows = self._counting.estimate(driver, numbers, selection)
        if rows <= _SORTED:
            return driver, numbers, rows
        total = self._counting.total(selection)
        share = 1.0
        for name, some in sets.items():
            if some is not None:
                share *= min(1.0, self._counting.estimate(name, some, selection) / max(1, total))
        if limit / max(share, 1e-12) <= _WALKED:
            return "time", frozenset(), 0
        return driver, numbers, rows

    def _walk(
        self,
        conditions: Sequence[ColumnElement[bool]],
        beyond: Key | None,
        limit: int,
        oldest_first: bool,
        driver: str,
    ) -> list[Key]:
        conditions = list(conditions)
        if driver != "id":
            conditions.append(_record.row + 0 <= self._snapshot)
        else:
            conditions.append(_record.row <= self._snapshot)
        place = tuple_(_record.time, _record.row)
        if beyond is not None:
            other = tuple_(beyond.time, beyond.row)
            conditions.append(place > other if oldest_first else place < other)
        order = (_record.time, _record.row) if oldest_first else (_record.time.desc(), _record.row.desc())
        rows = self._connection.execute(
            select(_record.time, _record.row).where(*conditions).order_by(*order).limit(limit)
        )
        return [Key(time, row) for time, row in rows]

    def rows(self, keys: Sequence[Key]) -> list[Row]:
        """The rows of *keys*, in their order."""
        found: dict[int, Row] = {}
        statement = (
            select(
                *(_record[name] for name in ("time", "row", "kind", "who", "extra", "id_high", "id_low")),
                *(_record[name] for name in ("file", "offset", "length")),
                schema.names.c.text,
            )
            .join_from(schema.record, schema.names, schema.names.c.id == _record.names)
            .where(among(_record.row, [key.row for key in keys]))
        )
        for time, row, kind, who, extra, high, low, file, offset, length, names in self._connection.execute(statement):
            found[row] = Row(
                key=Key(time, row),
                kind=self._lexicon.kinds[kind],
                who=self._lexicon.whos[who],
                hosts=tuple(names.split("\n")) if names else (),
                extra=self._lexicon.extras[extra],
                id=uuid_of(high, low),
                file=file,
                offset=offset,
                length=length,
            )
        return [found[key.row] for key in keys if key.row in found]

    # --- folded

    def folded(self, query: Query, selection: Selection, after: Key | None, before: Key | None, limit: int) -> Page:
        """As `page`, of records that are one by client, user, apps, class and hour."""
        backwards = before is not None
        place = before if backwards else after
        groups: list[tuple[Key, Key, int, int]] = []  # newest, its row's key, records, first
        beyond = place
        while len(groups) <= limit:
            found = self.keys(selection, beyond, 1, oldest_first=backwards)
            if not found:
                break
            hour = found[0].time // _HOUR
            in_hour = self._groups(selection, hour)
            if place is not None and backwards:
                in_hour = [group for group in in_hour if group[0] > place]
            elif place is not None:
                in_hour = [group for group in in_hour if group[0] < place]
            groups += reversed(in_hour) if backwards else in_hour
            beyond = Key((hour + 1) * _HOUR, -1) if backwards else Key(hour * _HOUR, -1)
        more = len(groups) > limit
        groups = groups[:limit]
        if backwards:
            groups.reverse()
        shown = {row.row: row for row in self.rows([group[1] for group in groups])}
        rows = tuple(
            replace(shown[stands.row], key=key, n=n, first=instant(first), asked=query)
            for key, stands, n, first in groups
            if stands.row in shown
        )
        older = newer = None
        if groups:
            if more if not backwards else self._any_group(selection, groups[-1][0], newer=False):
                older = groups[-1][0]
            if more if backwards else self._any_group(selection, groups[0][0], newer=True):
                newer = groups[0][0]
        return Page(rows, older, newer)

    def _any_group(self, selection: Selection, key: Key, *, newer: bool) -> bool:
        hour = key.time // _HOUR
        if any(group[0] > key if newer else group[0] < key for group in self._groups(selection, hour)):
            return True
        edge = Key((hour + 1) * _HOUR, -1) if newer else Key(hour * _HOUR, -1)
        return bool(self.keys(selection, edge, 1, oldest_first=newer))

    def _groups(self, selection: Selection, hour: int) -> list[tuple[Key, Key, int, int]]:
        """The groups of an hour, newest first: key, key of the row that stands for it, records, time of the first."""
        begin, end = max(selection.begin, hour * _HOUR), min(selection.end, (hour + 1) * _HOUR)
        within = replace(selection, begin=begin, end=end)
        driver = self._counting.driver(selection)
        numbers = {"who": selection.whos, "names": selection.names, "kind": selection.kinds}.get(driver) or ()
        conditions = within.conditions(driver="time" if len(numbers) > _STREAMS else driver)
        conditions.append(_record.row + 0 <= self._snapshot)
        rows = self._connection.execute(
            select(
                _record.who,
                _record.kind,
                func.max(_record.time),
                func.min(_record.time),
                func.max(_record.row),
                func.count(),
            )
            .where(*conditions)
            .group_by(_record.who, _record.kind)
        )
        groups: dict[tuple[object, ...], tuple[Key, Key, int, int]] = {}
        for who, kind, last, first, row, n in rows:
            facts = self._lexicon.kinds[kind]
            same = (who, tuple(sorted(set(facts.apps))), facts.verdict_class)
            key = Key(last, row)
            if same in groups:
                other = groups[same]
                newest = max(key, other[0])
                groups[same] = (newest, newest, n + other[2], min(first, other[3]))
            else:
                groups[same] = (key, key, n, first)
        return sorted(groups.values(), reverse=True)
