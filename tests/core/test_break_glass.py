"""When break-glass ends: by whichever clock is there first."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.break_glass import LONGEST, SHORTEST, BreakGlass, Clocks, in_words
from sample import NOW

GLASS = BreakGlass(id="x", since=NOW, seconds=1800.0, ticks=5000.0, reason="payroll", author="alice")
LEFT = {  # case: (seconds on the wall clock since it began, ticks since, seconds left, is ahead)
    "at once": (0, 0, 1800, False),
    "on its way": (600, 600, 1200, False),
    "at its end": (1800, 1800, 0, False),
    "long over": (90_000, 90_000, -88_200, False),
    "the clock was set back": (-3600, 600, 1200, False),
    "the clock was set back at its end": (-86_400, 1800, 0, False),
    "the clock was set forth": (1800, 10, 0, False),
    "the machine started anew": (600, -4000, 1200, False),
    "the machine started anew, its clock behind": (-3600, -4000, 5400, True),
    "the machine started anew, its clock a little behind": (-0.5, -4000, 1800.5, False),
}


@pytest.mark.parametrize(("wall", "ticks", "left", "ahead"), LEFT.values(), ids=LEFT)
def test_left(wall: float, ticks: float, left: float, ahead: bool) -> None:
    clocks = Clocks(NOW + timedelta(seconds=wall), GLASS.ticks + ticks)
    assert GLASS.left(clocks) == pytest.approx(left)
    assert GLASS.is_ahead(clocks) is ahead


@given(
    seconds=st.floats(SHORTEST, LONGEST),
    passed=st.floats(0, 1e6),
    wall=st.datetimes(min_value=(NOW - timedelta(days=9)).replace(tzinfo=None)).map(
        lambda at: at.replace(tzinfo=NOW.tzinfo)
    ),
)
def test_no_wall_clock_prolongs_it(seconds: float, passed: float, wall: object) -> None:
    """Whatever the wall clock says, as long as the machine runs it lasts no longer than it was ordered for."""
    glass = BreakGlass(id="x", since=NOW, seconds=seconds, ticks=100.0, reason="r", author="a")
    left = glass.left(Clocks(wall, 100.0 + passed))  # type: ignore[arg-type]
    assert left <= seconds - passed + 1e-6


WORDS = {0: "0 s", 12: "12 s", 60: "1 min", 1770.4: "29 min 30 s", 7200: "2 h", 86_399: "23 h 59 min 59 s"}


@pytest.mark.parametrize(("seconds", "words"), WORDS.items())
def test_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
