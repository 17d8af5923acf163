"""What the law says when: a state holds from its instant until the next one's."""

import pytest

from embargo.core.timeline import State, Timeline
from sample import authority, instant

EO_13971 = authority("eo-13971", issued="2021-01-05", in_force="2021-02-19", revoked="2021-06-09").timeline

STATES = {  # case: (instant, state, since)
    "before its first date it has none": ("2021-01-04T23:59:59.999999Z", None, None),
    "a date begins at 00:00 UTC": ("2021-01-05T00:00:00Z", State.ISSUED, "2021-01-05"),
    "the last instant of a state": ("2021-02-18T23:59:59.999999Z", State.ISSUED, "2021-01-05"),
    "in force from that instant on": ("2021-02-19T00:00:00Z", State.IN_FORCE, "2021-02-19"),
    "in force on its last day": ("2021-06-08T23:59:59Z", State.IN_FORCE, "2021-02-19"),
    "another offset is the same instant": ("2021-02-19T08:00:00+08:00", State.IN_FORCE, "2021-02-19"),
    "another offset, just before": ("2021-02-19T07:59:59+08:00", State.ISSUED, "2021-01-05"),
    "revoked, and so for ever": ("2099-01-01T00:00:00Z", State.REVOKED, "2021-06-09"),
}


@pytest.mark.parametrize(("when", "state", "since"), STATES.values(), ids=STATES)
def test_state(when: str, state: State | None, since: str | None) -> None:
    assert EO_13971.state_at(instant(when)) is state
    assert EO_13971.since(instant(when)) == (instant(since) if since else None)


def test_an_empty_timeline_has_no_state() -> None:
    assert Timeline().state_at(instant("2021-01-05")) is None
    assert Timeline().since(instant("2021-01-05")) is None
