"""Why a criterion of a rule does not hold, in words: what it wants, and what the request has."""

from collections.abc import Iterable
from datetime import datetime

from embargo.core.criteria import opposed, selecting_authorities, without_exceptions
from embargo.core.matcher import Owner
from embargo.core.request import Name, Request
from embargo.core.rules import Group, Policy, Rule
from embargo.core.schedule import DAYS, Schedule
from embargo.core.timeline import Timeline

_DAY_NAMES = tuple(day.title() for day in DAYS)


def unmet(policy: Policy, rule: Rule, owner: Owner, name: Name, request: Request, criterion: str) -> str:
    """What *criterion* (its word in a policy file, as `failed_criterion` told it) wants, and what is there."""
    endpoint = owner.endpoint
    match criterion:
        case "from":
            return f"wants {when(rule.since)} or later; it is {when(request.time)}"
        case "until":
            return f"wants a time before {when(rule.until)}; it is {when(request.time)}"
        case "shared":
            wanted = "shared infrastructure" if rule.shared else "an endpoint that is not shared"
            return f"wants {wanted}; this endpoint is {'shared' if endpoint.shared else 'not'}"
        case "roles":
            return f"wants the role {_any(rule.roles)}; this endpoint's is {endpoint.role}"
        case "surfaces":
            return f"wants the surface {_any(rule.surfaces)}; this is {request.surface}"
        case "hosts":
            hosts = [f"{pattern.kind.key}:{pattern.text}" for pattern in rule.hosts]
            return f"wants a name under {_any(hosts, ordered=True)}; this is {name.host}"
        case "users":
            return f"wants the user {_any(rule.users)}; {_user(request)}"
        case "clients":
            return f"wants a client in {_any(map(str, rule.clients), ordered=True)}; {_client(request)}"
        case "groups":
            groups = [group.id for group in rule.groups]
            return f"wants a member of {_any(groups, ordered=True)}; {_client(request)}, {_user(request)}"
        case "not_groups":
            return _inside(rule.not_groups, request)
        case "authority":
            return _states(policy, rule, owner, request)
        case "basis":
            return _without_basis(policy, rule, owner, request)
        case "record":
            anyway = without_exceptions(policy, owner, name, request)
            assert anyway is not None
            return f"wants something to open; rule {anyway.id} lets it through anyway, and records nobody"
        case "schedule":
            assert rule.schedule is not None
            return _clock(rule.schedule, request.time)
        case _:
            raise ValueError(f"{criterion!r} is no criterion")


def when(instant: datetime | None) -> str:
    """*instant* (UTC) as a policy file writes it: a date at midnight, else with its time."""
    if instant is None:
        return "never"
    if instant.timetz().replace(tzinfo=None) == datetime.min.time():
        return f"{instant:%Y-%m-%d}"
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def state_of(timeline: Timeline, instant: datetime) -> str:
    """The state at *instant* and since when: `revoked since 2021-06-09`; before the first date, that."""
    if (state := timeline.state_at(instant)) is None:
        if not timeline.changes:
            return "without any date"
        return f"without effect before {when(timeline.changes[0][0])}"
    return f"{state} since {when(timeline.since(instant))}"


def hours_of(schedule: Schedule) -> str:
    """Days and hours of *schedule* with its time zone."""
    days = " ".join(name for number, name in enumerate(_DAY_NAMES) if number in schedule.days)
    hours = ", ".join(f"{_minutes(start)}-{_minutes(end)}" for start, end in schedule.hours)
    return f"{days} {hours} {schedule.timezone}"


def _clock(schedule: Schedule, instant: datetime) -> str:
    local = instant.astimezone(schedule.timezone)
    return f"wants {hours_of(schedule)}; there it is {_DAY_NAMES[local.weekday()]} {local:%H:%M}"


def _minutes(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _states(policy: Policy, rule: Rule, owner: Owner, request: Request) -> str:
    wanted = _any(rule.authority)
    selecting = selecting_authorities(policy, rule, policy.apps[owner.app])
    if not selecting:
        return f"wants an authority that is {wanted}; none that counts names {owner.app}"
    found = [f"{authority.id} is {state_of(authority.timeline, request.time)}" for authority in selecting]
    return f"wants an authority that is {wanted}; {', '.join(found)}"


def _without_basis(policy: Policy, rule: Rule, owner: Owner, request: Request) -> str:
    orders = opposed(policy, rule, policy.apps[owner.app], request.time)
    binding = "is in force and binds" if len(orders) == 1 else "are in force and bind"
    return f"wants {', '.join(rule.lacks)}; {' and '.join(orders)} {binding} this organization"


def _inside(groups: Iterable[Group], request: Request) -> str:
    for group in groups:
        match group.holds(request.client, request.user):
            case True:
                return f"wants nobody in {group.id}; {_client(request)}, {_user(request)}"
            case None:
                return f"wants somebody known not to be in {group.id}; {_client(request)}, {_user(request)}"
    raise ValueError("the request is known to be in none of the groups")


def _client(request: Request) -> str:
    return f"the client is {request.client}" if request.client is not None else "the client is unknown"


def _user(request: Request) -> str:
    return f"the user is {request.user}" if request.user is not None else "the user is unknown"


def _any(words: Iterable[str], *, ordered: bool = False) -> str:
    found = [str(word) for word in words]
    return " or ".join(found if ordered else sorted(found))
