"""What DESIGN 4 and 5 say, written down as plain loops: slow, without indexes or memory, and meant to be obvious.

Shares with the core its values alone; how patterns are found, when a criterion holds, how owners are ranked and how
rules and names are put together is done anew.
"""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from embargo.core.address import Address
from embargo.core.catalogue import App, Authority, Endpoint
from embargo.core.decision import Verdict
from embargo.core.matcher import Owner
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Name, Request
from embargo.core.rules import Action, Group, Mode, Policy, Rule
from embargo.core.schedule import Schedule
from embargo.core.timeline import State

VERDICTS = {"block": Verdict.BLOCK, "log": Verdict.LOG, "allow": Verdict.ALLOW}
KINDS = [Kind.USER_AGENT, Kind.CIDR, Kind.DOMAIN, Kind.HOST, Kind.URL]  # the least specific first


def labels(host: str) -> list[str]:
    return host.split(".")


def matches(pattern: Pattern, name: Name, request: Request) -> bool:
    """Whether *pattern* covers the name, by the words of DESIGN 4."""
    if pattern.kind is Kind.USER_AGENT:
        return request.user_agent is not None and pattern.text in request.user_agent
    assert name.host is not None
    if pattern.kind is Kind.CIDR:
        address = name.host.address
        return (
            isinstance(address, IPv4Address | IPv6Address)
            and pattern.network is not None
            and address.version == pattern.network.version
            and pattern.network.network_address <= address <= pattern.network.broadcast_address
            and (pattern.port is None or pattern.port == name.port)
            and (pattern.protocol is None or pattern.protocol.value == request.transport)
        )
    if pattern.kind is Kind.DOMAIN:
        wanted = labels(pattern.text)
        return name.host.address is None and labels(name.host.text)[-len(wanted) :] == wanted
    if pattern.kind is Kind.HOST:
        return name.host.text == pattern.text
    if name.host.text != pattern.host or request.target is None:
        return False
    if any(pair not in request.target.pairs for pair in pattern.pairs):
        return False
    path = request.target.path
    ends = [end for end in range(len(path) + 1) if end == len(path) or path[end] == "/" or path[end - 1 : end] == "/"]
    return any(glob("*".join(pattern.path), path[:end]) for end in ends if _may_end(pattern, path, end))


def _may_end(pattern: Pattern, path: str, end: int) -> bool:
    """A match ends at the path's end or before a slash; a pattern that itself ends in a slash has crossed it."""
    last = pattern.path[-1]
    return end == len(path) or path[end] == "/" or last.endswith("/") or last == ""


def glob(pattern: str, text: str) -> bool:
    """Whether *pattern*, in which `*` is any characters, is all of *text*: by every split there is."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(glob(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return text[:1] == pattern[0] and glob(pattern[1:], text[1:])


def rank(pattern: Pattern) -> tuple[int, int]:
    """Url > host > longer domain > shorter domain > longer cidr > user agent (all alike)."""
    length = 0
    if pattern.kind in (Kind.DOMAIN, Kind.URL):
        length = len(pattern.text)
    if pattern.kind is Kind.CIDR and pattern.network is not None:
        length = pattern.network.prefixlen
    return KINDS.index(pattern.kind), length


def endpoints(policy: Policy, app: str) -> list[Endpoint]:
    """All endpoints of *app*; those of lists as the policy's table names them."""
    listed = []
    table = getattr(policy.listed, "_lists", {})
    for name, numbers in table.items():
        for number in numbers:
            source = policy.lists[number]
            if source.app == app:
                listed.append(Endpoint(Pattern(Kind.DOMAIN, name), source.role, source.shared, (source.source,)))
    return [*listed, *policy.apps[app].endpoints]


def owners(policy: Policy, name: Name, request: Request) -> list[Owner]:
    """Every app that owns *name*, the most specific first, then by id."""
    if name.host is None:
        return []
    found = []
    for app in policy.apps.values():
        best: Endpoint | None = None
        for endpoint in endpoints(policy, app.id):
            if endpoint.shadow:
                continue
            if matches(endpoint.pattern, name, request) and (
                best is None or rank(endpoint.pattern) >= rank(best.pattern)
            ):
                best = endpoint
        if best is None:
            continue
        freed = any(
            matches(exclude.pattern, name, request) and rank(exclude.pattern) >= rank(best.pattern)
            for exclude in app.exclude
        )
        if not freed:
            found.append(Owner(app.id, best, rank(best.pattern)))
    found.sort(key=lambda owner: owner.app)
    found.sort(key=lambda owner: owner.specificity, reverse=True)
    return found


