"""Deletes files of the log that are older than `settings.log.retention`: on record first, and only what nobody holds.

The tombstone is in the audit chain, confirmed by the disk, before the file goes. After a crash between the two the
file is there with a tombstone of its own, which harms nothing, and is deleted by the next round with another.

An audit file whose tombstones still explain where something begins that is there stays, too, however short a time audit
files are kept for.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from embargo.core.rules import LogSettings
from embargo.journal.event import ConfigurationChanged
from embargo.journal.files import AUDIT_STEM, LogFile
from embargo.journal.retention.extent import Extent, begun, extent
from embargo.journal.retention.holds import Hold, HoldsUnreadable, changing, holds, keeping
from embargo.journal.retention.register import Register
from embargo.journal.retention.tombstone import deleted, tombstone
from embargo.journal.seal.keys import KeyUnusable, signing_key

_logger = logging.getLogger(__name__)

REASON = "it was older than settings.log.retention"
SPOILED = "it was not what had been sealed, so that this explains no gap"

type Recorder = Callable[[Path, ConfigurationChanged], None]
"""Appends an event to the audit chain of a log directory, confirmed by the disk; raises OSError."""


class NotDeleted(Exception):
    """Nothing may be deleted now; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What a round of deletion came to, for status."""

    error: str | None = None  # why nothing is deleted although something is old enough
    held: int = 0  # files that are old enough, and on hold or needed to explain what is missing
    deleted: int = 0  # files, since the start


def delete(
    log: Path,
    file: LogFile,
    now: datetime,
    retention: timedelta,
    record: Recorder,
    register: Register | None = None,
) -> bool:
    """Deletes the rotated *file* of the directory *log*, with a tombstone; False: it is on hold, or holds one needed.

    Raises NotDeleted, and the file stays.
    """
    assert file.rotated is not None, "a live file is never deleted"
    register = register or Register(log)
    try:
        with changing(log):  # so that no hold begins in between
            found = holds(log)
            register.holds_are_on_record(found)
            try:
                holding = any(hold.holds for hold in found)
                if holding and keeping(found, begun(file), file.rotated) is not None:
                    return False
                if file.stem == AUDIT_STEM and register.needs(file, holding=holding):
                    return False
                key = signing_key(log)
                held = extent(file, register.seal_before(file, key.public_key()))
            except FileNotFoundError:
                return True  # another process was first
            if holding and not _outside(found, held):
                return False  # whatever its name says
            if held.until is not None and now - held.until < retention:
                # else who may write here, and has no key, could have us sign for the loss of a file that is younger
                raise NotDeleted(f"{file.path.name} is not deleted: it is younger than its name says")
            if not held.whole:
                # nor for what stands in it: the tombstone then explains no gap, and `verify` names it
                held = replace(held, last=None, seal=None)
            accounted = register.accounts_for(file, held, key.public_key())
            reason = REASON if held.whole else f"{REASON}; {SPOILED}"
            record(log, deleted(tombstone(file, held, key, accounted=accounted), now, reason))
            file.path.unlink(missing_ok=True)
    except HoldsUnreadable as unreadable:
        raise NotDeleted(f"nothing is deleted, since nobody can say what is on hold: {unreadable}") from unreadable
    except KeyUnusable as unusable:
        raise NotDeleted(f"nothing is deleted, since no tombstone can be signed: {unusable}") from unusable
    except OSError as failure:
        raise NotDeleted(f"nothing is deleted, since no tombstone can be written: {failure}") from failure
    return True


def _outside(found: Sequence[Hold], held: Extent) -> bool:
    """Whether what was sealed says that none of *found* keeps the file that holds this: else its name was changed."""
    if not held.whole or held.until is None:
        return False
    return keeping(found, held.since if held.begins else None, held.until) is None


class Retirement:
    """Deletes file after file, and remembers what came of it. For one thread; `state` for any."""

    def __init__(
        self,
        log: Path,
        settings: Callable[[], LogSettings | None],
        now: Callable[[], datetime],
        record: Recorder,
    ) -> None:
        """*settings*: None while nobody knows how long the log is to be kept, so that nothing is deleted."""
        self._log = log
        self._settings = settings
        self._now = now
        self._record = record
        self._register = Register(log)
        self._deleted = 0
        self._round = Retention()
        self.state = Retention()  # of the newest whole round

    def begin(self) -> None:
        """A round begins."""
        self._round = Retention(deleted=self._deleted)

    def __call__(self, file: LogFile) -> None:
        """*file* is old enough: delete it, unless something stands against that. Never raises."""
        settings = self._settings()
        if settings is None or self._round.error is not None:
            return  # younger ones stay where an older one does: what is left is the end of the chain
        try:
            retention = timedelta(seconds=settings.kept_for(audit=file.stem == AUDIT_STEM))
            gone = delete(self._log, file, self._now(), retention, self._record, self._register)
        except NotDeleted as kept:
            self._round = replace(self._round, error=str(kept))
            return
        self._deleted += gone
        self._round = replace(self._round, deleted=self._deleted, held=self._round.held + (not gone))

    def end(self) -> None:
        """The round is over."""
        if self._round.error is not None and self._round.error != self.state.error:
            _logger.warning("decision log: %s", self._round.error)
        self.state = self._round
