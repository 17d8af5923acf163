"""EVE against the names and types of Suricata's own schema (tests/golden/formats/eve-fields.json)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from documents import RECORDS, hostile_records
from embargo.formats import eve
from embargo.journal.record import Record

FIELDS = json.loads((Path(__file__).parent.parent / "golden/formats/eve-fields.json").read_text("utf-8"))
PYTHON = {"string": str, "integer": int, "object": dict, "array": list, "boolean": bool}


def check(event: dict[str, Any]) -> None:
    assert set(FIELDS["required"]) <= set(event)
    assert re.fullmatch(FIELDS["timestamp"], event["timestamp"])
    for place, fields in FIELDS["closed"].items():
        for name, value in (event.get(place, {}) if place else event).items():
            assert name in fields, f"{place}.{name}"
            if fields[name] != "any":
                assert type(value) is PYTHON[fields[name]], f"{place}.{name}"
    if "dns" in event:
        assert set(FIELDS["dns_required"]) <= set(event["dns"])
    for name, values in event.get("alert", {}).get("metadata", {}).items():
        assert values, name
        assert all(type(value) is str for value in values), name


@pytest.mark.parametrize("name", RECORDS)
def test_valid(name: str) -> None:
    check(json.loads(eve.write(RECORDS[name])))


def test_a_block() -> None:
    event = eve.document(RECORDS["http-block"])
    assert (event["alert"]["action"], event["verdict"]["action"]) == ("blocked", "drop")
    assert event["timestamp"] == "2026-11-24T10:15:00.123000+0000"
    assert eve.FIRST_SIGNATURE <= event["alert"]["signature_id"] < 2**31
    assert event["src_ip"] == "10.20.30.40"


def test_what_would_be_blocked_is_allowed() -> None:
    event = eve.document(RECORDS["http-shadow"])
    assert (event["alert"]["action"], event["verdict"]["action"]) == ("allowed", "pass")
    assert event["alert"]["metadata"]["embargo_would"] == ["block"]


def test_a_rule_keeps_its_number() -> None:
    assert eve.signature_id("banned-apps") == eve.signature_id("banned-apps") != eve.signature_id("default")


@pytest.mark.parametrize("name", ["masked", "pseudonymous", "http-anonymous"])
def test_no_address_of_a_client_that_is_not_told(name: str) -> None:
    assert "src_ip" not in eve.document(RECORDS[name])


@given(hostile_records())
def test_one_line_whatever_the_record_says(record: Record) -> None:
    line = eve.write(record)
    assert line.isascii()
    assert line.isprintable()
    check(json.loads(line))
    json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8")
