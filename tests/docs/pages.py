"""The pages of the manual, taken apart: code blocks, tables by heading, links and anchors."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = tuple(
    sorted([*ROOT.glob("docs/**/*.md"), *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"))])
)

_HEADING = re.compile(r"#{1,6} +(.*)")
_LINK = re.compile(r"(?<!\\)!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    page: Path
    line: int  # of its first line of text, from 1
    language: str
    marks: frozenset[str]  # what follows the language, such as "fragment"
    text: str

    def __str__(self) -> str:
        return f"{name(self.page)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that it is, where its first line says so: `# site.yaml`, `# lists/chat.txt`."""
        first = self.text.partition("\n")[0]
        found = re.fullmatch(r"# ([\w./-]+\.(?:ya?ml|txt))", first)
        return found[1] if found else None


def policies() -> list[Block]:
    """The manual's YAML that embargo reads; a block marked `prometheus` is another program's."""
    found = [block for page in PAGES for block in blocks(page) if block.language in ("yaml", "yml")]
    return [block for block in found if "prometheus" not in block.marks]


def name(page: Path) -> str:
    """The page as a test's name has it."""
    return str(page.relative_to(ROOT))


@cache
def _parts(page: Path) -> tuple[tuple[tuple[int, str], ...], tuple[Block, ...]]:
    """The lines outside code blocks, numbered from 1, and the code blocks."""
    lines: list[tuple[int, str]] = []
    blocks: list[Block] = []
    fence, info, begin, held = "", "", 0, list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        stripped = line.strip()
        if fence:
            if stripped == fence:
                language, *marks = info.split() or [""]
                indent = min((len(text) - len(text.lstrip()) for text in held if text.strip()), default=0)
                text = "".join(f"{text[indent:]}\n" for text in held)
                blocks.append(Block(page, begin, language, frozenset(marks), text))
                fence = ""
            else:
                held.append(line)
        elif stripped.startswith("```"):
            fence = "```"
            info, begin, held = stripped[3:], number + 1, []
        else:
            lines.append((number, line))
    assert not fence, f"{name(page)}: the code block of line {begin} is never closed"
    return tuple(lines), tuple(blocks)


def prose(page: Path) -> tuple[tuple[int, str], ...]:
    """The lines of *page* outside code blocks, numbered from 1."""
    return _parts(page)[0]


def blocks(page: Path) -> tuple[Block, ...]:
    """The code blocks of *page*."""
    return _parts(page)[1]


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Line and target of each link and image."""
    for number, line in prose(page):
        for found in _LINK.finditer(_CODE.sub("", line)):
            yield number, found[1]


def anchors(page: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    found: set[str] = set()
    for _, line in prose(page):
        if heading := _HEADING.fullmatch(line):
            text = re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
            number = 0
            while (anchor := f"{text}-{number}" if number else text) in found:
                number += 1
            found.add(anchor)
    return found


def section(page: Path, heading: str) -> list[str]:
    """The lines below *heading*, up to the next heading of any level."""
    lines = [line for _, line in prose(page)]
    starts = [number for number, line in enumerate(lines) if (h := _HEADING.fullmatch(line)) and h[1] == heading]
    assert len(starts) == 1, f"{name(page)} has {len(starts)} headings {heading!r}"
    taken = []
    for line in lines[starts[0] + 1 :]:
        if _HEADING.fullmatch(line):
            break
        taken.append(line)
    return taken


def first_cells(lines: list[str]) -> list[str]:
    """Each `code` in the first cell of each table row in *lines*, in order."""
    rows = [line.split("|")[1] for line in lines if line.startswith("|")]
    return [code for cell in rows for code in _CODE.findall(cell)]


def codes(page: Path) -> set[str]:
    """Everything that *page* sets as `code` outside code blocks."""
    return {code for _, line in prose(page) for code in _CODE.findall(line)}
