"""Small multiples: the same little chart for several things, all on one scale, so that they compare at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from embargo.review.chart.element import element, joined
from embargo.review.chart.figure import Cell, drawing, figure, linked, numbers
from embargo.review.chart.look import VERDICTS, Layer, definitions, legend
from embargo.review.chart.timeline import Bucket, columns, described, instants, top_of, used

_HEIGHT, _BELOW = 56, 22  # pixels of the bars' place, and under it for names


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One of the things."""

    label: str
    buckets: Sequence[Bucket]  # the same times in every panel
    href: str | None = None  # all its records


def multiples(
    name: str,
    title: str,
    heading: str,
    panels: Sequence[Panel],
    layers: Sequence[Layer] = VERDICTS,
    *,
    zone: str = "UTC",
) -> Markup:
    """The charts of *panels*, in their order; *heading* is what they are.

    Raises ValueError for an href that leads to no page.
    """
    every = [bucket for panel in panels for bucket in panel.buckets]
    shown = used(every, layers)
    largest = top_of(every)
    pictures = [_panel(f"{name}-{number}", name, panel, shown, largest, zone) for number, panel in enumerate(panels, 1)]
    totals = [
        [
            Cell(panel.label, panel.href),
            *(Cell(f"{sum(b.counts.get(layer.key, 0) for b in panel.buckets):,}", number=True) for layer in shown),
        ]
        for panel in panels
    ]
    textures = element("svg", definitions(name, shown), class_="chart-textures", width=0, height=0, aria_hidden="true")
    return figure(
        name,
        title,
        textures,
        legend(name, shown),
        element("ul", joined(pictures), class_="chart-panels"),
        numbers(name, title, [heading, *(layer.label for layer in shown)], totals),
    )


def _panel(identity: str, textures: str, panel: Panel, layers: Sequence[Layer], largest: int, zone: str) -> Markup:
    picture = drawing(
        identity,
        panel.label,
        described(panel.buckets, layers, zone),
        _HEIGHT + _BELOW,
        *columns(textures, panel.buckets, layers, 4, _HEIGHT - 4, largest),
        *instants(panel.buckets, _HEIGHT, 3),
        links=any(bucket.hrefs for bucket in panel.buckets),
    )
    return element("li", element("p", linked(panel.href, panel.label), class_="chart-label"), picture)
