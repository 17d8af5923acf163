"""Commands and flags stand in the reference, and no other; shell examples name commands and flags that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from docs.pages import PAGES, ROOT, Block, blocks, codes, first_cells, name, section
from embargo.cli.main import COMMANDS, main
from embargo.journal.query import KEYS
from embargo.journal.table import EXPORTED, SHOWN

COMMAND_PAGE = ROOT / "docs/reference/commands.md"
OPTION_PAGE = ROOT / "docs/reference/options.md"

SHELL = [block for page in PAGES for block in blocks(page) if block.language in ("console", "sh", "shell", "bash")]


def command(word: str) -> click.Command:
    found = main.get_command(click.Context(main), word)
    assert found is not None
    return found


def flags(word: str) -> set[str]:
    """The flags of the command and of those below it, `--help` included."""
    found = command(word)
    each = [found, *(found.commands.values() if isinstance(found, click.Group) else ())]
    with click.Context(main, info_name="embargo", help_option_names=["-h", "--help"]) as parent:
        return {
            flag
            for one in each
            for option in one.get_params(click.Context(one, info_name=word, parent=parent))
            if option.param_type_name == "option"
            for flag in option.opts
        }


@pytest.mark.parametrize("word", COMMANDS)
def test_command_is_in_the_reference(word: str) -> None:
    documented = set(first_cells(section(COMMAND_PAGE, word)))
    documented = {flag for flag in documented if flag.startswith("-")}
    assert documented == flags(word) - {"-h", "--help"}


def test_no_other_command_is_in_the_reference() -> None:
    assert set(first_cells(section(COMMAND_PAGE, "The commands"))) == set(COMMANDS)


def test_flags_of_run() -> None:
    assert set(first_cells(section(OPTION_PAGE, "Flags of `embargo run`"))) == flags("run")


def shell_lines(block: Block) -> Iterator[str]:
    """The commands of a block: what stands behind `$ `, continued lines joined; comments taken off."""
    joined = block.text.replace("\\\n", " ")
    joined = re.sub(r"\|\n\s+", "| ", joined)
    for line in joined.splitlines():
        if line.startswith("$ "):
            yield re.sub(r"\s+#.*", "", line[2:])


def calls(line: str) -> Iterator[tuple[str, list[str]]]:
    """Each call of embargo in *line*: the command and its words."""
    for part in re.split(r"\||;|&&|<\(|\)|>", re.sub(r"'[^']*'|\"[^\"]*\"", "QUOTED", line)):
        words = part.split()
        if words and re.fullmatch(r"(?:[\w./]*/)?embargo", words[0]):
            yield (words[1] if len(words) > 1 else ""), words[2:]


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_shell_examples_name_commands_that_exist(block: Block) -> None:
    assert "$ " in block.text, "a shell example begins its commands with `$ `"
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in shell_lines(block):
        for target in re.findall(r"(?:^|\s)make ([a-z-]+)", line):
            assert target in targets, f"{block}: make {target}"
        for word, words in calls(line):
            if word in ("--version", "--help"):
                continue
            assert word in COMMANDS, f"{block}: embargo {word}"
            own = words[: words.index("--")] if "--" in words else words
            given = {flag.partition("=")[0] for flag in own if re.match(r"--?[a-z]", flag)}
            assert given <= flags(word), f"{block}: embargo {word}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_prose_names_commands_that_exist(page: Path) -> None:
    """`embargo word` in prose is a command; what comes later is told without the word embargo."""
    mentioned = [match[1] for code in codes(page) if (match := re.match(r"embargo ([a-z][a-z-]*)", code))]
    assert set(mentioned) <= set(COMMANDS)


def test_terms_of_log() -> None:
    page = ROOT / "docs/how-to/read-the-log.md"
    documented = {
        term.partition(":")[0].lstrip("+-") for term in first_cells(section(page, "Ask for some of it")) if ":" in term
    }
    assert documented == set(KEYS)


def test_columns_of_log() -> None:
    text = "\n".join(section(COMMAND_PAGE, "log"))
    csv = text[text.index("Columns of `--csv`") :].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`", csv) == list(EXPORTED)
    assert f"Columns: {', '.join(SHOWN)}." in text


MEMBERS = {  # command: what makes it print an object with every member
    "explain": ["a b"],
    "apps": ["vmate"],
}


@pytest.mark.parametrize(("word", "words"), MEMBERS.items(), ids=MEMBERS)
def test_members_of_json(word: str, words: list[str]) -> None:
    result = CliRunner().invoke(main, [word, "--json", "--policy", str(ROOT / "domains.yaml"), *words])
    documented = [cell for cell in first_cells(section(COMMAND_PAGE, word)) if not cell.startswith("-")]
    assert set(documented) == set(json.loads(result.output))
