"""What people did: of each change one thing, and only what was done."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

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


def test_records_of_another_form() -> None:
    found = interventions([record(1, "exception-added", "success", {"exception": ["x"]}, rule=None)], START, END)
    assert (found.exemptions[0].id, found.exemptions[0].apps) == ("?", ())
