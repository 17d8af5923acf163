"""Policies in force, and edits, from the records of loads."""

from datetime import UTC, datetime, timedelta

import pytest

from embargo.journal.record import Record
from embargo.review.report.policies import edits, in_force

START = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
END = START + 10 * HOUR
A, B = "aa" * 32, "bb" * 32


def load(hours: float, new: object, old: str | None = None, outcome: str = "success", **policy: object) -> Record:
    document = {"embargo": {"policy": {"new": new, "old": old, **policy}}}
    return Record(
        time=START + hours * HOUR,
        id=f"{hours}",
        sequence=1,
        action="policy-load",
        outcome=outcome,
        categories=("configuration",),
        document=document,
    )


STRETCHES = {  # case: (loads, policies as (digest, from hour, until hour))
    "none": ([], []),
    "one, from before": ([load(-5, A)], [(A, 0, 10)]),
    "one, from within": ([load(2, A)], [(A, 2, 10)]),
    "a change": ([load(-5, A), load(4, B, A)], [(A, 0, 4), (B, 4, 10)]),
    "there and back": ([load(-5, A), load(4, B, A), load(5, A, B)], [(A, 0, 4), (B, 4, 5), (A, 5, 10)]),
    "several workers": ([load(-5, A), load(4, B, A), load(4.001, B, A)], [(A, 0, 4), (B, 4, 10)]),
    "a restart": ([load(-5, A), load(4, A, A)], [(A, 0, 10)]),
    "a refusal changes nothing": ([load(-5, A), load(4, None, A, "failure")], [(A, 0, 10)]),
    "after the period": ([load(-5, A), load(11, B, A)], [(A, 0, 10)]),
    "no digest": ([load(-5, 7)], []),
}


@pytest.mark.parametrize(("loads", "expected"), STRETCHES.values(), ids=STRETCHES)
def test_in_force(loads: list[Record], expected: list[tuple[str, float, float]]) -> None:
    found = in_force(loads, START, END)
    assert [(each.digest, (each.start - START) / HOUR, (each.end - START) / HOUR) for each in found] == expected


EDITS = {  # case: (loads, (hour, accepted) of the edits)
    "the first": ([load(0, A)], [(0, True)]),
    "a restart is none": ([load(0, A, A)], []),
    "several workers are one": ([load(0, B, A), load(0.001, B, A)], [(0, True)]),
    "again, later": ([load(0, B, A), load(3, B, A)], [(0, True), (3, True)]),
    "there and back at once": ([load(0, B, A), load(0.001, A, B)], [(0, True), (0.001, True)]),
    "a refusal": ([load(1, None, A, "failure", problems=["x:1:1: y"])], [(1, False)]),
}


@pytest.mark.parametrize(("loads", "expected"), EDITS.values(), ids=EDITS)
def test_edits(loads: list[Record], expected: list[tuple[float, bool]]) -> None:
    assert [((each.time - START) / HOUR, each.accepted) for each in edits(loads)] == expected


def test_what_an_edit_says() -> None:
    [edit] = edits([load(0, B, A, stricter=["a", 7, "b"], stricter_count=120, milder="no list")])
    assert (edit.stricter, edit.stricter_count, edit.milder, edit.milder_count) == (("a", "b"), 120, (), 0)


def test_records_of_another_form() -> None:
    strange = Record(
        time=START, id="x", sequence=1, action="policy-load", outcome="success", document={"embargo": {"policy": 3}}
    )
    assert in_force([strange], START, END) == []
    assert [edit.new for edit in edits([strange])] == []
