"""Which rules and entries of a policy its tests touch, and which they do not.

A rule is touched where it decides a test, or is the shadow rule that would have; an entry where by it an app owns the
name that decided, or, an exclude, where it takes a name out of its app. That a touched one is also guarded, so that a
test fails when it goes, is a stronger claim: `mutation` asks that.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from embargo.core.catalogue import ListedEndpoint
from embargo.core.inquiry import requests
from embargo.core.matcher import Entry
from embargo.core.pattern import Pattern
from embargo.core.request import Name, Request
from embargo.core.rules import Policy, Rule
from embargo.policy.cases import Case, Result, enforcing
from embargo.policy.entries import CatalogueEntry, Sort, entries_of
from embargo.policy.layers import EXCEPTIONS
from embargo.policy.load import Loaded

type Touch = tuple[str, bool, Pattern | str]  # app, whether excluded, pattern; of a list its source


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    touched: int
    of: int

    @property
    def percent(self) -> float:
        """From 0 to 100; of none all."""
        return 100.0 * self.touched / self.of if self.of else 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the tests touch."""

    rules: tuple[tuple[Rule, int], ...]  # the enabled in effective order, exceptions left out; tests that touch each
    entries: tuple[tuple[CatalogueEntry, int], ...]  # app by app; tests that touch each

    @property
    def untouched_rules(self) -> tuple[Rule, ...]:
        """The rules that no test touches."""
        return tuple(rule for rule, count in self.rules if not count)

    @property
    def untouched_entries(self) -> tuple[CatalogueEntry, ...]:
        """The entries that no test touches."""
        return tuple(entry for entry, count in self.entries if not count)

    @property
    def share_of_rules(self) -> Share:
        """Of the rules."""
        return _share(count for _, count in self.rules)

    @property
    def share_of_entries(self) -> Share:
        """Of the entries of all apps."""
        return _share(count for _, count in self.entries)

    @property
    def shares_by_app(self) -> dict[str, Share]:
        """Of the entries of each app, by its id."""
        counts: dict[str, list[int]] = {}
        for entry, count in self.entries:
            counts.setdefault(entry.app, []).append(count)
        return {app: _share(own) for app, own in counts.items()}


def _share(counts: Iterable[int]) -> Share:
    touched = [count > 0 for count in counts]
    return Share(sum(touched), len(touched))


def coverage(loaded: Loaded, results: Sequence[Result], apps: Iterable[str] = ()) -> Coverage:
    """What *results* touch of the policy; of the entries those of *apps* alone, where any are named."""
    rules: Counter[tuple[str, int, str]] = Counter()
    touches: Counter[Touch] = Counter()
    chosen = set(apps)
    for result in results:
        decision = result.decision
        policy = enforcing(loaded.policy_of(result.case.layer))
        if decision.rule is not None:
            rules[_place(decision.rule)] += 1
        if decision.shadow_rule is not None:
            rules.update(_place(rule) for rule in policy.rules if rule.id == decision.shadow_rule)
        touches.update(_touches(policy, result))
    entries = [entry for entry in entries_of(loaded) if not chosen or entry.app in chosen]
    return Coverage(
        rules=tuple(
            (rule, rules[_place(rule)]) for rule in loaded.policy.rules if rule.enabled and not of_exceptions(rule)
        ),
        entries=tuple((entry, sum(touches[each] for each in touches_of(entry))) for entry in entries),
    )


def of_exceptions(rule: Rule) -> bool:
    """Whether *rule* is a timed exception, which nobody writes tests for."""
    return PurePath(rule.layer).name == EXCEPTIONS


def _place(rule: Rule) -> tuple[str, int, str]:
    """What a rule is known by across layers, whose policies each have it anew."""
    return rule.layer, rule.line, rule.id


def touches_of(entry: CatalogueEntry) -> Iterator[Touch]:
    """What a test touches that meets *entry*."""
    excluded = entry.sort is Sort.EXCLUDE
    if entry.source is not None:
        yield entry.app, excluded, entry.source
    for pattern in entry.patterns:
        yield entry.app, excluded, pattern


def _touches(policy: Policy, result: Result) -> set[Touch]:
    """The endpoint by which each deciding app owns the name that decided, and the excludes that the test met."""
    decision, request = result.decision, result.answer.request
    found = {touch(entry) for entry in met_by(policy, result.case, request.time) if entry.excluded}
    if decision.trial is not None:  # an endpoint on trial, which does nothing but note
        found.add((decision.trial.app, False, decision.trial.endpoint.pattern))
    if decision.name is not None:
        deciding = _counting(policy, decision.name, request)
        found |= {touch(entry) for entry in deciding if entry.app in decision.apps}
    return found


def touch(entry: Entry) -> Touch:
    """What a test touches that the matcher answers with *entry*."""
    endpoint = entry.endpoint
    listed = isinstance(endpoint, ListedEndpoint)
    return entry.app, entry.excluded, endpoint.evidence[0] if listed else endpoint.pattern


def met_by(policy: Policy, case: Case, now: datetime) -> Iterator[Entry]:
    """What counts of each app for any name of *case*, at any surface that it is judged at."""
    inquiry = case.inquiry(policy, now)
    for request in requests(inquiry) if inquiry is not None else ():
        for name in request.names:
            yield from _counting(policy, name, request)


def _counting(policy: Policy, name: Name, request: Request) -> Iterable[Entry]:
    """Of each app the entry that counts for *name*: the most specific, at equal rank the exclude."""
    if name.host is None:
        return ()
    entries: list[Entry] = []
    for matcher in (policy.matcher, *([policy.trials.met] if policy.trials is not None else [])):
        entries += [*matcher.entries_of_host(name.host), *matcher.urls_of_host(name.host.text)]
        if request.user_agent is not None:
            entries += matcher.entries_of_agent(request.user_agent)
    covering = [entry for entry in entries if entry.endpoint.pattern.covers(name, request)]
    return {entry.app: entry for entry in sorted(covering, key=lambda entry: entry.rank)}.values()
