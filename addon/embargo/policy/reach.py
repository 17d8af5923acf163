"""Warnings on rules that can never hold, whatever the other rules: their own criteria never meet."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from embargo.core.address import Network
from embargo.core.catalogue import App
from embargo.core.criteria import selecting_authorities
from embargo.core.hostname import Host
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Surface
from embargo.core.rules import Group, Rule
from embargo.policy.problem import Problem
from embargo.policy.survey import Survey

_A_WEEK_AND_A_DAY = timedelta(days=8)  # in which every schedule comes round
_SEEN_ON = {  # where a kind of pattern is seen; the others are seen wherever there is a name
    Kind.URL: frozenset({Surface.HTTP, Surface.WEBSOCKET}),
    Kind.USER_AGENT: frozenset({Surface.CONNECT, Surface.HTTP, Surface.WEBSOCKET}),
}

_NO_APP = "it selects no app"
_NO_ENDPOINT = "none of its apps has such an endpoint"
_NO_HOST = "its hosts meet no endpoint of its apps"
_NO_MEMBERS = "its groups have no members"
_HINTS = {  # what mends it; of other reasons the message says what does not meet
    _NO_APP: "select apps by id, or give them that `named_in` or `vendor`",
    _NO_ENDPOINT: "`embargo apps APP` shows which roles an app's endpoints have, and which are shared",
    _NO_HOST: "`embargo apps APP` shows an app's endpoints; add the host to one, or name another app",
    _NO_MEMBERS: "give them `clients` or `users`",
}


def warnings(survey: Survey) -> Iterator[Problem]:
    """Those on *survey*, in no order."""
    for rule in survey.policy.rules:
        if rule.enabled and not _ended(survey, rule) and (reason := never(survey, rule)):
            message = f"the rule {rule.id!r} can never match: {reason}"
            yield survey.of_rule(
                rule, "never-matches", message, _HINTS.get(reason, "mend what does not meet, or delete it")
            )


def never(survey: Survey, rule: Rule) -> str:
    """Why *rule* can never hold, by its own criteria; empty where it can."""
    apps = survey.apps_of(rule)
    if not apps:
        return _NO_APP
    fitting = [app for app in apps if any(rule.fits(*kind) for kind in survey.kinds_of(app))]
    if not fitting:
        return _NO_ENDPOINT
    return _unseen(survey, rule, fitting) or _undated(survey, rule, fitting) or nobody(rule)


def _ended(survey: Survey, rule: Rule) -> bool:
    return rule.until is not None and rule.until <= survey.now


def _unseen(survey: Survey, rule: Rule, apps: list[App]) -> str:
    """Why no name that its surfaces show is both its apps' and under its hosts."""
    if rule.hosts and rule.surfaces and not any(_seen(pattern, rule.surfaces) for pattern in rule.hosts):
        return f"its hosts are urls, which are not seen at {_any(rule.surfaces)}"
    patterns = [
        endpoint.pattern for app in apps for endpoint in app.endpoints if rule.fits(endpoint.role, endpoint.shared)
    ]
    lists = [each for each in survey.policy.lists if each.app in {app.id for app in apps}]
    lists = [each for each in lists if rule.fits(each.role, each.shared)]
    if rule.surfaces and not lists and not any(_seen(pattern, rule.surfaces) for pattern in patterns):
        kinds = " and ".join(sorted({pattern.kind.key for pattern in patterns}))
        return f"its endpoints are of kind {kinds}, which is not seen at {_any(rule.surfaces)}"
    if rule.hosts and not any(meets(one, other) for one in rule.hosts for other in patterns):
        names = {each.app for each in lists}
        if not any(_listed(survey, pattern, names) for pattern in rule.hosts):
            return _NO_HOST
    return ""


def _seen(pattern: Pattern, surfaces: frozenset[Surface]) -> bool:
    return pattern.kind not in _SEEN_ON or bool(_SEEN_ON[pattern.kind] & surfaces)


def meets(one: Pattern, other: Pattern) -> bool:
    """Whether some name may lie under both, as far as their hosts and networks tell."""
    if Kind.USER_AGENT in (one.kind, other.kind):
        return True  # a client may ask for any name
    if one.kind is Kind.CIDR or other.kind is Kind.CIDR:
        return _networks_meet(one, other)
    left, right = _host(one), _host(other)
    return (
        left == right
        or (one.kind is Kind.DOMAIN and right.endswith("." + left))
        or (other.kind is Kind.DOMAIN and left.endswith("." + right))
    )


