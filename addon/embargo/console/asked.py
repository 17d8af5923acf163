"""What operators ask for and what admins answer: wishes for an exception, read from the audit chain."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import url_for

from embargo.console.context import account, now, store
from embargo.console.exempting_form import Form
from embargo.console.marking import ASKED
from embargo.console.masking import masked, pseudonym
from embargo.journal.query import parse_query
from embargo.journal.record import BrokenRecord, Record

ANSWERED = "exception-answered"  # event.action
GRANTED, REFUSED = "granted", "refused"  # embargo.console.answer
_MOST = 500  # that are read
_LONG = {"1 hour": "1h", "1 day": "1d"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an admin said."""

    time: datetime
    by: str
    granted: bool
    reason: str
    exception: str  # id of the rule; empty where it was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One wish."""

    id: str  # event.id
    time: datetime
    by: str
    record: str  # event.id of what was blocked
    what: str
    whom: str
    duration: str
    until: datetime | None
    reason: str
    answer: Answer | None = None

    def form(self) -> Form:
        """As the form that grants it is first shown."""
        long = _LONG.get(self.duration, "until")
        until = self.until.isoformat() if self.until is not None and long == "until" else ""
        return Form(what=self.what, whom=self.whom, long=long, until=until, reason=self.reason)


def requests() -> tuple[Request, ...]:
    """All wishes, the newest first, each with its first answer."""
    answers: dict[str, Answer] = {}
    found: list[Request] = []
    for record in _records():  # the newest first
        told = record.document.get("embargo", {}).get("console", {})
        if not isinstance(told, dict):
            continue
        if record.action == ANSWERED:
            answers[_text(told.get("request"))] = Answer(  # the earliest is read last, and stands
                time=record.time,
                by=record.user or "",
                granted=told.get("answer") == GRANTED,
                reason=record.reason or "",
                exception=_text(told.get("exception")),
            )
        else:
            found.append(_request(record, told))
    return tuple(replace(each, answer=answers.get(each.id)) for each in found)


def request_of(identifier: str) -> Request | None:
    """The wish whose record has that id."""
    return next((each for each in requests() if each.id == identifier), None)


def is_own(asked: Request) -> bool:
    """Whether who is asking now asked for it."""
    who = account()
    return who is not None and asked.by.casefold() == who.name.casefold()


def name_of(user: str) -> str:
    """A user as who is asking may see it; oneself always."""
    who = account()
    own = who is not None and user.casefold() == who.name.casefold()
    return pseudonym("user", user) if masked() and user and not own else user


def shown(asked: Request) -> Mapping[str, Any]:
    """A wish for a template."""
    return {
        "asked": asked,
        "by": name_of(asked.by),
        "own": is_own(asked),
        "record_url": url_for("record.show", identifier=asked.record) if asked.record else None,
        "answer_by": name_of(asked.answer.by) if asked.answer is not None else "",
    }


def _records() -> Iterator[Record]:
    filled = store()
    page = filled.page(parse_query([f"action:{ASKED}", f"action:{ANSWERED}"], now()), filled.snapshot(), limit=_MOST)
    for _, line in filled.lines(page.rows):
        if line is not None:
            with suppress(BrokenRecord):
                yield Record.parse(line)


def _request(record: Record, told: dict[str, object]) -> Request:
    until = None
    with suppress(ValueError):
        until = datetime.fromisoformat(_text(told.get("until")))
    return Request(
        id=record.id,
        time=record.time,
        by=record.user or "",
        record=_text(told.get("record")),
        what=_text(told.get("what")),
        whom=_text(told.get("whom")),
        duration=_text(told.get("duration")),
        until=until if until is not None and until.tzinfo is not None else None,
        reason=record.reason or "",
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
