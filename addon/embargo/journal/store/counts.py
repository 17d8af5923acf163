"""The counts kept beside the rows: gathered for a batch, added to the tables, and taken off again with the rows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, func, select

from embargo.journal.store.dialect import add_up
from embargo.journal.store.interning import Interned
from embargo.journal.store.schema import by_device, by_kind, by_names, by_who, record
from embargo.journal.store.spans import DAY, HOUR, LENGTHS, SPAN

_HOUR, _DAY, _SPAN = LENGTHS
_ADD_KIND = add_up(by_kind, ("level", "bucket", "kind"))
_ADD_WHO = add_up(by_who, ("level", "bucket", "class", "who"))
_ADD_NAMES = add_up(by_names, ("level", "bucket", "class", "names"))
_ADD_DEVICE = add_up(by_device, ("level", "bucket", "who", "appset"), greatest=("last",), least=("first",))

type Counted = tuple[int, int, int, int]  # time, kind, who, names of a row


class Counts:
    """What a batch adds."""

    def __init__(self, interned: Interned) -> None:
        self._interned = interned
        self._kinds: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._whos: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        self._names: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        self._devices: dict[tuple[int, int, int], list[int]] = {}

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

    def write(self, connection: Connection) -> None:
        """Add all to the tables, on every level."""
        run = connection.exec_driver_sql
        days: defaultdict[tuple[int, int], int] = defaultdict(int)
        spans: defaultdict[tuple[int, int], int] = defaultdict(int)
        for (hour, kind), n in self._kinds.items():
            days[hour // (_DAY // _HOUR), kind] += n
            spans[hour // (_SPAN // _HOUR), kind] += n
        rows = [(HOUR, *key, n) for key, n in sorted(self._kinds.items())]
        rows += [(DAY, *key, n) for key, n in days.items()]
        rows += [(SPAN, *key, n) for key, n in spans.items()]
        if rows:
            run(_ADD_KIND, rows)
        for counter, statement in ((self._whos, _ADD_WHO), (self._names, _ADD_NAMES)):
            wider: defaultdict[tuple[int, int, int], int] = defaultdict(int)
            for (day, number, what), n in counter.items():
                wider[day // (_SPAN // _DAY), number, what] += n
            if counter:
                run(statement, [(DAY, *key, n) for key, n in sorted(counter.items())])
                run(statement, [(SPAN, *key, n) for key, n in sorted(wider.items())])
        self._write_devices(connection)

    def _write_devices(self, connection: Connection) -> None:
        wider: dict[tuple[int, int, int], list[int]] = {}
        for (day, who, appset), counted in self._devices.items():
            key = (day // (_SPAN // _DAY), who, appset)
            if (held := wider.get(key)) is None:
                wider[key] = counted.copy()
            else:
                held[:5] = [one + other for one, other in zip(held[:5], counted[:5], strict=True)]
                held[5] = min(held[5], counted[5])
                held[6] = max(held[6], counted[6])
        for level, devices in ((DAY, self._devices), (SPAN, wider)):
            if devices:
                connection.exec_driver_sql(
                    _ADD_DEVICE, [(level, *key, *counted) for key, counted in sorted(devices.items())]
                )


def tidy(connection: Connection, interned: Interned, begin: int, end: int) -> None:
    """After rows between *begin* and *end* (microseconds) went: no empty counts, and no device seen too early or late."""
    for table, length, level in (
        (by_kind, _HOUR, HOUR),
        (by_kind, _DAY, DAY),
        (by_kind, _SPAN, SPAN),
        (by_who, _DAY, DAY),
        (by_who, _SPAN, SPAN),
        (by_names, _DAY, DAY),
        (by_names, _SPAN, SPAN),
    ):
        within = (table.c.level == level, table.c.bucket >= begin // length, table.c.bucket <= end // length)
        connection.execute(delete(table).where(*within, table.c.n == 0))
    for length, level in ((_DAY, DAY), (_SPAN, SPAN)):
        within = (by_device.c.level == level, by_device.c.bucket >= begin // length, by_device.c.bucket <= end // length)
        connection.execute(delete(by_device).where(*within, by_device.c.n == 0, by_device.c.shared == 0))
    for day in range(begin // _DAY, end // _DAY + 1):
        _see_again(connection, interned, day)
    for span in range(begin // _SPAN, end // _SPAN + 1):
        _see_again_in_span(connection, span)


def _see_again(connection: Connection, interned: Interned, day: int) -> None:
    """Finds in the rows that are left when each device was first and last seen that day."""
    seen: dict[tuple[int, int], tuple[int, int]] = {}
    rows = connection.execute(
        select(record.c.who, record.c.kind, func.min(record.c.time), func.max(record.c.time))
        .where(record.c.time >= day * _DAY, record.c.time < (day + 1) * _DAY)
        .group_by(record.c.who, record.c.kind)
    )
    for who, kind, first, last in rows:
        fact = interned.kinds[kind]
        assert fact is not None
        if fact.appset and who in interned.with_client:
            one, other = seen.get((who, fact.appset), (first, last))
            seen[who, fact.appset] = (min(one, first), max(other, last))
    _set_seen(connection, DAY, day, seen)


def _see_again_in_span(connection: Connection, span: int) -> None:
    days = _SPAN // _DAY
    rows = connection.execute(
        select(by_device.c.who, by_device.c.appset, func.min(by_device.c.first), func.max(by_device.c.last))
        .where(by_device.c.level == DAY, by_device.c.bucket >= span * days, by_device.c.bucket < (span + 1) * days)
        .group_by(by_device.c.who, by_device.c.appset)
    )
    _set_seen(connection, SPAN, span, {(who, appset): (first, last) for who, appset, first, last in rows})


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
