"""How commands print: for machines, for a pipe, for a terminal."""

import json
from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from embargo.cli import output

COLUMNS = ("id", "verdict")
ROWS = [["alipay", "block"], ["a\x1b[31m\tb\n", "log"], ["微信", "pass"]]


def printed(function: object, *arguments: object) -> str:
    command = click.Command("x", callback=lambda: function(*arguments))  # type: ignore[operator]
    return CliRunner().invoke(command, catch_exceptions=False).stdout


def test_a_table_in_a_pipe_is_aligned_plain_text() -> None:
    assert printed(output.table, COLUMNS, ROWS).splitlines() == [
        "id         verdict",
        "alipay     block",
        "a�[31m�b�  log",
        "微信       pass",
    ]


def test_nothing_is_cut_in_a_pipe() -> None:
    assert "x" * 5000 in printed(output.table, ["id"], [["x" * 5000]])


def test_a_table_without_rows_has_its_head() -> None:
    assert printed(output.table, COLUMNS, []) == "id  verdict\n"


WIDTHS = {
    "plain": ("alipay", 6),
    "wide": ("微信", 4),
    "fullwidth": ("ａ", 2),
    "combining": ("e\u0301", 1),
    "none": ("", 0),
}


@pytest.mark.parametrize(("text", "width"), WIDTHS.values(), ids=WIDTHS)
def test_width(text: str, width: int) -> None:
    assert output.width_of(text) == width
    assert output.padded(text, 6) == text + " " * (6 - width)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.usefixtures("terminal")
def test_a_table_on_a_terminal_is_drawn() -> None:
    drawn = printed(output.table, COLUMNS, ROWS)
    assert "─" in drawn
    assert all(cell in drawn for cell in ("alipay", "block", "a�[31m�b�", "微信"))
    assert "\x1b" not in drawn  # neither a cell's own escape nor, into what is no terminal after all, colour


COLOUR = {  # case: (environment, colour)
    "a terminal": ({"TERM": "xterm-256color"}, True),
    "NO_COLOR": ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
    "NO_COLOR, whatever its value": ({"TERM": "xterm-256color", "NO_COLOR": "0"}, False),
    "NO_COLOR, empty": ({"TERM": "xterm-256color", "NO_COLOR": ""}, True),
    "a dumb terminal": ({"TERM": "dumb"}, False),
}


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("environment", "colour"), COLOUR.values(), ids=COLOUR)
def test_colour(environment: dict[str, str], colour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert output.colourful() is colour
    assert ("\x1b[" in output.verdict_style("block")) is colour


def test_no_colour_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert printed(lambda: click.echo(output.verdict_style("block"))) == "block\n"


JSON = {  # case: (value, line)
    "members in order": ({"b": 1, "a": None}, '{"b": 1, "a": null}'),
    "letters beyond ASCII stay": ({"name": "微信"}, '{"name": "微信"}'),
    "a line break is escaped": ("a\nb", '"a\\nb"'),
    "other ends of a line are escaped": ("a\u2028\x85b", '"a\\u2028\\u0085b"'),
    "a lone surrogate is escaped": ("\ud800ü", '"\\ud800\\u00fc"'),
}


@pytest.mark.parametrize(("value", "line"), JSON.values(), ids=JSON)
def test_json_is_one_line(value: output.Json, line: str) -> None:
    assert printed(output.echo_json, value) == line + "\n"
    assert json.loads(line) == value


PRINTABLE = {
    "plain": ("alipay.com", "alipay.com"),
    "an escape sequence": ("\x1b]0;title\x07", "�]0;title�"),
    "a tab and a line break": ("a\tb\r\n", "a�b��"),
    "a C1 control": ("a\x9bb", "a�b"),
    "a line separator": ("a\u2028b", "a�b"),
    "a lone surrogate": ("a\ud800b", "a?b"),
    "other scripts stay": ("微信 é", "微信 é"),
}


@pytest.mark.parametrize(("text", "shown"), PRINTABLE.values(), ids=PRINTABLE)
def test_printable(text: str, shown: str) -> None:
    assert output.printable(text) == shown


@dataclass
class Complaint:
    text: str

    def __str__(self) -> str:
        return self.text


def test_problems_go_to_standard_error() -> None:
    command = click.Command("x", callback=lambda: output.echo_problems([Complaint("a:1:1: x"), Complaint("b:2:2: y")]))
    result = CliRunner().invoke(command)
    assert (result.stdout, result.stderr) == ("", "a:1:1: x\nb:2:2: y\n")
