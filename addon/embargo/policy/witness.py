"""A request that two policies judge differently: what a lost rule costs, and the test that would have noticed.

The policies have one catalogue, or one less an entry, so that a finite set of requests stands for all there are: of
names one for each set of owners, of times one between any two dates and hours of a schedule, of clients and users one
for each set of networks and groups that they lie in. The verdict on several names is made of those on each, so one name
is enough. Where the set is larger than `MOST`, a sample is asked, and it is said.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from ipaddress import ip_address
from itertools import product

from embargo.core.address import Address, Network
from embargo.core.inquiry import Answer, Inquiry, answer, requests
from embargo.core.pattern import Kind, Pattern, Protocol
from embargo.core.request import Surface
from embargo.core.rules import Policy, Rule
from embargo.core.url import Pairs
from embargo.policy.entries import CatalogueEntry
from embargo.policy.expectations import got
from embargo.policy.load import Loaded

MOST = 20_000  # requests asked for one mutation: a second or two
_OF_A_LIST = 10  # names at each end of a list that stand for it
_SECOND = timedelta(seconds=1)
_STRANGERS = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "10.255.255.254", "172.31.255.254", "2001:db8::1")
_NOBODY = "somebody-else"
_NOWHERE = "http://unowned.invalid/"  # RFC 6761: nobody's, for what a user agent alone gives away


class Aspect(StrEnum):
    """What counts as another judgement."""

    ALL = "all"  # all that a test can expect, the endpoint aside
    VERDICT = "verdict"  # the same without the rule's id: of an entry that another one stands in for


_ASPECTS = {
    Aspect.ALL: ("expect", "app", "rule", "status", "would", "respond", "record"),
    Aspect.VERDICT: ("expect", "app", "status", "would", "respond", "record"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A request, what the policy says to it, and what it would say after the change."""

    inquiry: Inquiry
    timeless: bool  # it is judged so at the time of asking, so a test need name no time
    before: dict[str, str]  # by key of a test's expectation, those that differ, and the verdict
    after: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of a search."""

    witness: Witness | None
    tried: int  # requests
    whole: bool  # whether they stand for all there are


@dataclass(frozen=True, slots=True)
class _Sample:
    """A request that stands for all with its owners."""

    request: str
    user_agent: str | None = None
    surface: Surface | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """A sample with the apps that own it at some surface."""

    sample: _Sample
    apps: frozenset[str]


class Search:
    """The requests that stand for all that *policy* can be asked."""

    def __init__(self, loaded: Loaded, policy: Policy, now: datetime) -> None:
        self.policy, self.now = policy, now
        self._lists = loaded.assembly.lists()
        self.answer = lru_cache(maxsize=2 * MOST)(self._answer)  # each mutation asks much the same

    def _answer(self, inquiry: Inquiry) -> Answer:
        return answer(self.policy, inquiry)

    @cached_property
    def places(self) -> tuple[_Place, ...]:
        """A sample for each set of owners, those of lists and hosts of rules included."""
        chosen: dict[object, _Place] = {}
        for sample in self._samples():
            key, apps = self._class_of(sample)
            if apps and (key not in chosen or len(sample.request) < len(chosen[key].sample.request)):
                chosen[key] = _Place(sample, apps)
        return tuple(chosen.values())

    def _samples(self) -> Iterator[_Sample]:
        """Requests under each pattern, and under any two that a request can meet at once where that tells more.

        An app's own rules say the same whatever else owns the name, so two patterns of the catalogue need not meet;
        a pattern of the catalogue and one of a rule's `hosts` must.
        """
        catalogue = [
            endpoint.pattern for app in self.policy.apps.values() for endpoint in (*app.endpoints, *app.exclude)
        ]
        for pattern in (*catalogue, *self._hosts):
            yield from samples_of(pattern)
        for named in self._lists:
            yield from (_Sample(name) for name in (*named.names[:1], *named.names[-1:]))
        agents = [pattern for pattern in catalogue if pattern.kind is Kind.USER_AGENT]
        for agent, host in product(agents, self._hosts):
            yield from (replace(sample, user_agent=agent.text) for sample in samples_of(host))
        yield from _paths_of_both([pattern for pattern in catalogue if pattern.kind is Kind.URL], self._hosts)
        yield from _addresses([pattern for pattern in (*catalogue, *self._hosts) if pattern.kind is Kind.CIDR])

    def samples_of_list(self, entry: CatalogueEntry) -> list[_Sample]:
        """Some names of the list that *entry* is."""
        return [
            _Sample(name)
            for named in self._lists
            if (named.domains.app, named.domains.source) == (entry.app, entry.source)
            for name in (*named.names[:_OF_A_LIST], *named.names[-_OF_A_LIST:])
        ]

    @cached_property
    def _hosts(self) -> tuple[Pattern, ...]:
        return tuple(dict.fromkeys(pattern for rule in self.policy.rules for pattern in rule.hosts))

    def _class_of(self, sample: _Sample) -> tuple[object, frozenset[str]]:
        """What tells *sample* from others, and the apps that own it."""
        key = []
        apps: set[str] = set()
        trials = self.policy.trials
        matchers = [self.policy.matcher, *([trials.met] if trials is not None else [])]
        inquiry = Inquiry(request=sample.request, time=self.now, user_agent=sample.user_agent, surface=sample.surface)
        for request in requests(inquiry):
            for name in request.names:
                owners = [owner for matcher in matchers for owner in matcher.owners(name, request)]
                apps.update(owner.app for owner in owners)
                ranks = [owner.specificity for owner in owners]
                kinds = [
                    (
                        owner.app,
                        owner.endpoint.role,
                        owner.endpoint.shared,
                        owner.endpoint.shadow,
                        ranks.index(owner.specificity),
                    )
                    for owner in owners
                ]
                key.append((request.surface, *kinds, *(pattern.covers(name, request) for pattern in self._hosts)))
        return tuple(key), frozenset(apps)


def search(
    known: Search, after: Policy, aspect: Aspect, *, apps: frozenset[str] | None, entry: CatalogueEntry | None = None
) -> Found:
    """A request that *after* judges otherwise; of those that concern *apps*, or *entry* where one is given."""
    places = [place for place in known.places if apps is None or place.apps & apps]
    if entry is not None:
        samples = [sample for pattern in entry.patterns for sample in samples_of(pattern)] or known.samples_of_list(
            entry
        )
    else:
        samples = [place.sample for place in places]
    rules = [rule for policy in (known.policy, after) for rule in policy.rules if rule.enabled]
    surfaces: list[Surface | None] = [None, *(Surface if any(rule.surfaces for rule in rules) else ())]
    times = _times(known.policy, rules, known.now)
    clients, users = _clients(rules), _users(rules)
    count = len(samples) * len(surfaces) * len(times) * len(clients) * len(users)
    whole = count <= MOST and (entry is None or entry.source is None)
    tried = 0
    for place in _order(count, MOST):
        place, time = divmod(place, len(times))
        place, client = divmod(place, len(clients))
        place, user = divmod(place, len(users))
        place, surface = divmod(place, len(surfaces))
        sample = samples[place]
        if sample.surface is not None and surfaces[surface] is not None:
            continue
        inquiry = Inquiry(
            request=sample.request,
            time=times[time],
            client=clients[client],
            user=users[user],
            user_agent=sample.user_agent,
            surface=sample.surface or surfaces[surface],
        )
        tried += 1
        told, changed = known.answer(inquiry), answer(after, inquiry)
        if _gist(told) == _gist(changed):
            continue
        differing = [key for key in _ASPECTS[aspect] if got(told, key) != got(changed, key)]
        if differing:
            return Found(witness=_witness(known, inquiry, told, changed, differing), tried=tried, whole=whole)
    return Found(witness=None, tried=tried, whole=whole)


def _gist(found: Answer) -> tuple[object, ...]:
    """All that the aspects are made of, told apart in a tenth of the time."""
    decision = found.decision
    rule = (decision.rule_id, decision.respond, decision.anonymous)
    return decision.verdict, decision.apps, decision.would, decision.lawful, found.request.surface, rule


def samples_of(pattern: Pattern) -> Iterator[_Sample]:
    """Requests that *pattern* covers: itself, and of a domain a name below it."""
    match pattern.kind:
        case Kind.URL:
            yield from _at_url(pattern.host, "x".join(pattern.path), pattern.pairs)
        case Kind.CIDR:
            assert pattern.network is not None
            text = str(pattern.network.network_address)
            host = f"[{text}]" if pattern.network.version == 6 else text
            udp = pattern.protocol is Protocol.UDP
            yield _Sample(f"{host}:{pattern.port}" if pattern.port else text, surface=Surface.UDP if udp else None)
        case Kind.USER_AGENT:
            yield _Sample(_NOWHERE, user_agent=pattern.text)
        case Kind.DOMAIN:
            yield _Sample(pattern.text)
            yield _Sample(f"x.{pattern.text}")
        case _:
            yield _Sample(pattern.text)


def _at_url(host: str, path: str, pairs: Pairs) -> Iterator[_Sample]:
    """A request for a page, as the proxy meets it and as it is judged where nothing is seen of the tunnel before."""
    spelled = f"[{host}]" if ":" in host else host
    query = "&".join(f"{key}={value}" for key, value in sorted(pairs))
    url = f"https://{spelled}{path}" + (f"?{query}" if query else "")
    yield _Sample(url)
    yield _Sample(url, surface=Surface.HTTP)


def _paths_of_both(urls: Iterable[Pattern], hosts: Iterable[Pattern]) -> Iterator[_Sample]:
    """Pages that lie under a url of the catalogue and under one of a rule's hosts: each stands for the other's `*`."""
    for one, other in product(urls, (pattern for pattern in hosts if pattern.kind is Kind.URL)):
        if one.host == other.host:
            for outer, inner in ((one, other), (other, one)):
                filling = "x".join(inner.path).strip("/")
                yield from _at_url(one.host, filling.join(outer.path), one.pairs | other.pairs)


def _addresses(patterns: Sequence[Pattern]) -> Iterator[_Sample]:
    """Each network's first address, with each port and over each transport that any pattern singles out."""
    ports = sorted({pattern.port for pattern in patterns if pattern.port is not None})
    surfaces = (None, Surface.UDP) if any(pattern.protocol is not None for pattern in patterns) else (None,)
    for pattern, port, surface in product(patterns, (None, *ports), surfaces):
        assert pattern.network is not None
        text = str(pattern.network.network_address)
        host = f"[{text}]" if pattern.network.version == 6 else text
        yield _Sample(f"{host}:{port}" if port is not None else text, surface=surface)


