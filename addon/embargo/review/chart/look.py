"""How the things that charts tell apart look: each by a hue and a texture of its own, and by its word.

Never by colour alone (WCAG 1.4.1): what would have been blocked is dashed and hollow, what was blocked is solid.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files

from markupsafe import Markup

from embargo.review.chart.element import Attribute, element, joined, void


class Hue(StrEnum):
    """A colour of `charts.css`, of which each theme has its own shade."""

    RED = "red"
    AMBER = "amber"
    BLUE = "blue"
    GREEN = "green"
    GREY = "grey"


class Texture(StrEnum):
    """What fills a shape."""

    SOLID = "solid"
    DASHED = "dashed"  # hollow, with a dashed edge
    DIAGONAL = "diagonal"
    UPRIGHT = "upright"
    DOTS = "dots"
    HOLLOW = "hollow"


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the things that a chart tells apart."""

    key: str  # by which counts name it
    label: str  # for people
    hue: Hue
    texture: Texture = Texture.SOLID


VERDICTS = (  # the classes that are counted apart, never added up
    Layer("blocked", "blocked", Hue.RED),
    Layer("would-block", "would have been blocked", Hue.RED, Texture.DASHED),
    Layer("logged", "logged", Hue.AMBER, Texture.DIAGONAL),
    Layer("allowed", "allowed", Hue.BLUE, Texture.UPRIGHT),
    Layer("shared", "shared infrastructure", Hue.GREY, Texture.DOTS),
)
OUTCOMES = (  # what a request gets (`explain --calendar`)
    Layer("block", "block", Hue.RED),
    Layer("log", "log", Hue.AMBER, Texture.DIAGONAL),
    Layer("allow", "allow", Hue.BLUE, Texture.UPRIGHT),
    Layer("pass", "pass", Hue.GREY, Texture.HOLLOW),
)
STATES = (  # of an order
    Layer("none", "not yet issued", Hue.GREY, Texture.HOLLOW),
    Layer("issued", "issued", Hue.AMBER, Texture.DIAGONAL),
    Layer("in-force", "in force", Hue.BLUE),
    Layer("stayed", "stayed", Hue.BLUE, Texture.DASHED),
    Layer("revoked", "revoked", Hue.GREY, Texture.UPRIGHT),
    Layer("expired", "expired", Hue.GREY, Texture.DOTS),
)
ENFORCEMENT = (  # of a period (`review.enforcement.State`)
    Layer("enforced", "enforced", Hue.GREEN),
    Layer("monitored", "monitored: nothing refused", Hue.AMBER, Texture.DASHED),
    Layer("break-glass", "break-glass: nothing refused", Hue.AMBER, Texture.DIAGONAL),
    Layer("refused", "no policy: everything refused", Hue.BLUE, Texture.UPRIGHT),
    Layer("gap", "gap: nobody can say", Hue.RED, Texture.DOTS),
    Layer("down", "not running", Hue.GREY, Texture.HOLLOW),
)


def stylesheet() -> str:
    """The CSS by which charts have colours, in both themes and on paper."""
    return files(__package__).joinpath("charts.css").read_text(encoding="utf-8")


def definitions(name: str, layers: Iterable[Layer]) -> Markup:
    """The textures of *layers*, which `shape` refers to; *name* is the chart's, unique on its page."""
    patterns = {_pattern_id(name, layer): _pattern(name, layer) for layer in layers if layer.texture in _DRAWN}
    return element("defs", joined(list(patterns.values()), "")) if patterns else Markup("")


def shape(name: str, layer: Layer, **place: Attribute) -> Markup:
    """A rectangle that looks as *layer* does in the chart *name*."""
    hue = f"hue-{layer.hue}"
    match layer.texture:
        case Texture.SOLID:
            return void("rect", class_=f"{hue} ink", **place)
        case Texture.DASHED:
            return void("rect", class_=f"{hue} tint edge", stroke_dasharray="4 2.5", **place)
        case Texture.HOLLOW:
            return void("rect", class_=f"{hue} bare edge", **place)
        case _:
            return void("rect", class_=f"{hue} edge", fill=f"url(#{_pattern_id(name, layer)})", **place)


def legend(name: str, layers: Sequence[Layer]) -> Markup:
    """The words of *layers*, each beside how it looks."""
    items = [
        element(
            "li",
            element(
                "svg",
                shape(name, layer, x=1, y=1, width=14, height=10),
                class_="chart-swatch",
                width=16,
                height=12,
                aria_hidden="true",
            ),
            f" {layer.label}",
        )
        for layer in layers
    ]
    return element("ul", joined(items, ""), class_="chart-legend")


_DRAWN = {  # texture: a tile's side in pixels, and the path that is drawn on it
    Texture.DIAGONAL: (6, "M-1 1l2 -2M0 6l6 -6M5 7l2 -2"),
    Texture.UPRIGHT: (5, "M2.5 0v5"),
    Texture.DOTS: (6, "M1.5 1.5h.01M4.5 4.5h.01"),
}


def _pattern_id(name: str, layer: Layer) -> str:
    return f"{name}-{layer.hue}-{layer.texture}"


def _pattern(name: str, layer: Layer) -> Markup:
    side, path = _DRAWN[layer.texture]
    hue = f"hue-{layer.hue}"
    return element(
        "pattern",
        void("rect", class_=f"{hue} tint", width=side, height=side),
        void("path", class_=f"{hue} rule", d=path),
        id=_pattern_id(name, layer),
        width=side,
        height=side,
        patternUnits="userSpaceOnUse",
    )