def within(schedule: Schedule, instant: datetime) -> bool:
    """Whether the reading of the wall clock lies in an interval that began on one of the schedule's days."""
    reading = instant.astimezone(schedule.timezone).replace(tzinfo=None, fold=0)
    for day in (reading.date() - timedelta(days=1), reading.date()):
        if day.weekday() not in schedule.days:
            continue
        for start, end in schedule.hours:
            begins = _on(day, start)
            ends = _on(day, end) if start < end else _on(day + timedelta(days=1), end)
            if begins <= reading < ends:
                return True
    return False


def _on(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minutes)


def member(group: Group, client: Address | None, user: str | None) -> str:
    """`yes`, `no`, or `unknown` where what is not known of them could make them a member."""
    by_client = client is not None and any(inside(client, network) for network in group.clients)
    by_user = user is not None and user in group.users
    if by_client or by_user:
        return "yes"
    unknown_client = client is None and len(group.clients) > 0
    unknown_user = user is None and len(group.users) > 0
    return "unknown" if unknown_client or unknown_user else "no"


def inside(address: Address, network: object) -> bool:
    first, last = network.network_address, network.broadcast_address  # type: ignore[attr-defined]
    return address.version == first.version and int(first) <= int(address) <= int(last)


def state(authority: Authority, instant: datetime) -> State | None:
    found = None
    for since, each in authority.timeline.changes:
        if since <= instant:
            found = each
    return found


def counting(policy: Policy, rule: Rule, app: App) -> list[Authority]:
    """The authorities that count for *rule* and *app*: of its own `named_in`, or where it has none, any naming it."""
    wanted = set(app.named_in)
    if rule.apps.named_in:
        wanted &= set(rule.apps.named_in)
    return [authority for name, authority in policy.authorities.items() if name in wanted]


def selects(rule: Rule, app: App) -> bool:
    return (
        rule.apps.all
        or app.id in rule.apps.ids
        or len(set(rule.apps.named_in) & set(app.named_in)) > 0
        or app.vendor in rule.apps.vendors
    )


def orders_against(policy: Policy, rule: Rule, app: str, instant: datetime) -> list[str]:
    """The orders that bind the organization, are in force, and name the app that an exception lets through."""
    if not rule.exception or rule.action.value == "block":
        return []
    named = [policy.authorities[name] for name in policy.apps[app].named_in if name in policy.authorities]
    return [
        order.id for order in named if order.id in policy.settings.bound_by and state(order, instant) is State.IN_FORCE
    ]


def warranted(rule: Rule) -> bool:
    """Whether an exception names a second person, by what right it is made, and where it was asked for."""
    people = {name.strip().lower() for name in (rule.author, rule.approved_by) if name is not None}
    return len(people) == 2 and rule.basis is not None and rule.ticket is not None


def holds(policy: Policy, rule: Rule, owner: Owner, name: Name, request: Request) -> bool:
    """Whether all criteria of *rule* hold for *owner* of *name*, by the words of DESIGN 4."""
    app, endpoint = policy.apps[owner.app], owner.endpoint
    memberships = [member(group, request.client, request.user) for group in rule.groups]
    others = [member(group, request.client, request.user) for group in rule.not_groups]
    states = [state(authority, request.time) for authority in counting(policy, rule, app)]
    criteria = {
        "apps": selects(rule, app),
        "hosts": not rule.hosts or any(matches(pattern, name, request) for pattern in rule.hosts),
        "roles": not rule.roles or endpoint.role in rule.roles,
        "shared": rule.shared is None or endpoint.shared == rule.shared,
        "surfaces": not rule.surfaces or request.surface in rule.surfaces,
        "groups": not rule.groups or "yes" in memberships,
        "not_groups": all(membership == "no" for membership in others),
        "users": not rule.users or request.user in rule.users,
        "clients": not rule.clients
        or (request.client is not None and any(inside(request.client, network) for network in rule.clients)),
        "schedule": rule.schedule is None or within(rule.schedule, request.time),
        "authority": not rule.authority or any(each in rule.authority for each in states),
        "from": rule.since is None or rule.since <= request.time,
        "until": rule.until is None or request.time < rule.until,
        "basis": warranted(rule) or not orders_against(policy, rule, owner.app, request.time),
    }
    return all(criteria.values())


def anonymous_anyway(policy: Policy, rule: Rule, owner: Owner, name: Name, request: Request) -> bool:
    """Whether an exception would open nothing, and put on record who visits what an anonymous rule lets through."""
    if not rule.exception or rule.action.value == "block":
        return False
    others = [other for other in policy.rules if other.enabled and not other.exception and not other.shadow]
    found = [other for other in others if holds(policy, other, owner, name, request)]
    return len(found) > 0 and found[0].record.value == "anonymous" and found[0].action.value != "block"


class Found(NamedTuple):
    """A decision, as far as it says what happens and why."""

    verdict: Verdict
    rule: str | None
    apps: tuple[str, ...] = ()
    would: Verdict | None = None
    shadow: str | None = None
    lawful: bool = False
    against: frozenset[str] = frozenset()


