"""What to ask for: each endpoint that the policy blocks for this client now, as a harmless request.

Below a domain a random label is asked for, which does not exist, so that even a leak fetches nothing. Hosts and URLs
are exact; of those only a tunnel, or a path nobody serves, is asked.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from embargo.core.address import Address
from embargo.core.catalogue import App, Endpoint, ListedEndpoint
from embargo.core.criteria import failed_criterion
from embargo.core.decide import decide
from embargo.core.decision import Decision
from embargo.core.hostname import LONGEST_NAME
from embargo.core.inquiry import Inquiry, requests
from embargo.core.pattern import Kind, Pattern, Protocol
from embargo.core.request import Request, Surface
from embargo.core.rules import Action, Policy

INNOCENT = "innocent.embargo-probe.invalid"  # no such name can exist (RFC 6761, 6.4)
ASKED = (Surface.CONNECT, Surface.TLS, Surface.HTTP, Surface.WEBSOCKET, Surface.DNS, Surface.QUIC)
_ELSEWHERE = frozenset({"users", "clients", "groups", "not_groups", "schedule", "from", "authority"})
_PLAIN = frozenset({Surface.HTTP, Surface.WEBSOCKET})
LISTED = 25  # names taken of each plain list, which may hold a million


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """As whom the proxy is asked."""

    time: datetime  # aware, UTC
    client: Address | None
    user: str | None
    user_agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An endpoint, and what is asked for in its place."""

    app: str
    endpoint: str
    kind: Kind
    host: str  # a name or an address
    port: int
    path: str
    user_agent: str
    blocked: Mapping[Surface, Decision]  # where the policy blocks it, or would but for monitor

    @property
    def authority(self) -> str:
        """`HOST:PORT`."""
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Unasked:
    """What is blocked and cannot be asked for from here, and why."""

    app: str
    what: str
    why: str
    count: int = 1


@dataclass(slots=True)
class Targets:
    """All that was found."""

    targets: list[Target] = field(default_factory=list)
    unasked: list[Unasked] = field(default_factory=list)


def find(
    policy: Policy,
    asker: Asker,
    chooser: random.Random,
    *,
    sample: int | None = None,
    surfaces: frozenset[Surface] = frozenset(ASKED),
) -> Targets:
    """The targets that *policy* blocks at one of *surfaces*; of each app at most *sample*, by chance."""
    found = Targets()
    listed = _listed(policy, chooser, found)
    for app in policy.apps.values():
        endpoints = [*app.endpoints, *listed.get(app.id, ())]
        candidates = [
            target
            for target in _targets(policy, app, endpoints, asker, chooser, found)
            if not surfaces.isdisjoint(target.blocked)
        ]
        if sample is not None and len(candidates) > sample:
            left = len(candidates) - sample
            candidates = chooser.sample(candidates, sample)
            found.unasked.append(Unasked(app.id, "endpoints", f"a sample of {sample} was asked for", left))
        found.targets += candidates
    return found


def _targets(
    policy: Policy, app: App, endpoints: list[Endpoint], asker: Asker, chooser: random.Random, found: Targets
) -> Iterator[Target]:
    elsewhere: dict[tuple[str, str], int] = {}
    for endpoint in endpoints:
        pattern = endpoint.pattern
        if pattern.kind is Kind.CIDR and pattern.protocol is Protocol.UDP:
            found.unasked.append(
                Unasked(app.id, str(endpoint), "over UDP a proxy that is asked by name cannot be asked")
            )
            continue
        host, port, path = _asked(pattern, chooser)
        agent = f"{asker.user_agent} {pattern.text}" if pattern.kind is Kind.USER_AGENT else asker.user_agent
        blocked = {}
        for surface in ASKED:
            request = _request(surface, host, port, path, agent, asker)
            decision = decide(policy, request)
            if (decision.blocked or decision.held_back) and app.id in decision.apps:
                blocked[surface] = decision
        if blocked:
            yield Target(
                app=app.id,
                endpoint=str(endpoint),
                kind=pattern.kind,
                host=host,
                port=port,
                path=path,
                user_agent=agent,
                blocked=blocked,
            )
        elif (other := _elsewhere(policy, app, _request(Surface.HTTP, host, port, path, agent, asker))) is not None:
            elsewhere[other] = elsewhere.get(other, 0) + 1
    for (rule, criterion), count in elsewhere.items():
        found.unasked.append(Unasked(app.id, f"rule {rule}", f"blocks for other {_OTHER[criterion]} alone", count))


_OTHER = {
    "users": "users",
    "clients": "clients",
    "groups": "groups",
    "not_groups": "groups",
    "schedule": "hours",
    "from": "dates",
    "authority": "dates",
}


def bracketed(host: str) -> str:
    """*host* as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def label(chooser: random.Random) -> str:
    """A label that no zone has, and that a reader of the log recognizes."""
    return f"embargo-probe-{chooser.getrandbits(40):010x}"


def _asked(pattern: Pattern, chooser: random.Random) -> tuple[str, int, str]:
    """Host, port and path to ask for."""
    nowhere = f"/{label(chooser)}"
    match pattern.kind:
        case Kind.DOMAIN:
            below = f"{label(chooser)}.{pattern.text}"
            return (below if len(below) <= LONGEST_NAME else pattern.text), 443, nowhere
        case Kind.HOST:
            return pattern.text, 443, nowhere
        case Kind.URL:
            path = label(chooser).join(pattern.path)
            pairs = "&".join(f"{key}={value}" for key, value in sorted(pattern.pairs))
            return pattern.host, 443, f"{path}?{pairs}" if pairs else path
        case Kind.CIDR:
            network = pattern.network
            assert network is not None
            address = network[chooser.randrange(network.num_addresses)]
            return str(address), pattern.port or 443, nowhere
        case _:
            return INNOCENT, 443, nowhere


def _request(surface: Surface, host: str, port: int, path: str, agent: str, asker: Asker) -> Request:
    plain = surface in _PLAIN and port == 443
    text = f"http://{bracketed(host)}{path}" if plain else f"https://{bracketed(host)}:{port}{path}"
    inquiry = Inquiry(
        request=text, time=asker.time, client=asker.client, user=asker.user, user_agent=agent, surface=surface
    )
    return requests(inquiry)[0]


def _elsewhere(policy: Policy, app: App, request: Request) -> tuple[str, str] | None:
    """The rule that would block *request* for somebody else or at another time, and the criterion that says so."""
    for name in request.names:
        for owner in policy.matcher.owners(name, request):
            if owner.app != app.id:
                continue
            for rule in policy.rules_of[app.id]:
                failed = failed_criterion(policy, rule, owner, name, request)
                if rule.action is Action.BLOCK and not rule.shadow and failed in _ELSEWHERE:
                    assert failed is not None
                    return rule.id, failed
                if failed is None and not rule.shadow:
                    break
    return None


def _listed(policy: Policy, chooser: random.Random, found: Targets) -> dict[str, list[Endpoint]]:
    """Some names of each plain list, by app."""
    names = getattr(policy.listed, "names", ())
    chosen: dict[str, list[Endpoint]] = {}
    for source, domains in zip(policy.lists, names, strict=False):
        some = chooser.sample(domains, min(LISTED, len(domains)))
        chosen.setdefault(source.app, []).extend(ListedEndpoint(domain, source) for domain in some)
        if len(domains) > len(some):
            why = f"{len(some)} names of this list, taken by chance, stand for it"
            found.unasked.append(Unasked(source.app, source.source, why, len(domains) - len(some)))
    return chosen
