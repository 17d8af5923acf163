"""Warnings on tests that would pass by another rule than the one they are about."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from embargo.core.inquiry import answer
from embargo.core.rules import Policy
from embargo.policy.cases import Case, cases_of
from embargo.policy.problem import Problem, Severity
from embargo.policy.survey import Survey


def warnings(survey: Survey) -> Iterator[Problem]:
    """Those on *survey*, in no order: one a file."""
    by_layer: dict[int, list[Case]] = defaultdict(list)
    for case in cases_of(survey.loaded):
        by_layer[case.layer].append(case)
    for number, cases in by_layer.items():
        policy = survey.loaded.policy_of(number)
        found = [case for case in cases if _is_open(case, policy, survey.now)]
        if found:
            yield _warning(found)


def _is_open(case: Case, policy: Policy, now: datetime) -> bool:
    """Whether *case* says a verdict that more than one rule could give to the app asked for, and not by which."""
    expected = case.form.expect
    if case.form.rule is not None or expected is None or (inquiry := case.inquiry(policy, now)) is None:
        return False
    apps = answer(policy, inquiry).decision.apps
    rules = {rule.id: rule.action for app in apps for rule in policy.rules_of[app] if not rule.shadow}
    deciding = [*rules.values(), policy.settings.default] if apps else []
    return sum(action.value == expected.value for action in deciding) > 1


def _warning(found: list[Case]) -> Problem:
    first = found[0]
    count = "a test names" if len(found) == 1 else f"{len(found)} tests name"
    which = f"{first.request!r}" if len(found) == 1 else f"the first {first.request!r}"
    message = f"{count} no rule, though several could give that verdict: {which}"
    hint = "add `rule:`, so that it fails when another decides"
    return Problem(
        first.file, first.line, first.column, "test-without-rule", first.path, message, hint, Severity.WARNING
    )
