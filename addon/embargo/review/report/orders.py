"""Each order that names an app of the policy: its states, the apps, and what of them was blocked, logged, unverifiable.

An endpoint is counted once. *Blocked*: the policy refuses it and the proxy sees what it needs for that. *Only logged*:
it is let through and recorded. *Unverifiable*, by the first of these that holds: others use it too and it is not
blocked (`shared`: a hit proves no use of the app); it is blocked and seen inside TLS alone, which stays closed
(`never opened`); no source is on record that it belongs to the app (`no evidence`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from embargo.core.catalogue import Authority
from embargo.core.decision import Verdict
from embargo.core.pattern import Kind, Pattern
from embargo.core.rules import Decrypt, Policy
from embargo.review.catalogue import Entry, account

NOT_YET = "none"
SHARED, NEVER_OPENED, NO_EVIDENCE = "shared", "never opened", "no evidence"
WHY = {  # reason: in words
    SHARED: "others use it too, so a request to it does not prove that the app is used; it is not blocked",
    NEVER_OPENED: "it can be told only from inside an encrypted connection, and this one is never opened",
    NO_EVIDENCE: "the catalogue names no source that it belongs to the app",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A time in which an order had one state."""

    state: str  # of core.timeline.State; NOT_YET before its first date
    start: datetime
    end: datetime  # that of the period, or the next change


@dataclass(frozen=True, slots=True, kw_only=True)
class AppUnderOrder:
    """An app that an order names, under the policy."""

    id: str
    name: str
    vendor: str | None
    blocked: int  # endpoints
    logged: int
    unverifiable: Mapping[str, int] = field(default_factory=dict)  # by reason
    rules: tuple[str, ...] = ()  # ids of those that decide
    listings: int = 0  # links to the app in stores, which are not counted above
    hits: Mapping[str, int] = field(default_factory=dict)  # requests in the period, by class


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order and all that the report says of it."""

    id: str
    title: str
    jurisdiction: str | None
    url: str | None
    reviewed: date | None  # when its entry in the policy was last checked
    binding: bool  # the policy says that it binds this organization by law
    course: tuple[Standing, ...]  # from its first date to the period's end
    within: tuple[Standing, ...]  # the part in the period
    apps: tuple[AppUnderOrder, ...]

    @property
    def state(self) -> str:
        """At the period's end."""
        return self.within[-1].state


def orders(
    policy: Policy, start: datetime, end: datetime, hits: Mapping[str, Mapping[str, int]] | None = None
) -> list[Order]:
    """Every order of *policy*, with what it does at *end*; *hits* are requests in the period by app and class."""
    return [_order(policy, authority, start, end, hits or {}) for authority in policy.authorities.values()]


def _order(
    policy: Policy, authority: Authority, start: datetime, end: datetime, hits: Mapping[str, Mapping[str, int]]
) -> Order:
    named = [app for app in policy.apps.values() if authority.id in app.named_in]
    changes = authority.timeline.changes
    return Order(
        id=authority.id,
        title=authority.title,
        jurisdiction=authority.jurisdiction,
        url=authority.url,
        reviewed=authority.reviewed,
        binding=authority.id in policy.settings.bound_by,
        course=tuple(course(authority, min([start, *(change[0] for change in changes)]), end)),
        within=tuple(course(authority, start, end)),
        apps=tuple(_app(policy, app.id, end, hits.get(app.id, {})) for app in sorted(named, key=lambda each: each.id)),
    )


def course(authority: Authority, start: datetime, end: datetime) -> Iterator[Standing]:
    """The states of *authority* from *start* to *end*; two that follow each other and are the same are one."""
    changes = [change for change in authority.timeline.changes if start < change[0] < end]
    first = authority.timeline.state_at(start)
    state, since = first.value if first is not None else NOT_YET, start
    for instant, following in changes:
        if following.value != state:
            yield Standing(state=state, start=since, end=instant)
            state, since = following.value, instant
    yield Standing(state=state, start=since, end=end)


def _app(policy: Policy, identifier: str, time: datetime, hits: Mapping[str, int]) -> AppUnderOrder:
    found = account(policy, policy.apps[identifier], time)
    counted: Counter[str] = Counter()
    for entry in found.entries:
        counted[_kind(policy, entry)] += entry.count
    return AppUnderOrder(
        id=identifier,
        name=found.app.name,
        vendor=found.app.vendor,
        blocked=counted["blocked"],
        logged=counted["logged"],
        unverifiable={reason: counted[reason] for reason in WHY if counted[reason]},
        rules=tuple(dict.fromkeys(entry.rule for entry in found.entries)),
        listings=len(found.listings),
        hits=hits,
    )


def _kind(policy: Policy, entry: Entry) -> str:
    endpoint, blocked = entry.endpoint, entry.verdict is Verdict.BLOCK
    if endpoint.shared and not blocked:
        return SHARED
    if blocked and never_opened(policy, endpoint.pattern):
        return NEVER_OPENED
    if not endpoint.evidence:
        return NO_EVIDENCE
    return "blocked" if blocked else "logged"


def never_opened(policy: Policy, pattern: Pattern) -> bool:
    """Whether *pattern* is seen inside TLS alone, and that stays closed."""
    if pattern.kind not in (Kind.URL, Kind.USER_AGENT):
        return False
    if policy.settings.decrypt is Decrypt.NONE:
        return True
    return pattern.kind is Kind.URL and _covered(pattern.host, policy.settings.never_decrypt)


def _covered(host: str, patterns: Sequence[Pattern]) -> bool:
    return any(
        pattern.kind in (Kind.DOMAIN, Kind.HOST)
        and (host == pattern.text or (pattern.kind is Kind.DOMAIN and host.endswith("." + pattern.text)))
        for pattern in patterns
    )
