"""Warnings on what a refused client is to get: answers that no surface of the rule can give, texts nobody is shown."""

from collections.abc import Iterator

from embargo.core.decision import response_on
from embargo.core.request import Surface
from embargo.core.rules import Action, Rule
from embargo.policy.problem import Problem
from embargo.policy.survey import Survey

_SHOWN = (Surface.CONNECT, Surface.HTTP, Surface.WEBSOCKET)  # where a client can be told something in words


def warnings(survey: Survey) -> Iterator[Problem]:
    """Those on *survey*, in no order."""
    for rule in survey.policy.rules:
        if not rule.enabled:
            continue
        if rule.action is not Action.BLOCK:
            yield from _refuses_nothing(survey, rule)
            continue
        yield from _unfitting(survey, rule)
        yield from _languages(survey, rule)


def _refuses_nothing(survey: Survey, rule: Rule) -> Iterator[Problem]:
    for key in ("respond", "message"):
        if getattr(rule, key):
            message = f"the rule {rule.id!r} refuses nothing ({rule.action}), so its {key} is never used"
            yield survey.of_rule(rule, "unused-answer", message, "leave it out", key)


def _unfitting(survey: Survey, rule: Rule) -> Iterator[Problem]:
    surfaces = rule.surfaces or frozenset(Surface)
    chosen = {response_on(rule.respond, surface) for surface in surfaces}
    for wish in rule.respond:
        if wish in chosen:
            continue
        if any(response_on([wish], surface) is wish for surface in surfaces):
            message = f"{wish} is never used: what stands before it fits wherever it would"
        else:
            places = " or ".join(sorted(surfaces))
            message = f"{wish} is no answer that can be given at {places}, the surfaces of the rule {rule.id!r}"
        yield survey.of_rule(rule, "unused-answer", message, "leave it out", "respond")
    if rule.message and not surfaces & frozenset(_SHOWN):
        message = f"the message of the rule {rule.id!r} is never shown: no client is told anything at its surfaces"
        yield survey.of_rule(rule, "unused-answer", message, "leave it out", "message")


def _languages(survey: Survey, rule: Rule) -> Iterator[Problem]:
    tags = list(rule.message)
    if len(tags) < 2 or {"", "en"} & set(tags):
        return
    message = f"the message of the rule {rule.id!r} has no `en`: who asks for another language is shown {tags[0]!r}"
    yield survey.of_rule(rule, "no-default-language", message, 'say which is for all others: `"*": TEXT`', "message")
