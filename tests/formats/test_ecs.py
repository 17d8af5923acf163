"""Our own record against the field table of Elastic's npm package `@elastic/ecs` (tests/golden/formats)."""

import json
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from documents import DOCUMENTS, RECORDS, hostile_records
from embargo.formats import ecs
from embargo.journal.ecs import ECS_VERSION
from embargo.journal.record import Encoder, Record
from recorded import EVENTS, OBSERVER

TABLE = json.loads((Path(__file__).parent.parent / "golden/formats/ecs-8.11.json").read_text("utf-8"))
OURS = {name: document for name, document in DOCUMENTS.items() if name in EVENTS}


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """The members that are no object, by dotted path, without those under `embargo`."""
    if isinstance(value, dict) and path != "embargo":
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= leaves(item, f"{path}.{key}" if path else key)
        return found
    return {} if path == "embargo" else {path: value}


def fits(value: Any, kind: str) -> bool:
    """Whether Elasticsearch takes *value* for a field of this type."""
    match kind:
        case "long":
            return type(value) is int and -(2**63) <= value < 2**63
        case "date":
            return datetime.fromisoformat(value).tzinfo is not None
        case "ip":
            return str(ip_address(value)) == value
        case "keyword" | "constant_keyword":
            return isinstance(value, str) and len(value) <= 1024
        case "wildcard" | "match_only_text" | "text":
            return isinstance(value, str)
    return False


@pytest.mark.parametrize("name", OURS)
def test_every_field_is_ecs(name: str) -> None:
    for path, value in leaves(OURS[name]).items():
        assert path in TABLE["fields"], path
        kind = TABLE["fields"][path]
        assert isinstance(value, list) == kind.endswith("[]"), path
        for item in value if isinstance(value, list) else [value]:
            assert fits(item, kind.removesuffix("[]")), (path, item)


@pytest.mark.parametrize("name", OURS)
def test_every_categorization_is_ecs(name: str) -> None:
    event = OURS[name]["event"]
    assert event["kind"] in TABLE["kinds"]
    expected = {kind for category in event["category"] for kind in TABLE["categories"][category]}
    assert set(event["type"]) <= expected
    assert event.get("outcome", "success") in TABLE["outcomes"]


def test_the_version_is_the_tables() -> None:
    assert TABLE["source"].split()[2].startswith(ECS_VERSION.rpartition(".")[0])


@pytest.mark.parametrize("name", EVENTS)
def test_the_line_is_the_logs(name: str) -> None:
    line = Encoder(OBSERVER).line(EVENTS[name], sequence=7, identifier="x")
    assert ecs.write(Record.parse(line)).encode() + b"\n" == line


def test_unknown_members_stay() -> None:
    assert json.loads(ecs.write(RECORDS["heartbeat"])) == DOCUMENTS["heartbeat"]


@given(hostile_records())
def test_one_line_that_a_strict_parser_takes(record: Record) -> None:
    line = ecs.write(record)
    assert line.isascii()
    assert line.isprintable()
    json.loads(line)
    json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8")  # fails for half a character
