"""What surrounds each chart: its caption, what it shows in words, and its numbers as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from embargo.review.chart.element import checked_link, element, joined, safe


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a data table."""

    text: str
    href: str | None = None  # the records that it counts
    number: bool = False  # it stands at the right


def figure(name: str, title: str, *parts: Markup) -> Markup:
    """A figure with its caption; *name* is unique on its page."""
    return element("figure", element("figcaption", title), *parts, class_="chart", id=name)


def drawing(name: str, title: str, description: str, height: int, *parts: Markup, links: bool = False) -> Markup:
    """The SVG of a chart, as wide as its place and *height* pixels high.

    *links*: something in it can be followed, so that it is no image to those who hear it.
    """
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        *parts,
        class_="chart-drawing",
        width="100%",
        height=height,
        role="group" if links else "img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def numbers(name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Markup:
    """The data table under a chart, folded; the first cell of a row is its heading."""
    head = element("tr", *(element("th", column, scope="col") for column in columns))
    body = [element("tr", _cell("th", row[0], "row"), *(_cell("td", cell) for cell in row[1:])) for row in rows]
    table = element(
        "table",
        element("caption", title),
        element("thead", head),
        element("tbody", joined(body)),
    )
    region = element("div", table, class_="chart-numbers", role="region", aria_label=f"Numbers of: {title}", tabindex=0)
    return element("details", element("summary", "The numbers"), region, id=f"{name}-numbers")


def linked(href: str | None, *parts: str, label: str | None = None, in_drawing: bool = False) -> Markup:
    """*parts* as a link to *href*, or as they are where there is none. Raises ValueError (`checked_link`).

    *in_drawing*: it cannot be reached by keyboard, since the data table has the same link and a chart has hundreds.
    """
    if href is None:
        return Markup("").join(map(safe, parts))
    return element("a", *parts, href=checked_link(href), aria_label=label, tabindex=-1 if in_drawing else None)


def _cell(kind: str, cell: Cell, scope: str | None = None) -> Markup:
    text = linked(cell.href, cell.text)
    return element(kind, text, scope=scope, class_="number" if cell.number else None)
