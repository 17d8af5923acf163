"""How a problem reads, and in which order several stand."""

import pytest

from embargo.policy.problem import PolicyError, Problem, nearest, path_text, quoted

PRINTED = {  # case: (problem, line)
    "with path and hint": (
        Problem("p.yaml", 41, 13, "unknown-role", "apps.a.endpoints[1].role", "found 'cdm'", "did you mean 'cdn'?"),
        "p.yaml:41:13: unknown-role apps.a.endpoints[1].role: found 'cdm'; did you mean 'cdn'?",
    ),
    "without hint": (Problem("p.yaml", 1, 2, "c", "a", "m"), "p.yaml:1:2: c a: m"),
    "of a file as a whole": (Problem("p.yaml", 1, 1, "empty-file", "", "m", "h"), "p.yaml:1:1: empty-file: m; h"),
}  # fmt: skip


@pytest.mark.parametrize(("problem", "line"), PRINTED.values(), ids=PRINTED)
def test_printed(problem: Problem, line: str) -> None:
    assert str(problem) == line


def test_problems_stand_by_file_line_and_column_and_once() -> None:
    places = [("b", 1, 1), ("a", 10, 1), ("a", 2, 9), ("a", 2, 10), ("a", 2, 9)]
    refused = PolicyError(Problem(file, line, column, "c", "", "m") for file, line, column in places)
    assert [(each.file, each.line, each.column) for each in refused.problems] == [
        ("a", 2, 9), ("a", 2, 10), ("a", 10, 1), ("b", 1, 1),
    ]  # fmt: skip
    assert str(refused).count("\n") == 3


PATHS = {(): "", ("apps", "a", "endpoints", 3, "domain"): "apps.a.endpoints[3].domain", ("rules", 0): "rules[0]"}


@pytest.mark.parametrize(("path", "text"), PATHS.items(), ids=PATHS.values())
def test_path(path: tuple[str | int, ...], text: str) -> None:
    assert path_text(path) == text


QUOTED = {
    "text": ("a'b", '"a\'b"'), "true": (True, "true"), "nothing": (None, "nothing"), "a number": (5, "5"),
    "a list": ([1], "a list"), "a mapping": ({}, "a mapping"), "long text": ("x" * 100, "'" + "x" * 58 + "…'"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "text"), QUOTED.values(), ids=QUOTED)
def test_quoted(value: object, text: str) -> None:
    assert quoted(value) == text


def test_nearest() -> None:
    assert nearest("Cdm", ["api", "cdn"]) == "did you mean 'cdn'?"
    assert nearest("frobnicate", ["api", "cdn"]) == ""
