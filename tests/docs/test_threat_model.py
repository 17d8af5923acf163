"""Every row of the threat model names a test, and that test exists."""

import ast
import re

import pytest

from docs.pages import ROOT, prose

PAGE = ROOT / "docs/explanation/threat-model.md"
ROWS = [line for _, line in prose(PAGE) if line.startswith("|")]
TABLES_OF_TESTS = ("What holds against an attacker", "What a fault leads to")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[str]:
    """The rows of the tables whose last column is a test."""
    found, inside = [], False
    for line in ROWS:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[-1] == "test":
            inside = True
        elif set(cells[0]) <= {"-"}:
            continue
        elif len(cells) != 5:
            inside = False
        elif inside:
            found.append(line)
    return found


def test_there_are_two_tables() -> None:
    assert sum(1 for line in ROWS if line.rstrip().endswith("| test |")) == len(TABLES_OF_TESTS)
    assert len(rows()) > 30


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip()[:60])
def test_a_row_names_a_test_that_exists(row: str) -> None:
    named = NAMED.findall(row.rpartition("|")[0].rpartition("|")[2])
    assert len(named) == 1, "one test a row, in its last cell"
    ((file, name),) = named
    path = ROOT / file
    assert path.exists()
    functions = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    assert name in functions


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip()[:60])
def test_a_row_is_whole(row: str) -> None:
    assert all(cell.strip() for cell in row.strip("|").split("|"))
