"""What another policy changes in effect: apps, endpoints, rules, and the verdict on what each endpoint covers.

An endpoint stands for requests to its own name (address, URL, user agent) by a client and user that are unknown, over
HTTP (`samples`). Both policies are asked about the endpoints of both, as the proxy would be: so a host that leaves the
catalogue and is still covered by its domain is no loss, and one that another app takes over is told by what happens to
it then. Names of long lists are counted, not compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime

from embargo.core.catalogue import App, Endpoint, Role
from embargo.core.decide import decide
from embargo.core.decision import Decision, Verdict
from embargo.core.horizon import dates_of, schedules_of
from embargo.core.pattern import Kind, Pattern, Protocol
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Mode, Policy, Settings
from embargo.core.situations import judge, situations
from embargo.core.url import Target
from embargo.core.week import WEEK, course_of

_ANY_LABEL = "any-name-below-it"
_ANY_HOST = "any.invalid"  # where a user agent is met (RFC 6761, 6.4: nobody's)
_ANY_PORTS = (443, 1024)  # of a network that names none


@dataclass(frozen=True, slots=True)
class Standing:
    """What the catalogue of one policy says of an endpoint."""

    role: Role
    shared: bool
    on_trial: bool

    @classmethod
    def of(cls, endpoint: Endpoint) -> "Standing":
        """That of *endpoint*."""
        return cls(endpoint.role, endpoint.shared, endpoint.shadow)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChange:
    """An endpoint that one of the policies lacks, or knows otherwise, or on which the verdict differs."""

    app: str
    endpoint: str  # KIND:PATTERN
    old: Standing | None  # None: the policy has it not
    new: Standing | None
    before: Verdict  # on a request that it stands for, whoever owns that
    after: Verdict
    would: Verdict | None  # what an endpoint on trial would make of `after`

    @property
    def milder(self) -> bool:
        """Whether less happens to it."""
        return self.after < self.before

    @property
    def stricter(self) -> bool:
        """Whether more happens to it."""
        return self.after > self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The difference between two policies."""

    apps_added: tuple[str, ...]
    apps_removed: tuple[str, ...]
    endpoints: tuple[EndpointChange, ...]  # by app
    excludes_added: tuple[tuple[str, str], ...]  # app, KIND:PATTERN
    excludes_removed: tuple[tuple[str, str], ...]
    excluded: tuple[EndpointChange, ...]  # of those: what gets another verdict; `old` and `new` say nothing
    rules_added: tuple[str, ...]
    rules_removed: tuple[str, ...]
    rules_changed: tuple[str, ...]
    settings: tuple[str, ...]  # keys
    authorities: tuple[str, ...]  # added, removed or changed
    lists: tuple[tuple[str, str, int, int], ...]  # app, file, names before and after, where their number differs
    lost: tuple[str, ...]  # apps of which something was blocked, for somebody at some time, and nothing is any more

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))


def compare(old: Policy, new: Policy, time: datetime) -> Comparison:
    """What *new* changes against *old* at *time* (aware, UTC), both as if in mode enforce.

    Where *old* is in that mode and *new* is not, all apps are lost.
    """
    monitored = old.settings.mode is Mode.MONITOR
    gone = _refused(enforcing(old), time) - _refused(enforcing(new) if monitored else new, time)
    old, new = enforcing(old), enforcing(new)
    changes, blocked = [], {False: set[str](), True: set[str]()}
    for app, pattern, was, now in _pairs(old, new):
        before, after = _furthest(old, new, pattern, time)
        for policy, decision in ((False, before), (True, after)):
            if decision.blocked and app in decision.apps:
                blocked[policy].add(app)
        if (was, now) != (None, None) and (was != now or before.verdict is not after.verdict):
            changes.append(_change(app, pattern, (was, now), before, after))
    before_rules, after_rules = _rules(old), _rules(new)
    common = before_rules.keys() & after_rules.keys()
    return Comparison(
        apps_added=tuple(sorted(new.apps.keys() - old.apps.keys())),
        apps_removed=tuple(sorted(old.apps.keys() - new.apps.keys())),
        endpoints=tuple(changes),
        excludes_added=_excludes(new, old),
        excludes_removed=_excludes(old, new),
        excluded=tuple(_excluded(old, new, time)),
        rules_added=tuple(sorted(after_rules.keys() - before_rules.keys())),
        rules_removed=tuple(sorted(before_rules.keys() - after_rules.keys())),
        rules_changed=tuple(sorted(each for each in common if before_rules[each] != after_rules[each])),
        settings=tuple(
            each.name
            for each in fields(Settings)
            if getattr(old.settings, each.name) != getattr(new.settings, each.name)
        ),
        authorities=tuple(
            sorted(
                each
                for each in old.authorities.keys() | new.authorities.keys()
                if old.authorities.get(each) != new.authorities.get(each)
            )
        ),
        lists=_lists(old, new),
        lost=tuple(sorted((blocked[False] - blocked[True]) | gone)),
    )


def _refused(policy: Policy, time: datetime) -> set[str]:
    """The apps of which something is refused to somebody at some time from *time* on."""
    return {app for app in policy.apps if any(decision.blocked for decision in _course(policy, app, time))}


def _course(policy: Policy, app: str, time: datetime) -> Iterator[Decision]:
    """What *policy* says of *app* to all whom its rules tell apart, in all that the schedules tell apart, by dates."""
    told = situations([policy], app).each
    schedules = schedules_of(policy, app)
    for start in (time, *sorted(date for date in dates_of(policy, app) if date > time)):
        course = course_of(schedules, start, start + WEEK)
        for instant in {span.held: span.start for span in course}.values():
            yield from (judge(policy, situation, instant) for situation in told)


