"""Ordering a hold on a part of the log, and ending one: recorded before it is done and after. Prints nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from embargo.journal import audit
from embargo.journal.event import Change, ConfigurationChanged, Detail, Outcome
from embargo.journal.files import STEMS, LogFile, log_files
from embargo.journal.retention.extent import begun
from embargo.journal.retention.holds import ADDED, ENDED, SUBJECT, Hold, changing, holds, write


class NoSuchHold(Exception):
    """No hold is meant, or one that was ended already; says which there are."""


def begin(
    log: Path,
    *,
    begin: datetime,
    end: datetime | None,
    reason: str,
    author: str,
    ticket: str | None,
    now: Callable[[], datetime],
) -> Hold:
    """Order a hold on what was written in the log directory *log* from *begin* to *end* (None: open).

    Raises OSError and HoldsUnreadable: then there is none.
    """
    with changing(log):
        known = holds(log)
        time = now()
        hold = Hold(
            id=_identifier(known, time),
            begin=begin,
            end=end,
            reason=reason,
            author=author,
            since=time,
            ticket=ticket,
        )
        with _recorded(log, ADDED, Change.CREATION, hold, by=author, reason=reason, now=now):
            write(log, (*known, hold))
    return hold


def end(log: Path, identifier: str, *, by: str, reason: str, now: Callable[[], datetime]) -> Hold:
    """End the hold *identifier*: what it kept may be deleted again.

    Raises NoSuchHold, OSError and HoldsUnreadable: then it holds.
    """
    with changing(log):
        known = holds(log)
        hold = next((each for each in known if each.id == identifier), None)
        if hold is None or not hold.holds:
            open_ones = ", ".join(each.id for each in known if each.holds) or "none"
            why = "has been ended already" if hold is not None else "is not known"
            raise NoSuchHold(f"{identifier} {why}; on hold are: {open_ones}")
        over = replace(hold, ended=now(), ended_by=by, end_reason=reason)
        with _recorded(log, ENDED, Change.DELETION, over, by=by, reason=reason, now=now):
            write(log, [over if each is hold else each for each in known])
    return over


def kept_files(log: Path, hold: Hold) -> list[LogFile]:
    """The rotated files that *hold* keeps, whatever their age. Raises OSError."""
    if not hold.holds:
        return []
    files = [file for stem in STEMS for file in log_files(log, stem)]
    return [file for file in files if file.rotated is not None and hold.covers(_begun(file), file.rotated)]


def _begun(file: LogFile) -> datetime | None:
    try:
        return begun(file)
    except OSError:
        return None  # gone meanwhile, or damaged: nobody knows


def _identifier(known: Sequence[Hold], time: datetime) -> str:
    """One that is not taken, and that people can read out to each other."""
    stem = f"hold-{time:%Y%m%d}"
    taken = {hold.id for hold in known}
    return next(name for number in range(1, len(taken) + 2) if (name := f"{stem}-{number}") not in taken)


@contextmanager
def _recorded(
    log: Path, action: str, change: Change, hold: Hold, *, by: str, reason: str, now: Callable[[], datetime]
) -> Iterator[None]:
    """Records what is about to be done, and what came of it."""
    event = ConfigurationChanged(
        time=now(),
        action=action,
        change=change,
        outcome=Outcome.UNKNOWN,
        user=by,
        reason=reason,
        subject=SUBJECT,
        details=details_of(hold),
    )
    audit.record(log, event)
    try:
        yield
    except OSError as failure:
        with suppress(OSError):
            audit.record(log, replace(event, time=now(), outcome=Outcome.FAILURE, error=str(failure)))
        raise
    audit.record(log, replace(event, time=now(), outcome=Outcome.SUCCESS))


def details_of(hold: Hold) -> dict[str, Detail]:
    """What a record tells of *hold*."""
    return {
        "id": hold.id,
        "from": hold.begin,
        "to": hold.end,
        "reason": hold.reason,
        "author": hold.author,
        "ticket": hold.ticket,
        "since": hold.since,
    }
