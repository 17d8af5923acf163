"""The situations that the rules of an app tell apart, each with somebody who asks: what a policy says of all of them.

A situation is a kind of endpoint (role, shared), the surfaces that rules take alike, the `hosts` of rules under which
the name lies, and an asker. Requests of one situation get the same verdict at any one time, as far as the app's own
rules go: where another app owns the name too, `decide` asks that one as well. Not told apart are names of long lists
below a rule's `hosts`, clients whose address is not known (a proxy knows it), and, where an app has too many
situations, members of several groups at once (`complete` says so).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from embargo.core.askers import Asker, askers
from embargo.core.catalogue import Endpoint, Role
from embargo.core.decide import decide_owned
from embargo.core.decision import Decision
from embargo.core.hostname import MalformedHost, canonical
from embargo.core.matcher import Owner, strongest
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Policy
from embargo.core.url import Target

MOST = 4096  # situations of one app; beyond it only who is in one group at a time is asked for
_EPOCH = datetime.min.replace(tzinfo=UTC)
_LISTED = "listed.invalid"  # stands for a name of a long list
_OVER_UDP = frozenset({Surface.QUIC, Surface.UDP})
_WITH_URL = frozenset({Surface.HTTP, Surface.WEBSOCKET})

type EndpointKind = tuple[Role, bool]  # its role, and whether it is shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One that the rules of *app* tell from others, with a request that stands for it."""

    app: str
    role: Role
    shared: bool
    surfaces: tuple[Surface, ...]  # that no rule tells apart; empty: all of them
    under: tuple[str, ...]  # `KIND:PATTERN` of rules' `hosts` under which the name lies
    asker: Asker
    endpoint: Endpoint
    request: Request  # at no time yet

    @property
    def kind(self) -> EndpointKind:
        """The kind of endpoint that is asked for."""
        return self.role, self.shared


@dataclass(frozen=True, slots=True)
class Situations:
    """Those of one app, in an order that does not change."""

    each: tuple[Situation, ...]
    askers: tuple[Asker, ...]  # all of the app's
    kinds: frozenset[EndpointKind]  # all of the app's
    complete: bool = True  # False: members of several groups at once were left out


def judge(policy: Policy, situation: Situation, time: datetime) -> Decision:
    """What *policy* says of *situation* at *time* (aware, UTC) by the rules of its app, which the policy has."""
    endpoint = situation.endpoint
    owner = Owner(situation.app, endpoint, endpoint.pattern.specificity)
    request = replace(situation.request, time=time)
    return decide_owned(policy, request, request.names[0], owner)


def situations(policies: Sequence[Policy], app: str) -> Situations:
    """The situations of *app* that the rules of any of *policies* tell apart; some of them need not have the app."""
    having = [policy for policy in policies if app in policy.apps]
    who = askers([policy.rules_of[app] for policy in having])
    places = list(_places(having, app))
    surfaces = list(_surfaces(having, app))
    chosen = who.each
    if len(chosen) * len(places) * len(surfaces) > MOST:
        chosen = tuple(asker for asker in who.each if len(asker.among) < 2)
    each = tuple(
        Situation(
            app=app,
            role=place.endpoint.role,
            shared=place.endpoint.shared,
            surfaces=alike,
            under=place.under,
            asker=asker,
            endpoint=place.endpoint,
            request=_request(place, surface, asker),
        )
        for place in places
        for surface, alike in surfaces
        if place.target is None or surface in _WITH_URL
        for asker in chosen
    )
    kinds = frozenset((place.endpoint.role, place.endpoint.shared) for place in places)
    return Situations(each, chosen, kinds, complete=who.complete and len(chosen) == len(who.each))


@dataclass(frozen=True, slots=True)
class _Place:
    """A name of the app, or a URL, that stands for all that rules do not tell from it."""

    endpoint: Endpoint
    host: str
    target: Target | None = None  # of a rule's `hosts` that is a URL
    under: tuple[str, ...] = ()


def _request(place: _Place, surface: Surface, asker: Asker) -> Request:
    pattern = place.endpoint.pattern
    spelled = f"[{place.host}]" if ":" in place.host else place.host
    agent = pattern.text if pattern.kind is Kind.USER_AGENT else None
    return Request(
        surface=surface,
        time=_EPOCH,
        names=(Name.parse(Source.HOST, spelled, pattern.port),),
        client=asker.client,
        user=asker.user,
        target=place.target,
        user_agent=agent,
        transport="udp" if surface in _OVER_UDP else "tcp",
    )


