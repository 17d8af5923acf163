"""Which endpoints of a newer catalogue come in on trial, and what is kept enforced beside them meanwhile.

On trial is what the installed one does not enforce. Where that is wider than what it enforces today (a host becomes its
domain), what is enforced today stays beside it, as it was, until the trial ends; so a trial opens nothing, and bites no
more than before. Where it is no wider than what is blocked today, it is enforced at once, and bites nobody anew.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from embargo.core.catalogue import Endpoint
from embargo.core.decide import decide
from embargo.core.decision import Verdict
from embargo.core.pattern import Pattern
from embargo.core.rules import Policy
from embargo.policy.patterns import endpoint_of
from embargo.policy.problem import Path as DocumentPath
from embargo.policy.schema import PolicyForm
from embargo.review.endpoint_changes import enforcing, samples


@dataclass(frozen=True, slots=True)
class Entry:
    """An endpoint, and where it stands in its file."""

    app: str
    endpoint: Endpoint
    path: DocumentPath


@dataclass(frozen=True, slots=True)
class Kept:
    """An endpoint of the installed catalogue that stays enforced while a wider one is on trial."""

    endpoint: Endpoint  # its evidence says for what it is kept
    wider: Entry  # of the new catalogue

    @property
    def app(self) -> str:
        """The id of the app that has both."""
        return self.wider.app

    @classmethod
    def beside(cls, wider: Entry, endpoint: Endpoint) -> "Kept":
        """*endpoint* kept beside *wider*."""
        evidence = dict.fromkeys((*endpoint.evidence, _note(wider)))
        return cls(replace(endpoint, evidence=tuple(evidence), shadow=False), wider)


@dataclass(frozen=True, slots=True)
class Introduction:
    """How the new endpoints of a catalogue come in."""

    on_trial: tuple[Entry, ...]
    kept: tuple[Kept, ...]
    at_once: tuple[Entry, ...]  # no wider than what is blocked today


type Judged = Callable[[Sequence[Entry], Sequence[Kept]], Policy]  # the policy with those marked and those kept


def entries_of(form: PolicyForm) -> tuple[Entry, ...]:
    """The endpoints that stand in a file one by one."""
    return tuple(
        Entry(app, endpoint_of(entry), ("apps", app, "endpoints", index))
        for app, content in form.apps.items()
        for index, entry in enumerate(content.endpoints or ())
    )


def introduced(installed: PolicyForm, new: PolicyForm, before: Policy, judged: Judged, now: datetime) -> Introduction:
    """How the endpoints of *new* that the *installed* catalogue does not enforce come in, as of *now* (aware, UTC).

    *before* is the policy in force.
    """
    known = {(entry.app, entry.endpoint.pattern) for entry in entries_of(installed) if not entry.endpoint.shadow}
    fresh = [entry for entry in entries_of(new) if (entry.app, entry.endpoint.pattern) not in known]
    trials = dict.fromkeys(fresh)  # in order, without those that are enforced at once
    kept = {(each.app, each.endpoint.pattern): each for each in _replaced(installed, new, frozenset(fresh))}
    was = enforcing(before)
    patterns = {entry.endpoint.pattern for entry in fresh}
    patterns |= {endpoint.pattern for app in was.apps.values() for endpoint in app.endpoints}
    settled: set[Entry] = set()
    while True:
        policy = enforcing(judged(tuple(trials), tuple(kept.values())))
        opening = [each for each in _opened(was, policy, trials, patterns, now) if each[0] not in settled]
        if not opening:
            at_once = tuple(entry for entry in fresh if entry not in trials)
            return Introduction(tuple(trials), tuple(kept.values()), at_once)
        for entry, enforced in opening:
            more = {(entry.app, each.pattern): Kept.beside(entry, each) for each in enforced if _is_part(each, entry)}
            if more and not more.keys() <= kept.keys():
                kept = more | kept
            elif entry.endpoint.shadow:  # so it came; what that opens is told as milder
                settled.add(entry)
            else:
                del trials[entry]
                kept = {key: each for key, each in kept.items() if each.wider != entry}


def kept_for(entries: Sequence[Entry], trials: Iterable[Entry]) -> tuple[Entry, ...]:
    """Those of *entries*, all of a catalogue, that are kept for one of *trials* alone."""
    ended = {(entry.app, _note(entry)) for entry in trials}
    return tuple(
        entry
        for entry in entries
        if not entry.endpoint.shadow and any((entry.app, text) in ended for text in entry.endpoint.evidence)
    )


def _note(wider: Entry) -> str:
    """The evidence by which one that is kept is known again."""
    return f"kept while {wider.endpoint} is on trial"


def _replaced(installed: PolicyForm, new: PolicyForm, fresh: Set[Entry]) -> Iterator[Kept]:
    """The enforced endpoints that *new* has no more, and in their place a wider one that is fresh."""
    there: dict[str, list[tuple[Endpoint, Entry | None]]] = defaultdict(list)  # by app; of an exclude no entry
    for entry in entries_of(new):
        there[entry.app].append((entry.endpoint, entry))
    same = {(app, endpoint.pattern) for app, entries in there.items() for endpoint, _ in entries}
    for app, content in new.apps.items():
        there[app] += [(endpoint_of(entry), None) for entry in content.exclude or ()]
    for old in entries_of(installed):
        pattern = old.endpoint.pattern
        if old.endpoint.shadow or (old.app, pattern) in same:
            continue
        above = [each for each in there[old.app] if each[0].pattern.contains(pattern)]
        _, wider = max(above, key=lambda each: (each[0].pattern.specificity, each[1] is None), default=(None, None))
        if wider is not None and wider in fresh:
            yield Kept.beside(wider, old.endpoint)


def _opened(
    was: Policy, policy: Policy, trials: Iterable[Entry], patterns: Iterable[Pattern], now: datetime
) -> Iterator[tuple[Entry, list[Endpoint]]]:
    """The *trials* that would open under *policy* what is blocked, and what of it the endpoints are by which it is."""
    by_pattern = {(entry.app, entry.endpoint.pattern): entry for entry in trials}
    found: dict[tuple[str, Pattern], dict[Pattern, Endpoint]] = defaultdict(dict)
    for request in (request for pattern in patterns for request in samples(pattern, now)):
        decision = decide(policy, request)
        if decision.trial is None or decision.trial.verdict is not Verdict.BLOCK:
            continue
        before = decide(was, request)
        key = decision.trial.app, decision.trial.endpoint.pattern
        if before.blocked and before.endpoint is not None and key in by_pattern:
            found[key].setdefault(before.endpoint.pattern, before.endpoint)
    for key, enforced in found.items():
        yield by_pattern[key], list(enforced.values())


def _is_part(endpoint: Endpoint, wider: Entry) -> bool:
    """Whether *wider* covers more than *endpoint*."""
    pattern = wider.endpoint.pattern
    return pattern.contains(endpoint.pattern) and not endpoint.pattern.contains(pattern)
