"""Who looked behind a pseudonym is on record before anybody knows; what was found is not."""

import json
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from embargo.journal.pseudonym import ensure_key, read_keys
from embargo.review.unmasking import CannotResolve, renew, unmask

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def records(log: Path) -> list[dict[str, Any]]:
    lines = (log / "audit.jsonl").read_text().splitlines() if (log / "audit.jsonl").exists() else []
    return [found for line in lines if (found := json.loads(line))["event"]["action"].startswith("pseudonym-")]


def look(place: Path, pseudonym: str, *networks: str):
    return unmask(
        pseudonym,
        [ip_network(network) for network in networks],
        state=place / "state",
        log=place / "log",
        author="alice",
        reason="incident 17",
        now=lambda: NOW,
    )


def test_found_and_on_record(tmp_path: Path) -> None:
    made = ensure_key(tmp_path / "state", NOW).pseudonym("10.20.3.4")
    assert look(tmp_path, made.upper(), "10.10.0.0/24", "10.20.0.0/20") == ip_address("10.20.3.4")
    before, after = records(tmp_path / "log")
    assert [each["event"]["outcome"] for each in (before, after)] == ["unknown", "success"]
    assert after["event"]["action"] == "pseudonym-resolved"
    assert after["event"]["type"] == ["access"]
    assert after["user"]["name"] == "alice"
    assert after["event"]["reason"] == "incident 17"
    assert after["embargo"]["privacy"] == {
        "pseudonym": made, "networks": ["10.10.0.0/24", "10.20.0.0/20"], "found": True,
    }  # fmt: skip
    assert "10.20.3.4" not in (tmp_path / "log" / "audit.jsonl").read_text()


def test_not_found(tmp_path: Path) -> None:
    made = ensure_key(tmp_path / "state", NOW).pseudonym("10.20.3.4")
    assert look(tmp_path, made, "10.10.0.0/24") is None
    assert records(tmp_path / "log")[-1]["embargo"]["privacy"]["found"] is False


REFUSED = {  # case: (pseudonym, network, what is said)
    "an address": ("10.1.2.3", "10.0.0.0/24", "is no pseudonym"),
    "of another key": ("c9-aaaaaaaaaaaaaaaa", "10.0.0.0/24", "the key of number 9 is not there"),
    "too many": ("c1-aaaaaaaaaaaaaaaa", "2001:db8::/64", "too many to try"),
}


@pytest.mark.parametrize(("pseudonym", "network", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_looked_for_is_not_recorded(tmp_path: Path, pseudonym: str, network: str, told: str) -> None:
    ensure_key(tmp_path / "state", NOW)
    with pytest.raises(CannotResolve, match=told):
        look(tmp_path, pseudonym, network)
    assert records(tmp_path / "log") == []


def test_nothing_is_looked_for_that_cannot_be_recorded(tmp_path: Path) -> None:
    made = ensure_key(tmp_path / "state", NOW).pseudonym("10.20.3.4")
    (tmp_path / "log").write_text("in the way")
    with pytest.raises(OSError):
        look(tmp_path, made, "10.20.3.4")


def test_a_new_key_is_on_record(tmp_path: Path) -> None:
    ensure_key(tmp_path / "state", NOW)
    key, forgotten = renew(
        state=tmp_path / "state", log=tmp_path / "log", author="alice", reason="year", forget=True, now=lambda: NOW
    )
    assert (key.number, [each.number for each in forgotten]) == (2, [1])
    assert read_keys(tmp_path / "state") == (key,)
    assert records(tmp_path / "log")[-1]["embargo"]["privacy"] == {"forget": True, "key": 2}
