"""Records of the decision log become past requests, with what was decided then."""

from ipaddress import ip_address

import pytest

from embargo.core.decision import Verdict
from embargo.core.request import Surface
from embargo.core.seen import Unread
from embargo.journal.record import Record
from embargo.review.recorded import Recorded, read_lines, recorded
from sample import NOW

BASE = {"time": NOW, "id": "i", "sequence": 1, "action": "block", "verdict": "block"}
REQUESTS = {  # case: (members of the record, request, surface, other names)
    "http by its URL": (
        {"surface": "http", "url": "https://a.test/x", "host": "a.test", "hosts": ("a.test",)},
        ("https://a.test/x", Surface.HTTP, ()),
    ),
    "connect by host and port": (
        {"surface": "connect", "host": "a.test", "hosts": ("a.test",), "destination_port": 8443},
        ("a.test:8443", Surface.CONNECT, ()),
    ),
    "a name that differs": (
        {"surface": "tls", "host": "a.test", "hosts": ("a.test", "b.test"), "destination_port": 443},
        ("a.test:443", Surface.TLS, ("b.test",)),
    ),
    "dns by its question": ({"surface": "dns", "host": "a.test", "destination_port": 53}, ("a.test", Surface.DNS, ())),
    "an IPv6 address": (
        {"surface": "tcp", "host": "2001:db8::1", "destination_port": 22},
        ("[2001:db8::1]:22", Surface.TCP, ()),
    ),
}


@pytest.mark.parametrize(("members", "expected"), REQUESTS.values(), ids=REQUESTS)
def test_request(members: dict[str, object], expected: tuple[str, Surface, tuple[str, ...]]) -> None:
    found = recorded(Record(**{**BASE, **members}))  # type: ignore[arg-type]
    assert found is not None
    assert (found.request, found.surface, found.names) == expected
    assert (found.then, found.time) == (Verdict.BLOCK, NOW)


def test_who_it_was() -> None:
    members = {**BASE, "surface": "dns", "host": "a.test", "client": "10.0.0.7", "user": "bob"}
    found = recorded(Record(**members))  # type: ignore[arg-type]
    assert isinstance(found, Recorded)
    assert (found.client, found.user) == (ip_address("10.0.0.7"), "bob")
    masked = recorded(Record(**{**members, "client": "10.0.0.0/24"}))  # type: ignore[arg-type]
    assert masked is not None and masked.client is None
    truncated = recorded(Record(**{**members, "client": "10.0.0.0", "masked": True}))  # type: ignore[arg-type]
    assert truncated is not None and truncated.client is None, "the first address of a network is nobody's"


NOTHING: dict[str, dict[str, object]] = {
    "a policy that took effect": {"verdict": None, "action": "policy-load"},
    "a refusal without a name": {"surface": "tls", "host": None},
}


@pytest.mark.parametrize("members", NOTHING.values(), ids=NOTHING)
def test_nothing_to_judge(members: dict[str, object]) -> None:
    assert recorded(Record(**{**BASE, **members})) is None  # type: ignore[arg-type]


def test_broken_lines_are_told() -> None:
    found = list(read_lines([(1, "{"), (2, ""), (3, None)]))
    assert [(item.where, isinstance(item, Unread)) for item in found if isinstance(item, Unread)] == [
        ("line 1", True),
        ("line 3", True),
    ]
