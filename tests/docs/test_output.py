"""What the manual prints of commands that need no proxy is what they print.

A line `…` in the manual stands for any lines. Positions in the shipped files, digests, times taken and the size of the
catalogue are not compared: they change with each name that is added.
"""

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from docs.pages import PAGES, ROOT, Block, blocks
from embargo.cli.main import main

PURE = ("apps", "check", "diff", "explain", "test", "replay")


@dataclass(frozen=True)
class Example:
    """A command of the manual, and what is printed below it."""

    block: Block
    command: str
    printed: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.block}: {self.command}"


def examples() -> Iterator[Example]:
    for page in PAGES:
        for block in blocks(page):
            if block.language != "console":
                continue
            for text in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, *printed = text.rstrip().splitlines()
                pure = re.fullmatch(rf"embargo (?:{'|'.join(PURE)})\b[^|<>$]*", command)
                if pure and printed:
                    yield Example(block, command, tuple(printed))


EXAMPLES = list(examples())


def comparable(line: str) -> str:
    line = re.sub(r"\.yaml:\d+(?::\d+)?", ".yaml:N", line)
    line = re.sub(r"\b[0-9a-f]{12,64}\b", "DIGEST", line)
    line = re.sub(r"\bin [0-9]+\.[0-9]+ s\b", "in N s", line)
    return re.sub(r"\d+ (?=(?:of \d+ )?(?:apps|endpoints|rules|tests))|(?<=of )\d+(?= tests)", "N ", line).rstrip()


def agree(printed: list[str], got: list[str]) -> bool:
    """Whether *got* is what *printed* says, `…` standing for any lines."""
    if not printed:
        return not got
    if printed[0].strip() == "…":
        return any(agree(printed[1:], got[start:]) for start in range(len(got) + 1))
    return bool(got) and printed[0] == got[0] and agree(printed[1:], got[1:])


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_output(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for shipped in ("domains.yaml", "follow-the-law.yaml"):
        shutil.copy(ROOT / shipped, tmp_path)
    for block in blocks(example.block.page):
        if block.file is not None:
            (tmp_path / block.file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, shlex.split(example.command, comments=True)[1:])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    got = [comparable(line) for line in result.output.splitlines()]
    printed = [comparable(line) for line in example.printed]
    assert agree(printed, got), f"{example} prints\n{result.output}"


def test_there_are_examples() -> None:
    assert {example.command.split()[1] for example in EXAMPLES} >= {"check", "diff", "explain"}
