"""What people are told of a CA, in one wording wherever they are told."""

from datetime import timedelta

import pytest

from embargo.core.ca_findings import colons, expiry_findings, not_permitted, too_many
from embargo.core.catalogue import DomainList
from sample import NOW

EXPIRY = {  # days left: findings
    30: [],
    29: ["the CA expires in 29 days"],
    1: ["the CA expires in 1 day"],
    0: ["the CA expires in 0 days"],
    -1: ["the CA has expired: no client takes its certificates"],
}


@pytest.mark.parametrize(("days", "findings"), EXPIRY.items(), ids=map(str, EXPIRY))
def test_expiry(days: int, findings: list[str]) -> None:
    assert expiry_findings(days, None, NOW) == findings
    assert expiry_findings(days, NOW, NOW) == findings


def test_not_yet_valid_is_told_alone() -> None:
    assert expiry_findings(5, NOW + timedelta(days=1), NOW) == ["the CA is not valid before 2026-11-25"]


def test_what_it_does_not_permit() -> None:
    assert not_permitted("a.test") == "the CA does not permit a.test: what the policy bans inside it passes"
    assert too_many(DomainList("a", "lists/a.txt", 1200)).startswith("1200 names of lists/a.txt need to be opened")


def test_colons() -> None:
    assert colons("00ff") == "00:FF"
    assert colons("") == ""
