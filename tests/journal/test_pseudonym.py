"""Pseudonyms: the same for the same client under one key, nothing without it, and resolved by whoever has it."""

import json
import stat
import threading
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.journal.pseudonym import (
    FORM,
    Key,
    Pseudonyms,
    UnusableKeys,
    addresses,
    ensure_key,
    read_keys,
    resolve,
    rotate,
)

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
KEY = Key(7, NOW, bytes(range(32)))
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


def test_what_it_looks_like() -> None:
    assert KEY.pseudonym("10.1.2.3") == "c7-rtovevzejhna6n7i"


SPELLINGS = {
    "upper case": ("2001:DB8::1", "2001:db8::1"),
    "written out": ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
    "IPv4 in IPv6": ("::ffff:10.1.2.3", "10.1.2.3"),
}


@pytest.mark.parametrize(("one", "other"), SPELLINGS.values(), ids=SPELLINGS)
def test_spellings_of_one_address_have_one(one: str, other: str) -> None:
    assert KEY.pseudonym(one) == KEY.pseudonym(other)


@given(ADDRESSES, ADDRESSES)
def test_two_clients_have_two_and_no_part_of_the_address_is_in_it(one: str, other: str) -> None:
    made = KEY.pseudonym(one)
    assert FORM.fullmatch(made)
    assert (made == KEY.pseudonym(other)) == (ip_address(one) == ip_address(other))


def test_another_key_makes_another() -> None:
    assert KEY.pseudonym("10.1.2.3")[3:] != Key(7, NOW, bytes(32)).pseudonym("10.1.2.3")[3:]


def test_the_key_is_made_once_and_nobody_else_reads_it(tmp_path: Path) -> None:
    made = []
    threads = [threading.Thread(target=lambda: made.append(ensure_key(tmp_path / "state", NOW))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    file = tmp_path / "state" / "privacy" / "client-keys.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(made[0].secret) == 32


def test_resolved_by_trying(tmp_path: Path) -> None:
    first = ensure_key(tmp_path, NOW)
    old = first.pseudonym("10.1.2.3")
    rotate(tmp_path, NOW, forget=False)
    keys = read_keys(tmp_path)
    assert [key.number for key in keys] == [1, 2]
    assert resolve(old, keys, addresses([ip_network("10.1.0.0/20")])) == ip_address("10.1.2.3")
    assert resolve(old, keys, addresses([ip_network("10.2.0.0/20")])) is None
    assert resolve("c9-aaaaaaaaaaaaaaaa", keys, addresses([ip_network("10.1.0.0/20")])) is None
    assert resolve("10.1.2.3", keys, addresses([ip_network("10.1.2.3")])) is None


def test_forgotten_keys_resolve_nothing_and_their_numbers_do_not_come_back(tmp_path: Path) -> None:
    old = ensure_key(tmp_path, NOW).pseudonym("10.1.2.3")
    rotate(tmp_path, NOW, forget=True)
    keys = read_keys(tmp_path)
    assert [key.number for key in keys] == [2]
    assert resolve(old, keys, [ip_address("10.1.2.3")]) is None


@pytest.mark.parametrize("forget", [False, True])
def test_the_number_of_a_lost_key_does_not_come_back(tmp_path: Path, forget: bool) -> None:
    """Else the same pseudonym would stand for two clients."""
    ensure_key(tmp_path, NOW)
    rotate(tmp_path, NOW, forget=forget)
    (tmp_path / "privacy" / "client-keys.json").unlink()
    assert ensure_key(tmp_path, NOW).number == 3
    assert rotate(tmp_path, NOW, forget=True).number == 4


def test_a_key_that_others_can_read_makes_no_pseudonyms(tmp_path: Path) -> None:
    clock = [0.0]
    pseudonyms = Pseudonyms(tmp_path, lambda: NOW, lambda: clock[0])
    before = pseudonyms.of("10.1.2.3")
    file = tmp_path / "privacy" / "client-keys.json"
    file.chmod(0o644)
    with pytest.raises(UnusableKeys, match="chmod 600"):
        read_keys(tmp_path)
    assert Pseudonyms(tmp_path, lambda: NOW).of("10.1.2.3") is None
    clock[0] = 6.0
    assert pseudonyms.of("10.1.2.3") == before, "what runs already goes on, and says so"
    assert "others can read it" in (pseudonyms.error or "")


def test_a_new_key_is_taken_up_while_it_runs(tmp_path: Path) -> None:
    clock = [0.0]
    pseudonyms = Pseudonyms(tmp_path, lambda: NOW, lambda: clock[0])
    before = pseudonyms.of("10.1.2.3")
    rotate(tmp_path, NOW, forget=False)
    assert pseudonyms.of("10.1.2.3") == before
    clock[0] = 6.0
    after = pseudonyms.of("10.1.2.3")
    assert (before or "")[:3] == "c1-"
    assert (after or "")[:3] == "c2-"


BROKEN = {
    "no JSON": "no",
    "no keys": "{}",
    "no list": '{"keys": 1}',
    "a key without a secret": '{"keys": [{"number": 1, "made": "2026-11-24T08:00:00+00:00"}]}',
    "a short secret": '{"keys": [{"number": 1, "made": "2026-11-24T08:00:00+00:00", "secret": "AAAA"}]}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_none_of_ours_makes_no_pseudonyms(tmp_path: Path, text: str) -> None:
    (tmp_path / "privacy").mkdir()
    (tmp_path / "privacy" / "client-keys.json").write_text(text)
    (tmp_path / "privacy" / "client-keys.json").chmod(0o600)
    with pytest.raises(UnusableKeys):
        read_keys(tmp_path)
    pseudonyms = Pseudonyms(tmp_path, lambda: NOW)
    assert pseudonyms.of("10.1.2.3") is None
    assert "client-keys.json" in (pseudonyms.error or "")
    assert json.dumps(text)


def test_where_no_key_can_be_kept_there_is_no_pseudonym(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    pseudonyms = Pseudonyms(tmp_path / "state", lambda: NOW)
    assert pseudonyms.of("10.1.2.3") is None
    assert pseudonyms.error