def _networks_meet(one: Pattern, other: Pattern) -> bool:
    if one.network is None or other.network is None:
        return False
    return (
        one.network.version == other.network.version
        and one.network.overlaps(other.network)
        and (None in (one.port, other.port) or one.port == other.port)
        and (None in (one.protocol, other.protocol) or one.protocol == other.protocol)
    )


def _host(pattern: Pattern) -> str:
    return pattern.host if pattern.kind is Kind.URL else pattern.text


def _listed(survey: Survey, pattern: Pattern, apps: set[str]) -> bool:
    """Whether a name of a list of one of *apps* meets *pattern*."""
    if not apps or pattern.kind is Kind.CIDR:
        return False
    host = _host(pattern)
    if any(entry.app in apps for entry in survey.policy.matcher.entries_of_host(Host(host))):
        return True
    below = "." + host
    return pattern.kind is Kind.DOMAIN and any(
        name.endswith(below)
        for named in survey.loaded.assembly.lists()
        if named.domains.app in apps
        for name in named.names
    )


def _undated(survey: Survey, rule: Rule, apps: list[App]) -> str:
    """Why it never holds at any time."""
    if rule.authority:
        selecting = [each for app in apps for each in selecting_authorities(survey.policy, rule, app)]
        states = {state for each in selecting for _, state in each.timeline.changes}
        wanted = " or ".join(sorted(rule.authority))
        if not states & rule.authority:
            return f"no authority by which it selects is ever {wanted}"
        if not any(_reaches(rule, each.timeline.changes) for each in selecting):
            return f"no authority by which it selects is {wanted} between its `from` and its `until`"
    if rule.schedule is not None and rule.until is not None:
        start = max(rule.since or survey.now, survey.now)
        if rule.until - start <= _A_WEEK_AND_A_DAY:
            instants = [start, *(each for each in rule.schedule.boundaries(start) if start < each < rule.until)]
            if not any(rule.schedule.holds(instant) for instant in instants):
                return "its schedule does not come round before its `until`"
    return ""


def _reaches(rule: Rule, changes: Iterable[tuple[datetime, object]]) -> bool:
    """Whether a state that *rule* wants holds at some time between its `from` and its `until`."""
    ordered = list(changes)
    ends = [instant for instant, _ in ordered[1:]] + [None]
    return any(
        state in rule.authority
        and (rule.until is None or start < rule.until)
        and (rule.since is None or end is None or rule.since < end)
        for (start, state), end in zip(ordered, ends, strict=True)
    )


def nobody(rule: Rule) -> str:
    """Why no client and user can be all that *rule* asks for; empty where somebody can."""
    if rule.groups and not _peopled(rule.groups):
        return _NO_MEMBERS
    if rule.groups and not any(_may_be_member(rule, group) for group in rule.groups):
        return "its users and clients are in none of its groups"
    for group in rule.not_groups:
        if rule.users and rule.users <= group.users:
            return f"all its users are in {group.id!r}, which it spares"
        if rule.clients and _within(rule.clients, group.clients):
            return f"all its clients are in {group.id!r}, which it spares"
    if rule.groups and all(any(_inside(each, spared) for spared in rule.not_groups) for each in _peopled(rule.groups)):
        spared = ", ".join(repr(group.id) for group in rule.not_groups)
        return f"whoever is in its groups is in one that it spares: {spared}"
    return ""


def _may_be_member(rule: Rule, group: Group) -> bool:
    by_user = bool(group.users & rule.users if rule.users else group.users)
    by_client = any(
        not rule.clients or any(one.version == other.version and one.overlaps(other) for other in rule.clients)
        for one in group.clients
    )
    return by_user or by_client


def _peopled(groups: Iterable[Group]) -> list[Group]:
    return [group for group in groups if group.clients or group.users]


def _inside(group: Group, other: Group) -> bool:
    return group.users <= other.users and _within(group.clients, other.clients)


def _within(networks: Iterable[Network], others: tuple[Network, ...]) -> bool:
    return all(any(_subnet(one, other) for other in others) for one in networks)


def _subnet(one: Network, other: Network) -> bool:
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]


def _any(words: Iterable[str]) -> str:
    return " or ".join(sorted(map(str, words)))
