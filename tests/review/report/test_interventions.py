"""What people did: of each change one thing, and only what was done."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from embargo.journal.record import Record
from embargo.review.report.interventions import interventions

START = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
END = START + 10 * HOUR


def record(
    hours: float, action: str, outcome: str | None, told: Mapping[str, object] | None = None, **members: object
) -> Record:
    usual: dict[str, object] = {"rule": "x", "user": "bob", "categories": ("configuration",)}
    return Record(
        time=START + hours * HOUR,
        id=f"{action}-{hours}",
        sequence=1,
        action=action,
        outcome=outcome,
        document={"embargo": dict(told or {})},
        **(usual | members),  # type: ignore[arg-type]
    )


def test_an_exception() -> None:
    told = {
        "exception": {
            "apps": ["qq"],
            "clients": ["10.0.0.0/8"],
            "users": ["alice"],
            "reason": "why",
            "against": ["order"],
        }
    }
    found = interventions(
        [
            record(1, "exception-added", "unknown", told),
            record(1, "exception-added", "success", told),
            record(3, "exception-ended", "unknown"),
            record(3, "exception-ended", "success"),
        ],
        START,
        END,
    )
    [exemption] = found.exemptions
    assert (exemption.apps, exemption.whom, exemption.reason, exemption.against) == (
        ("qq",),
        ("10.0.0.0/8", "alice"),
        "why",
        ("order",),
    )
    assert exemption.ended == START + 3 * HOUR
    assert [act.action for act in found.acts] == ["exception-ended"]


def test_what_failed_is_no_exception() -> None:
    found = interventions([record(1, "exception-added", "failure", error="disk full")], START, END)
    assert found.exemptions == ()
    assert [(act.action, act.outcome, act.reason) for act in found.acts] == [
        ("exception-added", "failure", "disk full")
    ]


def test_break_glass() -> None:
    told = {"break_glass": {"id": "g", "until": "2026-11-23T02:00:00Z", "author": "alice", "ticket": "INC-1"}}
    found = interventions([record(1, "break-glass-started", "success", told, reason="payroll")], START, END)
    [opening] = found.openings
    assert (opening.id, opening.author, opening.reason, opening.ticket) == ("g", "alice", "payroll", "INC-1")


LASTING = {  # case: (when it was granted, its `until`, when it was ended; in hours) and whether the period has it
    "granted before, and still in effect": ((-5, 5, None), True),
    "granted before, without an end": ((-5, None, None), True),
    "granted before, and over": ((-5, 0, None), False),
    "granted before, and ended before": ((-5, 5, -1), False),
    "granted before, and ended in it": ((-5, 5, 1), True),
    "granted in it": ((1, 20, None), True),
    "granted behind it": ((11, 20, None), False),
}


@pytest.mark.parametrize(("times", "there"), LASTING.values(), ids=LASTING)
@pytest.mark.parametrize("kind", ["exception", "break_glass"])
def test_what_is_in_effect_in_the_period(times: tuple[int, int | None, int | None], there: bool, kind: str) -> None:
    """What lets something through in November stands in November's report, whenever it was granted."""
    granted, until, ended = times
    begin, finish = {
        "exception": ("exception-added", "exception-ended"),
        "break_glass": ("break-glass-started", "break-glass-ended"),
    }[kind]
    told: dict[str, object] = {"id": "x", "against": ["order"]}
    told |= {"until": (START + until * HOUR).isoformat()} if until is not None else {}
    records = [record(granted, begin, "success", {kind: told})]
    if ended is not None:
        records.append(record(ended, finish, "success", {kind: told}))
    found = interventions(records, START, END)
    assert len(found.exemptions if kind == "exception" else found.openings) == there


def test_what_is_told_elsewhere_or_lies_outside() -> None:
    records = [
        record(1, "policy-load", "success"),
        record(1, "seal-checkpoint", None),
        record(1, "block", "success", categories=("network",)),
        record(11, "catalogue-updated", "success"),
    ]
    assert interventions(records, START, END).acts == ()


def test_an_earlier_end_is_not_this_ones() -> None:
    found = interventions(
        [record(1, "exception-ended", "success"), record(2, "exception-added", "success")], START, END
    )
    assert found.exemptions[0].ended is None


def test_the_first_end_is_its_end() -> None:
    records = [record(hours, "exception-ended", "success") for hours in (2, 4)]
    [exemption] = interventions([record(1, "exception-added", "success"), *records], START, END).exemptions
    assert exemption.ended == START + 2 * HOUR


def test_records_of_another_form() -> None:
    found = interventions([record(1, "exception-added", "success", {"exception": ["x"]}, rule=None)], START, END)
    assert (found.exemptions[0].id, found.exemptions[0].apps) == ("?", ())
