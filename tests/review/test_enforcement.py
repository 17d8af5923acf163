"""The share of a period in which the ban was enforced."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embargo.journal.event import Change, ConfigurationChanged, Event, Heartbeat, Outcome, ProcessChanged, RecordsLost
from embargo.journal.heartbeat import heartbeat_of, process_of
from embargo.journal.record import Encoder, Observer, Record
from embargo.review.enforcement import Course, State, enforcement
from embargo.review.lifelines import LONGEST, Told

BEGIN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def record(event: Event, pid: int = 1) -> Record:
    observer = Observer(hostname="proxy1", version="0.1.0", pid=pid)
    identifier = "019dc9a8-0000-7000-8000-000000000001"
    return Record.parse(Encoder(observer).line(event, sequence=1, identifier=identifier))


def beat(
    time: float,
    seconds: float = 60.0,
    mode: str | None = "enforce",
    *,
    pid: int = 1,
    worker: int | None = None,
    glass: str | None = None,
    since: float | None = None,
) -> Record:
    return record(
        Heartbeat(
            time=at(time),
            since=at(time - seconds if since is None else since),
            seconds=seconds,
            mode=mode,
            policy="aa" * 32 if mode else None,
            break_glass=glass,
            flows={"judged": 2, "blocked": 1},
            uninspected={"pinned": 1},
            lost=1,
            ca="cc" * 32,
            worker=worker,
        ),
        pid,
    )


def process(time: float, action: str, pid: int = 1, *, of: int | None = None, reason: str | None = None) -> Record:
    return record(ProcessChanged(time=at(time), action=action, pid=of, reason=reason), pid)


def minutes(first: int, last: int, **members: object) -> list[Record]:
    """A heartbeat at the end of each minute from *first* to *last*."""
    return [beat(60.0 * minute, **members) for minute in range(first, last + 1)]  # type: ignore[arg-type]


def told(course: Course) -> list[tuple[float, float, str]]:
    return [
        ((each.begin - BEGIN).total_seconds(), (each.end - BEGIN).total_seconds(), each.state.word)
        for each in course.stretches
    ]


SITES: dict[str, tuple[list[Record], float, list[tuple[float, float, str]]]] = {
    # case: records, seconds of the period from BEGIN, what held of the site
    "a heartbeat each minute": (minutes(1, 10), 600, [(0, 600, "enforced")]),
    "nothing at all": ([], 600, [(0, 600, "gap")]),
    "the period is a part of it": (minutes(-5, 20), 600, [(0, 600, "enforced")]),
    "some are missing": (
        minutes(1, 3) + minutes(6, 10),
        600,
        [(0, 180, "enforced"), (180, 300, "gap"), (300, 600, "enforced")],
    ),
    "monitor": (
        [*minutes(1, 2), beat(150, 30), beat(180, 30, "monitor")],
        180,
        [(0, 150, "enforced"), (150, 180, "monitored")],
    ),
    "break-glass": (
        [beat(60), beat(90, 30, "monitor", glass="g"), beat(120, 30)],
        120,
        [(0, 60, "enforced"), (60, 90, "break-glass"), (90, 120, "enforced")],
    ),
    "no policy has loaded": ([beat(5, 5, None), beat(60, 55)], 60, [(0, 5, "refused"), (5, 60, "enforced")]),
    "no policy, and break-glass": ([beat(60, 60, "monitor", glass="g")], 60, [(0, 60, "break-glass")]),
    "stopped and started again": (
        [
            *minutes(1, 2),
            beat(130, 10),
            process(130, "stop"),
            process(300, "start", 2),
            beat(300, 0, pid=2),
            beat(360, pid=2),
        ],
        360,
        [(0, 130, "enforced"), (130, 300, "gap"), (300, 360, "enforced")],
    ),
    "killed, and seen a while after the last heartbeat": (
        [
            *minutes(1, 2),
            process(150, "died", 9, of=1, reason="worker 1 was ended by SIGKILL"),
            beat(160, 0, pid=2),
            beat(220, pid=2),
        ],
        220,
        [(0, 120, "enforced"), (120, 150, "gap"), (150, 160, "gap"), (160, 220, "enforced")],
    ),
    "crashed without a word": (
        [*minutes(1, 2), beat(300, 0, pid=2), beat(360, pid=2)],
        360,
        [(0, 120, "enforced"), (120, 300, "gap"), (300, 360, "enforced")],
    ),
    "one worker of two is down, and said so": (
        [*minutes(1, 5, worker=1), beat(60, worker=2, pid=2), process(60, "stop", 2)],
        300,
        [(0, 300, "enforced")],
    ),
    "one worker of two is silent": (
        [*minutes(1, 5, worker=1), beat(60, worker=2, pid=2)],
        300,
        [(0, 60, "enforced"), (60, 300, "gap")],
    ),
    "one worker of two monitors": (
        [*minutes(1, 2, worker=1), *minutes(1, 2, worker=2, pid=2, mode="monitor")],
        120,
        [(0, 120, "monitored")],
    ),
    "one worker of two has no policy yet": (
        [*minutes(1, 2, worker=1), *minutes(1, 2, worker=2, pid=2, mode=None)],
        120,
        [(0, 120, "enforced")],
    ),
    "the clock was set forward an hour": (
        [beat(60), beat(3720, 60, since=60), beat(3780)],
        3780,
        [(0, 60, "enforced"), (60, 3660, "gap"), (3660, 3780, "enforced")],
    ),
    "the clock was set back": ([beat(120), beat(60, since=120), beat(120)], 120, [(0, 120, "enforced")]),
    "a process that stood still for an hour vouches for none of it": (
        [beat(60), beat(3660, 3600)],
        3660,
        [(0, 60, "enforced"), (60, 3510, "gap"), (3510, 3660, "enforced")],
    ),
    "stopped and started again, with the same number of a process": (
        [*minutes(1, 2), process(125, "stop"), beat(300, 0), beat(360)],
        360,
        [(0, 120, "enforced"), (120, 125, "gap"), (125, 300, "gap"), (300, 360, "enforced")],
    ),
    "one proxy of two side by side falls silent": (
        [beat(60), beat(60, pid=2), *minutes(2, 5)],
        300,
        [(0, 60, "enforced"), (60, 300, "gap")],
    ),
    "one proxy after another": (
        [*minutes(1, 2), process(120, "stop"), beat(120.5, 0, pid=2), beat(180, 59.5, pid=2)],
        180,
        [(0, 120, "enforced"), (120, 120.5, "gap"), (120.5, 180, "enforced")],
    ),
    "one process that contradicts itself": (
        [*minutes(1, 3), beat(150, 60, "monitor")],
        180,
        [(0, 90, "enforced"), (90, 150, "monitored"), (150, 180, "enforced")],
    ),
    "a worker's old process is silent beside its new one, and speaks again": (
        [*minutes(1, 2, worker=1), *minutes(2, 5, worker=1, pid=2), beat(300, worker=1)],
        300,
        [(0, 120, "enforced"), (120, 240, "gap"), (240, 300, "enforced")],
    ),
    "two side by side, whose records come one after the other": (
        [*minutes(1, 1), *minutes(2, 3, pid=2), *minutes(2, 2), beat(240)],
        240,
        [(0, 120, "enforced"), (120, 240, "gap")],
    ),
    "an end that is told a moment after the next began": (
        [beat(60, worker=1), beat(120, 59.7, worker=1, pid=2), process(60.5, "stop"), *minutes(1, 2, worker=2, pid=3)],
        120,
        [(0, 120, "enforced")],
    ),
    "a mode that nobody knows": ([beat(60, mode="dream")], 60, [(0, 60, "gap")]),
}


@pytest.mark.parametrize(("records", "seconds", "held"), SITES.values(), ids=SITES)
def test_site(records: list[Record], seconds: float, held: list[tuple[float, float, str]]) -> None:
    assert told(enforcement(records, BEGIN, at(seconds)).site) == held


CAUSES: dict[str, tuple[list[Record], str]] = {
    "stopped": ([beat(60), process(60, "stop"), beat(300, 0, pid=2)], "no worker was running: it was stopped"),
    "died": (
        [beat(60), process(90, "died", 9, of=1, reason="worker 1 was ended by SIGKILL"), beat(300, 0, pid=2)],
        "worker 1 was ended by SIGKILL",
    ),
    "a crash": ([beat(60), beat(300, 0, pid=2)], "it ended without a word, and was started again"),
    "the disk was full": (
        [beat(60), record(RecordsLost(time=at(280), count=9, since=at(100), reason="No space left")), beat(300)],
        "records were lost: No space left",
    ),
    "retention": (
        [
            beat(60),
            record(
                ConfigurationChanged(
                    time=at(9e6),
                    action="log-deleted",
                    change=Change.DELETION,
                    outcome=Outcome.SUCCESS,
                    subject="tombstone",
                    details={"since": at(61), "until": at(299)},
                )
            ),
            beat(400),
        ],
        "the log of that time was deleted on 2027-03-08",
    ),
    "nobody knows": (
        [beat(60), beat(300)],
        "no heartbeat: it hung or was killed, the machine slept or lost power, or its clock was set",
    ),
}


@pytest.mark.parametrize(("records", "why"), CAUSES.values(), ids=CAUSES)
def test_cause(records: list[Record], why: str) -> None:
    assert enforcement(records, BEGIN, at(240)).gaps[0].why == why


def test_the_next_heartbeat_may_not_be_due_yet() -> None:
    assert told(enforcement(minutes(1, 2), BEGIN, at(9999), now=at(150)).site) == [(0, 150, "enforced")]
    late = enforcement(minutes(1, 2), BEGIN, at(9999), now=at(300)).site
    assert told(late) == [(0, 120, "enforced"), (120, 300, "gap")]


def test_sums_and_shares() -> None:
    found = enforcement(minutes(1, 3) + minutes(4, 4, mode="monitor"), BEGIN, at(240))
    assert (found.flows, found.uninspected, found.lost) == ({"judged": 8, "blocked": 4}, {"pinned": 4}, 4)
    assert found.certificates == ("cc" * 32,)
    assert found.site.share == 0.75
    assert found.document()["site"]["seconds"] == {
        "down": 0, "refused": 0, "enforced": 180, "monitored": 60, "break-glass": 0, "gap": 0,
    }  # fmt: skip


def test_a_year_takes_no_more_memory_than_a_day() -> None:
    told = Told(BEGIN, at(1e9))
    for each in minutes(1, 1000) + minutes(1001, 1010, mode="monitor"):
        told.take(each)
    assert [len(spans) for spans in told.spans.values()] == [2]


def test_a_period_has_a_length() -> None:
    with pytest.raises(ValueError, match="ends before it begins"):
        enforcement([], BEGIN, BEGIN)


EVENTS = st.builds(
    lambda time, seconds, mode, pid, worker, glass, kind: (
        beat(time, seconds, mode, pid=pid, worker=worker, glass=glass)
        if kind < 8
        else process(time, "stop" if kind == 8 else "died", pid)
    ),
    st.integers(-100, 700),
    st.integers(0, 200),
    st.sampled_from([None, "enforce", "monitor"]),
    st.integers(1, 3),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, "g"]),
    st.integers(0, 9),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=12), st.integers(1, 600))
def test_shares_add_up_to_the_period(records: list[Record], seconds: int) -> None:
    """Whatever the log says, of each instant of the period one thing is told, and no instant is told twice."""
    found = enforcement(records, BEGIN, at(seconds))
    for course in (found.site, *found.workers.values()):
        assert course.stretches[0].begin == BEGIN
        assert course.stretches[-1].end == at(seconds)
        assert all(one.end == two.begin for one, two in pairwise(course.stretches))
        assert sum(course.shares.values()) == pytest.approx(1)
        assert sum((course.total(state) for state in State), timedelta()) == timedelta(seconds=seconds)


def chain(pid: int, worker: int | None, start: int, links: list[tuple[int, int, str]], stop: bool) -> list[Record]:
    """The heartbeats of a process, each some seconds after the one before."""
    records, time = [], start
    for hole, seconds, mode in links:
        time += hole + seconds
        records.append(beat(time, seconds, mode, pid=pid, worker=worker))
    return [*records, process(time, "stop", pid)] if stop else records


LINKS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 2, 40]),
        st.sampled_from([0, 1, 30, 60]),
        st.sampled_from(["enforce", "enforce", "enforce", "monitor"]),
    ),
    min_size=1,
    max_size=5,
)
CHAINS = st.lists(
    st.tuples(st.sampled_from([None, None, 1, 2]), st.integers(0, 150), LINKS, st.booleans()), min_size=1, max_size=4
).map(lambda told: [each for pid, of in enumerate(told, 1) for each in chain(pid, *of)])


def vouched(each: Record) -> tuple[tuple[int | None, int | None], datetime, datetime]:
    """Whose heartbeat it is, and of what time it tells."""
    told = heartbeat_of(each)
    assert told is not None
    return (told.pid, told.worker), told.time - min(timedelta(seconds=told.seconds), LONGEST), told.time


def leaves_a_trace(less: list[Record], gone: Record) -> bool:
    """Whether *less* still proves that the process of *gone*, which vouches for enforcement, ran at that time.

    It does where the same process tells of a time before and of one after. Before alone will do where no other began
    since: nothing then looks as if it had taken over from one that crashed. The last trace of a process that is taken
    away is missed by the seal, not here.
    """
    told = heartbeat_of(gone)
    if told is None or told.mode != "enforce" or told.break_glass is not None:
        return False
    if any(each.action in ("stop", "died") and process_of(each.document) == told.pid for each in less):
        return False
    whose, first, time = vouched(gone)
    others = [vouched(each) for each in less if each.action == "heartbeat"]
    kin = [each for each in others if each[0] == whose]
    if not any(begin <= first for _, begin, _ in kin):
        return False
    last = max(end for _, _, end in kin)
    return last >= time or not any(begin >= last - timedelta(seconds=1) for name, begin, _ in others if name != whose)


def gain(records: list[Record], index: int, seconds: int) -> timedelta:
    """How much more enforced time is shown without the record at *index*."""
    less = records[:index] + records[index + 1 :]
    whole, shown = (
        enforcement(each, BEGIN, at(seconds)).site.total(State.ENFORCED) if each else timedelta()
        for each in (records, less)
    )
    return shown - whole


TAKEN: dict[str, tuple[list[Record], int]] = {
    # case: records, the place of the one that is taken away
    "one second, of a process beside others": (
        [beat(0, 0), process(0, "stop"), beat(0, 0, worker=1, pid=2), beat(2, 1, worker=1, pid=2),
         beat(3, 0, "monitor", worker=1, pid=2), beat(1, 1, worker=1, pid=3), beat(2, 1, worker=1, pid=3),
         beat(4, 0, worker=1, pid=3)],
        6,
    ),
    "what showed two to run side by side": (
        [beat(60), beat(120), *minutes(2, 5, pid=2), beat(180)],
        1,
    ),
    "what two processes of one number had between them": (
        [beat(50, 50, worker=1), beat(60, worker=1, pid=2), process(60, "stop", 2), beat(70, 10, worker=1),
         beat(110, 10, worker=1), *minutes(1, 5, worker=2, pid=3)],
        3,
    ),
    "what stood in a short silence of another": (
        [beat(10, 10, worker=1), beat(5, 1, worker=1, pid=2), beat(10.5, 0.3, worker=1, pid=2),
         beat(60, 49.2, worker=1), beat(70, 5, worker=1, pid=2)],
        2,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("records", "index"), TAKEN.values(), ids=TAKEN)
def test_taken_away(records: list[Record], index: int) -> None:
    assert leaves_a_trace(records[:index] + records[index + 1 :], records[index])
    assert gain(records, index, 300) <= timedelta()


LAST_TRACES: dict[str, tuple[list[Record], int]] = {
    "the only heartbeat of a process without a number": (
        [beat(0, 0, None), process(0, "stop"), beat(0, 0, pid=2), beat(1, 1)],
        2,
    ),
    "one second of break-glass, which another of its process denies": ([beat(1, 1, glass="g"), beat(1, 1)], 0),
    "the last of a process, as if it had crashed before another began": (
        [beat(60), beat(120), *minutes(2, 5, pid=2)],
        1,
    ),
}


@pytest.mark.parametrize(("records", "index"), LAST_TRACES.values(), ids=LAST_TRACES)
def test_a_last_trace_is_left_to_the_seal(records: list[Record], index: int) -> None:
    """What nothing else tells of cannot be missed here; the log's seal tells that a record is gone."""
    assert not leaves_a_trace(records[:index] + records[index + 1 :], records[index])
    assert gain(records, index, 300) > timedelta()


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS, max_size=8) | CHAINS, st.integers(1, 600))
def test_a_record_less_never_shows_more_enforced(records: list[Record], seconds: int) -> None:
    """Who takes away a heartbeat gains nothing by it, as long as others show that its process ran."""
    for index, each in enumerate(records):
        if leaves_a_trace(records[:index] + records[index + 1 :], each):
            assert gain(records, index, seconds) <= timedelta()


@settings(max_examples=60, deadline=None)
@given((st.lists(EVENTS, max_size=8) | CHAINS).flatmap(lambda each: st.tuples(st.just(each), st.permutations(each))))
def test_the_order_of_records_tells_nothing(orders: tuple[list[Record], list[Record]]) -> None:
    one, other = (enforcement(each, BEGIN, at(300)).site for each in orders)
    assert [one.total(state) for state in State] == [other.total(state) for state in State]
