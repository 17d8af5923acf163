"""What the audit chain says of break-glass: that it began, and how it came to its end."""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from embargo.core.break_glass import BreakGlass, End
from embargo.journal import audit
from embargo.journal.event import Change, ConfigurationChanged, Detail, Outcome
from embargo.journal.files import AUDIT_STEM
from embargo.journal.reader import Reader

STARTED, ENDED = "break-glass-started", "break-glass-ended"  # `event.action`
SUBJECT = "break_glass"  # the member of `embargo` with the details, in records of flows too
WORDS = {  # how it ended, as records and commands say it
    End.EXPIRED: "its time is over",
    End.ENDED: "it was ended",
    End.REPLACED: "a newer one took its place",
    End.REMOVED: "its file was removed",
    End.DAMAGED: "its file is no longer ours, or cannot be read",
}

_SET_BACK = timedelta(days=1)  # by which a clock may have been set back since it began


def started(
    glass: BreakGlass, *, policy: str | None, replaces: str | None = None, error: str | None = None
) -> ConfigurationChanged:
    """It begins, in the place of the one of the id *replaces*; *error*: it was recorded so, and then did not.

    *policy*: digest in force.
    """
    return ConfigurationChanged(
        time=glass.since,
        action=STARTED,
        change=Change.CREATION,
        outcome=Outcome.SUCCESS if error is None else Outcome.FAILURE,
        user=glass.author,
        reason=glass.reason,
        policy=policy,
        subject=SUBJECT,
        details=_details(glass) | {"replaces": replaces},
        error=error,
    )


def ended(
    glass: BreakGlass, how: End, time: datetime, *, policy: str | None, by: str | None = None, reason: str | None = None
) -> ConfigurationChanged:
    """It is over. *by*, *reason*: who ended it, and why; None where it ended by itself."""
    return ConfigurationChanged(
        time=time,
        action=ENDED,
        change=Change.DELETION,
        user=by,
        reason=f"{WORDS[how]}: {reason}" if reason else WORDS[how],
        policy=policy,
        subject=SUBJECT,
        details=_details(glass) | {"end": how.value, "reason": glass.reason},
    )


def record_end(
    log: Path, glass: BreakGlass, how: End, time: datetime, *, policy: str | None, noted: bool = False
) -> End:
    """The end of *glass* as the audit chain of *log* has it; where it has none, *how*, which is recorded now.

    So whoever was killed between recording an end and noting it, or found no room for the note, records none twice.
    *noted*: some chain has it; this one needs it only where it has the beginning. One at a time. Raises OSError.
    """
    begun, end = on_record(log, glass)
    if end is not None:
        return end
    if begun or not noted:
        audit.record(log, ended(glass, how, time, policy=policy))
    return how


def on_record(log: Path, glass: BreakGlass) -> tuple[bool, End | None]:
    """Whether the audit chain of *log* has the beginning of *glass*, and which end. Raises OSError."""
    mark = glass.id.encode()
    reader = Reader(log, (AUDIT_STEM,), sift=lambda line: mark in line)
    begun, end = False, None
    try:
        for entry in reader.entries(lambda record: record.break_glass == glass.id, glass.since - _SET_BACK):
            if entry.record.action == STARTED:
                begun = True
            elif entry.record.action == ENDED:
                with suppress(KeyError, ValueError):  # none of ours
                    end = End(entry.record.document["embargo"][SUBJECT]["end"])
    except FileNotFoundError:
        pass  # no log yet
    return begun, end


def _details(glass: BreakGlass) -> dict[str, Detail]:
    return {
        "id": glass.id,
        "since": glass.since,
        "until": glass.until,
        "seconds": int(glass.seconds),
        "author": glass.author,
        "ticket": glass.ticket,
    }
