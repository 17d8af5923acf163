"""What one policy does otherwise than another, all of it as values: what `diff` and the console show."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import chain, islice
from typing import Any

from embargo.core.decide import decide
from embargo.core.decision import Verdict
from embargo.core.pattern import Pattern
from embargo.core.rules import LogSettings, Policy, Settings
from embargo.policy.domains import domain_pattern
from embargo.policy.load import Loaded
from embargo.policy.survey import Survey
from embargo.review.collateral import TrafficEffect
from embargo.review.endpoint_changes import Comparison, EndpointChange, Standing, compare, samples
from embargo.review.rule_changes import RuleChange, rule_changes
from embargo.review.verdict_changes import VerdictChanges, verdict_changes

_MOST_NAMES = 10  # of a long list that are told
_MOST_JUDGED = 100_000  # of a long list's changed names; some 20 µs each


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two policies, and how its files are called."""

    label: str  # as the user named it
    loaded: Loaded
    below: str = ""  # where its files were put, with a slash at the end; empty: they lie where they belong
    shown: str = ""  # what stands in place of that: `HEAD~1:`

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self.loaded.policy

    def named(self, text: str) -> str:
        """*text* with its files as the user knows them."""
        return text.replace(self.below, self.shown) if self.below else text

    def places(self, at: datetime) -> dict[tuple[str, str], str]:
        """`FILE:LINE` by app and `KIND:PATTERN` of each endpoint that stands in a policy file."""
        survey = Survey(self.loaded, at)
        return {
            (each.app, f"{each.pattern.kind.key}:{each.pattern.text}"): self.named(
                f"{survey.documents[each.layer].name}:{survey.documents[each.layer].position(each.path)[0]}"
            )
            for each in survey.places
        }


