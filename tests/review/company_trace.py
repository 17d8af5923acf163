"""Four weeks of a company's made traffic to one banned app, with the truth beside it: who has it, who only visits.

- Installed: while the device is on, the app asks for its API every few minutes and again when refused, telemetry less
  often. A fifth is idle: telemetry every five hours.
- Visitors open the app's site some times a month; its pages call the API.
- Pages of others embed a piece of the app (a login button, a counter), which calls its API or telemetry without a page.
- Hosts shared with others are asked for by everybody.
- An office has one address for thirty people (NAT); in some of those offices somebody has the app.

*seen*: whether User-Agents are seen (TLS is opened, or CONNECT tells); a trace of DNS and closed TLS has none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from embargo.core.catalogue import Role
from embargo.journal.sighting import Sighting

BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
WEEKS = 4
END = BEGIN + timedelta(weeks=WEEKS)
APP = "alipay"


@dataclass(frozen=True)
class Trace:
    """What was seen, and what is so."""

    sightings: list[Sighting]
    installed: frozenset[str]  # clients
    visited: frozenset[str]


def trace(*, seen: bool, seed: int = 1) -> Trace:
    """*seen*: User-Agents are."""
    chance = Random(seed)
    clients: dict[str, list[_Ask]] = {}
    installed = set()
    for number in range(300):
        client = f"10.0.{number // 250}.{number % 250}"
        if number < 40:
            installed.add(client)
            clients[client] = list(_installed(chance, idle=number % 5 == 0))
        elif number < 240:
            clients[client] = list(_person(chance, visits=chance.choice((0, 1, 2, 4, 8)), embeds=chance.random() * 3))
        elif number < 260:  # an office behind one address
            clients[client] = [ask for _ in range(30) for ask in _person(chance, visits=1, embeds=0.3)]
            if number % 2:
                installed.add(client)
                clients[client] += _installed(chance, idle=False)
        else:
            clients[client] = [_Ask(_moment(chance, day), Role.CDN, browser=True, shared=True) for day in _workdays()]
    sightings = [each for client, asks in clients.items() for each in _sightings(client, asks, seen)]
    return Trace(sightings, frozenset(installed), frozenset(clients) - installed)


@dataclass(frozen=True)
class _Ask:
    time: datetime
    role: Role
    browser: bool
    shared: bool = False


def _workdays() -> Iterator[datetime]:
    return (day for day in (BEGIN + timedelta(days=number) for number in range(7 * WEEKS)) if day.weekday() < 5)


def _moment(chance: Random, day: datetime) -> datetime:
    return day + timedelta(hours=8 + chance.random() * 10)


def _installed(chance: Random, *, idle: bool) -> Iterator[_Ask]:
    for day in _workdays():
        if chance.random() < 0.2:
            continue  # not there, or switched off
        at, end = day + timedelta(hours=8 + chance.random()), day + timedelta(hours=16 + chance.random() * 2)
        while at < end:
            if idle:
                yield _Ask(at, Role.TELEMETRY, browser=False)
                at += timedelta(hours=chance.uniform(4, 6))
                continue
            for _ in range(chance.randrange(1, 6)):  # refused, it asks again
                yield _Ask(at, chance.choice((Role.API, Role.API, Role.MESSAGING, Role.TELEMETRY)), browser=False)
                at += timedelta(seconds=chance.uniform(1, 30))
            at += timedelta(minutes=chance.uniform(5, 40))


def _person(chance: Random, *, visits: int, embeds: float) -> Iterator[_Ask]:
    """*visits* to the site, and *embeds* a week of pages of others."""
    days = list(_workdays())
    for _ in range(visits):
        at = _moment(chance, chance.choice(days))
        for _ in range(chance.randrange(2, 12)):
            yield _Ask(at, Role.WEB, browser=True)
            for _ in range(chance.randrange(4)):
                yield _Ask(at + timedelta(seconds=2), Role.API, browser=True)
            at += timedelta(minutes=chance.uniform(0.5, 6))
    for _ in range(round(embeds * WEEKS * chance.random())):
        at = _moment(chance, chance.choice(days))
        yield _Ask(at, chance.choice((Role.API, Role.TELEMETRY)), browser=True)
    for day in days:
        yield _Ask(_moment(chance, day), Role.CDN, browser=True, shared=True)


_MACHINE = {Role.API, Role.MESSAGING, Role.TELEMETRY, Role.PAYMENT, Role.UPDATE}


def _sightings(client: str, asks: list[_Ask], seen: bool) -> Iterator[Sighting]:
    hours: dict[datetime, list[_Ask]] = {}
    for ask in asks:
        hours.setdefault(ask.time.replace(minute=0, second=0, microsecond=0), []).append(ask)
    for hour, of_hour in hours.items():
        own = [ask for ask in of_hour if not ask.shared]
        machine = [ask for ask in own if ask.role in _MACHINE]
        yield Sighting(
            client=client,
            app=APP,
            hour=hour,
            count=len(own),
            told=sum(not ask.browser for ask in machine) if seen else 0,
            untold=0 if seen else len(machine),
            visits=sum((seen and ask.browser) or ask.role is Role.WEB for ask in own),
            shared=len(of_hour) - len(own),
            first=min(ask.time for ask in of_hour),
            last=max(ask.time for ask in of_hour),
        )
