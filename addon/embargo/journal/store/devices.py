"""What each client had to do with each app, over a period: what tells an installed app from a visited site.

Counted by day and span of 32 days as records come, so that a year takes no scan. Whole days in UTC.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from embargo.journal.query import Query
from embargo.journal.store import schema
from embargo.journal.store.lexicon import Lexicon
from embargo.journal.store.rows import Device
from embargo.journal.store.selection import LEAST, MOST, Selection
from embargo.journal.store.spans import DAY, LENGTHS, covering, instant

_DAY = LENGTHS[DAY]


@dataclass(slots=True)
class _Seen:
    users: set[str] = field(default_factory=set)
    counts: list[int] = field(default_factory=lambda: [0, 0, 0, 0, 0])  # n, shared, calls, browser, agent
    first: int = MOST
    last: int = LEAST


def devices(
    connection: Connection, lexicon: Lexicon, query: Query, selection: Selection, _snapshot: int
) -> list[Device]:
    """A row a client and app, the last seen first."""
    table = schema.by_device.c
    begin, end = _days(connection, selection)
    found: defaultdict[tuple[str, str], _Seen] = defaultdict(_Seen)
    wanted = _wanted_apps(query, lexicon)
    columns = [func.sum(table[name]) for name in ("n", "shared", "calls", "browser", "agent")]
    for piece in covering(begin, end, DAY):
        rows = connection.execute(
            select(table.who, table.appset, *columns, func.min(table.first), func.max(table.last))
            .where(table.level == piece.level, table.bucket >= piece.begin, table.bucket < piece.end)
            .group_by(table.who, table.appset)
        )
        for number, appset, *counts, first, last in rows:
            if selection.whos is not None and number not in selection.whos:
                continue
            who = lexicon.whos[number]
            for app in lexicon.appsets[appset]:
                if (wanted is not None and app not in wanted) or who.client is None:
                    continue
                seen = found[who.client, app]
                if who.user is not None:
                    seen.users.add(who.user)
                seen.counts = [one + other for one, other in zip(seen.counts, counts, strict=True)]
                seen.first, seen.last = min(seen.first, first), max(seen.last, last)
    days = _attempt_days(connection, lexicon, begin, end, found)
    period = query.between(
        None if selection.begin == LEAST else instant(begin), None if selection.end == MOST else instant(end)
    ).without(*(term.key for term in query.terms if term.key not in ("client", "user", "app")))
    made = [_device(period, client, app, seen, days.get((client, app), 0)) for (client, app), seen in found.items()]
    return sorted(made, key=lambda device: (device.last, device.client, device.app), reverse=True)


def _device(query: Query, client: str, app: str, seen: _Seen, days: int) -> Device:
    n, shared, calls, browser, agent = seen.counts
    return Device(
        client=client,
        app=app,
        users=tuple(sorted(seen.users)),
        first=instant(seen.first),
        last=instant(seen.last),
        attempts=n,
        shared=shared,
        calls=calls,
        browser=browser,
        agent=agent,
        days=days,
        period=query,
    )


def _attempt_days(
    connection: Connection, lexicon: Lexicon, begin: int, end: int, found: defaultdict[tuple[str, str], _Seen]
) -> dict[tuple[str, str], int]:
    """On how many days there were attempts."""
    table = schema.by_device.c
    rows = connection.execute(
        select(table.who, table.appset, func.count())
        .where(table.level == DAY, table.bucket >= begin // _DAY, table.bucket < -(-end // _DAY), table.n > 0)
        .group_by(table.who, table.appset)
    )
    days: defaultdict[tuple[str, str], int] = defaultdict(int)
    for number, appset, n in rows:
        client = lexicon.whos[number].client
        for app in lexicon.appsets[appset]:
            if client is not None and (client, app) in found:
                days[client, app] = max(days[client, app], n)  # several users of one client: at least so many
    return days


def _days(connection: Connection, selection: Selection) -> tuple[int, int]:
    """The period in whole days, within that of the records."""
    first = connection.scalar(select(func.min(schema.record.c.time)))
    last = connection.scalar(select(func.max(schema.record.c.time)))
    if first is None or last is None:
        return 0, 0
    begin = max(selection.begin, first) // _DAY * _DAY
    end = min(-(-selection.end // _DAY), last // _DAY + 1) * _DAY
    return begin, end


def _wanted_apps(query: Query, lexicon: Lexicon) -> frozenset[str] | None:
    """The apps that the query's `app:` terms take; None: all."""
    from embargo.journal.store.kinds import Kind
    from embargo.journal.store.selection import sieved

    groups = [term for term in query.terms if term.key == "app"]
    if not groups:
        return None
    apps = {app for each in lexicon.appsets.values() for app in each}
    by_number = dict(enumerate(sorted(apps)))
    bare = Kind(*(None,) * 3, (), *(None,) * 5, (), (), "", None, None, False, False, None)
    from dataclasses import replace

    numbers = sieved({number: replace(bare, apps=(app,)) for number, app in by_number.items()}, groups)
    return frozenset(by_number[number] for number in numbers or ())
