"""How a verdict changes over time, drawn: `explain --calendar` as a chart, a lane a request."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from embargo.core.week import zone_name
from embargo.review.calendar import Calendar, Interval
from embargo.review.chart.lanes import Lane, Span, lanes
from embargo.review.chart.look import OUTCOMES
from embargo.review.chart.timeline import Bucket


def calendar(name: str, title: str, found: Sequence[Calendar], *, traffic: Sequence[Bucket] = ()) -> Markup:
    """The chart of *found*, which has one request at least; over *traffic*, where that is given (`lanes`)."""
    start = min(each.intervals[0].start for each in found)
    end = max(each.intervals[-1].end for each in found)
    rows = [Lane(label=each.inquiry.request, spans=list(map(_span, each.intervals))) for each in found]
    return lanes(name, title, start, end, rows, OUTCOMES, traffic=traffic)


def _span(interval: Interval) -> Span:
    return Span(
        start=interval.start,
        end=interval.end,
        state=str(interval.outcome.verdict),
        detail="; ".join(_details(interval)),
    )


def _details(interval: Interval) -> Iterator[str]:
    if interval.outcome.rule is not None:
        yield f"rule {interval.outcome.rule}"
    if interval.outcome.would is not None:
        yield f"would {interval.outcome.would}"
    zone = f" {zone_name(interval.zone)}" if interval.zone is not None else ""
    for each in interval.recurring:
        yield f"{each.outcome.verdict} {', '.join(map(str, each.hours))}{zone}"
    yield from interval.reasons
