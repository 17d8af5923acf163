"""Exceptions that do not hold, since an order in force stands against them and they lack what that needs."""

from collections.abc import Iterator
from datetime import datetime

from embargo.core.criteria import without_warrant
from embargo.core.horizon import dates_of
from embargo.core.rules import Policy, Rule
from embargo.policy.document import Document
from embargo.policy.load import Loaded
from embargo.policy.problem import Problem, Severity


def unwarranted(loaded: Loaded, now: datetime) -> Iterator[Problem]:
    """A warning for each exception that does not hold for an app, from *now* (aware, UTC) on, and how to mend it."""
    documents = {layer.document.name: layer.document for layer in loaded.layers if layer.exceptions}
    for rule in loaded.policy.rules:
        if rule.exception and rule.enabled and rule.lacks and rule.layer in documents:
            for app, orders, since in _void(loaded.policy, rule, now):
                yield _warning(documents[rule.layer], rule, app, orders, since if since > now else None)


def _void(policy: Policy, rule: Rule, now: datetime) -> Iterator[tuple[str, tuple[str, ...], datetime]]:
    """Each app for which *rule* does not hold, the orders against it, and from when on (*now* or later)."""
    begins = max(now, rule.since) if rule.since is not None else now
    told: set[str] = set()
    selected = [app.id for app in policy.apps.values() if rule.apps.selects(app)]
    dates = {date for app in selected for date in dates_of(policy, app) if date > begins}
    for instant in sorted({begins, *dates}):
        if rule.until is not None and instant >= rule.until:
            return
        for app, orders in without_warrant(policy, rule, instant):
            if app not in told:
                told.add(app)
                yield app, orders, instant


def _warning(document: Document, rule: Rule, app: str, orders: tuple[str, ...], since: datetime | None) -> Problem:
    verbs = "is in force and binds" if len(orders) == 1 else "are in force and bind"
    when = f" from {since:%Y-%m-%d} on" if since is not None else ""
    message = (
        f"the exception {rule.id!r} does not hold for {app!r}{when}: {' and '.join(orders)} {verbs} this organization"
    )
    hint = f"it needs {', '.join(rule.lacks)}"
    index = next(number for number, entry in enumerate(document.root["rules"]) if entry["id"] == rule.id)
    return document.problem(("rules", index), "exception-without-basis", message, hint, severity=Severity.WARNING)
