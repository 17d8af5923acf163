"""Warnings on rules that `decrypt` leaves blind: what they block is seen inside TLS alone, and that stays closed."""

from collections.abc import Iterator

from embargo.core.opening import always_holds
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Surface
from embargo.core.rules import Action, Decrypt, Rule
from embargo.policy.problem import Problem
from embargo.policy.reach import meets, never
from embargo.policy.survey import Survey, counted

_INSIDE = frozenset({Surface.HTTP, Surface.WEBSOCKET})
_STILL = "in plain HTTP it still sees them"


def warnings(survey: Survey) -> Iterator[Problem]:
    """Those on *survey*, in no order."""
    for rule in survey.policy.rules:
        if not rule.enabled or rule.action is not Action.BLOCK or (rule.surfaces and not rule.surfaces & _INSIDE):
            continue
        if not never(survey, rule):  # else it is told that it never matches, whatever is opened
            yield from _closed(survey, rule)
            yield from _never_opened(survey, rule)


def _closed(survey: Survey, rule: Rule) -> Iterator[Problem]:
    if survey.policy.settings.decrypt is not Decrypt.NONE:
        return
    if rule.surfaces and rule.surfaces <= _INSIDE:
        message = f"`decrypt: none` leaves the rule {rule.id!r} blind: it is for what is inside TLS"
        yield survey.of_rule(rule, "blind-rule", message, _STILL, "surfaces")
    elif rule.hosts and all(pattern.kind is Kind.URL for pattern in rule.hosts):
        message = f"`decrypt: none` leaves the rule {rule.id!r} blind: its hosts are urls, seen inside TLS alone"
        yield survey.of_rule(rule, "blind-rule", message, _STILL, "hosts")
    elif urls := list(_urls(survey, rule)):
        yield survey.of_rule(rule, "blind-rule", _message(rule, urls, "`decrypt: none`"), _STILL)


def _never_opened(survey: Survey, rule: Rule) -> Iterator[Problem]:
    settings = survey.policy.settings
    if settings.decrypt is Decrypt.NONE:
        return
    urls = [pattern for pattern in rule.hosts if pattern.kind is Kind.URL] or list(_urls(survey, rule))
    if never := [pattern for pattern in urls if _covered(pattern.host, settings.never_decrypt)]:
        yield survey.of_rule(rule, "blind-rule", _message(rule, never, "`never_decrypt`"), _STILL)


def _message(rule: Rule, urls: list[Pattern], by: str) -> str:
    count = counted(len(urls), "url")
    first = f"the first {urls[0].text!r}" if len(urls) > 1 else repr(urls[0].text)
    return f"{by} leaves the rule {rule.id!r} blind to {count}, seen inside TLS alone: {first}"


def _urls(survey: Survey, rule: Rule) -> Iterator[Pattern]:
    """The url endpoints that *rule* may block: those for which no rule before it decides always are its own."""
    for app in survey.apps_of(rule):
        before = survey.policy.rules_of[app.id]
        for endpoint in app.endpoints:
            if endpoint.pattern.kind is not Kind.URL or not rule.fits(endpoint.role, endpoint.shared):
                continue
            if rule.hosts and not any(meets(one, endpoint.pattern) for one in rule.hosts):
                continue
            deciding = next(
                (
                    each
                    for each in before
                    if not each.shadow and always_holds(each, survey.now) and each.fits(endpoint.role, endpoint.shared)
                ),
                rule,
            )
            if before.index(rule) <= before.index(deciding):
                yield endpoint.pattern


def _covered(host: str, patterns: tuple[Pattern, ...]) -> bool:
    return any(
        pattern.kind in (Kind.DOMAIN, Kind.HOST)
        and (host == pattern.text or (pattern.kind is Kind.DOMAIN and host.endswith("." + pattern.text)))
        for pattern in patterns
    )