def _times(policy: Policy, rules: Sequence[Rule], now: datetime) -> list[datetime]:
    """Now, each instant at which a date or a schedule may change a verdict, and one before the first of them."""
    changes = {instant for each in policy.authorities.values() for instant, _ in each.timeline.changes}
    if not any(rule.authority for rule in rules) and not policy.settings.bound_by:
        changes = set()
    changes.update(bound for rule in rules for bound in (rule.since, rule.until) if bound is not None)
    schedules = {id(rule.schedule): rule.schedule for rule in rules if rule.schedule is not None}
    weeks = {
        boundary
        for begin in (now, *changes)
        for schedule in schedules.values()
        for boundary in schedule.boundaries(begin)
    }
    at = sorted(changes | weeks)
    return list(dict.fromkeys([now, *at, *([at[0] - _SECOND] if at else [])]))


def _clients(rules: Sequence[Rule]) -> list[Address | None]:
    """Nobody known, and a client for each set of networks that one can lie in."""
    networks = {network for rule in rules for network in _networks(rule)}
    candidates = [ip_address(text) for text in _STRANGERS] if networks else []
    for network in sorted(networks, key=str):
        candidates += [network.network_address, network.broadcast_address]
        candidates += [each for each in (_beside(network, -1), _beside(network, 1)) if each is not None]
    chosen: dict[frozenset[Network], Address] = {}
    for candidate in candidates:
        chosen.setdefault(frozenset(network for network in networks if candidate in network), candidate)
    return [None, *chosen.values()]


