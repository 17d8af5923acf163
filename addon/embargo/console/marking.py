"""An auditor's word on a record, and an operator's wish for an exception from it: both are records of the audit chain.

So neither can be taken back or changed unseen; a later mark stands beside the earlier ones.
"""

from collections.abc import Callable, Iterable
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
    """What was said of which record: read from the log where there is another number of them. Safe across threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._state: object = None  # of the store when they were read
        self._of: dict[str, list[Said]] = {}

    def take(self, state: object, all_: Callable[[], Iterable[Record]]) -> None:
        """Have them as *all_* gives them, oldest first, where *state*, how many there are, is not what it was."""
        with self._lock:
            if state == self._state:
                return
            of: dict[str, list[Said]] = {}
            for record in all_():
                if (found := said(record)) is not None:
                    of.setdefault(found[0], []).append(found[1])
            self._of, self._state = of, state

    def on(self, identifier: str) -> tuple[Said, ...]:
        """All that was said of the record of that id, oldest first."""
        with self._lock:
            return tuple(self._of.get(identifier, ()))
