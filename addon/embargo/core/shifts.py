"""Verdicts that change, from single situations to few words: `tiktok for research: log to block`.

What changes alike is put together along each axis in turn (hours, who asks, kind of endpoint, surface, `hosts`), and an
axis along which all changes alike is not told. Nothing is left out by that, and nothing added.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from embargo.core.askers import NEWER, Asker
from embargo.core.decision import Verdict
from embargo.core.request import Surface
from embargo.core.situations import EndpointKind, Situation, Situations
from embargo.core.week import Holding

_MOST_WORDS = 4  # of a list in a line; `--json` has all
_KIND = "what is "
_SHARED, _UNSHARED = f"{_KIND}shared", f"{_KIND}not shared"

type HoursWords = Callable[[frozenset[Holding]], str]
type _Box = tuple[frozenset[Any], ...]


class Changed(NamedTuple):
    """A situation whose verdict changes while certain schedules hold."""

    situation: Situation
    holding: Holding
    before: Verdict
    after: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What goes from one verdict to another, in words; an empty one means all of it."""

    apps: tuple[str, ...]
    what: str  # of their endpoints: `api, shared cdn`
    who: str  # `research`, `all but research`
    hours: str  # `mon–fri 18:00–20:00 UTC`
    before: Verdict
    after: Verdict

    @property
    def subject(self) -> str:
        """What it is about: `tiktok (shared cdn) for research, mon–fri 18:00–20:00 UTC`."""
        text = listed(self.apps)
        text += f" ({self.what})" if self.what else ""
        text += f" for {self.who}" if self.who else ""
        return text + (f", {self.hours}," if self.hours else "")

    def __str__(self) -> str:
        goes = "go" if len(self.apps) > 1 else "goes"
        return f"{self.subject} {goes} from {self.before} to {self.after}"


def shifts(found: Iterable[Changed], whole: Situations, hours: HoursWords) -> list[Shift]:
    """*found*, of one app whose situations are *whole*, in as few shifts as that takes.

    *hours* says in words when one of several sets of schedules holds; empty for always.
    """
    alike: dict[tuple[Verdict, Verdict], set[_Box]] = defaultdict(set)
    for each in found:
        situation = each.situation
        point = (each.holding, situation.asker, situation.kind, situation.surfaces, situation.under)
        alike[each.before, each.after].add(tuple(frozenset((value,)) for value in point))
    app = whole.each[0].app if whole.each else ""
    return [
        Shift(
            apps=(app,),
            what=_what(whole, kinds, surfaces, under),
            who=who_words(askers, whole.askers),
            hours=hours(held),
            before=before,
            after=after,
        )
        for (before, after), points in sorted(alike.items(), reverse=True)
        for held, askers, kinds, surfaces, under in _boxes(points)
    ]


def together(found: Iterable[Shift]) -> tuple[Shift, ...]:
    """*found* with apps that shift alike in one; the strictest first."""
    alike: dict[tuple[str, str, str, Verdict, Verdict], list[str]] = defaultdict(list)
    for shift in found:
        alike[shift.what, shift.who, shift.hours, shift.before, shift.after] += shift.apps
    joined = [
        Shift(apps=tuple(sorted(set(apps))), what=what, who=who, hours=hours, before=before, after=after)
        for (what, who, hours, before, after), apps in alike.items()
    ]
    return tuple(sorted(joined, key=lambda each: (-each.after, each.before, each.apps, each.what, each.who)))


def who_words(askers: Collection[Asker], everybody: Sequence[Asker]) -> str:
    """Who *askers* are among *everybody*: by the groups and networks whose members they all are; empty for all."""
    members: dict[str, set[Asker]] = defaultdict(set)
    for asker in everybody:
        for label in asker.among:
            members[label].add(asker)
    words = _words(set(askers), set(everybody), members, handicap=1)
    if words is not None:
        return words
    whole = [label for label, those in members.items() if those <= set(askers)]
    rest = [each for each in everybody if each in askers and not set(each.among) & set(whole)]
    return listed([*whole, *(_asker_words(each, everybody, askers) for each in rest)])