def _surfaces(policies: Iterable[Policy], app: str) -> Iterator[tuple[Surface, tuple[Surface, ...]]]:
    """A surface of each set that the rules take alike, with that set; the set is empty where it is all of them."""
    named = {rule.surfaces for policy in policies for rule in policy.rules_of[app] if rule.surfaces}
    alike: dict[frozenset[frozenset[Surface]], list[Surface]] = {}
    for surface in (Surface.HTTP, *(each for each in Surface if each is not Surface.HTTP)):
        alike.setdefault(frozenset(one for one in named if surface in one), []).append(surface)
    for members in alike.values():
        yield members[0], tuple(each for each in Surface if each in members) if len(alike) > 1 else ()


def _places(policies: Sequence[Policy], app: str) -> Iterator[_Place]:
    """For each kind of endpoint a name, and one under each `hosts` of a rule that is the app's."""
    hosts = list(dict.fromkeys(each for policy in policies for rule in policy.rules_of[app] for each in rule.hosts))
    found: dict[tuple[EndpointKind, frozenset[Pattern]], _Place] = {}
    for endpoint in _endpoints(policies, app):
        host = _host_of(endpoint.pattern)
        covering = frozenset(pattern for pattern in hosts if _lies_under(host, None, pattern))
        found.setdefault(((endpoint.role, endpoint.shared), covering), _Place(endpoint, host))
    for pattern in hosts:
        target = Target("".join(pattern.path), pattern.pairs) if pattern.kind is Kind.URL else None
        below = [f"any.{pattern.text}"] if pattern.kind is Kind.DOMAIN else []
        for host in (*below, _host_of(pattern)):
            for endpoint in _owning(policies, app, host):
                covering = frozenset(other for other in hosts if _lies_under(host, target, other))
                found.setdefault(((endpoint.role, endpoint.shared), covering), _Place(endpoint, host, target))
    for (_, covering), place in found.items():
        under = tuple(f"{pattern.kind.key}:{pattern.text}" for pattern in hosts if pattern in covering)
        yield replace(place, under=under)


def _endpoints(policies: Sequence[Policy], app: str) -> Iterator[Endpoint]:
    """One endpoint of each kind, or all of them where rules look at hosts; a list is one."""
    looked_at = any(rule.hosts for policy in policies for rule in policy.rules_of[app])
    seen: set[EndpointKind] = set()
    for policy in policies:
        listed = Pattern(Kind.DOMAIN, _LISTED)
        lists = [Endpoint(listed, names.role, names.shared) for names in policy.lists if names.app == app]
        own = [endpoint for endpoint in policy.apps[app].endpoints if not endpoint.shadow]  # on trial it does nothing
        for endpoint in (*sorted(own, key=lambda each: each.pattern.kind is Kind.USER_AGENT), *lists):
            if looked_at or (endpoint.role, endpoint.shared) not in seen:
                seen.add((endpoint.role, endpoint.shared))
                yield endpoint


def _owning(policies: Sequence[Policy], app: str, host: str) -> Iterator[Endpoint]:
    """The endpoints by which *app* owns *host*, in each policy."""
    try:
        known = canonical(f"[{host}]" if ":" in host else host)
    except MalformedHost:
        return
    for policy in policies:
        for owner in strongest([entry for entry in policy.matcher.entries_of_host(known) if entry.app == app]):
            yield owner.endpoint


def _lies_under(host: str, target: Target | None, pattern: Pattern) -> bool:
    try:
        name = Name(Source.HOST, host, canonical(f"[{host}]" if ":" in host else host))
    except MalformedHost:
        return False
    return pattern.covers(name, Request(surface=Surface.HTTP, time=_EPOCH, names=(name,), target=target))


def _host_of(pattern: Pattern) -> str:
    match pattern.kind:
        case Kind.URL:
            return pattern.host
        case Kind.CIDR:
            return pattern.text.partition("/")[0]
        case Kind.USER_AGENT:
            return _LISTED
        case _:
            return pattern.text


def alike(policies: Sequence[Policy], apps: Iterable[str]) -> list[tuple[str, ...]]:
    """*apps* in sets within which every rule of *policies* treats them the same, so that one stands for all.

    A catalogue of thousands is mostly treated alike. Apps with rules that look at hosts stand alone, and so does, in
    each policy, one that it does not have.
    """
    found: dict[object, list[str]] = {}
    for app in apps:
        having = [_treatment(policy, app) for policy in policies]
        known = all(each is not None for each in having)
        found.setdefault(tuple(having) if known else app, []).append(app)
    return [tuple(those) for those in found.values()]


def _treatment(policy: Policy, app: str) -> object:
    """What verdicts on *app* depend on besides the request; None where that is more than can be compared."""
    if app not in policy.apps:
        return None
    rules = policy.rules_of[app]
    if any(rule.hosts for rule in rules):
        return None
    own = policy.apps[app]
    kinds = frozenset((endpoint.role, endpoint.shared) for endpoint in own.endpoints if not endpoint.shadow)
    listed = frozenset((names.role, names.shared) for names in policy.lists if names.app == app)
    return tuple(map(id, rules)), own.named_in, kinds | listed
