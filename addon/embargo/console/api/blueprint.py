"""The API's blueprint, how its parameters are read, and how its errors are told (RFC 9457)."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, jsonify, request
from werkzeug.exceptions import BadRequest, HTTPException, UnprocessableEntity, UnsupportedMediaType
from werkzeug.wrappers import Response

from embargo.console.context import now
from embargo.console.masking import refuse_names
from embargo.console.selection import Selection
from embargo.journal.query import BadTerm

PREFIX = "/api/v1"
_LONGEST = 4_000  # characters of a parameter
_HIGHEST = 2**62  # of a snapshot

blueprint = Blueprint("api", __name__, url_prefix=PREFIX)


def problem(error: HTTPException) -> Response:
    """*error* as `application/problem+json`."""
    response: Response = jsonify(
        {"type": "about:blank", "title": error.name, "status": error.code or 500, "detail": error.description or ""}
    )
    response.status_code = error.code or 500
    response.headers.extend((name, value) for name, value in error.get_headers() if name.lower() != "content-type")
    response.content_type = "application/problem+json"
    return response


def known(*names: str) -> None:
    """Raises BadRequest where the URL has parameters besides *names*: a misspelt one must not pass for none."""
    for name in request.args:
        if name not in names:
            raise BadRequest(f"unknown parameter {name[:64]!r}; here are {', '.join(names) or 'none'}")
        values = request.args.getlist(name)
        if len(values) > 1:
            raise BadRequest(f"{name} is given twice")
        if len(values[0]) > _LONGEST:
            raise BadRequest(f"{name} is longer than {_LONGEST} characters")


def selected(*more: str) -> Selection:
    """What `q`, `since`, `until` and `snapshot` ask for; *more* are the other parameters of the operation.

    Raises BadRequest; Forbidden where it asks for people whom the role does not see.
    """
    known("q", "since", "until", "snapshot", *more)
    whole("snapshot", 0, 0, _HIGHEST)
    try:
        found = Selection.read(request.args, now())
    except BadTerm as bad:
        raise BadRequest(str(bad)) from bad
    try:
        refuse_names(found)
    except BadTerm as bad:
        raise UnprocessableEntity(str(bad)) from bad
    return found


def whole(name: str, usual: int, least: int, most: int) -> int:
    """The whole number that the parameter *name* gives. Raises BadRequest."""
    text = request.args.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and least <= int(text) <= most):
        raise BadRequest(f"{name} is a whole number of {least} to {most}")
    return int(text)


def one_of(name: str, usual: str | None, allowed: tuple[str, ...]) -> str:
    """The word that the parameter *name* gives. Raises BadRequest."""
    text = request.args.get(name, usual)
    if text is None or text not in allowed:
        raise BadRequest(f"{name} is one of {', '.join(allowed)}")
    return text


def body(fields: dict[str, Callable[[Any], bool]]) -> dict[str, Any]:
    """The JSON object of the request, its members those of *fields*, each as its test wants. Raises HTTPException."""
    if not request.is_json:
        raise UnsupportedMediaType("send application/json")
    try:
        given = request.get_json()
    except RecursionError as nested:
        raise BadRequest("the body is nested too deep") from nested
    if not isinstance(given, dict):
        raise UnprocessableEntity("the body is no JSON object")
    for name, value in given.items():
        if name not in fields:
            raise UnprocessableEntity(f"unknown member {name[:64]!r}; there are {', '.join(fields)}")
        if not fields[name](value):
            raise UnprocessableEntity(f"{name} is not as it has to be: see {PREFIX}/openapi.json")
    return given
