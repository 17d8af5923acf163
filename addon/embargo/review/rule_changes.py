"""Which rules another policy adds, removes, changes and moves, and what of each, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from difflib import SequenceMatcher
from enum import StrEnum

from embargo.core.pattern import Pattern
from embargo.core.rules import AppSelector, Group, Policy, Rule
from embargo.core.schedule import Schedule
from embargo.review.explain import place
from embargo.review.unmet import hours_of, when

_WORDS = {"since": "from"}  # of a field that a policy file calls otherwise
_PLACES = frozenset({"id", "layer", "line"})
_NOTHING = "none"


class RuleFate(StrEnum):
    """What became of a rule."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"  # asked earlier or later among the others


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """A rule that is not what it was."""

    rule: str
    fate: RuleFate
    before: str  # `site.yaml:12`; empty where there is none
    after: str
    what: tuple[str, ...]  # `action: log -> block`


def rule_changes(old: Policy, new: Policy) -> tuple[RuleChange, ...]:
    """The rules that *new* adds, removes, changes and moves, in the order in which it asks them; removed ones last."""
    return tuple(_changes(old, new))


def _changes(old: Policy, new: Policy) -> Iterator[RuleChange]:
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    moved = _moved([each for each in before if each in after], [each for each in after if each in before])
    for rule in new.rules:
        was = before.get(rule.id)
        if was is None:
            yield RuleChange(rule=rule.id, fate=RuleFate.ADDED, before="", after=place(rule), what=tuple(_told(rule)))
        elif what := tuple(_otherwise(was, rule)):
            yield RuleChange(rule=rule.id, fate=RuleFate.CHANGED, before=place(was), after=place(rule), what=what)
        elif rule.id in moved:
            yield RuleChange(rule=rule.id, fate=RuleFate.MOVED, before=place(was), after=place(rule), what=())
    for rule in old.rules:
        if rule.id not in after:
            yield RuleChange(rule=rule.id, fate=RuleFate.REMOVED, before=place(rule), after="", what=tuple(_told(rule)))


def _moved(before: list[str], after: list[str]) -> set[str]:
    """Those that stand elsewhere among the ids that both orders have."""
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return set(after) - {each for block in blocks for each in after[block.b : block.b + block.size]}


def _told(rule: Rule) -> Iterator[str]:
    """What *rule* says, a criterion each."""
    plain = Rule(id="", apps=AppSelector(), action=rule.action)
    for each in fields(Rule):
        value = getattr(rule, each.name)
        if each.name not in _PLACES and (each.name == "action" or value != getattr(plain, each.name)):
            yield f"{_WORDS.get(each.name, each.name)}: {_words(value)}"


def _otherwise(was: Rule, rule: Rule) -> Iterator[str]:
    for each in fields(Rule):
        before, after = getattr(was, each.name), getattr(rule, each.name)
        if each.name not in _PLACES and before != after:
            word = _WORDS.get(each.name, each.name)
            if isinstance(before, tuple) and {getattr(group, "id", group) for group in before} == {
                getattr(group, "id", group) for group in after
            }:
                yield f"{word}: other members of {_words(after)}"
            else:
                yield f"{word}: {_words(before)} -> {_words(after)}"


def _words(value: object) -> str:
    match value:
        case None | "" | () | frozenset(()):
            return _NOTHING
        case bool():
            return "true" if value else "false"
        case datetime():
            return when(value)
        case Schedule():
            return hours_of(value)
        case AppSelector():
            named = [f"named_in {each}" for each in value.named_in]
            vendors = [f"vendor {each}" for each in sorted(value.vendors)]
            return ", ".join([*(["all"] if value.all else sorted(value.ids)), *named, *vendors]) or _NOTHING
        case Group():
            return value.id
        case Pattern():
            return f"{value.kind.key}:{value.text}"
        case Mapping():
            texts = [f"{language}: {text}" if language else str(text) for language, text in value.items()]
            return " / ".join(texts) or _NOTHING
        case tuple():
            return ", ".join(map(_words, value))
        case frozenset():
            return ", ".join(sorted(map(_words, value)))
        case _:
            return str(value)
