"""Apps and devices by the API."""

from flask import jsonify, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from embargo.console.access.rights import Right, requires
from embargo.console.api.blueprint import blueprint, known, selected, whole
from embargo.console.context import now, policy, store
from embargo.console.freshness import refresh
from embargo.review.catalogue import account, accounts
from embargo.review.exception_document import time_text
from embargo.review.remainder import remainder

MOST = 1_000  # devices a page
USUAL = 100


@blueprint.get("/apps")
@requires(Right.COUNTS)
def apps() -> Response:
    """The catalogue, an app a line, with the verdict that its endpoints get now."""
    known()
    return jsonify({"items": [each.summary() for each in accounts(policy(), now())]})


@blueprint.get("/apps/<identifier>")
@requires(Right.COUNTS)
def app(identifier: str) -> Response:
    """One app in full: endpoints with evidence, authorities with their state, what is not blocked and why."""
    known()
    judged = policy()
    if identifier not in judged.apps:
        raise NotFound("there is no app of that id")
    found = account(judged, judged.apps[identifier], now())
    return jsonify({**found.document(), **remainder(judged, found, now()).document()})


@blueprint.get("/devices")
@requires(Right.ROWS)
def devices() -> Response:
    """What each client had to do with each app, in order of client and app."""
    asked = selected("after", "limit")
    limit = whole("limit", USUAL, 1, MOST)
    snapshot = asked.snapshot
    if snapshot is None:
        refresh()
        snapshot = store().snapshot()
    after = request.args.get("after", "")
    found = sorted(store().devices(asked.query, snapshot), key=lambda each: f"{each.client} {each.app}")
    rest = [each for each in found if f"{each.client} {each.app}" > after] if after else found
    page = rest[:limit]
    onward = None
    if len(rest) > limit:
        last = page[-1]
        onward = url_for(
            "api.devices", q=str(asked.query), snapshot=snapshot, after=f"{last.client} {last.app}", limit=limit
        )
    items = [
        {
            "client": each.client,
            "app": each.app,
            "users": list(each.users),
            "first": time_text(each.first),
            "last": time_text(each.last),
            "attempts": each.attempts,
            "shared": each.shared,
            "days": each.days,
            "query": str(each.query),
        }
        for each in page
    ]
    response = jsonify({"items": items, "snapshot": snapshot, "query": str(asked.query), "next": onward})
    if onward is not None:
        response.headers["Link"] = f'<{onward}>; rel="next"'
    return response
