"""Short ways to write the values of the core, so that a case fits on a line."""

from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from zoneinfo import ZoneInfo

from embargo.core.catalogue import App, Authority, Endpoint, Role
from embargo.core.pattern import Kind, Pattern, Protocol
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Action, AppSelector, Group, Policy, Rule, Settings
from embargo.core.schedule import DAYS, Schedule
from embargo.core.timeline import State, Timeline
from embargo.core.url import parse_target
from embargo.policy.domains import url_pattern

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday


def instant(text: str) -> datetime:
    """RFC 3339, or a date, as an aware datetime in UTC."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def pattern(text: str) -> Pattern:
    """`KIND:TEXT`, a domain where there is no kind; a cidr may end in ` PORT` and ` PROTOCOL`."""
    kind, colon, rest = text.partition(":")
    if not colon:
        return Pattern(Kind.DOMAIN, text)
    match kind:
        case "url":
            return url_pattern(rest)
        case "cidr":
            network, *limits = rest.split()
            port = next((int(limit) for limit in limits if limit.isdigit()), None)
            protocol = next((Protocol(limit) for limit in limits if not limit.isdigit()), None)
            return Pattern(Kind.CIDR, network, network=ip_network(network), port=port, protocol=protocol)
        case _:
            return Pattern(Kind[kind.upper()], rest)


def endpoint(text: str, role: Role = Role.API, *, shared: bool = False, shadow: bool = False) -> Endpoint:
    """An endpoint by its pattern's text."""
    return Endpoint(pattern(text), role, shared, shadow=shadow)


def app(
    identifier: str,
    *endpoints: str | Endpoint,
    exclude: Iterable[str] = (),
    named_in: tuple[str, ...] = (),
    vendor: str | None = None,
) -> App:
    """An app by the texts of its patterns."""
    return App(
        id=identifier,
        name=identifier.title(),
        vendor=vendor,
        named_in=named_in,
        endpoints=tuple(endpoint(each) if isinstance(each, str) else each for each in endpoints),
        exclude=tuple(endpoint(each) for each in exclude),
    )


ALL = AppSelector(all=True)


def rule(identifier: str, action: str, apps: AppSelector | str = ALL, **criteria: object) -> Rule:
    """A rule; *apps* as ids with blanks between, all of them by default."""
    selector = AppSelector(ids=frozenset(apps.split())) if isinstance(apps, str) else apps
    return Rule(id=identifier, apps=selector, action=Action(action), **criteria)  # type: ignore[arg-type]


def group(identifier: str, clients: str = "", users: str = "") -> Group:
    """A group; networks and users with blanks between."""
    return Group(id=identifier, clients=tuple(map(ip_network, clients.split())), users=frozenset(users.split()))


def authority(identifier: str, **states: str) -> Authority:
    """An authority: `issued="2021-01-05", in_force="2021-02-19"`."""
    changes = [(instant(when), State(state.replace("_", "-"))) for state, when in states.items()]
    return Authority(id=identifier, title=identifier.upper(), timeline=Timeline(tuple(sorted(changes))))


def schedule(days: str = "", hours: str = "", timezone: str = "UTC") -> Schedule:
    """A schedule: `days="mon tue"`, `hours="22:00-06:00 12:00-13:00"`."""
    chosen = frozenset(DAYS.index(day) for day in days.split()) if days else frozenset(range(7))
    intervals = [tuple(map(_minutes, interval.split("-"))) for interval in hours.split()] or [(0, 1440)]
    return Schedule(timezone=ZoneInfo(timezone), days=chosen, hours=tuple((start, end) for start, end in intervals))


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def policy(
    apps: Iterable[App], rules: Iterable[Rule] = (), authorities: Iterable[Authority] = (), **settings: object
) -> Policy:
    """A policy compiled from its parts."""
    return Policy(
        settings=Settings(**settings),  # type: ignore[arg-type]
        apps={each.id: each for each in apps},
        authorities={each.id: each for each in authorities},
        rules=tuple(rules),
    )


def request(
    *hosts: str,
    target: str | None = None,
    surface: Surface = Surface.HTTP,
    time: datetime = NOW,
    client: str | None = None,
    user: str | None = None,
    user_agent: str | None = None,
    port: int = 443,
    transport: str = "tcp",
) -> Request:
    """A request whose names are *hosts*, from as many places."""
    return Request(
        surface=surface,
        time=time,
        names=tuple(Name.parse(source, host, port) for source, host in zip(_sources(len(hosts)), hosts, strict=True)),
        client=ip_address(client) if client is not None else None,
        user=user,
        target=parse_target(target) if target is not None else None,
        user_agent=user_agent,
        transport=transport,
    )


def _sources(count: int) -> list[Source]:
    order = [Source.CONNECT, Source.SNI, Source.AUTHORITY]
    return [*order[:count], *[Source.HOST] * (count - len(order))]
