"""What each client asked of each app, hour by hour, counted from the rows: more than the counts by day tell.

Whether an app is installed shows in how its requests are spread over the hours (`review.devices`). Grouped in an index:
about a second for a million rows.
"""

from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from embargo.core.catalogue import Role
from embargo.journal.sighting import Sighting
from embargo.journal.store import schema
from embargo.journal.store.kinds import Kind
from embargo.journal.store.lexicon import Lexicon
from embargo.journal.store.selection import Selection
from embargo.journal.store.spans import HOUR, LENGTHS, instant

MACHINE = frozenset({Role.API, Role.MESSAGING, Role.TELEMETRY, Role.PAYMENT, Role.UPDATE})  # asked for by an app itself
PAGES = frozenset({Role.WEB, Role.LOGIN, Role.DOWNLOAD})  # asked for by people
_HOUR = LENGTHS[HOUR]


@dataclass(slots=True)
class _Counted:
    counts: list[int] = field(default_factory=lambda: [0] * 5)  # count, told, untold, visits, shared
    first: int = 1 << 62
    last: int = -(1 << 62)


def sightings(connection: Connection, lexicon: Lexicon, selection: Selection, snapshot: int) -> list[Sighting]:
    """Those of the selection's rows that say which client, up to *snapshot*; in no order."""
    if selection.nothing:
        return []
    row = schema.record.c
    hour = func.floor(row.time / _HOUR)
    rows = connection.execute(
        select(row.who, row.kind, hour, func.count(), func.min(row.time), func.max(row.time))
        .where(*selection.conditions(driver="who"), row.row <= snapshot)
        .group_by(row.who, row.kind, hour)
    )
    found: dict[tuple[int, str, int], _Counted] = {}
    told_apart = {number: _told_apart(kind) for number, kind in lexicon.kinds.items() if kind.apps}
    for who, kind, at, n, first, last in rows:
        if (places := told_apart.get(kind)) is None or lexicon.whos[who].client is None:
            continue
        for app in lexicon.kinds[kind].apps:
            counted = found.setdefault((who, app, int(at)), _Counted())
            for place in places:
                counted.counts[place] += n
            counted.first, counted.last = min(counted.first, first), max(counted.last, last)
    return [_sighting(lexicon, key, counted) for key, counted in found.items()]


def _told_apart(kind: Kind) -> tuple[int, ...]:
    """What a row of *kind* counts as, as places of `_Counted.counts`."""
    if kind.shared:
        return (4,)
    places = [0]
    if kind.role in MACHINE and kind.browser is not True:
        places.append(2 if kind.browser is None else 1)
    if kind.browser or kind.role in PAGES:
        places.append(3)
    return tuple(places)


def _sighting(lexicon: Lexicon, key: tuple[int, str, int], counted: _Counted) -> Sighting:
    who, app, hour = key
    count, told, untold, visits, shared = counted.counts
    client = lexicon.whos[who].client
    assert client is not None, "others were passed over"
    return Sighting(
        client=client,
        user=lexicon.whos[who].user,
        app=app,
        hour=instant(hour * _HOUR),
        count=count,
        told=told,
        untold=untold,
        visits=visits,
        shared=shared,
        first=instant(counted.first),
        last=instant(counted.last),
    )
