"""Elements of HTML and SVG as text: everything in them is escaped, control characters are shown as such."""

import re

from markupsafe import Markup, escape

from embargo.journal.table import printable

type Attribute = str | int | None

_LINKS = re.compile(r"(?:https?://|[/?#]|\./)[^\x00-\x20]*")  # no other scheme, so that nothing of a record's can run


def element(name: str, *children: str, **attributes: Attribute) -> Markup:
    """`<name …>children</name>`; children that are no Markup are escaped.

    `class_` is `class`, other underscores are hyphens; an attribute that is None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{safe(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{''.join(map(safe, children))}</{name}>")


def void(name: str, **attributes: Attribute) -> Markup:
    """An SVG element without children: `<rect …/>`."""
    return Markup(str(element(name, **attributes)).removesuffix(f"></{name}>") + "/>")


def joined(parts: list[Markup] | tuple[Markup, ...], between: str = "\n") -> Markup:
    """*parts* one after the other."""
    return Markup(between).join(parts)


def checked_link(href: str) -> str:
    """*href*, where it leads to a page: a path, query or fragment, or an address of http or https.

    Raises ValueError for another: `javascript:` would run.
    """
    if _LINKS.fullmatch(href) is None or href.startswith("//"):
        raise ValueError(f"{href!r} is no link to a page")
    return href


def percent(part: float) -> str:
    """*part* of 1 as a length relative to the chart's width."""
    return f"{100 * part:.3f}".rstrip("0").rstrip(".") + "%"


def pixels(length: float) -> str:
    """*length* in pixels, short."""
    return f"{length:.2f}".rstrip("0").rstrip(".")


def safe(value: str | int) -> Markup:
    """*value* escaped, its control characters shown as such; Markup as it is."""
    return value if isinstance(value, Markup) else escape(printable(str(value)))
