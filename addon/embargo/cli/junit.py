"""Test results as JUnit XML, in the dialect that Jenkins' xUnit plugin, GitLab and the like read alike.

Its schema knows no place of a test case, so a file is a suite and a class name, and the line stands in the message.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from embargo.cli.testrun import described
from embargo.policy.cases import Result
from embargo.policy.problem import Problem

_NOT_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # XML 1.0, 2.2: not even as a reference
_MISREAD = "[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # commands of a terminal; marks that turn text round
_ESCAPED = re.compile(f"{_NOT_XML}|{_MISREAD}")


def write(path: Path, results: Sequence[Result], problems: Iterable[Problem], moment: datetime) -> None:
    """Write the report of *results*, or of the *problems* that kept the tests from running, to *path*.

    *moment*: when they ran. Raises OSError.
    """
    root = ElementTree.Element("testsuites", name="embargo")
    for file, group in groupby(sorted(results, key=lambda each: each.case.file), key=lambda each: each.case.file):
        _suite(root, file, list(group), moment)
    for file, refused in groupby(sorted(problems), key=lambda each: each.file):
        _refusal(root, file, list(refused), moment)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    ElementTree.indent(root)
    path.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _suite(root: ElementTree.Element, file: str, results: Sequence[Result], moment: datetime) -> None:
    failures = sum(not result.passed for result in results)
    seconds = sum(result.seconds for result in results)
    suite = _element(
        root, "testsuite", name=file, tests=len(results), failures=failures, errors=0, skipped=0,
        time=f"{seconds:.3f}", timestamp=moment.isoformat(timespec="seconds"),
    )  # fmt: skip
    for result in results:
        case = _element(suite, "testcase", classname=file, name=described(result.case), time=f"{result.seconds:.3f}")
        if not result.passed:
            failure = _element(case, "failure", type="failed-test", message=result.explanation)
            failure.text = escaped(str(result))


def _refusal(root: ElementTree.Element, file: str, problems: Sequence[Problem], moment: datetime) -> None:
    suite = _element(
        root, "testsuite", name=file, tests=len(problems), failures=0, errors=len(problems), skipped=0,
        time="0", timestamp=moment.isoformat(timespec="seconds"),
    )  # fmt: skip
    for problem in problems:
        name = f"{problem.line}:{problem.column}: {problem.code}"
        error = _element(
            _element(suite, "testcase", classname=file, name=name, time="0"),
            "error", type=problem.code, message=problem.message,
        )  # fmt: skip
        error.text = escaped(str(problem))


def _element(parent: ElementTree.Element, tag: str, **attributes: object) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, {key: escaped(str(value)) for key, value in attributes.items()})


def escaped(text: str) -> str:
    """*text* with what no XML document may hold, and what a reader of it would misread, written as `\\u0007`."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
