"""The report's charts, by name."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from embargo.review.chart.bars import Row, bars
from embargo.review.chart.lanes import Lane, Span, lanes
from embargo.review.chart.look import ENFORCEMENT, STATES, VERDICTS
from embargo.review.chart.multiples import Panel, multiples
from embargo.review.chart.scale import instant
from embargo.review.chart.timeline import Bucket, timeline
from embargo.review.report.report import Report
from embargo.review.report.tallies import APART, DIMENSIONS, Moment, Ranking

_OF_APPS = tuple(layer for layer in VERDICTS if layer.key != APART)
_SHARED = tuple(layer for layer in VERDICTS if layer.key == APART)
_TITLES = {
    "app": "By app",
    "client": "By client",
    "user": "By user",
    "host": "By host",
    "rule": "By rule",
    "authority": "By order that names the app",
}


def pictures(report: Report) -> Mapping[str, Markup]:
    """Every chart that the pages may show."""
    tallies, period = report.tallies, report.period
    moments = _buckets(tallies.moments, apart=False)
    found = {
        "over-time": timeline("over-time", "Requests over time", moments, _OF_APPS),
        "shared-over-time": timeline(
            "shared-over-time",
            "Hits of shared infrastructure over time",
            _buckets(tallies.moments, apart=True),
            _SHARED,
        ),
        "shared": _ranking(
            "shared", "Hits of shared infrastructure, by app that has it in common with others", "app", tallies.shared
        ),
        "enforcement": lanes(
            "enforcement",
            "When the ban was enforced, over the requests of that time",
            period.start,
            period.end,
            _courses(report),
            ENFORCEMENT,
            traffic=moments,
            layers=_OF_APPS,
        ),
        "orders": lanes(
            "orders",
            "The orders and what became of them",
            min((order.course[0].start for order in report.orders), default=period.start),
            period.end,
            [_order(report, place) for place in range(len(report.orders))],
            STATES,
        ),
        "orders-in-period": lanes(
            "orders-in-period",
            "The orders in this period, over its requests",
            period.start,
            period.end,
            [_order(report, place, within=True) for place in range(len(report.orders))],
            STATES,
            traffic=moments,
            layers=_OF_APPS,
        ),
        "apps-over-time": multiples(
            "apps-over-time",
            "The apps counted most, over time",
            "app",
            [
                Panel(label=report.name(app), buckets=_buckets(of_app, apart=False))
                for app, of_app in tallies.app_moments.items()
            ],
            _OF_APPS,
        ),
    }
    for dimension, word in DIMENSIONS.items():
        if dimension in tallies.rankings:
            name = f"by-{word}"
            found[name] = _ranking(name, _TITLES[dimension], word, tallies.rankings[dimension])
    return found


def _buckets(moments: Sequence[Moment], *, apart: bool) -> list[Bucket]:
    return [
        Bucket(
            start=each.start,
            end=each.end,
            counts={key: count for key, count in each.counts.items() if (key == APART) is apart},
        )
        for each in moments
    ]


def _ranking(name: str, title: str, word: str, ranking: Ranking) -> Markup:
    rows = [
        Row(label=row.label, counts=row.counts, note=row.key if row.key != row.label else None) for row in ranking.rows
    ]
    more = "There are more; the CSV and JSON have as many as --top asks for." if ranking.more else None
    return bars(name, title, word, rows, more=more)


def _courses(report: Report) -> list[Lane]:
    """The whole site; its workers too, where there are several and few."""
    found = report.enforcement
    courses = {"All workers together": found.site}
    if 1 < len(found.workers) <= 8:
        courses |= found.workers
    return [
        Lane(
            label=name,
            spans=[
                Span(start=each.begin, end=each.end, state=each.state.word, detail=each.why or "")
                for each in course.stretches
            ],
        )
        for name, course in courses.items()
    ]


def _order(report: Report, place: int, *, within: bool = False) -> Lane:
    order = report.orders[place]
    course = order.within if within else order.course
    spans = [
        Span(start=each.start, end=each.end, state=each.state, detail=f"since {instant(each.start)}") for each in course
    ]
    return Lane(label=order.title, spans=spans)