def enforcing(policy: Policy) -> Policy:
    """*policy* in mode enforce, with its trials."""
    if policy.settings.mode is Mode.ENFORCE:
        return policy
    return policy.varied(settings=replace(policy.settings, mode=Mode.ENFORCE))


def _change(
    app: str,
    pattern: Pattern,
    standing: tuple[Standing | None, Standing | None],
    before: Decision,
    after: Decision,
) -> EndpointChange:
    return EndpointChange(
        app=app,
        endpoint=f"{pattern.kind.key}:{pattern.text}",
        old=standing[0],
        new=standing[1],
        before=before.verdict,
        after=after.verdict,
        would=after.trial.verdict if after.trial is not None else None,
    )


def _furthest(old: Policy, new: Policy, pattern: Pattern, time: datetime) -> tuple[Decision, Decision]:
    """The decisions on what *pattern* covers that lie furthest apart, milder before stricter, then a trial's."""
    pairs = [(decide(old, request), decide(new, request)) for request in samples(pattern, time)]
    return min(pairs, key=_urgency)


def _urgency(pair: tuple[Decision, Decision]) -> tuple[bool, int, bool]:
    before, after = pair
    return after.verdict >= before.verdict, -abs(after.verdict - before.verdict), after.trial is None


def samples(pattern: Pattern, time: datetime) -> tuple[Request, ...]:
    """Requests that *pattern* covers, at *time* (aware, UTC), by a client and user that are unknown.

    Of a domain there are two, to the name itself and to one below it; of a network those to its first and last
    address, on two ports and by both transports where it names none; of a URL with stars two.
    """
    match pattern.kind:
        case Kind.DOMAIN:
            return tuple(_request(time, host) for host in (pattern.text, f"{_ANY_LABEL}.{pattern.text}"))
        case Kind.URL:
            paths = dict.fromkeys(filling.join(pattern.path) for filling in ("", _ANY_LABEL))
            return tuple(_request(time, pattern.host, target=Target(path, pattern.pairs)) for path in paths)
        case Kind.CIDR:
            assert pattern.network is not None
            hosts = dict.fromkeys(str(pattern.network[number]) for number in (0, -1))
            ports = (pattern.port,) if pattern.port is not None else _ANY_PORTS
            transports = (pattern.protocol,) if pattern.protocol is not None else tuple(Protocol)
            return tuple(
                _request(time, host, port, transport=str(transport))
                for host in hosts
                for port in ports
                for transport in transports
            )
        case Kind.USER_AGENT:
            return (_request(time, _ANY_HOST, agent=pattern.text),)
        case _:
            return (_request(time, pattern.text),)


def _request(
    time: datetime,
    host: str,
    port: int = 443,
    *,
    target: Target | None = None,
    agent: str | None = None,
    transport: str = "tcp",
) -> Request:
    name = Name.parse(Source.HOST, f"[{host}]" if ":" in host else host, port)
    asked = target or Target("/")
    return Request(surface=Surface.HTTP, time=time, names=(name,), target=asked, user_agent=agent, transport=transport)


def _pairs(old: Policy, new: Policy) -> Iterator[tuple[str, Pattern, Standing | None, Standing | None]]:
    """Each pattern of each app in either policy; of an app's equal endpoints the last one counts."""
    for app in sorted(old.apps.keys() | new.apps.keys()):
        before, after = _endpoints(old.apps.get(app)), _endpoints(new.apps.get(app))
        for pattern in dict.fromkeys((*before, *after)):
            yield app, pattern, before.get(pattern), after.get(pattern)


def _endpoints(app: App | None) -> dict[Pattern, Standing]:
    return {endpoint.pattern: Standing.of(endpoint) for endpoint in app.endpoints} if app is not None else {}


def _excludes(having: Policy, lacking: Policy) -> tuple[tuple[str, str], ...]:
    def each(policy: Policy) -> dict[tuple[str, str], None]:
        return {(app.id, str(exclude)): None for app in policy.apps.values() for exclude in app.exclude}

    known = each(lacking)
    return tuple(found for found in each(having) if found not in known)


def _excluded(old: Policy, new: Policy, time: datetime) -> Iterator[EndpointChange]:
    """What gets another verdict of what one of the policies excludes."""
    for app in sorted(old.apps.keys() | new.apps.keys()):
        was, now = (
            {each.pattern for each in policy.apps[app].exclude} if app in policy.apps else set()
            for policy in (old, new)
        )
        for pattern in sorted(was ^ now, key=lambda each: (each.kind, each.text)):
            before, after = _furthest(old, new, pattern, time)
            if before.verdict is not after.verdict:
                yield _change(app, pattern, (None, None), before, after)


def _rules(policy: Policy) -> dict[str, object]:
    """Each rule as it acts, wherever it stands."""
    return {rule.id: replace(rule, layer="", line=0) for rule in policy.rules}


def _lists(old: Policy, new: Policy) -> tuple[tuple[str, str, int, int], ...]:
    before = {(each.app, each.source): each.count for each in old.lists}
    after = {(each.app, each.source): each.count for each in new.lists}
    found = [(*key, before.get(key, 0), after.get(key, 0)) for key in dict.fromkeys((*before, *after))]
    return tuple(each for each in found if each[2] != each[3])
