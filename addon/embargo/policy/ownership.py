"""Warnings on apps and groups as such: replaced whole, named by no rule, known from nowhere, used by nothing."""

from collections import defaultdict
from collections.abc import Iterator

from embargo.policy.problem import Problem
from embargo.policy.survey import Place, Survey


def warnings(survey: Survey) -> Iterator[Problem]:
    """Those on *survey*, in no order."""
    yield from _replaced(survey)
    yield from _unnamed(survey)
    yield from _without_evidence(survey)
    yield from _unused_groups(survey)


def _replaced(survey: Survey) -> Iterator[Problem]:
    for app, layer, before in survey.replaced:
        message = f"replaces the app {app!r} of {survey.documents[before].name} whole"
        yield survey.warning(layer, ("apps", app), "replaced-app", message, "`extend: true` adds to it", key=True)


def _unnamed(survey: Survey) -> Iterator[Problem]:
    for app in sorted(survey.unnamed):
        message = f"no rule names the app {app!r}: {survey.policy.settings.default} by settings.default"
        hint = f"name it under `apps` of a rule: {{id: …, apps: {app}, action: …}}"
        yield survey.warning(survey.forms[app][0][0], ("apps", app), "app-without-rule", message, hint, key=True)


def _without_evidence(survey: Survey) -> Iterator[Problem]:
    bare: dict[str, list[Place]] = defaultdict(list)
    for place in survey.places:
        if not place.endpoint.evidence:
            bare[place.app].append(place)
    for found in bare.values():
        first = found[0]
        of = "an endpoint has" if len(found) == 1 else f"{len(found)} endpoints have"
        message = f"{of} no evidence, the first {first.pattern.text!r}" if len(found) > 1 else f"{of} no evidence"
        hint = "say where it is known from: {domain: …, evidence: …}"
        yield survey.warning(first.layer, first.path, "no-evidence", message, hint)


def _unused_groups(survey: Survey) -> Iterator[Problem]:
    used = {group.id for rule in survey.policy.rules for group in (*rule.groups, *rule.not_groups)}
    for name in sorted(set(survey.policy.groups) - used):
        layer = survey.last("groups", name)
        message, hint = f"no rule uses the group {name!r}", "name it under `groups` of a rule, or delete it"
        yield survey.warning(layer, ("groups", name), "unused-group", message, hint, key=True)