@dataclass(frozen=True, slots=True)
class PlacedEndpoint:
    """An endpoint that changes, with where it stands."""

    change: EndpointChange
    place: str  # in the new policy, else in the old one; empty for what `stores` made

    def document(self) -> dict[str, Any]:
        """The object that `diff --json` has for it."""
        change = self.change
        return {
            "app": change.app,
            "endpoint": change.endpoint,
            "old": _standing(change.old),
            "new": _standing(change.new),
            "from": str(change.before),
            "to": str(change.after),
            "would": str(change.would) if change.would is not None else None,
            "place": self.place or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludeChange:
    """A pattern that is, or is no longer, taken out of an app."""

    app: str
    exclude: str  # KIND:PATTERN
    added: bool
    before: Verdict  # on a request that it stands for
    after: Verdict

    def document(self) -> dict[str, Any]:
        """The object that `diff --json` has for it."""
        return {"app": self.app, "endpoint": self.exclude, "from": str(self.before), "to": str(self.after)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChange:
    """A long list whose names are not what they were."""

    app: str
    source: str
    added: int
    removed: int
    some_added: tuple[str, ...]
    some_removed: tuple[str, ...]
    verdicts: tuple[tuple[Verdict, Verdict, int], ...]  # before, after, on how many of the names; those that differ
    judged: int  # names that were asked for


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that is otherwise."""

    key: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that differs, at one instant and over a time."""

    old: Side
    new: Side
    at: datetime
    verdicts: VerdictChanges
    comparison: Comparison  # both as if in mode enforce
    endpoints: tuple[PlacedEndpoint, ...]
    excludes: tuple[ExcludeChange, ...]
    lists: tuple[ListChange, ...]
    rules: tuple[RuleChange, ...]
    settings: tuple[SettingChange, ...]
    traffic: TrafficEffect | None = None

    @property
    def changes_verdicts(self) -> bool:
        """Whether any verdict that was asked for is otherwise."""
        return bool(
            self.verdicts.periods
            or any(each.change.milder or each.change.stricter for each in self.endpoints)
            or any(each.before is not each.after for each in self.excludes)
            or any(each.verdicts for each in self.lists)
            or (self.traffic is not None and self.traffic.changed)
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs that could be found."""
        told = (self.verdicts.periods, self.comparison, self.endpoints, self.lists, self.rules, self.settings)
        return not any(told) and not self.changes_verdicts

    def document(self) -> dict[str, Any]:
        """The object that `diff --json` prints."""
        comparison = self.comparison
        return {
            "old": {"label": self.old.label, "digest": self.old.loaded.digest},
            "new": {"label": self.new.label, "digest": self.new.loaded.digest},
            "at": self.at.isoformat(),
            "changes_verdicts": self.changes_verdicts,
            "traffic": self.traffic.document() if self.traffic is not None else None,
            "verdicts": [period.document() for period in self.verdicts.periods],
            "incomplete": list(self.verdicts.incomplete),
            "apps": {"added": list(comparison.apps_added), "removed": list(comparison.apps_removed)},
            "endpoints": [each.document() for each in self.endpoints],
            "excludes": {
                "added": [each.document() for each in self.excludes if each.added],
                "removed": [each.document() for each in self.excludes if not each.added],
            },
            "lists": [
                {
                    "app": each.app,
                    "list": each.source,
                    "added": each.added,
                    "removed": each.removed,
                    "some_added": list(each.some_added),
                    "some_removed": list(each.some_removed),
                    "verdicts": [
                        {"from": str(before), "to": str(after), "names": count}
                        for before, after, count in each.verdicts
                    ],
                    "judged": each.judged,
                }
                for each in self.lists
            ],
            "rules": [
                {
                    "rule": each.rule,
                    "change": each.fate.value,
                    "before": each.before or None,
                    "after": each.after or None,
                    "what": list(each.what),
                }
                for each in self.rules
            ],
            "authorities": list(comparison.authorities),
            "settings": [{"key": each.key, "from": each.before, "to": each.after} for each in self.settings],
        }


def difference(old: Side, new: Side, at: datetime, end: datetime, traffic: TrafficEffect | None = None) -> Difference:
    """What *new* does otherwise than *old* at *at*, and from then to *end* (aware, UTC)."""
    comparison = compare(old.policy, new.policy, at)
    before, after = old.places(at), new.places(at)
    return Difference(
        old=old,
        new=new,
        at=at,
        verdicts=verdict_changes(old.policy, new.policy, at, end),
        comparison=comparison,
        endpoints=tuple(
            PlacedEndpoint(each, after.get((each.app, each.endpoint)) or before.get((each.app, each.endpoint), ""))
            for each in comparison.endpoints
        ),
        excludes=tuple(_excludes(old, new, comparison, at)),
        lists=tuple(_lists(old, new, at)),
        rules=tuple(
            RuleChange(
                rule=each.rule,
                fate=each.fate,
                before=old.named(each.before),
                after=new.named(each.after),
                what=each.what,
            )
            for each in rule_changes(old.policy, new.policy)
        ),
        settings=tuple(_settings(old.policy.settings, new.policy.settings)),
        traffic=traffic,
    )


def _excludes(old: Side, new: Side, comparison: Comparison, at: datetime) -> Iterator[ExcludeChange]:
    for side, told in ((new, comparison.excludes_added), (old, comparison.excludes_removed)):
        for app, text in told:
            pattern = next(each.pattern for each in side.policy.apps[app].exclude if str(each) == text)
            before, after = _verdicts(old, new, pattern, at)
            yield ExcludeChange(app=app, exclude=text, added=side is new, before=before, after=after)


def _lists(old: Side, new: Side, at: datetime) -> Iterator[ListChange]:
    before, after = _names(old), _names(new)
    for app, source in sorted(before.keys() | after.keys()):
        was, is_now = set(before.get((app, source), ())), set(after.get((app, source), ()))
        if was == is_now:
            continue
        added, removed = sorted(is_now - was), sorted(was - is_now)
        asked = list(islice(chain(added, removed), _MOST_JUDGED))
        found = Counter(_verdicts(old, new, pattern, at) for pattern in map(domain_pattern, asked))
        yield ListChange(
            app=app,
            source=source,
            added=len(added),
            removed=len(removed),
            some_added=tuple(added[:_MOST_NAMES]),
            some_removed=tuple(removed[:_MOST_NAMES]),
            verdicts=tuple((*pair, count) for pair, count in sorted(found.items()) if pair[0] is not pair[1]),
            judged=len(asked),
        )


def _verdicts(old: Side, new: Side, pattern: Pattern, at: datetime) -> tuple[Verdict, Verdict]:
    """What both policies decide on a request for which *pattern* stands; one on which they differ, if there is one."""
    pairs = [
        (decide(old.policy, request).verdict, decide(new.policy, request).verdict) for request in samples(pattern, at)
    ]
    return next((pair for pair in pairs if pair[0] is not pair[1]), pairs[0])


def _names(side: Side) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for named in side.loaded.assembly.lists():
        key = (named.domains.app, side.named(named.domains.source).removeprefix(side.shown))
        found[key] = found.get(key, ()) + named.names
    return found


def _settings(old: Settings, new: Settings, above: str = "") -> Iterator[SettingChange]:
    for each in fields(old):
        before, after = getattr(old, each.name), getattr(new, each.name)
        if isinstance(before, LogSettings):
            yield from _settings(before, after, "log.")  # type: ignore[arg-type]
        elif before != after:
            yield SettingChange(f"{above}{each.name}", _setting(before), _setting(after))


def _setting(value: object) -> str:
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(getattr(each, "text", str(each)) for each in value)) or "-"
    return "-" if value is None else str(value)


def _standing(standing: Standing | None) -> dict[str, Any] | None:
    if standing is None:
        return None
    return {"role": standing.role.value, "shared": standing.shared, "shadow": standing.on_trial}
