"""Which devices have an app, as far as the log tells: one row a client, user and app. Pure.

**Installed** is an app whose machine traffic is regular. Of a client, user and app, an hour is a *machine hour* if in
it there was a request to an endpoint of the app alone (not shared) that an app asks for by itself (its role is api,
messaging, telemetry, payment or update), sent by a program; or by nobody knows whom (DNS, closed TLS), in an hour in
which no browser asked for the app, and none of its pages (role web, login, download) was asked for, nor in the hour
before. It is *installed* if there are `REGULAR` machine hours within `WINDOW` or, where no program ever said that
it was one, `REGULAR_UNSEEN`.

**Visited** is what is not regular: asked for by a browser, or too seldom to be told from it.

**Gone** is what was installed and has had no request for N days in which the log was kept (`gaps` do not count). It is
`silent` where the client has not been seen with anything else since either: one that is switched off is silent too.

How often that is right was measured on a made trace (tests/review/test_devices.py, where the figures stand and are
held): phones with an app that retries, people who visit the sites, hosts shared with others, one address for many.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from embargo.journal.sighting import Sighting

REGULAR = 4  # machine hours
REGULAR_UNSEEN = 6  # machine hours where it is never seen who asks: lookups of people who visit are among them
WINDOW = timedelta(days=3)
QUIET = timedelta(days=7)  # usual N
_HOUR = timedelta(hours=1)


class Presence(StrEnum):
    """What a client has of an app."""

    INSTALLED = "installed"
    VISITED = "visited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A client and an app."""

    client: str
    user: str | None
    app: str
    presence: Presence
    first: datetime
    last: datetime
    attempts: int  # requests to endpoints of the app alone
    machine_hours: int  # on which the presence rests
    gone: bool  # installed, and quiet for so long that it counts as removed
    silent: bool  # so is the client, with all apps: it may be switched off


def devices(
    sightings: Iterable[Sighting],
    end: datetime,
    *,
    quiet: timedelta = QUIET,
    gaps: Sequence[tuple[datetime, datetime]] = (),
) -> list[Device]:
    """A row for each client, user and app of *sightings*, as of *end*; the installed first, then by client and app.

    *quiet*: how long without a request counts as gone; *gaps*: times in which no log was kept, which do not overlap.
    """
    by_pair: dict[tuple[str, str | None, str], list[Sighting]] = defaultdict(list)
    seen: dict[tuple[str, str | None], datetime] = {}
    for each in sightings:
        owner = (each.client, each.user)
        seen[owner] = max(seen.get(owner, _last(each)), _last(each))
        if each.count:
            by_pair[each.client, each.user, each.app].append(each)
    found = [
        _device(pair, of_pair, seen[pair[0], pair[1]], _Silence(end, quiet, gaps)) for pair, of_pair in by_pair.items()
    ]
    return sorted(found, key=lambda each: (each.presence is Presence.VISITED, each.client, each.user or "", each.app))


def _device(
    pair: tuple[str, str | None, str],
    sightings: Sequence[Sighting],
    seen: datetime,
    silence: "_Silence",
) -> Device:
    client, user, app = pair
    told, untold = _machine_hours(sightings)
    hours = sorted(told | untold)
    enough = REGULAR if told else REGULAR_UNSEEN
    installed = _densest(hours) >= enough
    last = max(map(_last, sightings))
    return Device(
        client=client,
        user=user,
        app=app,
        presence=Presence.INSTALLED if installed else Presence.VISITED,
        first=min(each.first or each.hour for each in sightings),
        last=last,
        attempts=sum(each.count for each in sightings),
        machine_hours=len(hours),
        gone=installed and silence.since(last),
        silent=silence.since(seen),
    )


def _machine_hours(sightings: Sequence[Sighting]) -> tuple[set[datetime], set[datetime]]:
    """Those in which a program said that it was one, and those in which nobody said who asked."""
    told = {each.hour for each in sightings if each.told}
    visits = {each.hour for each in sightings if each.visits}
    untold = {each.hour for each in sightings if each.untold} - told
    return told, {hour for hour in untold if hour not in visits and hour - _HOUR not in visits}


def _densest(hours: Sequence[datetime]) -> int:
    """The most of *hours*, which are in order, that lie within one window."""
    most = start = 0
    for end, hour in enumerate(hours):
        while hour - hours[start] >= WINDOW:
            start += 1
        most = max(most, end - start + 1)
    return most


@dataclass(frozen=True, slots=True)
class _Silence:
    """Whether enough has passed without a request."""

    end: datetime
    quiet: timedelta
    gaps: Sequence[tuple[datetime, datetime]]

    def since(self, last: datetime) -> bool:
        missing = sum((min(end, self.end) - max(start, last) for start, end in self._within(last)), timedelta())
        return self.end - last - missing >= self.quiet

    def _within(self, last: datetime) -> Iterator[tuple[datetime, datetime]]:
        return ((start, end) for start, end in self.gaps if end > last and start < self.end)


def _last(sighting: Sighting) -> datetime:
    return sighting.last or sighting.hour
