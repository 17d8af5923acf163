"""What a device has of an app: the definition as a table, and how often it is right on a made trace."""

from datetime import UTC, datetime, timedelta

import pytest

from embargo.journal.sighting import Sighting
from embargo.review.devices import QUIET, Presence, devices
from review.company_trace import END, trace

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

# seen: (precision, recall) of `installed`, as docs/how-to/report-to-counsel.md states them
MEASURED = {True: (1.0, 1.0), False: (0.98, 0.98)}


def at(*hours: int, count: int = 1, **counts: object) -> list[Sighting]:
    return [
        Sighting(client="10.0.0.1", app="alipay", hour=START + hour * HOUR, count=count, **counts)  # type: ignore[arg-type]
        for hour in hours
    ]


PROGRAM, UNSEEN, VISIT = {"told": 1}, {"untold": 1}, {"visits": 1}
CASES = {  # case: (sightings, presence; None: no row)
    "a program, in four hours": (at(0, 1, 2, 3, **PROGRAM), Presence.INSTALLED),
    "a program, in three": (at(0, 1, 2, **PROGRAM), Presence.VISITED),
    "a program, in four hours of four weeks": (at(0, 168, 336, 504, **PROGRAM), Presence.VISITED),
    "a browser, all day": (at(*range(10), **VISIT), Presence.VISITED),
    "nobody knows who, in six hours": (at(*range(6), **UNSEEN), Presence.INSTALLED),
    "nobody knows who, in five": (at(*range(5), **UNSEEN), Presence.VISITED),
    "lookups beside pages": (at(*range(8), **UNSEEN, **VISIT), Presence.VISITED),
    "lookups in the hour after a page": (
        at(*range(0, 20, 2), **VISIT) + at(*range(1, 20, 2), **UNSEEN),
        Presence.VISITED,
    ),
    "a program beside a browser": (at(0, 1, 2, 3, **PROGRAM, **VISIT), Presence.INSTALLED),
    "pictures": (at(*range(10)), Presence.VISITED),
    "shared infrastructure": (at(*range(10), count=0, shared=3), None),
}


@pytest.mark.parametrize(("sightings", "presence"), CASES.values(), ids=CASES)
def test_presence(sightings: list[Sighting], presence: Presence | None) -> None:
    found = devices(sightings, END)
    assert [each.presence for each in found] == ([presence] if presence is not None else [])


INSTALLED = at(0, 1, 2, 3, **PROGRAM)
ELSEWHERE = [Sighting(client="10.0.0.1", app="wechat", hour=START + 9 * DAY, count=1, visits=1)]
LAST = START + 3 * HOUR
GONE = {  # case: (sightings, days after the last request, gaps, gone, silent)
    "quiet for too short": (INSTALLED, 6, [], False, False),
    "quiet long enough": (INSTALLED, 7, [], True, True),
    "while the client is there": (INSTALLED + ELSEWHERE, 10, [], True, False),
    "but for a gap of the log": (INSTALLED, 8, [(LAST + DAY, LAST + 3 * DAY)], False, False),
    "with a gap before": (INSTALLED, 7, [(START - DAY, START)], True, True),
    "never installed": (at(0, **VISIT), 30, [], False, True),
}


@pytest.mark.parametrize(("sightings", "days", "gaps", "gone", "silent"), GONE.values(), ids=GONE)
def test_gone(sightings: list[Sighting], days: int, gaps: list, gone: bool, silent: bool) -> None:
    [found] = [each for each in devices(sightings, LAST + days * DAY, gaps=gaps) if each.app == "alipay"]
    assert (found.gone, found.silent) == (gone, silent)


def test_what_a_row_says() -> None:
    first, last = START + timedelta(minutes=5), START + timedelta(hours=3, minutes=7)
    [found] = devices(
        at(0, count=3, first=first, **PROGRAM) + at(1, 2, **PROGRAM) + at(3, count=2, last=last, **PROGRAM),
        END,
        quiet=QUIET,
    )
    assert (found.client, found.app, found.user) == ("10.0.0.1", "alipay", None)
    assert (found.first, found.last, found.attempts, found.machine_hours) == (first, last, 7, 4)


@pytest.mark.parametrize("seen", [True, False], ids=["agents seen", "none seen"])
def test_how_often_it_is_right(seen: bool) -> None:
    made = trace(seen=seen)
    found = {each.client for each in devices(made.sightings, END) if each.presence is Presence.INSTALLED}
    right = len(found & made.installed)
    precision, recall = MEASURED[seen]
    assert right / len(found) >= precision
    assert right / len(made.installed) >= recall
