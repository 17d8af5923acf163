"""What all pages share: how they look, how they tell times, and the form by which one chooses that."""

from datetime import UTC, datetime, tzinfo
from typing import Any

from flask import Blueprint, Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as Answer

from embargo import __version__
from embargo.console.access.guard import local_path
from embargo.console.access.rights import Right, requires
from embargo.console.appearance import COOKIE, Appearance
from embargo.console.context import policy
from embargo.console.navigation import address, entry_of, navigation
from embargo.journal.table import printable
from embargo.policy.problem import PolicyError
from embargo.review.chart.look import stylesheet

blueprint = Blueprint("display", __name__)

_YEAR = 365 * 86_400  # seconds
_SHOWN = 200  # characters of a value that a page shows; the record's own page has all


def display() -> Appearance:
    """What this browser chose."""
    if "display" not in g:
        g.display = Appearance.read(request.cookies.get(COOKIE), site_zone())
    found: Appearance = g.display
    return found


def site_zone() -> tzinfo:
    """`settings.timezone` of the policy; UTC where none loads."""
    try:
        return policy().settings.timezone
    except PolicyError:
        return UTC


@blueprint.post("/display")
@requires(Right.ANYONE)
def change() -> Answer:
    """Choose theme, zone and keys."""
    keys = "on" if request.form.get("keys") == "on" else "off"
    chosen = Appearance.read(".".join((request.form.get("theme", ""), request.form.get("zone", ""), keys)))
    answer = redirect(local_path(request.form.get("next")) or home(), 303)
    answer.set_cookie(
        COOKIE, chosen.cookie(), max_age=_YEAR, httponly=True, samesite="Lax", secure=request.is_secure, path="/"
    )
    return answer


@blueprint.get("/charts.css")
@requires(Right.ANYONE)
def charts() -> Response:
    """The colours of charts."""
    return Response(stylesheet(), mimetype="text/css")


def home() -> str:
    """The first page of who is asking."""
    for name in ("overview", "health"):
        if (endpoint := entry_of(name)) is not None:
            return url_for(endpoint)
    return "/"


@blueprint.app_context_processor
def shared() -> dict[str, Any]:
    """What templates know besides what their view gives them."""
    return {
        "display": display(),
        "navigation": navigation,
        "home": home,
        "here": here,
        "version": __version__,
        "account_links": _account_links,
        "sign_out": lambda: address("access.log_out"),
    }


def here() -> str:
    """This page's own address, for a form that comes back to it."""
    return request.full_path.rstrip("?") if request.method == "GET" else home()


def _account_links() -> list[dict[str, str]]:
    endpoint = entry_of("own")
    return [] if endpoint is None else [{"url": url_for(endpoint), "label": "Your account"}]


@blueprint.app_template_filter("iso")
def iso(instant: datetime) -> str:
    """`2026-11-29T06:01:15.123Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@blueprint.app_template_filter("shown")
def shown(instant: datetime, precise: bool = False) -> str:
    """An instant as the display settings have it."""
    return display().shown(instant, precise=precise)


@blueprint.app_template_filter("clip")
def clip(text: object, longest: int = _SHOWN) -> str:
    """A value that others wrote, on one line, without control characters, and not too long for a page."""
    told = printable("" if text is None else str(text))
    return told if len(told) <= longest else told[: longest - 1] + "…"


@blueprint.app_template_filter("source")
def source(text: str) -> str:
    """Text of several lines, without control characters."""
    return "\n".join(map(printable, text.splitlines()))
