import re
from itertools import combinations

import pytest

from embargo.review.chart.look import ENFORCEMENT, OUTCOMES, STATES, VERDICTS, Hue, Layer, stylesheet

SETS = {"verdicts": VERDICTS, "outcomes": OUTCOMES, "states": STATES, "enforcement": ENFORCEMENT}


@pytest.mark.parametrize("layers", SETS.values(), ids=SETS)
def test_no_two_are_told_apart_by_colour_alone(layers: tuple[Layer, ...]) -> None:
    for one, other in combinations(layers, 2):
        assert one.texture is not other.texture, (one.label, other.label)
        assert one.label != other.label


def test_would_block_is_no_block() -> None:
    blocked, would = VERDICTS[0], VERDICTS[1]
    assert (blocked.texture, would.texture) == ("solid", "dashed")


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    if len(colour) == 4:
        colour = "#" + "".join(digit * 2 for digit in colour[1:])
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast() -> None:
    """Shapes 3:1 (1.4.11), text 4.5:1 (1.4.3), in each theme and on paper."""
    themes = re.findall(r":root[^{]*\{([^}]*--chart-ground[^}]*)\}", stylesheet())
    assert len(themes) == 4  # light, dark by preference, dark by choice, paper
    for theme in themes:
        colours = dict(re.findall(r"--chart-(\w+): (#\w+)", theme))
        ground = luminance(colours["ground"])

        def ratio(name: str, colours: dict[str, str] = colours, ground: float = ground) -> float:
            lighter, darker = sorted((luminance(colours[name]), ground), reverse=True)
            return (lighter + 0.05) / (darker + 0.05)

        assert {hue for hue in Hue if ratio(hue) < 3} == set()
        assert {name for name in ("ink", "quiet", "link") if ratio(name) < 4.5} == set()
    assert themes[1].split() == themes[2].split()