class _Said(NamedTuple):
    """What one owner of a name says: the rule that decides it, and the shadow rule that was asked before."""

    owner: Owner
    rule: Rule | None
    shadow: Rule | None


def _say(policy: Policy, owner: Owner, name: Name, request: Request) -> _Said:
    shadow = None
    for rule in policy.rules:
        if rule.enabled and holds(policy, rule, owner, name, request):
            if anonymous_anyway(policy, rule, owner, name, request):
                continue
            if not rule.shadow:
                return _Said(owner, rule, shadow)
            if shadow is None:
                shadow = rule
    return _Said(owner, None, shadow)


def decision_on_name(policy: Policy, name: Name, request: Request) -> Found:
    """What DESIGN 5.4 makes of one name."""
    ranked = [_say(policy, owner, name, request) for owner in owners(policy, name, request)]
    if not ranked:
        return Found(Verdict.PASS, None)
    ranks = sorted({said.owner.specificity for said in ranked}, reverse=True)
    tiers = [[said for said in ranked if said.owner.specificity == rank] for rank in ranks]
    asked: list[_Said] = []
    deciding: list[_Said] = []
    for tier in tiers:
        asked += tier
        deciding = [said for said in tier if said.rule is not None]
        if deciding:
            break
    shadows = [said for said in asked if said.shadow is not None]
    shadows = [said for said in shadows if said.owner.specificity == shadows[0].owner.specificity]
    would = max((VERDICTS[said.shadow.action] for said in shadows if said.shadow), default=None)
    shadow = next((said.shadow.id for said in shadows if said.shadow and VERDICTS[said.shadow.action] is would), None)
    if not deciding:
        verdict, apps = VERDICTS[policy.settings.default], tuple(said.owner.app for said in tiers[0])
        return Found(verdict, "default", apps, would, shadow)
    strictest = max(VERDICTS[said.rule.action] for said in deciding if said.rule)
    agreeing = [said for said in deciding if said.rule and VERDICTS[said.rule.action] is strictest]
    first = agreeing[0].rule
    assert first is not None
    apps = tuple(said.owner.app for said in agreeing)
    lawful = any(_demanded(policy, said, request) for said in agreeing)
    orders = [
        orders_against(policy, said.rule, said.owner.app, request.time) for said in agreeing if said.rule is not None
    ]
    against = frozenset(order for each in orders for order in each)
    return Found(strictest, first.id, apps, would, shadow, lawful, against)


def _demanded(policy: Policy, said: _Said, request: Request) -> bool:
    """Whether the rule blocks by an authority in force that binds the organization (DESIGN 6: status 451)."""
    rule = said.rule
    if rule is None or rule.action is not Action.BLOCK or not (rule.apps.named_in or rule.authority):
        return False
    return any(
        authority.id in policy.settings.bound_by and state(authority, request.time) is State.IN_FORCE
        for authority in counting(policy, rule, policy.apps[said.owner.app])
    )


def decision(policy: Policy, request: Request) -> Found:
    """The strictest over all well-formed names, of equals the first; refused where there is none."""
    well_formed = [name for name in request.names if name.host is not None]
    found = Found(Verdict.BLOCK, None)
    if well_formed:
        each = [decision_on_name(policy, name, request) for name in well_formed]
        found = max(each, key=lambda one: one.verdict)  # of equals the first
    if policy.settings.mode is Mode.MONITOR and found.verdict is Verdict.BLOCK:
        return found._replace(verdict=Verdict.LOG, would=Verdict.BLOCK, shadow=None)
    return found


def decision_with_trials(policy: Policy, request: Request) -> Found:
    """As if what is on trial were not there; what that lets by and it would log or block is logged, and told."""
    without = decision(policy, request)
    enforced = {
        app.id: replace(app, endpoints=tuple(replace(each, shadow=False) for each in app.endpoints))
        for app in policy.apps.values()
    }
    within = decision(replace(policy, apps=enforced), request)
    was, would = (Verdict.BLOCK if _held_back(one) else one.verdict for one in (without, within))
    if would <= was:
        return without
    found = within._replace(verdict=min(would, Verdict.LOG)) if was < Verdict.LOG and would > was else without
    by_shadow = found.would if found.shadow is not None else None
    return found if by_shadow is not None and by_shadow >= would else found._replace(would=would, shadow=None)


def _held_back(found: Found) -> bool:
    """Whether monitor alone made a log of a block."""
    return found.would is Verdict.BLOCK and found.shadow is None


def mismatched(policy: Policy, request: Request) -> bool:
    """Whether two of its host names, addresses aside, have different owners, no owner being one."""
    named = [name for name in request.names if name.host is not None and name.host.address is None]
    return len({frozenset(owner.app for owner in owners(policy, name, request)) for name in named}) > 1
