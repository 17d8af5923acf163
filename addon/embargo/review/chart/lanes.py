"""Intervals, a lane for each thing: the states of orders, how a period was enforced, a verdict's calendar.

Where traffic is given it is drawn above the lanes on the same axis, with a line through it at each change.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from textwrap import wrap

from markupsafe import Markup

from embargo.review.chart.element import element, percent, pixels, void
from embargo.review.chart.figure import Cell, drawing, figure, linked, numbers
from embargo.review.chart.look import VERDICTS, Layer, definitions, legend, shape
from embargo.review.chart.scale import bounds, instant, name_of, named, short
from embargo.review.chart.timeline import Bucket, columns, instant_mark, top_of, used

_LINE, _BAR, _APART, _BELOW, _TRAFFIC = 16, 18, 12, 24, 90  # pixels: a line of text, a bar, between lanes, under all
_WITHOUT_HOURS = timedelta(days=4)  # beyond which instants are named without their hour (`scale.name_of`)
_LONGEST_LINE = 42  # letters that stand side by side on a phone


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time in which a lane is in one state."""

    start: datetime
    end: datetime  # the first instant that no longer counts
    state: str  # key of a layer
    detail: str = ""  # more about it
    href: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A thing and its states."""

    label: str
    spans: Sequence[Span]


def lanes(
    name: str,
    title: str,
    start: datetime,
    end: datetime,
    rows: Sequence[Lane],
    states: Sequence[Layer],
    *,
    traffic: Sequence[Bucket] = (),
    layers: Sequence[Layer] = VERDICTS,
    zone: str = "UTC",
) -> Markup:
    """The chart of *rows* from *start* to *end*; what of a span lies outside is not drawn, and said in the table.

    *traffic* lies within that time. Raises ValueError where *start* is not before *end*, and for an href that leads
    to no page.
    """
    if start >= end:
        raise ValueError("the chart ends before it begins")
    drawn = [
        Lane(label=row.label, spans=[span for span in row.spans if span.start < end and span.end > start])
        for row in rows
    ]
    seen = [state for state in states if any(span.state == state.key for row in drawn for span in row.spans)]
    counted = used(traffic, layers)
    top = _TRAFFIC + 14 if counted else 0
    tops = list(accumulate(map(_height, drawn), initial=top))
    height = tops[-1]
    picture = drawing(
        name,
        title,
        _described(drawn, states, start, end, zone),
        height + _BELOW,
        definitions(name, [*seen, *counted]),
        *_traffic(name, traffic, counted, start, end),
        *_changes(drawn, start, end, height),
        *(
            part
            for row, level in zip(drawn, tops, strict=False)
            for part in _lane(name, row, states, level, start, end)
        ),
        *_instants(start, end, height),
        links=any(span.href for row in drawn for span in row.spans) or any(bucket.hrefs for bucket in traffic),
    )
    return figure(name, title, legend(name, [*counted, *seen]), picture, _table(name, title, rows, states, zone))


def _described(rows: Sequence[Lane], states: Sequence[Layer], start: datetime, end: datetime, zone: str) -> str:
    words = {state.key: state.label for state in states}
    told = "; ".join(
        f"{row.label}: "
        + (", ".join(f"{words[span.state]} from {instant(max(span.start, start))}" for span in row.spans) or "nothing")
        for row in rows
    )
    return f"From {instant(start)} to {instant(end)} {zone}. {told}."


def _lines(row: Lane) -> list[str]:
    return wrap(row.label, _LONGEST_LINE) or [""]


def _height(row: Lane) -> int:
    return len(_lines(row)) * _LINE + 5 + _BAR + _APART


def _place(time: datetime, start: datetime, end: datetime) -> float:
    return (min(max(time, start), end) - start) / (end - start)


def _lane(
    name: str, row: Lane, states: Sequence[Layer], top: float, start: datetime, end: datetime
) -> Iterator[Markup]:
    by_key = {state.key: state for state in states}
    for line in _lines(row):
        top += _LINE
        yield element("text", line, class_="chart-lane", x=0, y=pixels(top))
    for span in row.spans:
        left, right = _place(span.start, start, end), _place(span.end, start, end)
        state = by_key[span.state]
        words = f"{row.label}: {state.label}, {instant(span.start)} to {instant(span.end)}"
        if span.detail:
            words = f"{words}; {span.detail}"
        bar = shape(
            name, state, x=percent(left), y=pixels(top + 5), width=percent(max(right - left, 0.003)), height=_BAR
        )
        yield linked(span.href, element("g", element("title", words), bar), label=words, in_drawing=True)


def _changes(rows: Sequence[Lane], start: datetime, end: datetime, height: float) -> Iterator[Markup]:
    changes = {span.start for row in rows for span in row.spans if start < span.start < end}
    if len(changes) <= 40:  # more would be a curtain
        for change in sorted(changes):
            x = percent(_place(change, start, end))
            yield void("line", class_="chart-change", x1=x, x2=x, y1=0, y2=pixels(height))


def _traffic(
    name: str, traffic: Sequence[Bucket], layers: Sequence[Layer], start: datetime, end: datetime
) -> Iterator[Markup]:
    if not layers:
        return
    largest = top_of(traffic)
    left, right = _place(traffic[0].start, start, end), _place(traffic[-1].end, start, end)
    yield void("line", class_="chart-axis", x1="0%", x2="100%", y1=_TRAFFIC, y2=_TRAFFIC)
    yield element("text", short(largest), class_="chart-count", x=-8, y=14, text_anchor="end")
    yield element(
        "svg",
        *columns(name, traffic, layers, 10, _TRAFFIC - 10, largest),
        x=percent(left),
        width=percent(max(right - left, 0.003)),
        y=0,
        height=_TRAFFIC,
    )


def _instants(start: datetime, end: datetime, level: float) -> Iterator[Markup]:
    yield void("line", class_="chart-axis", x1="0%", x2="100%", y1=pixels(level), y2=pixels(level))
    most = 4 if end - start > _WITHOUT_HOURS else 3  # names with an hour are longer
    for time in named(bounds(start, end), most) or [start]:
        place = _place(time, start, end)
        yield from instant_mark(name_of(time, end - start), place, level)


def _table(name: str, title: str, rows: Sequence[Lane], states: Sequence[Layer], zone: str) -> Markup:
    words = {state.key: state.label for state in states}
    told = [
        [
            Cell(row.label),
            Cell(words[span.state], span.href),
            Cell(instant(span.start)),
            Cell(instant(span.end)),
            Cell(span.detail),
        ]
        for row in rows
        for span in row.spans
    ]
    return numbers(name, title, ["what", "state", f"from ({zone})", f"until ({zone})", "more"], told)
