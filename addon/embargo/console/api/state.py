"""How things are, by the API: proxies, policy, reviews; and the description of the API itself."""

import json
from dataclasses import replace
from typing import Any

from flask import jsonify, url_for
from werkzeug.exceptions import BadRequest, ServiceUnavailable
from werkzeug.wrappers import Response

from embargo.console.access.rights import Right, requires
from embargo.console.api.blueprint import blueprint, known, selected, whole
from embargo.console.api.openapi import document as described
from embargo.console.api.records import after
from embargo.console.context import console, loaded, now, settings, store
from embargo.console.freshness import refresh
from embargo.journal.query import parse_query
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.status import Status, crews, disagreement, running
from embargo.paths import runtime_directory

REVIEWS = ("record-marked", "period-signed-off")  # event.action of what auditors say
_MOST = 1_000
_PATIENCE = 1.0  # seconds for a proxy to answer in


@blueprint.get("/openapi.json")
@requires(Right.ANYONE)
def document() -> Response:
    """The description of this API."""
    known()
    return jsonify(described())


@blueprint.get("/health")
@requires(Right.HEALTH)
def health() -> Response:
    """What each proxy process of this machine says of itself, what is wrong, and how the store stands."""
    known()
    try:
        statuses = running(settings().runtime or runtime_directory(), _PATIENCE)
    except OSError as failure:
        raise ServiceUnavailable(f"the proxies cannot be asked: {failure.strerror or failure}") from failure
    apart = [told for workers in crews(statuses).values() if (told := disagreement(workers)) is not None]
    found = store().status()
    return jsonify(
        {
            "findings": [*(finding for status in statuses for finding in status.findings()), *apart],
            "proxies": [_proxy(status) for status in statuses],
            "store": {
                "records": found.rows,
                "behind": found.behind,
                "broken": found.broken,
                "newest": found.newest.isoformat().replace("+00:00", "Z") if found.newest is not None else None,
            },
        }
    )


@blueprint.get("/policy")
@requires(Right.POLICY)
def policy() -> Response:
    """The policy of the files: its digest, its rules in the order in which they are asked, what refuses a newer one."""
    known()
    found = loaded()
    refused = console().refused
    return jsonify(
        {
            "digest": found.digest,
            "mode": found.policy.settings.mode.value,
            "files": [layer.name for layer in found.layers],
            "rules": [_rule(rule) for rule in found.policy.rules],
            "refused": [str(each) for each in refused.problems] if refused is not None else [],
        }
    )


@blueprint.get("/reviews")
@requires(Right.ROWS)
def reviews() -> Response:
    """What auditors have said: marks of records and sign-offs of periods, newest first."""
    asked = selected("after", "limit")
    limit = whole("limit", 100, 1, _MOST)
    if any(term.key == "action" for term in asked.query.terms):
        raise BadRequest("the action is chosen already: a filter here has other terms")
    either = parse_query([f"action:{action}" for action in REVIEWS], now()).terms
    query = replace(asked.query, terms=(*asked.query.terms, *either))
    if asked.snapshot is None:
        refresh()
    snapshot = asked.snapshot if asked.snapshot is not None else store().snapshot()
    page = store().page(query, snapshot, after(), limit)
    items = [found for _, line in store().lines(page.rows) if line is not None and (found := _review(line))]
    onward = None
    if page.next is not None:
        onward = url_for("api.reviews", q=str(asked.query), snapshot=snapshot, after=str(page.next), limit=limit)
    return jsonify({"items": items, "snapshot": snapshot, "query": str(asked.query), "next": onward})


def _review(line: bytes) -> dict[str, Any] | None:
    try:
        found = Record.parse(line)
    except BrokenRecord:
        return None
    details = found.document.get("embargo", {}).get("console", {})
    return {
        "id": found.id,
        "time": found.document["@timestamp"],
        "action": found.action,
        "by": found.user,
        "note": found.reason,
        "details": details if isinstance(details, dict) else {},
    }


def _proxy(status: Status) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(json.dumps(dict(status.answer), default=str))
    return {
        "pid": status.pid,
        "state": status.liveness.value,
        "error": status.error,
        "findings": list(status.findings()),
        "answer": answer,
    }


def _rule(rule: Any) -> dict[str, Any]:
    return {
        "id": rule.id,
        "action": rule.action.value,
        "enabled": rule.enabled,
        "shadow": rule.shadow,
        "exception": rule.exception,
        "reason": rule.reason,
    }
