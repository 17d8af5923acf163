"""The audit chain, `audit.jsonl` (DESIGN 7): what commands and the console change, for processes that soon end.

The same files, names, locks and seal as the decision log's, so that the same readers read both. A command may run as
a user who cannot read the key: what it records is sealed then, and signed by the next one that can.
"""

import os
import pwd
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from embargo import __version__
from embargo.core.rules import LogSettings
from embargo.journal.clock import utc_now
from embargo.journal.ecs import Observer
from embargo.journal.event import ConfigurationChanged, ConsoleUsed, Event, RecordsLost
from embargo.journal.files import AUDIT_STEM
from embargo.journal.identifier import uuid7
from embargo.journal.livefile import LiveFile
from embargo.journal.record import Encoder
from embargo.journal.retention.deletion import Retirement
from embargo.journal.rotation import due, keep
from embargo.journal.seal.sealer import Sealer

PATIENCE = 5.0  # seconds to wait for another command's turn; one that takes longer has hung: the next file is begun


def record(directory: Path, event: ConfigurationChanged | ConsoleUsed, settings: LogSettings | None = None) -> None:
    """Append *event* to the audit chain of the log *directory*, confirmed by the disk when this returns.

    *settings*: of the policy in force; None: not known, so that no file of the chain is deleted. Raises OSError, and
    then the record may not be there: do not make the change.
    """
    known, settings = settings, settings or LogSettings()
    file = LiveFile.open(directory, AUDIT_STEM, PATIENCE)
    rotated = False
    try:
        events: list[Event] = [event]
        if file.cut:
            reason = f"a last line of {file.cut} bytes, torn by a crash, was cut"
            events.insert(0, RecordsLost(time=event.time, count=1, since=event.time, reason=reason))
        if due(file, settings, event.time):
            with suppress(OSError):  # the record is worth more than the file's size
                file = file.rotated(event.time)
                rotated = True
        encoder = Encoder(Observer(hostname=socket.gethostname(), version=__version__, pid=os.getpid()))
        sealer = Sealer(directory, encoder, settings=lambda: settings.checkpoint, now=lambda: event.time)
        sealer.opened(file)

        def encode(before: int) -> list[bytes]:
            return [
                encoder.line(each, sequence=before + number, identifier=uuid7())
                for number, each in enumerate(events, 1)
            ]

        file.append(sealer.batch(encode, some=True, cause="close").lines)
        file.sync()
    finally:
        file.close()
    if rotated:
        _keep(directory, settings, known, utc_now())


def _keep(directory: Path, settings: LogSettings, known: LogSettings | None, now: datetime) -> None:
    with suppress(OSError):  # what is not compressed or deleted now will be after the next rotation
        keep(directory, AUDIT_STEM, settings, now, Retirement(directory, lambda: known, lambda: now, record))


def login_user() -> str:
    """Who is at the keyboard: the user of `sudo`, else of this process; a number where it has no name."""
    if os.geteuid() == 0 and (user := os.environ.get("SUDO_USER")):
        return user
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
