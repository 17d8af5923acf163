"""Hosts that look like unknown parts of an app, ranked, each with its evidence. Nothing is applied by itself.

The score is a sum of parts, each of which is shown:

- *near* (up to 6): how surely the host is met near the app and by its users alone (the lower bound of that share,
  E. B. Wilson 1927), less what chance would give. A host as popular as google.com is near everything, so its lift is
  about one and its part about nothing; one met twice is no evidence where thousands are met twice, so the part counts
  only where chance would hardly bring one such host among all (H. Chernoff's bound, 1952, times the hosts).
- *agent* (up to 5): how surely its requests carry the app's own user agent; a third where others use that one too.
- *certificate* (3): its certificate names a host of the app, or that of one of the app's hosts names it.
- *name* (2): an endpoint of the app lies under the same registered name; less where other apps' do as well.

near and agent are halved where one client alone was seen, and so on: by 1 - 2^-clients.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from math import exp, log, sqrt
from typing import Any

from embargo.core.pattern import Kind
from embargo.core.rules import Policy
from embargo.core.seen import Seen, Unread
from embargo.policy.registration import registered_name
from embargo.review.nearness import BELOW, Base, Near, Nearness, Visited

TOP = 10
LEAST_SCORE = 1.0  # less is not worth a look
_SURE = 1.645  # standard deviations: of a bound that is right 95 times of 100
_WEIGHTS = {"near": 6.0, "agent": 5.0, "certificate": 3.0, "name": 2.0}
_SHARED_AGENT = 1 / 3
_TOGETHER = 2  # hosts of a registered name, from which on the whole name is suggested
_FITS = 0.8  # of the best host's score: what the name has, for all of its hosts to fit
_CHANCE = 0.2  # hosts among all that would be as near by chance; the bound is some ten times too high


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen of a host, as it bears on one app."""

    visits: int  # a client's repeats within the window not counted again
    of_users: int  # of these, by clients that had met the app
    near: int  # of these, within the window of the app's own hosts
    expected: float  # as many would be near by chance
    clients: int  # about so many distinct ones met it near the app or with its user agent
    all_clients: int  # about so many met it at all
    agents: int  # requests with the app's user agent
    told_agents: int  # requests with any
    certificate: str | None = None  # the name that both have
    siblings: tuple[str, ...] = ()  # endpoints under the same registered name

    @property
    def lift(self) -> float:
        """How many times more often it is near the app than chance would have it."""
        return self.near / self.expected if self.expected else 0.0

    @property
    def share(self) -> float:
        """The part of all its visits that was near the app."""
        return self.near / self.visits if self.visits else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A host, or a registered name, that may be part of an app."""

    app: str
    name: str
    below: bool  # the name and all below it
    score: float
    parts: dict[str, float]  # of the score, by the words above; those that are nothing left out
    evidence: Evidence
    hosts: int = 1  # how many hosts were met, where a name is suggested

    def reasons(self) -> list[str]:
        """The evidence in words, the strongest first."""
        seen = self.evidence
        told = {
            "near": f"{seen.near} of {seen.visits} visits within 10 s of its hosts, {seen.lift:.1f} times chance",
            "agent": f"its user agent on {seen.agents} of {seen.told_agents} requests",
            "certificate": f"certificate with {seen.certificate}",
            "name": f"registered name of {', '.join(seen.siblings[:3])}",
        }
        first = [told[part] for part in sorted(self.parts, key=lambda part: -self.parts[part])]
        return [*first, f"{seen.clients} client{'' if seen.clients == 1 else 's'}"]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        seen = self.evidence
        return {
            "app": self.app,
            "endpoint": {"domain" if self.below else "host": self.name},
            "score": round(self.score, 2),
            "parts": {part: round(value, 2) for part, value in self.parts.items()},
            "hosts": self.hosts,
            "visits": seen.visits,
            "near": seen.near,
            "expected": round(seen.expected, 2),
            "lift": round(seen.lift, 2),
            "clients": seen.clients,
            "all_clients": seen.all_clients,
            "agents": seen.agents,
            "certificate": seen.certificate,
            "siblings": list(seen.siblings),
        }


@dataclass(slots=True)
class Survey:
    """What was read, and what it suggests."""

    suggestions: tuple[Suggestion, ...] = ()  # by app, the best first
    requests: int = 0
    unread: list[Unread] = field(default_factory=list)  # the first of them
    unreadable: int = 0
    without_client: int = 0  # requests that name no client or no time: nothing is near them
    first: datetime | None = None
    last: datetime | None = None
    bases: dict[str, Base] = field(default_factory=dict)


def survey(
    policy: Policy, traffic: Iterable[Seen | Unread], apps: Collection[str] | None = None, *, top: int = TOP
) -> Survey:
    """What *traffic*, in order of time, suggests for *apps* (ids; None: all), at most *top* an app."""
    found, nearness = Survey(), Nearness(policy)
    for seen in traffic:
        if isinstance(seen, Unread):
            found.unreadable += 1
            if len(found.unread) < TOP:
                found.unread.append(seen)
            continue
        found.requests += 1
        found.without_client += seen.time is None or (seen.client is None and seen.user is None)
        if seen.time is not None:
            found.first = seen.time if found.first is None else min(found.first, seen.time)
            found.last = seen.time if found.last is None else max(found.last, seen.time)
        nearness.take(seen)
    found.bases = nearness.bases
    siblings = _siblings(policy)
    names = {key: key[len(BELOW) :] if key.startswith(BELOW) else registered_name(key) for key in nearness.visited}
    found.suggestions = tuple(
        suggestion
        for app in policy.apps
        if apps is None or app in apps
        for suggestion in _of_app(app, nearness, names, siblings)[:top]
    )
    return found


def _of_app(
    app: str, nearness: Nearness, names: dict[str, str | None], siblings: dict[str, dict[str, list[str]]]
) -> list[Suggestion]:
    base = nearness.bases[app]
    hosts = sum(not key.startswith(BELOW) for key in names)
    judged: dict[str, list[Suggestion]] = {}  # by registered name, or host where it has none
    for key, visited in nearness.visited.items():
        registered = names[key]
        others = siblings.get(registered, {}) if registered is not None else {}
        near, proof = visited.apps.get(app), _proof(base, key)
        if near is None and proof is None and app not in others:
            continue
        suggestion = _judge(app, key, visited, near or Near(), base, others, proof, hosts)
        if suggestion.score >= LEAST_SCORE:
            judged.setdefault(registered or key, []).append(suggestion)
    narrowed = (each for together in judged.values() for each in _narrowed(together))
    return sorted(narrowed, key=lambda each: (-each.score, each.name))


def _judge(
    app: str,
    key: str,
    visited: Visited,
    near: Near,
    base: Base,
    others: dict[str, list[str]],
    proof: str | None,
    hosts: int,
) -> Suggestion:
    evidence = Evidence(
        visits=visited.visits,
        of_users=near.of_users,
        near=near.near,
        expected=near.of_users * base.rate,
        clients=near.clients.estimate,
        all_clients=visited.clients.estimate,
        agents=near.with_agent + near.with_shared_agent,
        told_agents=visited.agents,
        certificate=near.certificate or proof,
        siblings=tuple(others.get(app, ())),
    )
    enough = 1 - 0.5**evidence.clients
    surely = _bound(near.near, visited.visits) if hosts * _by_chance(near.near, evidence.expected) < _CHANCE else 0.0
    by_agent = max(
        _bound(near.with_agent, visited.agents), _SHARED_AGENT * _bound(near.with_shared_agent, visited.agents)
    )
    shares = {
        "near": max(0.0, surely * (1 - 1 / evidence.lift)) * enough if evidence.lift > 1 else 0.0,
        "agent": by_agent * enough,
        "certificate": 1.0 if evidence.certificate is not None else 0.0,
        "name": 1 / len(others) if app in others else 0.0,
    }
    parts = {part: _WEIGHTS[part] * share for part, share in shares.items() if share > 0}
    return Suggestion(
        app=app,
        name=key.removeprefix(BELOW),
        below=key.startswith(BELOW),
        score=sum(parts.values()),
        parts=parts,
        evidence=evidence,
        hosts=visited.hosts if key.startswith(BELOW) else 1,
    )


def _narrowed(together: list[Suggestion]) -> list[Suggestion]:
    """Of the hosts of a registered name: the name where several were met and all of them fit; else each by itself.

    As narrow as the evidence: one host is a host, and a name of which an endpoint is known was left narrow on purpose.
    """
    hosts = [each for each in together if not each.below]
    best = max((each.score for each in hosts), default=0.0)
    for name in together:
        if name.below and name.hosts >= _TOGETHER and not name.evidence.siblings and name.score >= _FITS * best:
            return [name]
    return hosts


def _proof(base: Base, name: str) -> str | None:
    """The host of the app whose certificate names *name*."""
    return base.proven.get(name) or base.proven.get(name.partition(".")[2])


def _siblings(policy: Policy) -> dict[str, dict[str, list[str]]]:
    """Of each registered name the apps with endpoints of their own under it, and these."""
    found: dict[str, dict[str, list[str]]] = {}
    for app in policy.apps.values():
        for endpoint in app.endpoints:
            pattern = endpoint.pattern
            if endpoint.shared or pattern.kind not in (Kind.DOMAIN, Kind.HOST):
                continue
            name = registered_name(pattern.text)
            if name is not None:
                found.setdefault(name, {}).setdefault(app.id, []).append(pattern.text)
    return found


def _by_chance(count: int, expected: float) -> float:
    """At most how likely *count* is, or more, where *expected* is what chance gives (Chernoff, of a Poisson law)."""
    if count <= expected or not expected:
        return 1.0
    return exp(count - expected - count * log(count / expected))


def _bound(count: int, total: int) -> float:
    """What part *count* of *total* is at least, as far as so many tell (Wilson's lower bound)."""
    if not total:
        return 0.0
    share, spread = min(count / total, 1.0), _SURE**2 / total
    return max(
        0.0, (share + spread / 2 - _SURE * sqrt(share * (1 - share) / total + spread / (4 * total))) / (1 + spread)
    )
