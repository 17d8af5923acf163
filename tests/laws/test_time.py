"""Laws of time: a schedule is what the calendar says, and between two instants that it names no verdict changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from embargo.core.decide import decide
from embargo.core.horizon import next_change
from embargo.core.request import Request
from embargo.core.rules import Policy
from embargo.core.schedule import Schedule
from oracle import within
from strategies import policies, requests, schedules

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
MANY = 1000
instants = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
minutes = st.integers(0, 24 * 60 - 1)
hours = st.lists(st.tuples(minutes, minutes | st.just(24 * 60)).filter(lambda pair: pair[0] != pair[1]), max_size=3)
anywhere = st.builds(
    lambda zone, days, intervals: Schedule(timezone=zone, days=days, hours=tuple(intervals) or ((0, 1440),)),
    st.sampled_from(ZONES).map(ZoneInfo),
    st.frozensets(st.integers(0, 6), min_size=1),
    hours,
)


@settings(max_examples=MANY)
@given(anywhere | schedules, instants)
def test_a_schedule_is_what_the_calendar_says(schedule: Schedule, instant: datetime) -> None:
    """In any zone, at any instant: it holds exactly where the wall clock's reading lies in an interval that began on
    one of its days."""
    held = schedule.holds(instant)
    event("holds" if held else "does not hold")
    assert held is within(schedule, instant)


# A change of the clock half a day beyond the last boundary that was named, and none between.
FAR_CHANGE = Schedule(timezone=ZoneInfo("Asia/Ust-Nera"), days=frozenset({0, 1, 2, 6}), hours=((1, 1440),))


@settings(max_examples=MANY)
@given(anywhere | schedules, instants, st.lists(st.floats(0, 1), min_size=3, max_size=3))
@example(FAR_CHANGE, datetime(2000, 10, 19, 3, 0, 0, 1, tzinfo=UTC), [0.0, 0.5, 1.0])
def test_between_two_boundaries_a_schedule_does_not_change(
    schedule: Schedule, instant: datetime, shares: list[float]
) -> None:
    """From one boundary up to the next it holds throughout, or not at all."""
    boundaries = sorted({instant, *(each for each in schedule.boundaries(instant) if each > instant)})
    for start, end in pairwise(boundaries):
        held = schedule.holds(start)
        inside = [start + (end - start) * share for share in shares]
        assert all(schedule.holds(each) is held for each in (*inside, end - timedelta(microseconds=1)) if each < end)


@settings(max_examples=300)
@given(policies(), requests(), st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_before_the_next_change_no_verdict_changes(policy: Policy, request: Request, shares: list[float]) -> None:
    """Whatever is asked, the decision stays what it is until the instant that `next_change` names."""
    start = request.time
    change = next_change(policy, start)
    event("changes" if change is not None else "never changes")
    end = change if change is not None else start + timedelta(days=400)
    assert end > start
    decision = decide(policy, request)
    last = end - timedelta(microseconds=1)
    for moment in (last, *(start + (last - start) * share for share in shares)):
        assert decide(policy, replace(request, time=moment)) == decision
