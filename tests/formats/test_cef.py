"""CEF against a strict reader of the standard's rules (cef_reader.py)."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given

from documents import DOCUMENTS, RECORDS, hostile_records
from embargo.formats import cef
from embargo.formats.kind import NAMES
from embargo.formats.members import UNPRINTABLE
from embargo.journal.record import Record
from formats.cef_reader import read

STANDARD = {  # keys of the standard's dictionary that we use, with their longest value in characters
    "act": 63, "app": 31, "c6a2": 0, "c6a2Label": 1023, "c6a3": 0, "c6a3Label": 1023, "cat": 1023, "cn1": 0,
    "cn1Label": 1023, "cs1": 4000, "cs1Label": 1023, "cs2": 4000, "cs2Label": 1023, "cs3": 4000, "cs3Label": 1023,
    "cs4": 4000, "cs4Label": 1023, "cs5": 4000, "cs5Label": 1023, "cs6": 4000, "cs6Label": 1023,
    "deviceDirection": 0, "dhost": 1023, "dpt": 0, "dst": 0, "dvchost": 100, "externalId": 40, "flexString1": 1023,
    "flexString1Label": 128, "msg": 1023, "outcome": 63, "proto": 31, "reason": 1023, "request": 1023,
    "requestClientApplication": 1023, "requestMethod": 1023, "rt": 0, "shost": 1023, "spt": 0, "src": 0, "suser": 1023,
}  # 0: no text  # fmt: skip


def check(line: str) -> tuple[list[str], dict[str, str]]:
    header, extension = read(line)
    assert len(header[3]) <= 31
    assert header[5] in NAMES.values()
    for key, value in extension.items():
        assert key in STANDARD
        assert len(value) <= (STANDARD[key] or 40), key
        if f"{key}Label" in STANDARD:
            assert extension[f"{key}Label"]
    return header, extension


@pytest.mark.parametrize("name", RECORDS)
def test_valid(name: str) -> None:
    header, extension = check(cef.write(RECORDS[name]))
    assert extension["externalId"] == RECORDS[name].id
    for key, kind in (("src", IPv4Address), ("dst", IPv4Address), ("c6a2", IPv6Address), ("c6a3", IPv6Address)):
        if key in extension:
            kind(extension[key])
    assert header[4] == RECORDS[name].action


def test_a_block() -> None:
    header, extension = check(cef.write(RECORDS["http-block"]))
    assert header == ["CEF:1", "embargo", "embargo", "0.1.0", "block", "App blocked by policy", "5"]
    assert extension["src"] == "10.20.30.40"
    assert extension["suser"] == "alice"
    assert extension["cs1"] == "banned-apps"
    assert extension["request"] == DOCUMENTS["http-block"]["url"]["full"]
    assert extension["rt"] == "1795515300123"


def test_version_6_has_a_place_of_its_own() -> None:
    _, extension = check(cef.write(RECORDS["quic-address"]))
    assert extension["c6a3"] == "2001:db8::7"
    assert "dst" not in extension


def test_what_is_cut_is_said() -> None:
    _, extension = check(cef.write(RECORDS["longest"]))
    assert extension["flexString1"] == "truncated reason request requestClientApplication"
    assert extension["request"].endswith("…")


def test_nothing_is_said_cut_that_is_not() -> None:
    assert "flexString1" not in check(cef.write(RECORDS["http-block"]))[1]


def test_a_client_that_is_not_told() -> None:
    for name, shown in (("masked", "10.20.30.0"), ("pseudonymous", "c-5f3a99")):
        _, extension = check(cef.write(RECORDS[name]))
        assert "src" not in extension
        assert extension["shost"] == shown


@given(hostile_records())
def test_one_line_and_no_key_injected(record: Record) -> None:
    line = cef.write(record)
    _, extension = check(line)
    assert line.encode("utf-8")
    if record.user:
        cut = record.user if len(record.user) <= 1023 else record.user[:1022] + "…"
        ends = cut.replace("\r\n", "\n").replace("\r", "\n")
        assert extension["suser"] == "\n".join(UNPRINTABLE.sub("\ufffd", piece) for piece in ends.split("\n"))
