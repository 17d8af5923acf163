"""Times, durations, sizes and hours of a day, as policy files write them."""

from datetime import UTC, datetime

import pytest

from embargo.policy.instants import day, duration, hours, instant, moment, size, timezone
from embargo.policy.problem import Mistake

INSTANTS = {  # as written: instant
    "2021-02-19": datetime(2021, 2, 19, tzinfo=UTC),
    "2021-02-19T08:00:00Z": datetime(2021, 2, 19, 8, tzinfo=UTC),
    "2021-02-19t08:00:00z": datetime(2021, 2, 19, 8, tzinfo=UTC),
    "2021-02-19 08:00:00+08:00": datetime(2021, 2, 19, tzinfo=UTC),
    "2021-02-19T08:00:00.123456789Z": datetime(2021, 2, 19, 8, 0, 0, 123_456, tzinfo=UTC),
    "2021-02-19T00:00:00.5-05:00": datetime(2021, 2, 19, 5, 0, 0, 500_000, tzinfo=UTC),
}


@pytest.mark.parametrize(("text", "expected"), INSTANTS.items(), ids=INSTANTS)
def test_instant(text: str, expected: datetime) -> None:
    found = instant(text)
    assert found == expected
    assert found.tzinfo is UTC


REFUSED = ("", "2021-02-19T08:00:00", "2021-02-19T08:00Z", "20210219", "2021-W07-5", "2021-2-19", "2021-02-30", "now",
           "2021-02-19T24:30:00Z", "2021-02-19T08:00:00+25:00", "0001-01-01T00:00:00+08:00",
           "２０２１-02-19")  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_no_instant(text: str) -> None:
    with pytest.raises(Mistake) as refused:
        instant(text)
    assert refused.value.code == "not-a-time"


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59-08:00"])
def test_no_moment_to_judge_at(text: str) -> None:
    with pytest.raises(Mistake) as refused:
        moment(text)
    assert refused.value.code == "not-a-time"


def test_day() -> None:
    assert day("2021-02-19").isoformat() == "2021-02-19"
    with pytest.raises(Mistake):
        day("2021-02-19T00:00:00Z")


HOURS = {"00:00-24:00": (0, 1440), "22:00-06:00": (1320, 360), "22:00-00:00": (1320, 0), "08:30-17:05": (510, 1025)}


@pytest.mark.parametrize(("text", "minutes"), HOURS.items(), ids=HOURS)
def test_hours(text: str, minutes: tuple[int, int]) -> None:
    assert hours(text) == minutes


@pytest.mark.parametrize("text", ["24:00-25:00", "24:00-06:00", "08:00-24:01", "8:00-9:00", "08:60-09:00", "08:00"])
def test_no_hours(text: str) -> None:
    with pytest.raises(Mistake) as refused:
        hours(text)
    assert refused.value.code == "not-hours"


DURATIONS = {"200ms": 0.2, "5s": 5.0, "10m": 600.0, "1.5h": 5400.0, "365d": 31_536_000.0, "2 w": 1_209_600.0}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items(), ids=DURATIONS)
def test_duration(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


SIZES = {"1B": 1, "256MiB": 268_435_456, "1.5kB": 1500, "2GB": 2_000_000_000}


@pytest.mark.parametrize(("text", "count"), SIZES.items(), ids=SIZES)
def test_size(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "America", "../../etc/passwd", "/etc/localtime", "Mars/Olympus", "a\0b"])
def test_no_timezone(text: str) -> None:
    with pytest.raises(Mistake) as refused:
        timezone(text)
    assert refused.value.code == "unknown-timezone"
