"""What the audit chain says of break-glass: that it began, and how it came to its end."""

from datetime import datetime

from embargo.core.break_glass import BreakGlass, End
from embargo.journal.event import Change, ConfigurationChanged, Detail, Outcome

STARTED, ENDED = "break-glass-started", "break-glass-ended"  # `event.action`
SUBJECT = "break_glass"  # the member of `embargo` with the details, in records of flows too
WORDS = {  # how it ended, as records and commands say it
    End.EXPIRED: "its time is over",
    End.ENDED: "it was ended",
    End.REPLACED: "a newer one took its place",
    End.REMOVED: "its file was removed",
    End.DAMAGED: "its file is no longer ours, or cannot be read",
}


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


def _details(glass: BreakGlass) -> dict[str, Detail]:
    return {
        "id": glass.id,
        "since": glass.since,
        "until": glass.until,
        "seconds": int(glass.seconds),
        "author": glass.author,
        "ticket": glass.ticket,
    }
