"""What another policy does to past requests: what is newly blocked, free and logged, and first of all the collateral.

Collateral is what innocents visit: hosts that the old policy knew as no app's, or only as shared with others, and that
the new one hits. Both policies judge each request as of the same instant, by `judge.Judge`. Memory is bounded whatever
the traffic: hosts whose verdict changes are told one by one up to a number, and counted beyond it; clients are
estimated, and none is kept.
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from embargo.core.cardinality import DIGEST, Distinct, mark_of
from embargo.core.decision import Decision, Verdict
from embargo.core.inquiry import UnreadableRequest
from embargo.core.seen import Seen, Unread
from embargo.review.judge import Judge

MOST_HOSTS = 20_000  # whose verdict changes, told one by one; some 500 bytes each
_MOST_UNREAD = 10  # pieces that are told


class Effect(StrEnum):
    """What happens to a host that did not happen before, the worst first."""

    COLLATERAL = "collateral"  # of nobody's, or shared with others: now hit
    BLOCKED = "blocked"  # of a known app: now refused
    FREED = "freed"  # now refused no longer
    LOGGED = "logged"  # of a known app: now recorded
    RELEASED = "released"  # now recorded no longer


@dataclass(slots=True)
class HostEffect:
    """A host on which the verdict changes, and how often it was asked for."""

    host: str
    effect: Effect
    before: Verdict
    after: Verdict
    shared: bool  # the old policy knew it as shared with others
    apps: tuple[str, ...]  # that decide now; of what is free now, those that decided before
    endpoint: str | None
    rule: str | None
    would: Verdict | None  # what an endpoint or a rule on trial would make of it
    requests: int = 0
    at_most: int = 0  # distinct clients that a source counted by itself, of which it names none
    _clients: Distinct = field(default_factory=Distinct)

    @property
    def clients(self) -> int | None:
        """About how many distinct clients asked; None where no source says."""
        return max(self._clients.estimate, self.at_most) or None

    def document(self) -> dict[str, Any]:
        """The object that `diff --json` has for it."""
        return {
            "host": self.host,
            "effect": self.effect.value,
            "from": str(self.before),
            "to": str(self.after),
            "shared": self.shared,
            "apps": list(self.apps),
            "endpoint": self.endpoint,
            "rule": self.rule,
            "would": str(self.would) if self.would is not None else None,
            "requests": self.requests,
            "clients": self.clients,
        }


class TrafficEffect:
    """Collects what changes, request by request."""

    def __init__(self, old: Judge, new: Judge) -> None:
        self._old, self._new = old, new
        self._key = secrets.token_bytes(16)  # so that no digest outlives the process as a client's
        self._hosts: dict[tuple[str, Verdict, Verdict, str | None], HostEffect] = {}
        self.requests = 0
        self.complete = True  # False: there was more, which was not read
        self.unread = 0
        self.unread_told: list[Unread] = []
        self.changed: Counter[Effect] = Counter()  # requests
        self.beyond: Counter[Effect] = Counter()  # of those, to hosts that found no room

    def add(self, found: Iterable[Seen | Unread]) -> None:
        """Judge *found* by both policies."""
        for each in found:
            if isinstance(each, Unread):
                self._skip(each)
                continue
            try:
                before, after = self._old.judge(each), self._new.judge(each)
            except UnreadableRequest as unreadable:
                self._skip(Unread(each.request[:100], str(unreadable)))
                continue
            self.requests += each.count
            if before.decision.verdict is not after.decision.verdict:
                self._count(each, before.decision, after.decision, after.host)

    def of(self, effect: Effect) -> list[HostEffect]:
        """The hosts with *effect*, those with the most clients first."""
        found = [each for each in self._hosts.values() if each.effect is effect]
        return sorted(found, key=lambda each: (-(each.clients or 0), -each.requests, each.host))

    def document(self) -> dict[str, Any]:
        """The object that `diff --json` has for it."""
        return {
            "requests": self.requests,
            "complete": self.complete,
            "unread": self.unread,
            "changed": {effect.value: self.changed[effect] for effect in Effect},
            "beyond": {effect.value: self.beyond[effect] for effect in Effect},
            "hosts": [each.document() for effect in Effect for each in self.of(effect)],
        }

    def _skip(self, unread: Unread) -> None:
        self.unread += 1
        if len(self.unread_told) < _MOST_UNREAD:
            self.unread_told.append(unread)

    def _count(self, seen: Seen, before: Decision, after: Decision, host: str) -> None:
        effect = effect_of(before, after)
        self.changed[effect] += seen.count
        key = (host, before.verdict, after.verdict, after.rule_id)
        known = self._hosts.get(key)
        if known is None:
            if len(self._hosts) >= MOST_HOSTS:
                self.beyond[effect] += seen.count
                return
            deciding = after if after.apps else before
            known = self._hosts[key] = HostEffect(
                host=host,
                effect=effect,
                before=before.verdict,
                after=after.verdict,
                shared=before.endpoint is not None and before.endpoint.shared,
                apps=deciding.apps,
                endpoint=str(deciding.endpoint) if deciding.endpoint is not None else None,
                rule=deciding.rule_id,
                would=after.would,
            )
        known.requests += seen.count
        if seen.client is not None:
            digest = hashlib.blake2b(seen.client.packed, digest_size=DIGEST, key=self._key).digest()
            known._clients.add(mark_of(digest))
        elif seen.clients is not None:
            known.at_most = max(known.at_most, seen.clients)


def effect_of(before: Decision, after: Decision) -> Effect:
    """What the change from *before* to *after*, two verdicts that differ, is to who asks."""
    if after.verdict > before.verdict:
        blocked = after.verdict is Verdict.BLOCK
        shared = before.endpoint is not None and before.endpoint.shared
        if not before.apps or (blocked and shared):
            return Effect.COLLATERAL
        return Effect.BLOCKED if blocked else Effect.LOGGED
    return Effect.FREED if before.verdict is Verdict.BLOCK else Effect.RELEASED
