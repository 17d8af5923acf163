"""Exceptions as JSON values: what `embargo except --json` prints and the console's API answers."""

from datetime import datetime
from typing import Any

from embargo.core.rules import Rule
from embargo.review.exceptions import Standing
from embargo.review.exempting import Plan
from embargo.review.opened import Effect, obstacle

type Document = dict[str, Any]


def plan_document(plan: Plan, file: str, *, written: bool, refused: str | None = None) -> Document:
    """A change of the exceptions *file*, and what it would do."""
    return {
        **rule_document(plan.rule),
        "against": list(plan.against),
        "opens": [_effect(effect) for effect in plan.opened],
        "keeps": [{**_effect(effect), "why": obstacle(effect)} for effect in plan.kept],
        "file": file,
        "written": written,
        "refused": refused,
        "failed_tests": list(plan.failed),
    }


def standing_document(standing: Standing) -> Document:
    """An exception at an instant."""
    return {
        **rule_document(standing.rule),
        "state": standing.state.value,
        "left_seconds": int(standing.left) if standing.left is not None else None,
        "void_for": [{"app": app, "against": list(orders)} for app, orders in standing.void_for],
    }


def rule_document(rule: Rule) -> Document:
    """The rule of an exception."""
    return {
        "id": rule.id,
        "apps": ["all"] if rule.apps.all else sorted(rule.apps.ids),
        "hosts": [f"{pattern.kind.key}:{pattern.text}" for pattern in rule.hosts],
        "clients": [str(network) for network in rule.clients],
        "users": sorted(rule.users),
        "groups": [group.id for group in rule.groups],
        "action": rule.action.value,
        "from": time_text(rule.since) if rule.since is not None else None,
        "until": time_text(rule.until) if rule.until is not None else None,
        "enabled": rule.enabled,
        "reason": rule.reason,
        "author": rule.author,
        "approved_by": rule.approved_by,
        "ticket": rule.ticket,
        "basis": rule.basis.value if rule.basis is not None else None,
    }


def time_text(instant: datetime) -> str:
    """*instant* (UTC) as `2026-11-24T10:00:00Z`."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _effect(effect: Effect) -> Document:
    return {
        "app": effect.app,
        "endpoint": effect.endpoint,
        "before": str(effect.before),
        "after": str(effect.after),
        "at": time_text(effect.at),
    }
