"""Trying a policy: a text that is uploaded, or a revision of git, against what is in force: what is wrong with it, what
it would change, on past requests too, and the patch that makes it. Nothing is kept, and nothing is changed."""

import base64
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, render_template, request, url_for

from embargo.console.access.rights import Right, requires
from embargo.console.context import loaded, now, settings
from embargo.console.freshness import refresh
from embargo.console.tried import LARGEST, NotTried, tried
from embargo.policy.layers import exceptions_file

blueprint = Blueprint("trying", __name__)

DAYS = (0, 1, 7, 30, 90)  # of past requests
_USUAL = 7
_LONGEST = 200  # characters of a revision


@blueprint.get("/policy/try")
@requires(Right.POLICY_TRY)
def show() -> str:
    """The form."""
    return _page()


@blueprint.post("/policy/try")
@requires(Right.POLICY_TRY)
def attempt() -> str | tuple[str, int]:
    """What a text would change."""
    days = next((each for each in DAYS if str(each) == request.form.get("days")), _USUAL)
    revision = request.form.get("revision", "").strip()[:_LONGEST]
    paths = _files()
    at = request.form.get("file", "")
    file = paths[int(at)] if at.isascii() and at.isdigit() and len(at) < 4 and int(at) < len(paths) else None
    given = request.files.get("text")
    text = given.stream.read(LARGEST + 1) if given is not None and given.filename else b""
    refresh()
    try:
        if bool(text) == bool(revision):
            raise NotTried("choose a file to upload, or name a revision")
        if len(text) > LARGEST:
            raise NotTried(f"a text of more than {LARGEST // (1 << 20)} MiB is not tried here")
        if text and file is None:
            raise NotTried("choose which file the text is to take the place of")
        found = tried(
            settings().policy,
            settings().log,
            now(),
            days,
            text=text,
            file=file,
            revision=revision or None,
        )
    except NotTried as refused:
        return _page(problem=str(refused), days=days, revision=revision, at=at), 422
    return _page(found=found, days=days, revision=revision, at=at)


def _page(
    *,
    found: dict[str, Any] | None = None,
    problem: str | None = None,
    days: int = _USUAL,
    revision: str = "",
    at: str = "",
) -> str:
    known = loaded()
    if found is not None and "refused" in found:
        problem, found = str(found["refused"]), None
    patch = found.get("patch") if found is not None else None
    return render_template(
        "policy_try.html",
        files=[str(path) for path in _files()],
        digest=known.digest,
        days=DAYS,
        chosen=days,
        revision=revision,
        at=at or str(len(known.layers) - 1 if not known.layers[-1].exceptions else max(0, len(known.layers) - 2)),
        problem=problem,
        found=found,
        hosts=_hosts(days),
        patch_url=_data(patch) if patch else None,
        largest=LARGEST // (1 << 20),
    )


def _files() -> list[Any]:
    """What a text may take the place of: the layers, and the file of exceptions, though it be not there."""
    found = [layer.document.source.path for layer in loaded().layers]
    own = exceptions_file(settings().policy)
    return found if own in found else [*found, own]


def _hosts(days: int) -> str:
    """The beginning of the address of a host's records in that time."""
    return f"{url_for('log.show')}?{urlencode({'q': f'since:{days}d host:='})}" if days else ""


def _data(text: str) -> str:
    """The text as an address, so that nothing need be kept to be downloaded."""
    return f"data:text/x-patch;base64,{base64.b64encode(text.encode()).decode('ascii')}"
