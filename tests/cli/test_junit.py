"""The JUnit report: what Jenkins' xUnit plugin takes by its schema, and GitLab reads of it."""

import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from embargo.cli import junit
from embargo.policy.cases import cases_of, run
from embargo.policy.problem import Problem
from policy_files import loaded
from sample import NOW

MOMENT = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
POLICY = """\
version: 1
apps: {a: {endpoints: [a.example]}}
rules: [{id: r, apps: a, action: block}]
tests:
  - {request: a.example, expect: block}
  - {name: "a <name> & \\"bell\\" \\a", request: "https://a.example/\\e[31m", client: 10.0.0.1, expect: pass}
"""
ELEMENTS = {  # of junit-10.xsd (jenkinsci/xunit-plugin): element: (its children, its attributes, those required)
    "testsuites": ({"testsuite"}, {"name", "time", "tests", "failures", "errors"}, set()),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {
            "name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package",
            "file", "log", "url",
        },
        {"name", "tests", "failures", "errors"},
    ),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"}, {"name", "time", "classname", "group"}, {"name"},
    ),
    "failure": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
}  # fmt: skip
TIME = re.compile(r"(?:(?:[0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(?:\.[0-9]{0,3})?")  # its SUREFIRE_TIME


def check(element: ElementTree.Element) -> None:
    """Hold *element* and what is in it to the schema."""
    children, attributes, required = ELEMENTS[element.tag]
    assert required <= set(element.keys()) <= attributes
    assert TIME.fullmatch(element.get("time", "0"))
    for child in element:
        assert child.tag in children
        check(child)


def report(directory: Path) -> ElementTree.Element:
    found = loaded(directory, POLICY)
    junit.write(directory / "report.xml", run(found, list(cases_of(found)), NOW), [], MOMENT)
    return ElementTree.parse(directory / "report.xml").getroot()


def test_it_keeps_to_the_schema(tmp_path: Path) -> None:
    check(report(tmp_path))


def test_what_it_tells(tmp_path: Path) -> None:
    root = report(tmp_path)
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["2", "1", "0"]
    (suite,) = root
    assert [suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped", "timestamp")] == [
        "policy.yaml", "2", "1", "0", "0", "2026-11-24T12:30:00+00:00",
    ]  # fmt: skip
    passed, failed = suite
    assert (passed.get("classname"), passed.get("name")) == ("policy.yaml", "tests[0]: a.example")
    assert len(passed) == 0
    assert failed.get("name") == ('tests[1]: a <name> & "bell" \\u0007: https://a.example/\\u001b[31m client=10.0.0.1')
    (failure,) = failed
    assert failure.get("message") == "expect: expected pass, got block; by rule r"
    assert (failure.text or "").startswith("policy.yaml:6:5: failed-test tests[1]: https://a.example/")


def test_why_nothing_ran(tmp_path: Path) -> None:
    problems = [
        Problem("b.yaml", 3, 1, "unknown-key", "apps.a", "unknown key 'x'", "did you mean 'y'?"),
        Problem("a.yaml", 1, 1, "missing-file", "", "there is no such file"),
    ]
    junit.write(tmp_path / "report.xml", [], problems, MOMENT)
    root = ElementTree.parse(tmp_path / "report.xml").getroot()
    check(root)
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["2", "0", "2"]
    assert [(suite.get("name"), suite[0].get("name"), suite[0][0].text) for suite in root] == [
        ("a.yaml", "1:1: missing-file", "a.yaml:1:1: missing-file: there is no such file"),
        ("b.yaml", "3:1: unknown-key", "b.yaml:3:1: unknown-key apps.a: unknown key 'x'; did you mean 'y'?"),
    ]


ESCAPED = {  # text: as XML may hold it
    "plain\tand\nlines": "plain\tand\nlines",
    "\x00\x1b\x7f\x85": "\\u0000\\u001b\\u007f\\u0085",
    "\x9b31m": "\\u009b31m",
    "a\u202eb\u2066c\u200f": "a\\u202eb\\u2066c\\u200f",
    "\ud800": "\\ud800",
    "\ufffe\uffff": "\\ufffe\\uffff",
    "漢\U0001f600": "漢\U0001f600",
}


@pytest.mark.parametrize(("text", "escaped"), ESCAPED.items(), ids=ascii)
def test_characters_that_no_xml_document_holds_or_that_are_misread(text: str, escaped: str) -> None:
    assert junit.escaped(text) == escaped
    element = ElementTree.Element("x", a=escaped)
    again = ElementTree.fromstring(ElementTree.tostring(element, encoding="utf-8"))
    assert (again.get("a") or "").replace("\r", "") == escaped
