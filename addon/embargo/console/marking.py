"""An auditor's word on a record, and an operator's wish for an exception from it: both are records of the audit chain.

So neither can be taken back or changed unseen; a later mark stands beside the earlier ones.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from threading import Lock

from embargo.journal.record import Record

MARKED, ASKED = "record-marked", "exception-asked"  # event.action
LONGEST_NOTE = 1000  # characters


class Mark(StrEnum):
    """What an auditor says of a decision."""

    FINE = "fine"
    QUESTION = "question"
    WRONG = "wrong"


WORDS = {Mark.FINE: "fine", Mark.QUESTION: "a question", Mark.WRONG: "wrong"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One mark or wish."""

    time: datetime
    by: str
    action: str
    word: str  # a mark, or how long an exception is wished for
    note: str = ""


def said(record: Record) -> tuple[str, Said] | None:
    """The id of the record that *record* of the audit chain is about, and what it says; None where it is no such."""
    details = record.document.get("embargo", {}).get("console", {})
    about = details.get("record") if isinstance(details, dict) else None
    if record.action not in (MARKED, ASKED) or not isinstance(about, str):
        return None
    word = details.get("mark" if record.action == MARKED else "duration")
    return about, Said(
        time=record.time,
        by=record.user or "",
        action=record.action,
        word=word if isinstance(word, str) else "",
        note=record.reason or "",
    )


class Remarks:
    """What was said of which record: read once from the log, then only what is new. Safe across threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._snapshot = -1  # the last row of the store that was read
        self._of: dict[str, list[Said]] = {}

    def take(self, snapshot: int, newer: Callable[[int], Iterable[Record]]) -> None:
        """Read up to *snapshot*; *newer(after)* gives the records of both actions behind that row, oldest first."""
        with self._lock:
            if snapshot <= self._snapshot:
                return
            for record in newer(self._snapshot):
                if (found := said(record)) is not None:
                    self._of.setdefault(found[0], []).append(found[1])
            self._snapshot = snapshot

    def on(self, identifier: str) -> tuple[Said, ...]:
        """All that was said of the record of that id, oldest first."""
        with self._lock:
            return tuple(self._of.get(identifier, ()))

    def marked(self) -> Iterator[tuple[str, Said]]:
        """The newest mark of each record that has one."""
        with self._lock:
            found = {about: [each for each in all_ if each.action == MARKED] for about, all_ in self._of.items()}
        for about, marks in found.items():
            if marks:
                yield about, marks[-1]