def _networks(rule: Rule) -> Iterator[Network]:
    yield from rule.clients
    for group in (*rule.groups, *rule.not_groups):
        yield from group.clients


def _beside(network: Network, step: int) -> Address | None:
    """The address right before or behind *network*, where there is one."""
    number = int(network.network_address if step < 0 else network.broadcast_address) + step
    return type(network.network_address)(number) if 0 <= number < 2**network.max_prefixlen else None


def _users(rules: Sequence[Rule]) -> list[str | None]:
    """Nobody known, a stranger, and a user for each set of rules and groups that one can be named in."""
    sets = [rule.users for rule in rules if rule.users]
    sets += [group.users for rule in rules for group in (*rule.groups, *rule.not_groups) if group.users]
    if not sets:
        # whether a stranger is known still tells where a group of clients is excepted: not_groups wants both known
        return [None, _NOBODY] if any(rule.not_groups for rule in rules) else [None]
    chosen: dict[frozenset[int], str] = {frozenset(): _NOBODY}
    for user in sorted(set().union(*sets)):
        chosen.setdefault(frozenset(number for number, names in enumerate(sets) if user in names), user)
    return [None, *chosen.values()]


def _order(count: int, most: int) -> Iterable[int]:
    """All numbers below *count*, or *most* of them taken by chance, the same each time."""
    return range(count) if count <= most else random.Random(0).sample(range(count), most)


def _witness(known: Search, inquiry: Inquiry, told: Answer, changed: Answer, differing: Sequence[str]) -> Witness:
    keys = list(dict.fromkeys(("expect", *differing)))
    return Witness(
        inquiry=inquiry,
        timeless=inquiry.time == known.now,
        before={key: got(told, key) for key in keys},
        after={key: got(changed, key) for key in keys},
    )
