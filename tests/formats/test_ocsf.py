"""OCSF against the compiled schemas that PyPI's `ocsf-json-schema` ships."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from documents import RECORDS, hostile_records
from embargo.formats import ocsf
from embargo.formats.kind import Kind, kind_of
from embargo.journal.record import Record


@cache
def schema() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version=ocsf.VERSION))


@cache
def validator(class_uid: int) -> Draft202012Validator:
    name = schema().lookup_class_name_from_uid(class_uid)
    return Draft202012Validator(schema().get_class_schema(name, profiles=[ocsf.PROFILE]))


def errors(event: dict[str, Any]) -> list[str]:
    found = validator(event["class_uid"]).iter_errors(event)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


@pytest.mark.parametrize("name", RECORDS)
def test_valid(name: str) -> None:
    assert errors(json.loads(ocsf.write(RECORDS[name]))) == []


CLASSES = {  # record: (class, activity, action, disposition, status)
    "http-block": (4002, 6, 2, 2, 2),
    "connect-log": (4002, 1, 3, 17, 1),
    "http-allow": (4002, 6, 1, 1, 1),
    "http-shadow": (4002, 6, 3, 15, 1),
    "tls-monitor": (4001, 1, 3, 15, 1),
    "tcp-group": (4001, 5, 2, 6, 2),
    "dns-block": (4003, 2, 2, 2, 2),
    "failed-closed": (4002, 6, 2, 27, 2),
    "not-carried-out": (4002, 6, 2, 27, 2),
    "policy-refused": (3004, 3, None, None, 2),
    "exception-added": (3004, 1, None, None, 1),
    "exception-attempted": (3004, 1, None, None, 0),
    "console-role-given": (3004, 3, None, None, 1),
    "console-log-in": (3002, 1, None, None, 1),
    "console-log-in-failed": (3002, 1, None, None, 2),
    "started": (6002, 3, None, None, 1),
    "records-lost": (0, 99, None, None, 0),
    "heartbeat": (0, 99, None, None, 0),
}


@pytest.mark.parametrize("name", CLASSES)
def test_class(name: str) -> None:
    event = ocsf.document(RECORDS[name])
    members = ("class_uid", "activity_id", "action_id", "disposition_id", "status_id")
    assert tuple(event.get(member) for member in members) == CLASSES[name]
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]


def test_a_block_is_a_success_of_the_observer_and_a_failure_of_the_activity() -> None:
    record = RECORDS["http-block"]
    assert record.outcome == "success"
    assert ocsf.document(record)["status_id"] == 2


def test_a_would_be_block_is_not_applied() -> None:
    assert ocsf.document(RECORDS["http-shadow"])["policy"]["is_applied"] is False
    assert ocsf.document(RECORDS["http-block"])["policy"]["is_applied"] is True


@pytest.mark.parametrize("name", ["masked", "pseudonymous"])
def test_a_client_that_is_not_told_stands_in_no_address(name: str) -> None:
    event = ocsf.document(RECORDS[name])
    assert "ip" not in event["src_endpoint"]
    assert event["src_endpoint"]["name"] in ("10.20.30.0", "c-5f3a99")


def test_anonymous() -> None:
    event = ocsf.document(RECORDS["http-anonymous"])
    assert "src_endpoint" not in event
    assert "10.20.30.40" not in json.dumps(event)


@settings(max_examples=40)
@given(hostile_records())
def test_one_line_whatever_the_record_says(record: Record) -> None:
    line = ocsf.write(record)
    assert line.isascii()
    assert line.isprintable()
    event = json.loads(line)
    json.dumps(event, ensure_ascii=False).encode("utf-8")
    assert kind_of(record) in Kind
    # addresses of the wrong form are the journal's to keep out; nothing else may be wrong
    assert [error for error in errors(event) if not error.split(":")[0].endswith(".ip")] == []
