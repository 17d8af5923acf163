"""The counts kept beside the rows: gathered for a batch, added to the tables, and taken off again with the rows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, Connection, Table, delete, func, literal, select

from embargo.journal.store.dialect import add_up, rounded
from embargo.journal.store.interning import Interned
from embargo.journal.store.schema import by_class, by_device, by_kind, by_names, by_who, record
from embargo.journal.store.spans import AGE, DAY, HOUR, LENGTHS, SPAN

_HOUR, _DAY, *_ = LENGTHS
_ADD_CLASS = add_up(by_class, ("level", "bucket", "class"))
_ADD_KIND = add_up(by_kind, ("level", "bucket", "kind"))
_ADD_WHO = add_up(by_who, ("level", "bucket", "class", "who"))
_ADD_NAMES = add_up(by_names, ("level", "bucket", "class", "names"))
_ADD_DEVICE = add_up(by_device, ("level", "bucket", "who", "appset"), greatest=("last",), least=("first",))

type Tallies = defaultdict[tuple[int, ...], int]  # by bucket and what is counted
type Devices = dict[tuple[int, int, int], list[int]]  # by bucket, who, appset: the columns of `by_device`
type Counted = tuple[int, int, int, int]  # time, kind, who, names of a row


class Counts:
    """What a batch adds."""

    def __init__(self, interned: Interned) -> None:
        self._interned = interned
        self._kinds: Tallies = defaultdict(int)
        self._whos: Tallies = defaultdict(int)
        self._names: Tallies = defaultdict(int)
        self._devices: Devices = {}

    def add(self, rows: Iterable[Counted], sign: int = 1) -> None:
        """Count *rows*; with -1, rows that go."""
        facts, with_client = self._interned.kinds, self._interned.with_client
        kinds, whos, names, devices = self._kinds, self._whos, self._names, self._devices
        for time, kind, who, names_ in rows:
            fact = facts[kind]
            assert fact is not None
            day = time // _DAY
            kinds[time // _HOUR, kind] += sign
            whos[day, fact.number, who] += sign
            names[day, fact.number, names_] += sign
            if fact.appset and who in with_client:
                if (device := devices.get(key := (day, who, fact.appset))) is None:
                    devices[key] = device = [0, 0, 0, 0, 0, time, time]
                if fact.shared:
                    device[1] += sign
                else:
                    device[0] += sign
                    if fact.calls:
                        device[2] += sign
                    if fact.browser:
                        device[3] += sign
                    elif fact.browser is not None:
                        device[4] += sign
                if time < device[5]:
                    device[5] = time
                elif time > device[6]:
                    device[6] = time

    def write(self, connection: Connection, *, widened: bool = True) -> None:
        """Add all to the tables; on every level, or, not *widened*, on the lowest alone (see `widen`)."""
        run = connection.exec_driver_sql
        highest = AGE if widened else -1
        classes: Tallies = defaultdict(int)
        for (hour, kind), n in self._kinds.items():
            fact = self._interned.kinds[kind]
            assert fact is not None
            classes[hour, fact.number] += n
        for tallies, level, statement in (
            (classes, HOUR, _ADD_CLASS),
            (self._kinds, HOUR, _ADD_KIND),
            (self._whos, DAY, _ADD_WHO),
            (self._names, DAY, _ADD_NAMES),
        ):
            held = dict(sorted(tallies.items()))  # in the order of the table; wider ones come nearly so
            rows = [(level, *key, n) for key, n in held.items()]
            while level < highest:
                held = _wider(held, LENGTHS[level + 1] // LENGTHS[level])
                level += 1
                rows += [(level, *key, n) for key, n in held.items()]
            if rows:
                run(statement, rows)
        devices, level = dict(sorted(self._devices.items())), DAY
        while devices:
            run(_ADD_DEVICE, [(level, *key, *counted) for key, counted in devices.items()])
            if level >= highest:
                break
            devices = _wider_devices(devices, LENGTHS[level + 1] // LENGTHS[level])
            level += 1


def widen(connection: Connection) -> None:
    """Fills the higher levels of all tables, which are empty, from their lowest."""
    for table, lowest, keys in (
        (by_class, HOUR, ("class",)),
        (by_kind, HOUR, ("kind",)),
        (by_who, DAY, ("class", "who")),
        (by_names, DAY, ("class", "names")),
        (by_device, DAY, ("who", "appset")),
    ):
        for level in range(lowest, AGE):
            bucket = rounded(table.c.bucket, LENGTHS[level + 1] // LENGTHS[level])
            whole = [bucket, *(table.c[key] for key in keys)]
            sums = [
                (func.min if column.name == "first" else func.max if column.name == "last" else func.sum)(column)
                for column in table.columns
                if column.name not in ("level", "bucket", *keys)
            ]
            found = select(literal(level + 1), *whole, *sums).where(table.c.level == level).group_by(*whole)
            connection.execute(table.insert().from_select([column.name for column in table.columns], found))


def _wider(tallies: dict[tuple[int, ...], int], by: int) -> dict[tuple[int, ...], int]:
    """*tallies* by buckets that are so many times as long."""
    wider: Tallies = defaultdict(int)
    for (bucket, *key), n in tallies.items():
        wider[bucket // by, *key] += n
    return wider


def _wider_devices(devices: Devices, by: int) -> Devices:
    wider: Devices = {}
    for (bucket, who, appset), counted in devices.items():
        key = (bucket // by, who, appset)
        if (held := wider.get(key)) is None:
            wider[key] = counted.copy()
        else:
            for place in range(5):
                held[place] += counted[place]
            held[5] = min(held[5], counted[5])
            held[6] = max(held[6], counted[6])
    return wider


def tidy(connection: Connection, interned: Interned, begin: int, end: int) -> None:
    """After rows between *begin* and *end* (microseconds) went: no empty counts, no device seen too early or late."""
    for table, lowest in ((by_class, HOUR), (by_kind, HOUR), (by_who, DAY), (by_names, DAY), (by_device, DAY)):
        for level in range(lowest, AGE + 1):
            empty = [table.c.n == 0] if table is not by_device else [table.c.n == 0, table.c.shared == 0]
            connection.execute(delete(table).where(*_touched(table, level, begin, end), *empty))
    for day in range(begin // LENGTHS[DAY], end // LENGTHS[DAY] + 1):
        _see_again(connection, interned, day)
    for level in (SPAN, AGE):
        for bucket in range(begin // LENGTHS[level], end // LENGTHS[level] + 1):
            _see_again_in(connection, level, bucket)


def _touched(table: Table, level: int, begin: int, end: int) -> tuple[ColumnElement[bool], ...]:
    bucket = table.c.bucket
    return table.c.level == level, bucket >= begin // LENGTHS[level], bucket <= end // LENGTHS[level]


def _see_again(connection: Connection, interned: Interned, day: int) -> None:
    """Finds in the rows that are left when each device was first and last seen that day."""
    seen: dict[tuple[int, int], tuple[int, int]] = {}
    rows = connection.execute(
        select(record.c.who, record.c.kind, func.min(record.c.time), func.max(record.c.time))
        .where(record.c.time >= day * LENGTHS[DAY], record.c.time < (day + 1) * LENGTHS[DAY])
        .group_by(record.c.who, record.c.kind)
    )
    for who, kind, first, last in rows:
        fact = interned.kinds[kind]
        assert fact is not None
        if fact.appset and who in interned.with_client:
            one, other = seen.get((who, fact.appset), (first, last))
            seen[who, fact.appset] = (min(one, first), max(other, last))
    _set_seen(connection, DAY, day, seen)


def _see_again_in(connection: Connection, level: int, bucket: int) -> None:
    """Finds the same for a longer bucket, in those of the level below."""
    within = LENGTHS[level] // LENGTHS[level - 1]
    table = by_device.c
    rows = connection.execute(
        select(table.who, table.appset, func.min(table.first), func.max(table.last))
        .where(table.level == level - 1, table.bucket >= bucket * within, table.bucket < (bucket + 1) * within)
        .group_by(table.who, table.appset)
    )
    _set_seen(connection, level, bucket, {(who, appset): (first, last) for who, appset, first, last in rows})


def _set_seen(connection: Connection, level: int, bucket: int, seen: Mapping[tuple[int, int], tuple[int, int]]) -> None:
    statement = "UPDATE by_device SET first = ?, last = ? WHERE level = ? AND bucket = ? AND who = ? AND appset = ?"
    if seen:
        connection.exec_driver_sql(statement, [(*times, level, bucket, *key) for key, times in seen.items()])


def rows_of(connection: Connection, file: int, first: int, last: int) -> list[Counted]:
    """The rows of *file*, which lie between *first* and *last*."""
    found = connection.execute(
        select(record.c.time, record.c.kind, record.c.who, record.c.names).where(
            record.c.row >= first, record.c.row <= last, record.c.file == file
        )
    )
    return [(row[0], row[1], row[2], row[3]) for row in found]
