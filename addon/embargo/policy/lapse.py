"""Warnings on what time has overtaken, or soon will: rules that ended or end, authorities that nobody looked at."""

from collections.abc import Iterator
from datetime import timedelta

from embargo.policy.problem import Problem
from embargo.policy.survey import Survey

REVIEW = timedelta(days=180)  # after which an authority's timeline is asked about
SOON = timedelta(days=30)  # in which the end of a rule is told beforehand


def warnings(survey: Survey) -> Iterator[Problem]:
    """Those on *survey*, in no order."""
    for rule in survey.policy.rules:
        if not rule.enabled or rule.until is None:
            continue
        if rule.until <= survey.now:
            noun = "exception" if rule.exception else "rule"
            message = f"the {noun} {rule.id!r} ended on {rule.until:%Y-%m-%d}"
            hint = "delete it; the log keeps its history" if rule.exception else "delete it, or renew it"
            yield survey.of_rule(rule, "rule-ended", message, hint, "until")
        elif rule.until <= survey.now + SOON and not rule.exception:  # an exception is timed to begin with
            days = (rule.until - survey.now).days
            when = {0: "within a day", 1: "in a day"}.get(days, f"in {days} days")
            message = f"the rule {rule.id!r} ends on {rule.until:%Y-%m-%d}, {when}"
            hint = "renew it, or see what holds then: `embargo explain --at`"
            yield survey.of_rule(rule, "rule-ends-soon", message, hint, "until")
    yield from _authorities(survey)


def _authorities(survey: Survey) -> Iterator[Problem]:
    for authority in survey.policy.authorities.values():
        layer, path = survey.last("authorities", authority.id), ("authorities", authority.id)
        if authority.reviewed is None:
            if authority.timeline.changes:  # else there is nothing to review
                message = f"nobody is said to have reviewed the timeline of the authority {authority.id!r}"
                hint = "see what became of it, and note the day: `reviewed: 2026-11-24`"
                yield survey.warning(layer, path, "not-reviewed", message, hint, key=True)
            continue
        if survey.now.date() - authority.reviewed > REVIEW:
            days = (survey.now.date() - authority.reviewed).days
            message = f"the authority {authority.id!r} was last reviewed {days} days ago"
            hint = "see what became of it: a rule follows the file, not the court"
            yield survey.warning(layer, (*path, "reviewed"), "not-reviewed", message, hint)
