"""The manual's table of ways is the probe's own; what it quotes of the output has its form."""

from docs.pages import ROOT, prose, section
from embargo.core.request import Surface
from embargo.probe.outcome import Outcome
from embargo.probe.ways import WAYS

HOW_TO = ROOT / "docs/how-to/prove-that-nothing-gets-out.md"
REFERENCE = ROOT / "docs/reference/commands.md"


def rows(lines: list[str]) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")][2:]


def test_ways() -> None:
    documented = rows(section(HOW_TO, "What is asked"))
    assert documented == [[f"`{way.name}`", way.surface.value, way.does] for way in WAYS]


def test_surfaces() -> None:
    said = next(line for line in section(REFERENCE, "probe") if line.startswith("| `--surface`"))
    named = [surface for surface in Surface if f"`{surface.value}`" in said]
    assert set(named) == {way.surface for way in WAYS}


def test_outcomes() -> None:
    cells = [row[0] for row in rows(section(REFERENCE, "probe")) if row[0] in list(Outcome)]
    assert sorted(cells) == sorted(outcome.value for outcome in Outcome)


def test_what_a_person_sees() -> None:
    assert any("OPTIONS" in line for _, line in prose(HOW_TO))