def _asker_words(asker: Asker, everybody: Sequence[Asker], chosen: Collection[Asker]) -> str:
    """Who *asker* is, without those of the same groups who are not *chosen*: `research but not counsel`."""
    own = set(asker.among)
    excepted: list[str] = []
    for other in sorted(everybody, key=lambda each: len(each.among)):
        if own and other not in chosen and own < set(other.among) and not set(excepted) & set(other.among):
            label = next(label for label in other.among if label not in own)
            excepted.append("as it was" if f"{label}{NEWER}" in own else label)
    return f"{asker} but not {' or '.join(excepted)}" if excepted else str(asker)


def kind_words(kinds: Collection[EndpointKind], every: Collection[EndpointKind]) -> str:
    """*kinds* of endpoints among *every* kind of an app, by sharing and role; empty for all."""
    members: dict[str, set[EndpointKind]] = defaultdict(set)
    for kind in every:
        members[_SHARED if kind[1] else _UNSHARED].add(kind)
        members[kind[0].value].add(kind)
    words = _words(set(kinds), set(every), members, handicap=0)
    return (
        words
        if words is not None
        else listed([f"{'shared ' if shared else ''}{role}" for role, shared in sorted(kinds)])
    )


def listed(words: Sequence[str]) -> str:
    """*words* with commas; of many the first few, and how many more there are."""
    if len(words) <= _MOST_WORDS + 1:
        return ", ".join(words)
    return f"{', '.join(words[:_MOST_WORDS])} and {len(words) - _MOST_WORDS} more"


def _words[Value](
    chosen: set[Value], every: set[Value], members: Mapping[str, set[Value]], handicap: int
) -> str | None:
    """*chosen* of *every* by the words whose *members* they are, or by those of the others; None where none fit.

    The others are told where that takes fewer words than *chosen* with the *handicap*.
    """
    if not (others := every - chosen):
        return ""
    own, theirs = _labels(chosen, members), _labels(others, members)
    own_words = len(own) if own is not None else len(chosen) + handicap
    if theirs is not None and len(theirs) <= _MOST_WORDS and len(theirs) < own_words:
        return _all_but(theirs)
    return listed(own) if own is not None else None


def _all_but(labels: Sequence[str]) -> str:
    """All without *labels*; of several kinds so that nobody takes them for one: `neither shared nor store`."""
    kinds = [label.removeprefix(_KIND) for label in labels]
    if len(labels) > 1 and any(label.startswith(_KIND) for label in labels) and _UNSHARED not in labels:
        return f"neither {' nor '.join(kinds)}"
    return f"all but {' and '.join(labels)}"


def _labels[Value](chosen: set[Value], members: Mapping[str, set[Value]]) -> list[str] | None:
    """The words whose members make up *chosen*, those with the most members first; None where none do."""
    within = {label: those for label, those in members.items() if those <= chosen}
    left, found = set(chosen), []
    for label, those in sorted(within.items(), key=lambda item: -len(item[1])):
        if left & those:
            found.append(label)
            left -= those
    return found if not left else None


def _boxes(points: set[_Box]) -> list[_Box]:
    """*points* put together along each axis in turn: the fewest boxes that a single pass finds."""
    boxes = points
    for axis in range(5):
        alike: dict[_Box, frozenset[Any]] = {}
        for box in boxes:
            rest = (*box[:axis], *box[axis + 1 :])
            alike[rest] = alike.get(rest, frozenset()) | box[axis]
        boxes = {(*rest[:axis], merged, *rest[axis:]) for rest, merged in alike.items()}
    return sorted(boxes, key=lambda box: sorted(map(repr, box[2])))


def _what(
    whole: Situations,
    kinds: frozenset[EndpointKind],
    surfaces: frozenset[tuple[Surface, ...]],
    under: frozenset[tuple[str, ...]],
) -> str:
    words = [kind_words(kinds, {situation.kind for situation in whole.each})]
    if under != {situation.under for situation in whole.each if situation.kind in kinds}:
        named = sorted({pattern for patterns in under for pattern in patterns})
        words.append(f"under {listed(named)}" if named else "other names")
    if surfaces != {situation.surfaces for situation in whole.each}:
        words.append(f"at {listed([each for alike in sorted(surfaces) for each in alike])}")
    return ", ".join(filter(None, words))
