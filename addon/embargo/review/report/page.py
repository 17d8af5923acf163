"""The report as one HTML file that needs nothing else: no script, no load from anywhere, in both themes and on paper.

What a log holds was written by whoever made the requests, so everything is escaped, and a Content-Security-Policy in
the page itself lets nothing run and nothing load, should that fail once.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from embargo.journal.table import printable
from embargo.review.chart.look import stylesheet
from embargo.review.chart.scale import instant
from embargo.review.enforcement import State
from embargo.review.report.blind_spots import NOT_SEEN
from embargo.review.report.orders import WHY
from embargo.review.report.pictures import pictures
from embargo.review.report.report import Report
from embargo.review.report.tallies import CLASSES
from embargo.review.report.wording import STATES, WORDS, classes, lasting, share, terms

MOST = 20  # rows of a table that are shown; the CSV has all
_LINK = re.compile(r"https?://[^\x00-\x20]+")


def page(report: Report, *, counsel: bool = False) -> str:
    """*report* as HTML; *counsel*: as lawyers need it, order by order and in plain words."""
    style = _style()
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("counsel.html" if counsel else "report.html")
        .render(
            report=report,
            pictures=pictures(report),
            style=Markup(style),
            style_hash=digest,
            most=MOST,
            **{"break": Markup("\n")},  # a line break of ours; others are shown as text
            CLASSES=CLASSES,
            State=State,
            WORDS=WORDS,
            WHY=WHY,
            NOT_SEEN=NOT_SEEN,
            STATES=STATES,
            classes=classes(report.tallies.totals),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(_template),
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters |= _FILTERS
    return environment


def _template(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return f"{stylesheet()}\n{_template('report.css')}"


def _instant(value: datetime | None) -> str:
    return instant(value) if value is not None else "not known"


def _moment(value: str | None) -> str:
    """An instant as a record has it, for people; what is none, as it is."""
    try:
        return instant(datetime.fromisoformat(value).astimezone(UTC)) if value is not None else "not known"
    except (ValueError, OverflowError):
        return str(value)


def _number(value: int) -> str:
    return f"{value:,}"


def _link(value: str | None) -> str | None:
    """*value*, where it is an address of the web: a policy's `url` may be any text."""
    return value if value is not None and _LINK.fullmatch(value) else None


def _total(counts: Mapping[str, int]) -> int:
    return sum(counts.values())


_FILTERS = {
    "instant": _instant,
    "moment": _moment,
    "number": _number,
    "lasting": lasting,
    "share": share,
    "link": _link,
    "total": _total,
    "terms": terms,
}
