"""Counts over time: bars stacked by class, each of which may lead to what it counts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from markupsafe import Markup

from embargo.review.chart.element import element, percent, pixels, void
from embargo.review.chart.figure import Cell, drawing, figure, linked, numbers
from embargo.review.chart.look import VERDICTS, Layer, definitions, legend, shape
from embargo.review.chart.scale import instant, name_of, named, short, ticks

HEIGHT = 200  # pixels of the place for bars
_TOP, _BELOW = 10, 24  # pixels above it, and under it for names
_GAP = 0.12  # of a bar's width, between bars


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What happened in a time."""

    start: datetime  # in the zone that is shown
    end: datetime  # the first instant that no longer counts
    counts: Mapping[str, int]  # by key of a layer
    hrefs: Mapping[str, str] = field(default_factory=dict)  # by key of a layer: the records that are counted


def timeline(
    name: str,
    title: str,
    buckets: Sequence[Bucket],
    layers: Sequence[Layer] = VERDICTS,
    *,
    zone: str = "UTC",
) -> Markup:
    """The chart of *buckets*, which follow each other; *name* is unique on its page, *zone* is how times are told.

    Raises ValueError for an href that leads to no page.
    """
    shown = used(buckets, layers)
    if not shown:
        return figure(name, title, element("p", described(buckets, shown, zone), class_="chart-more"))
    links = any(bucket.hrefs for bucket in buckets)
    picture = drawing(
        name,
        title,
        described(buckets, shown, zone),
        _TOP + HEIGHT + _BELOW,
        definitions(name, shown),
        *_grid(buckets),
        *columns(name, buckets, shown, _TOP, HEIGHT, top_of(buckets)),
        *instants(buckets, _TOP + HEIGHT),
        links=links,
    )
    return figure(name, title, legend(name, shown), picture, table(name, title, buckets, shown, zone))


def used(buckets: Sequence[Bucket], layers: Sequence[Layer]) -> list[Layer]:
    """Those of *layers* that *buckets* have something of."""
    return [layer for layer in layers if any(bucket.counts.get(layer.key) for bucket in buckets)]


def top_of(buckets: Sequence[Bucket]) -> int:
    """How high the axis reaches."""
    return ticks(max((sum(bucket.counts.values()) for bucket in buckets), default=0))[-1]


def described(buckets: Sequence[Bucket], layers: Sequence[Layer], zone: str) -> str:
    """What the chart shows, in words."""
    if not buckets:
        return "No time to show."
    period = f"From {instant(buckets[0].start)} to {instant(buckets[-1].end)} {zone}"
    if not layers:
        return f"{period}: nothing was recorded."
    totals = ", ".join(f"{sum(b.counts.get(layer.key, 0) for b in buckets):,} {layer.label}" for layer in layers)
    most = max(buckets, key=lambda bucket: bucket.counts.get(layers[0].key, 0))
    return (
        f"{period}: {totals}. Most {layers[0].label} from {instant(most.start)}: {most.counts.get(layers[0].key, 0):,}."
    )


def columns(
    name: str, buckets: Sequence[Bucket], layers: Sequence[Layer], top: float, height: float, largest: int
) -> Iterator[Markup]:
    """The bars of *buckets*, as high as *largest* needs, in the place that begins at *top* and is *height* high."""
    if not buckets:
        return
    begin, span = buckets[0].start, (buckets[-1].end - buckets[0].start).total_seconds()
    for bucket in buckets:
        left = (bucket.start - begin).total_seconds() / span
        width = (bucket.end - bucket.start).total_seconds() / span
        level = top + height
        for layer in layers:
            count = bucket.counts.get(layer.key, 0)
            if not count:
                continue
            tall = max(1.0, height * count / largest)  # what is there is seen
            level -= tall
            bar = shape(
                name,
                layer,
                x=percent(left + width * _GAP / 2),
                y=pixels(level),
                width=percent(width * (1 - _GAP)),
                height=pixels(tall),
            )
            words = f"{instant(bucket.start)}: {count:,} {layer.label}"
            bar = element("g", element("title", words), bar)
            yield linked(bucket.hrefs.get(layer.key), bar, label=words, in_drawing=True)


def instants(buckets: Sequence[Bucket], level: float, most: int = 4) -> Iterator[Markup]:
    """The names of at most *most* instants, under *level*."""
    if not buckets:
        return
    begin, span = buckets[0].start, buckets[-1].end - buckets[0].start
    yield void("line", class_="chart-axis", x1="0%", x2="100%", y1=pixels(level), y2=pixels(level))
    for start in named([bucket.start for bucket in buckets], most):
        place = (start - begin) / span
        yield from instant_mark(name_of(start, span), place, level)


def instant_mark(text: str, place: float, level: float) -> Iterator[Markup]:
    """The name of the instant at *place* of 1, under *level*, at a small line."""
    x = percent(place)
    yield void("line", class_="chart-axis", x1=x, x2=x, y1=pixels(level), y2=pixels(level + 5))
    anchor = "end" if place > 0.82 else "start"  # beside each other from left to right: so they never meet
    yield element("text", text, class_="chart-name", x=x, y=pixels(level + 18), text_anchor=anchor)


def table(name: str, title: str, buckets: Sequence[Bucket], layers: Sequence[Layer], zone: str) -> Markup:
    """The numbers of *buckets* that have any."""
    rows = [
        [
            Cell(instant(bucket.start)),
            *(
                Cell(
                    f"{(count := bucket.counts.get(layer.key, 0)):,}",
                    bucket.hrefs.get(layer.key) if count else None,
                    True,
                )
                for layer in layers
            ),
        ]
        for bucket in buckets
        if any(bucket.counts.get(layer.key) for layer in layers)
    ]
    empty = len(buckets) - len(rows)
    said = f"{title}; {empty} of {len(buckets)} stretches of time without any are left out" if empty else title
    return numbers(name, said, [f"from ({zone})", *(layer.label for layer in layers)], rows)


def _grid(buckets: Sequence[Bucket]) -> Iterator[Markup]:
    largest = top_of(buckets)
    for tick in ticks(max((sum(bucket.counts.values()) for bucket in buckets), default=0)):
        level = _TOP + HEIGHT * (1 - tick / largest)
        if tick:
            yield void("line", class_="chart-grid", x1="0%", x2="100%", y1=pixels(level), y2=pixels(level))
        yield element("text", short(tick), class_="chart-count", x=-8, y=pixels(level + 4), text_anchor="end")
