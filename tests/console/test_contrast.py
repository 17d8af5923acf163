"""WCAG 2.2 AA, 1.4.3 and 1.4.11: what is written, and the edges of what is operated, stand out in both themes."""

import re
from importlib.resources import files

import pytest

SHEET = files("embargo.console").joinpath("static/console.css").read_text("utf-8")
TEXT = [  # colour, ground
    *((ink, ground) for ink in ("text", "quiet", "link") for ground in ("ground", "surface", "raised", "mark")),
    ("on-accent", "accent"),
    *((name, f"{name}-ground") for name in ("blocked", "would-block", "logged", "allowed", "shared", "good")),
    ("blocked", "surface"),
]
EDGES = [("strong-line", "surface"), ("strong-line", "ground"), ("focus", "surface"), ("focus", "raised")]


def themes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r"(:root[^{]*)\{([^}]*--ground[^}]*)\}", SHEET)
    named = {
        selector.strip(): {name: value for name, value in re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", block)}
        for selector, block in blocks
    }
    assert len(named) == 4, named.keys()
    return {
        "light": named[":root"],
        "dark by the system": named[':root:not([data-theme="light"])'],
        "dark by choice": named[':root[data-theme="dark"]'],
    }


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", themes().values(), ids=themes())
def test_text_can_be_read(theme: dict[str, str]) -> None:
    poor = {pair: found for pair in TEXT if (found := contrast(theme[pair[0]], theme[pair[1]])) < 4.5}
    assert not poor


@pytest.mark.parametrize("theme", themes().values(), ids=themes())
def test_edges_can_be_seen(theme: dict[str, str]) -> None:
    poor = {pair: found for pair in EDGES if (found := contrast(theme[pair[0]], theme[pair[1]])) < 3}
    assert not poor


def test_the_two_dark_themes_are_one() -> None:
    found = themes()
    assert found["dark by the system"] == found["dark by choice"]
