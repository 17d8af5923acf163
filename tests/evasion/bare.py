"""What mitmproxy does by itself in each case and mode, as measured: `bare.txt`, written anew by RENEW_GOLDEN=1.

A row is a case, a column a mode: L where the banned flow leaks, W where its innocent twin works; a hyphen where
neither, nothing where the case does not apply.
"""

import os
from pathlib import Path

from evasion.all_cases import CASES
from evasion.attempt import Outcome
from evasion.campaign import Pair

FILE = Path(__file__).with_name("bare.txt")
RENEW = os.environ.get("RENEW_GOLDEN") == "1"
RACES = frozenset({"HTTP/2: GOAWAY right after it"})  # whether a request still goes out is chance
type Table = dict[str, dict[str, str]]  # by subject and mode, by case


def mark_of(pair: Pair) -> str:
    """What the table says of *pair*."""
    return ("L" if pair.banned.leaked else "") + ("W" if pair.twin.outcome is Outcome.ANSWERED else "") or "-"


def both(one: str, other: str) -> str:
    """The mark of what was seen at either time."""
    return "".join(letter for letter in "LW" if letter in one + other) or "-"


def read() -> Table:
    lines = [[cell.strip() for cell in line.split("|")] for line in FILE.read_text().splitlines()]
    columns = lines[0][1:]
    return {
        column: {row[0]: row[index + 1] for row in lines[1:] if row[index + 1]} for index, column in enumerate(columns)
    }


def write(table: Table) -> None:
    rows = [["case", *table], *([case, *(table[column].get(case, "") for column in table)] for case in CASES)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    FILE.write_text(
        "".join(
            " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
            for row in rows
        )
    )
