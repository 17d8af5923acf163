"""The catalogue under a policy on a day: what each app is, how its authorities stand, what happens to it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embargo.core.catalogue import App, Authority, DomainList, Endpoint, Role
from embargo.core.decide import VERDICTS, rulings
from embargo.core.decision import Verdict
from embargo.core.matcher import Owner
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Mode, Policy, Rule
from embargo.core.stores import listing_urls
from embargo.core.timeline import State
from embargo.policy.domains import url_pattern
from embargo.review.unmet import state_of


@dataclass(frozen=True, slots=True)
class Held:
    """An authority that names an app, and how it stands on the day."""

    authority: Authority
    state: State | None  # None before its first date
    text: str  # `revoked since 2021-06-09`


@dataclass(frozen=True, slots=True)
class Entry:
    """An endpoint of an app, with what happens to it; or a whole list of them."""

    endpoint: Endpoint  # of a list: one that stands for them all
    verdict: Verdict  # for a client and user that are unknown
    rule: str  # id of what decides, `default` where no rule does
    count: int = 1
    source: str | None = None  # of a list: the file

    def __str__(self) -> str:
        return f"list {self.source}, {self.count} domains" if self.source is not None else str(self.endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppAccount:
    """An app of the catalogue under a policy on a day."""

    app: App
    entries: tuple[Entry, ...]  # those made of `stores` apart, in order of roles
    listings: tuple[Entry, ...]  # those made of `stores`
    held: tuple[Held, ...]
    rules: tuple[Rule, ...]  # that are for this app, in the order in which they are asked

    @property
    def endpoints(self) -> int:
        """How many endpoints it has, those of lists included and store listings not."""
        return sum(entry.count for entry in self.entries)

    @property
    def shared(self) -> int:
        """How many of them also serve others."""
        return sum(entry.count for entry in self.entries if entry.endpoint.shared)

    @property
    def verdicts(self) -> Mapping[Verdict, int]:
        """How many endpoints get which verdict, the strictest first; of an app without any, its store listings."""
        counted: Counter[Verdict] = Counter()
        for entry in self.entries or self.listings:
            counted[entry.verdict] += entry.count
        return {verdict: counted[verdict] for verdict in sorted(counted, reverse=True)}

    def by_role(self) -> Iterator[tuple[Role, list[Entry]]]:
        """The entries of each role that the app has, in the order in which a policy's manual lists the roles."""
        for role in Role:
            if found := [entry for entry in self.entries if entry.endpoint.role is role]:
                yield role, found

    def summary(self) -> dict[str, Any]:
        """The object that `apps --json` prints for each app."""
        return {
            "id": self.app.id,
            "name": self.app.name,
            "vendor": self.app.vendor,
            "endpoints": self.endpoints,
            "shared": self.shared,
            "authorities": [_state(held) for held in self.held],
            "verdicts": {str(verdict): count for verdict, count in self.verdicts.items()},
        }

    def document(self) -> dict[str, Any]:
        """The object that `apps ID --json` prints: the summary, and all of it."""
        return {
            **self.summary(),
            "entries": [_entry(entry) for entry in (*self.entries, *self.listings)],
            "exclude": [str(exclude) for exclude in self.app.exclude],
            "stores": {
                "apple": list(self.app.stores.apple),
                "google_play": list(self.app.stores.google_play),
                "microsoft": list(self.app.stores.microsoft),
            },
            "authorities": [_standing(held) for held in self.held],
            "rules": [rule.id for rule in self.rules],
        }


def accounts(policy: Policy, time: datetime) -> list[AppAccount]:
    """Every app of *policy* as of *time* (aware, UTC), by id."""
    return [account(policy, policy.apps[identifier], time) for identifier in sorted(policy.apps)]


def account(policy: Policy, app: App, time: datetime) -> AppAccount:
    """*app* under *policy* as of *time* (aware, UTC)."""
    made = {url_pattern(text) for text in listing_urls(app.stores)}
    own = [_judged(policy, app, endpoint, time) for endpoint in app.endpoints if endpoint.pattern not in made]
    lists = [_listed(policy, app, source, time) for source in policy.lists if source.app == app.id]
    order = list(Role)
    return AppAccount(
        app=app,
        entries=tuple(sorted([*own, *lists], key=lambda entry: order.index(entry.endpoint.role))),
        listings=tuple(_judged(policy, app, each, time) for each in app.endpoints if each.pattern in made),
        held=tuple(
            Held(authority, authority.timeline.state_at(time), state_of(authority.timeline, time))
            for identifier in app.named_in
            if (authority := policy.authorities.get(identifier)) is not None
        ),
        rules=policy.rules_of[app.id],
    )


def _judged(policy: Policy, app: App, endpoint: Endpoint, time: datetime) -> Entry:
    """*endpoint* with its verdict by *app*'s own rules, for an unknown client: other owners are left out."""
    name, request, owner = posed(app, endpoint, time)
    ruling = rulings(policy, request, name, owner)
    rule = ruling.rule
    verdict = VERDICTS[rule.action if rule is not None else policy.settings.default]
    if verdict is Verdict.BLOCK and (endpoint.shadow or policy.settings.mode is Mode.MONITOR):
        verdict = Verdict.LOG
    return Entry(endpoint, verdict, rule.id if rule is not None else "default")


def posed(app: App, endpoint: Endpoint, time: datetime) -> tuple[Name, Request, Owner]:
    """A request for *endpoint* by a client that is unknown, with its name, and *app* as the owner of that."""
    pattern = endpoint.pattern
    spelled = pattern.host if pattern.kind is Kind.URL else pattern.text.partition("/")[0]
    name = Name.parse(Source.HOST, f"[{spelled}]" if ":" in spelled else spelled, pattern.port)
    request = Request(surface=Surface.HTTP, time=time, names=(name,))
    return name, request, Owner(app.id, endpoint, pattern.specificity)


def _listed(policy: Policy, app: App, source: DomainList, time: datetime) -> Entry:
    endpoint = Endpoint(Pattern(Kind.DOMAIN, "listed.invalid"), source.role, source.shared, (source.source,))
    judged = _judged(policy, app, endpoint, time)
    return Entry(endpoint, judged.verdict, judged.rule, source.count, source.source)


def _state(held: Held) -> dict[str, Any]:
    return {"id": held.authority.id, "state": held.state.value if held.state is not None else None}


def _standing(held: Held) -> dict[str, Any]:
    authority = held.authority
    return {
        **_state(held),
        "title": authority.title,
        "jurisdiction": authority.jurisdiction,
        "url": authority.url,
        "reviewed": authority.reviewed.isoformat() if authority.reviewed is not None else None,
        "timeline": [
            {"from": instant.isoformat(), "state": state.value} for instant, state in authority.timeline.changes
        ],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    endpoint = entry.endpoint
    return {
        "endpoint": str(endpoint) if entry.source is None else None,
        "list": entry.source,
        "count": entry.count,
        "role": endpoint.role.value,
        "shared": endpoint.shared,
        "on_trial": endpoint.shadow,
        "evidence": list(endpoint.evidence) if entry.source is None else [],
        "verdict": str(entry.verdict),
        "rule": entry.rule,
    }
