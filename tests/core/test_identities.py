"""Whose address it is, and when."""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.identities import Assignment, Identities
from sample import instant


def assignment(network: str, user: str, start: str | None = None, end: str | None = None) -> Assignment:
    return Assignment(ip_network(network), user, instant(start) if start else None, instant(end) if end else None)


MAP = Identities(
    [
        assignment("10.1.0.0/16", "site"),
        assignment("10.1.2.3/32", "alice", "2026-11-24T08:00:00Z", "2026-11-24T17:00:00Z"),
        assignment("10.1.2.4/32", "bob"),
        assignment("10.1.2.4/32", "carol", "2026-11-24T12:00:00Z"),
        assignment("2001:db8::/64", "six"),
        assignment("2001:db8::7/128", "seven"),
    ]
)

ASKED = {  # case: (address, time, user)
    "before it begins: the network's": ("10.1.2.3", "2026-11-24T07:59:59.999Z", "site"),
    "the first instant": ("10.1.2.3", "2026-11-24T08:00:00Z", "alice"),
    "the last instant": ("10.1.2.3", "2026-11-24T16:59:59.999Z", "alice"),
    "the first that is over": ("10.1.2.3", "2026-11-24T17:00:00Z", "site"),
    "a later line that does not hold yet": ("10.1.2.4", "2026-11-24T11:00:00Z", "bob"),
    "a later line that holds": ("10.1.2.4", "2026-11-24T13:00:00Z", "carol"),
    "in the network": ("10.1.255.255", "2026-11-24", "site"),
    "beside the network": ("10.2.0.0", "2026-11-24", None),
    "IPv6": ("2001:db8::8", "2026-11-24", "six"),
    "the longer prefix": ("2001:db8::7", "2026-11-24", "seven"),
    "IPv6 beside": ("2001:db8:0:1::7", "2026-11-24", None),
}


@pytest.mark.parametrize(("address", "time", "user"), ASKED.values(), ids=ASKED)
def test_user(address: str, time: str, user: str | None) -> None:
    assert MAP.user(ip_address(address), instant(time)) == user


CHANGES = {  # case: (from, to, whether something changes)
    "nothing in between": ("2026-11-24T09:00:00Z", "2026-11-24T11:00:00Z", False),
    "a begin": ("2026-11-24T07:00:00Z", "2026-11-24T08:00:00Z", True),
    "an end": ("2026-11-24T16:00:00Z", "2026-11-24T18:00:00Z", True),
    "from that instant on": ("2026-11-24T08:00:00Z", "2026-11-24T09:00:00Z", False),
    "the clock went back": ("2026-11-24T18:00:00Z", "2026-11-24T07:00:00Z", False),
}


@pytest.mark.parametrize(("start", "end", "changes"), CHANGES.values(), ids=CHANGES)
def test_changes(start: str, end: str, changes: bool) -> None:
    assert MAP.changes_between(instant(start), instant(end)) is changes


def test_nobody() -> None:
    assert Identities().user(ip_address("10.1.2.3"), datetime.now(UTC)) is None
    assert len(Identities()) == 0
    assert len(MAP) == 6


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(28, 32), st.booleans()), max_size=12),
    st.integers(0, 15),
)
def test_agrees_with_looking_at_every_line(lines: list[tuple[int, int, bool]], host: int) -> None:
    """Of what holds, the longest prefix, and of those the last line."""
    past = datetime(2020, 1, 1, tzinfo=UTC)
    time = datetime(2026, 1, 1, tzinfo=UTC)
    assignments = [
        Assignment(
            ip_network((0x0A000000 + base * 4, length), strict=False), f"u{number}", None, past if over else None
        )
        for number, (base, length, over) in enumerate(lines)
    ]
    address = ip_address(0x0A000000 + host)
    holding = [
        (each.network.prefixlen, number, each.user)
        for number, each in enumerate(assignments)
        if address in each.network and each.holds(time)
    ]
    assert Identities(assignments).user(address, time) == (max(holding)[2] if holding else None)
