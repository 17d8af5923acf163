"""syslog against the grammar of RFC 5424, written down here from its section 6; a real rsyslog reads it elsewhere."""

import re
from datetime import datetime

import pytest
from hypothesis import given

from documents import RECORDS, hostile_records
from embargo.formats import syslog
from embargo.journal.record import Record

_NAME = r"[!#-<>-\\^-~]{1,32}"  # SD-NAME: printable ASCII without = SP ] "
_VALUE = r'(?:[^"\\\]]|\\["\\\]])*'
GRAMMAR = re.compile(
    r"<(?P<pri>[0-9]{1,3})>1 "
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})) "
    r"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<pid>[!-~]{1,128}) (?P<kind>[!-~]{1,32}) "
    rf'\[(?P<sd>{_NAME})(?P<parameters>(?: {_NAME}="{_VALUE}")*)\]'
    r"(?: (?P<message>.*))?",
    re.DOTALL,
)
PARAMETER = re.compile(rf' ({_NAME})="({_VALUE})"')


def read(line: str) -> tuple[re.Match[str], dict[str, str]]:
    """The parts of a message and its parameters, unescaped."""
    found = GRAMMAR.fullmatch(line)
    assert found is not None
    assert not [letter for letter in line if ord(letter) < 32 or 127 <= ord(letter) < 160]
    pairs = [(name, re.sub(r'\\(["\\\]])', r"\1", value)) for name, value in PARAMETER.findall(found["parameters"])]
    assert len(dict(pairs)) == len(pairs)
    return found, dict(pairs)


@pytest.mark.parametrize("name", RECORDS)
def test_valid(name: str) -> None:
    found, parameters = read(syslog.write(RECORDS[name]))
    assert parameters["id"] == RECORDS[name].id
    assert set(parameters) <= set(syslog.PARAMETERS)
    assert datetime.fromisoformat(found["time"]) == RECORDS[name].time
    assert found["message"].startswith("\ufeff")
    assert "\n" not in found["message"]


PRIORITIES = {"http-block": 13 * 8 + 5, "connect-log": 13 * 8 + 6, "failed-closed": 13 * 8 + 3, "records-lost": 107}


@pytest.mark.parametrize("name", PRIORITIES)
def test_priority(name: str) -> None:
    assert int(read(syslog.write(RECORDS[name]))[0]["pri"]) == PRIORITIES[name]


def test_a_site_has_its_own_numbers() -> None:
    site = syslog.Site(facility=16, enterprise=99999)
    found, _ = read(syslog.message(RECORDS["http-block"], site))
    assert (int(found["pri"]) // 8, found["sd"]) == (16, "embargo@99999")


def test_another_format_inside() -> None:
    found, _ = read(syslog.message(RECORDS["http-block"], syslog.Site(), "CEF:1|x"))
    assert found["message"] == "CEF:1|x"


def test_words() -> None:
    found, parameters = read(syslog.write(RECORDS["http-block"]))
    assert found["message"] == (
        "\ufeffblock alipay: alice to mobilegw.alipay.com (rule banned-apps: adopted from the order)"
    )
    assert parameters["client"] == "10.20.30.40"


def test_anonymous() -> None:
    line = syslog.write(RECORDS["http-anonymous"])
    assert not [secret for secret in ("10.20.30.40", "alice") if secret in line]


@given(hostile_records())
def test_one_message_whatever_the_record_says(record: Record) -> None:
    found, parameters = read(syslog.write(record))
    assert found["app"] == "embargo"
    assert set(parameters) <= set(syslog.PARAMETERS)
