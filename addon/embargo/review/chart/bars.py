"""A top list: a table whose rows carry bars, so that chart and numbers are one and no name is ever cut."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from embargo.review.chart.element import element, joined, percent
from embargo.review.chart.figure import figure, linked
from embargo.review.chart.look import VERDICTS, Layer, definitions, legend, shape
from embargo.review.chart.scale import short

_HEIGHT = 10  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A thing that is counted."""

    label: str
    counts: Mapping[str, int]  # by key of a layer
    href: str | None = None  # the records of all its counts
    hrefs: Mapping[str, str] = field(default_factory=dict)  # by key of a layer: the records that are counted
    note: str | None = None  # what else is to be said of it


def bars(
    name: str,
    title: str,
    heading: str,
    rows: Sequence[Row],
    layers: Sequence[Layer] = VERDICTS,
    *,
    more: str | None = None,
) -> Markup:
    """The list of *rows*, in their order; *heading* is what they are, *more* tells of those that are left out.

    Raises ValueError for an href that leads to no page.
    """
    shown = [layer for layer in layers if any(row.counts.get(layer.key) for row in rows)]
    largest = max((sum(row.counts.get(layer.key, 0) for layer in shown) for row in rows), default=0)
    head = element(
        "tr",
        element("th", heading, scope="col", role="columnheader"),
        *(element("th", layer.label, scope="col", class_="number", role="columnheader") for layer in shown),
        role="row",
    )
    body = [_row(name, row, shown, largest) for row in rows]
    textures = element("svg", definitions(name, shown), class_="chart-textures", width=0, height=0, aria_hidden="true")
    table = element(
        "table",
        element("thead", head, role="rowgroup"),
        element("tbody", joined(body), role="rowgroup"),
        class_="chart-bars",
        role="table",
        aria_label=title,
    )
    return figure(
        name,
        title,
        textures,
        legend(name, shown) if len(shown) > 1 else Markup(""),
        table if rows else element("p", "None.", class_="chart-more"),
        element("p", more, class_="chart-more") if more is not None else Markup(""),
    )


def _row(name: str, row: Row, layers: Sequence[Layer], largest: int) -> Markup:
    drawn = element(
        "svg",
        *_pieces(name, row, layers, largest),
        class_="chart-bar",
        width="100%",
        height=_HEIGHT,
        aria_hidden="true",
    )
    note = element("span", row.note, class_="chart-note") if row.note is not None else Markup("")
    heading = element(
        "th",
        element("span", linked(row.href, row.label), class_="chart-label"),
        note,
        drawn,
        scope="row",
        role="rowheader",
    )
    counted = (
        element(
            "td",
            linked(
                row.hrefs.get(layer.key) if row.counts.get(layer.key) else None, f"{row.counts.get(layer.key, 0):,}"
            ),
            class_="number",
            role="cell",
        )
        for layer in layers
    )
    return element("tr", heading, *counted, role="row")


def _pieces(name: str, row: Row, layers: Sequence[Layer], largest: int) -> Iterator[Markup]:
    left = 0.0
    for layer in layers:
        if count := row.counts.get(layer.key, 0):
            part = count / largest
            words = f"{row.label}: {short(count)} {layer.label}"
            bar = shape(name, layer, x=percent(left), y=1, width=percent(part), height=_HEIGHT - 2)
            yield element("g", element("title", words), bar)
            left += part
