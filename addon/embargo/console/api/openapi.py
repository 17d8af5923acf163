"""The description of the API: an OpenAPI 3.1 document, made from one table of operations.

The manual's reference is made from it, and the tests hold it against the routes, their rights, and what they answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embargo import __version__
from embargo.console.access.rights import Right
from embargo.console.api.schemas import SCHEMAS, Schema, ref
from embargo.journal.store import Dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What can be asked."""

    method: str
    path: str  # below the prefix, with {variables}
    name: str  # of the view in Flask, without the blueprint
    right: Right
    summary: str
    parameters: tuple[str, ...] = ()  # keys of PARAMETERS
    body: str | None = None  # name of a schema
    answer: str  # name of a schema
    status: int = 200
    others: Mapping[int, str] | None = None  # more answers with the same schema: what they mean
    refusals: tuple[int, ...] = ()  # besides 400, 401, 403


_Q = ("q", "since", "until", "snapshot")

OPERATIONS = (
    Operation(
        method="get", path="/records", name="records", right=Right.ROWS, answer="Records",
        summary="Records, newest first, a page at a time", parameters=(*_Q, "after", "limit"), refusals=(422,),
    ),
    Operation(
        method="get", path="/records/{identifier}", name="record", right=Right.ROWS, answer="Record",
        summary="The record with that `event.id`", parameters=("identifier",), refusals=(404,),
    ),
    Operation(
        method="get", path="/counts", name="counts", right=Right.COUNTS, answer="Counted",
        summary="How many records there are, by class", parameters=_Q, refusals=(422,),
    ),
    Operation(
        method="get", path="/series", name="series", right=Right.COUNTS, answer="Series",
        summary="The same over time", parameters=(*_Q, "bucket"), refusals=(422,),
    ),
    Operation(
        method="get", path="/top", name="top", right=Right.COUNTS, answer="Top",
        summary="The values that come most often", parameters=(*_Q, "by", "limit_top"), refusals=(422,),
    ),
    Operation(
        method="get", path="/apps", name="apps", right=Right.COUNTS, answer="Apps", summary="The catalogue",
        refusals=(503,),
    ),
    Operation(
        method="get", path="/apps/{identifier}", name="app", right=Right.COUNTS, answer="App",
        summary="One app in full", parameters=("identifier",), refusals=(404, 503),
    ),
    Operation(
        method="get", path="/devices", name="devices", right=Right.ROWS, answer="Devices",
        summary="What each client had to do with each app", parameters=(*_Q, "after_device", "limit"), refusals=(422,),
    ),
    Operation(
        method="get", path="/exceptions", name="exceptions", right=Right.EXCEPTIONS, answer="Exceptions",
        summary="Every exception, and what it is now", refusals=(503,),
    ),
    Operation(
        method="post", path="/exceptions", name="grant", right=Right.EXCEPTION_GRANT, answer="Plan", status=201,
        summary="Grant an exception", body="Wish",
        others={200: "It was a dry run: nothing is written", 409: "It is refused; `refused` says why"},
        refusals=(415, 422, 503),
    ),
    Operation(
        method="post", path="/exceptions/{identifier}/end", name="end_exception", right=Right.EXCEPTION_GRANT,
        answer="Plan", summary="End an exception now", parameters=("identifier",), body="Ending",
        refusals=(404, 409, 415, 422, 503),
    ),
    Operation(
        method="get", path="/reviews", name="reviews", right=Right.ROWS, answer="Reviews",
        summary="What auditors have said, newest first", parameters=(*_Q, "after", "limit"), refusals=(422,),
    ),
    Operation(
        method="get", path="/health", name="health", right=Right.HEALTH, answer="Health",
        summary="The proxies of this machine, what is wrong with them, and the store", refusals=(503,),
    ),
    Operation(
        method="get", path="/policy", name="policy", right=Right.POLICY, answer="Policy",
        summary="The policy of the files", refusals=(503,),
    ),
    Operation(
        method="get", path="/openapi.json", name="document", right=Right.ANYONE, answer="Document",
        summary="This description",
    ),
)  # fmt: skip


def _parameter(name: str, schema: Schema, description: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": dict(schema), "description": description, **more}


PARAMETERS: Mapping[str, dict[str, Any]] = {
    "q": _parameter(
        "q",
        {"type": "string", "maxLength": 4_000},
        "A filter, as of `embargo log`: `app:alipay client:10.1.0.0/16 verdict:block since:7d`",
    ),
    "since": _parameter("since", {"type": "string", "maxLength": 64}, "From then on: `2026-11-01`, or `7d` ago"),
    "until": _parameter("until", {"type": "string", "maxLength": 64}, "Before then"),
    "snapshot": _parameter(
        "snapshot",
        {"type": "integer", "minimum": 0, "maximum": 2**62},
        "The newest row that counts, as an answer gave it: so that numbers and pages agree. Default: what is there now",
    ),
    "after": _parameter(
        "after", {"type": "string", "pattern": "^[0-9]{1,18}\\.[0-9]{1,18}$"}, "Where the page begins: of `next`"
    ),
    "after_device": _parameter("after", {"type": "string", "maxLength": 4_000}, "Where the page begins: of `next`"),
    "limit": _parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}, "How many a page holds"
    ),
    "limit_top": _parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}, "How many values"
    ),
    "bucket": _parameter("bucket", {"type": "string", "enum": ["hour", "day"], "default": "hour"}, "How long each is"),
    "by": _parameter(
        "by", {"type": "string", "enum": [each.value for each in Dimension]}, "What is counted by", required=True
    ),
    "identifier": {
        "name": "identifier",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        "description": "Its id",
    },
}


REFUSALS = {
    400: "A parameter is not understood",
    401: "The token is missing, unknown, over or revoked",
    403: "The token lacks the right",
    404: "There is none such",
    409: "It is over already",
    415: "The body is no JSON",
    422: "What is asked for cannot be",
    503: "It cannot be had now",
}


def document() -> dict[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "embargo",
            "version": __version__,
            "description": "The decision log of embargo, its policy and its exceptions. A token is made on the page of "
            "one's own account; each operation needs one of its rights.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {name: dict(schema) for name, schema in SCHEMAS.items()},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    open_to_all = operation.right is Right.ANYONE
    refusals = {400, *operation.refusals} | (set() if open_to_all else {401, 403})
    answers = {operation.status: "It is done" if operation.method == "post" else "The answer"} | dict(
        operation.others or {}
    )
    responses: dict[str, Any] = {
        str(status): {
            "description": REFUSALS[status],
            "content": {"application/problem+json": {"schema": ref("Problem")}},
        }
        for status in sorted(refusals)
    }
    for status, meaning in answers.items():
        described = responses.setdefault(str(status), {"description": meaning, "content": {}})
        described["description"] = meaning
        described["content"]["application/json"] = {"schema": ref(operation.answer)}
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "x-right": operation.right.value,
        "responses": dict(sorted(responses.items())),
    }
    if open_to_all:
        found["security"] = []
    if operation.parameters:
        found["parameters"] = [PARAMETERS[name] for name in operation.parameters]
    if operation.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": ref(operation.body)}},
        }
    return found
