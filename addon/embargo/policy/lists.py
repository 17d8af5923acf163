"""Plain lists of domains (`endpoints_from`): one domain a line, `#` comments, for the large ones.

A list of a million names is checked in half a second by one regular expression; only names that it
refuses (capitals, international names, mistakes) are looked at one by one.
"""

import re
from dataclasses import dataclass

from embargo.policy.domains import all_plain, domain_name
from embargo.policy.problem import Mistake, Problem
from embargo.policy.reading import BOM, NotUtf8, Source, utf8

MOST_PROBLEMS = 20  # of one list; a wrong file would have a million
_COMMENT = re.compile(r"(?:^|\s)#.*")  # a "#" inside a word is a mistake, not a comment


@dataclass(frozen=True, slots=True)
class ListedNames:
    """One list, read."""

    source: Source
    names: tuple[str, ...]  # canonical, in the order of the file; one that stands there twice is here twice
    problems: tuple[Problem, ...] = ()


def parse_list(source: Source) -> ListedNames:
    """The names in *source*, with its problems; never raises for what the text holds."""
    data = source.data.removeprefix(BOM)
    if (at := data.find(b"\0")) >= 0:
        line, column = data.count(b"\n", 0, at) + 1, at - data.rfind(b"\n", 0, at)
        hint = "is this a text file?"
        return ListedNames(
            source, (), (Problem(source.name, line, column, "binary-file", "", "the file holds a NUL byte", hint),)
        )
    try:
        text = utf8(data)
    except NotUtf8 as refused:
        mistake = refused.mistake
        problem = Problem(source.name, refused.line, refused.column, mistake.code, "", mistake.message, mistake.hint)
        return ListedNames(source, (), (problem,))
    lines = text.replace("\r\n", "\n").split("\n")
    names = [name for line in lines if (name := _bare(line) if "#" in line else line)]
    if all_plain(names):
        return ListedNames(source, tuple(names))
    return _one_by_one(source, lines)


def _bare(line: str) -> str:
    """*line* without comment and surrounding white space."""
    return _COMMENT.sub("", line).strip()


def _one_by_one(source: Source, lines: list[str]) -> ListedNames:
    names: list[str] = []
    problems: list[Problem] = []
    refused = 0
    for number, line in enumerate(lines, 1):
        if not (text := _bare(line)):
            continue
        try:
            names.append(domain_name(text))
        except Mistake as mistake:
            refused += 1
            if refused <= MOST_PROBLEMS:
                column = line.index(text) + 1
                hint = "name the domain below it" if mistake.code == "public-suffix" else mistake.hint
                if "{" in hint:  # a form that a list does not have
                    hint += " among the endpoints in the policy file"
                problems.append(Problem(source.name, number, column, mistake.code, "", mistake.message, hint))
    if refused > MOST_PROBLEMS:
        last = problems[-1]
        more = f"and {refused - MOST_PROBLEMS} more lines that are no domains"
        problems.append(Problem(source.name, last.line, last.column, "more-problems", "", more))
    return ListedNames(source, tuple(names), tuple(problems))
