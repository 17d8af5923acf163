"""What is wrong with a policy, as values: where, what, and the mend."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path as FilePath

type Path = tuple[str | int, ...]  # from a document's root: keys, and positions in lists


class Severity(StrEnum):
    """Whether a problem refuses the policy."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. Problems sort by file, line and column."""

    file: str  # as the operator named it
    line: int  # from 1
    column: int  # from 1, in characters
    code: str  # stable: tests and docs name it
    path: str  # in the document, `apps.alipay.endpoints[3].domain`; empty: the file as a whole
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: {self.code}"
        what = f"{self.message}; {self.hint}" if self.hint else self.message
        return f"{where} {self.path}: {what}" if self.path else f"{where}: {what}"


class PolicyError(ValueError):
    """The files were refused whole, and what ran before still runs. Holds every problem found."""

    def __init__(self, problems: Iterable[Problem], watched: Iterable[FilePath] = ()) -> None:
        self.problems = tuple(sorted(set(problems)))
        self.watched = tuple(watched)  # the files whose change may mend it; some of them need not exist
        super().__init__("\n".join(map(str, self.problems)))


class Mistake(ValueError):
    """A single value that cannot be taken; whoever knows where it stands makes a Problem of it."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.code, self.message, self.hint = code, message, hint
        super().__init__(f"{message}; {hint}" if hint else message)


def path_text(path: Path) -> str:
    """*path* as messages write it: `apps.alipay.endpoints[3].domain`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def nearest(word: str, words: Iterable[str]) -> str:
    """The hint that names the word of *words* nearest to *word*; empty where none is near."""
    found = difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return f"did you mean {found[0]!r}?" if found else ""


def quoted(value: object, limit: int = 60) -> str:
    """*value* as a message shows it, shortened to *limit* characters."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…{text[-1] if text[-1] in '"\'' else ''}"
