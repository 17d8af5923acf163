"""How the report words counts, states, shares, and times that people can add up."""

from collections.abc import Mapping
from datetime import timedelta

from embargo.review.chart import look
from embargo.review.enforcement import State
from embargo.review.report.period import Period
from embargo.review.report.tallies import CLASSES

WORDS = {
    State.ENFORCED: "enforced",
    State.MONITORED: "monitored: recorded, and nothing refused",
    State.BREAK_GLASS: "break-glass: nothing refused, for a stated reason",
    State.REFUSED: "everything refused: no policy had loaded",
    State.GAP: "gap: nobody can say that it was enforced",
    State.DOWN: "not running",
}
STATES = {layer.key: layer.label for layer in look.STATES}
_OF_CLASS = {layer.key: layer.label for layer in look.VERDICTS}


def classes(totals: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """Each class, how people call it, and its count."""
    return [(key, _OF_CLASS[key], totals.get(key, 0)) for key in CLASSES]


def terms(period: Period, *more: str) -> str:
    """The query that lists what was counted, as `embargo log` takes it."""
    return str(period.query(*more))


def share(part: float) -> str:
    """A share of a period, never rounded up to all of it nor down to nothing."""
    if part in (0.0, 1.0):
        return f"{100 * part:.0f} %"
    return f"{min(max(round(100 * part, 2), 0.01), 99.99):.2f} %"


def lasting(length: timedelta) -> str:
    """How long something was: `3 d 4 h`, `12 min`, `8 s`."""
    seconds = round(length.total_seconds())
    parts = (
        (seconds // 86_400, "d"),
        (seconds % 86_400 // 3600, "h"),
        (seconds % 3600 // 60, "min"),
        (seconds % 60, "s"),
    )
    said = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(said[:2]) or "0 s"
