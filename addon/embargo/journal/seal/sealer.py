"""What seals and signs for one writer: it knows when a checkpoint is due, and goes on where the key cannot be used.

A process signs what it finds unsigned at the end of a chain (after a crash, or written by a command without the key),
its own first records at once, and then as `settings.log.checkpoint` says; at rotation and at its end what is left.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from embargo.core.rules import CheckpointSettings
from embargo.journal.event import Event, SealCheckpoint, SealUnsigned
from embargo.journal.identifier import uuid7
from embargo.journal.livefile import LiveFile
from embargo.journal.record import Encoder
from embargo.journal.seal import keys
from embargo.journal.seal.chain import seal_of, sealed
from embargo.journal.seal.checkpoint import checkpoint

_RETRY = 60.0  # seconds between attempts at a key that cannot be used
_logger = logging.getLogger(__name__)

type Encode = Callable[[int], list[bytes]]
"""Given the sequence before the first: the lines of the records to write, not yet sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealState:
    """How the seal fares, for status and metrics."""

    key: str | None  # id; None: nothing is signed
    error: str | None  # why the key cannot be used
    signed: int  # sequence up to which this process has signed its chain; 0: nothing yet
    unsigned: int  # records that it has written since
    at: str | None  # when it signed last; ISO 8601


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Sealed lines to append, and which of them are ours."""

    lines: list[bytes]
    ahead: int  # lines before the records
    records: int
    checkpoints: tuple[tuple[int, SealCheckpoint], ...]  # place in `lines`

    def written(self, whole: int) -> int:
        """How many of the records are among the first *whole* lines."""
        return min(max(whole - self.ahead, 0), self.records)


class Sealer:
    """Seals what one thread writes to one chain after another."""

    def __init__(
        self,
        log: Path,
        encoder: Encoder,
        *,
        settings: Callable[[], CheckpointSettings],
        now: Callable[[], datetime],
        identify: Callable[[], str] = uuid7,
    ) -> None:
        self._log = log
        self._encoder = encoder
        self._settings = settings
        self._now = now
        self._identify = identify
        self.signed: Callable[[SealCheckpoint], None] = lambda checkpoint: None  # called with each that is on the file
        self._key: Ed25519PrivateKey | None = None
        self._introduction: keys.Introduction | None = None
        self._error: str | None = None
        self._unsaid = False  # no record says yet that the key cannot be used
        self._retry_at = 0.0  # monotonic
        self._file: LiveFile | None = None  # the one that what follows is about
        self._introduced = False  # this process has signed in this chain, with its public key
        self._found = False  # what was found at the end of the chain is unsigned
        self._unsigned = 0  # records
        self._since = 0.0  # monotonic, of the first of them
        self._promised = CheckpointSettings()  # by the last checkpoint
        self._signed = 0  # sequence
        self._at: datetime | None = None

    def opened(self, file: LiveFile) -> None:
        """From here on *file* is written to: a chain that was begun, or goes on after an error."""
        if self._file is None or self._file.path != file.path:
            self._introduced = False
        self._file = file
        self._found = file.sequence > 0 and not file.signed
        self._unsigned = 0
        self._load()

    def rotated(self, file: LiveFile) -> None:
        """The same chain goes on in *file*."""
        self._file = file

    def due(self) -> bool:
        """Whether a checkpoint is due though no record comes."""
        if not self._unsigned or not self._usable():
            return False
        return self._promised != self._settings() or time.monotonic() - self._since >= self._settings().age

    @property
    def unsigned(self) -> int:
        """Records that were written since the last checkpoint."""
        return self._unsigned

    def room(self) -> int:
        """How many records fit before the next checkpoint."""
        return max(1, self._settings().records - self._unsigned)

    def batch(self, encode: Encode, *, some: bool, cause: str | None = None) -> Batch:
        """The lines that *encode* gives, sealed, with the checkpoints that are due among them.

        *some*: there are any to encode. *cause*: a checkpoint is due behind them in any case, for that reason.
        """
        file = self._file
        assert file is not None, "opened"
        usable = self._usable()
        lines: list[bytes] = []
        checkpoints: list[tuple[int, SealCheckpoint]] = []

        def add(event: Event) -> None:
            previous = seal_of(lines[-1]) if lines else file.seal
            assert previous is not None
            line = self._encoder.line(event, sequence=file.sequence + len(lines) + 1, identifier=self._identify())
            lines.extend(sealed((line,), previous))

        def sign(why: str) -> None:
            assert self._key is not None
            signed = self._checkpoint(self._key, file, lines, why, introduce=not self._introduced and not checkpoints)
            checkpoints.append((len(lines), signed))
            add(signed)

        if some and usable and self._found:
            sign("found")
        if some and self._unsaid and self._error is not None:
            add(SealUnsigned(time=self._now(), reason=self._error))
        ahead = len(lines)
        bare = encode(file.sequence + ahead) if some else []
        lines += sealed(bare, (seal_of(lines[-1]) if lines else None) or file.seal)
        if usable and (why := cause or self._why(len(bare))) is not None and file.sequence + len(lines) > 0:
            sign(why)
        return Batch(lines=lines, ahead=ahead, records=len(bare), checkpoints=tuple(checkpoints))

    def wrote(self, batch: Batch, whole: int) -> None:
        """The first *whole* lines of *batch* are on the file."""
        done = [(place, signed) for place, signed in batch.checkpoints if place < whole]
        last = done[-1][0] if done else -1
        if done:
            self._unsigned = 0
            self._promised = CheckpointSettings(records=done[-1][1].records, age=done[-1][1].age)
            self._introduced = True
            self._found = False
            self._signed, self._at = done[-1][1].sequence, done[-1][1].time
        if batch.ahead and whole > 0 and self._error is not None:
            self._unsaid = False
        fresh = batch.written(whole) - batch.written(last + 1)
        if fresh and not self._unsigned:
            self._since = time.monotonic()
        self._unsigned += fresh
        for _, signed in done:
            self.signed(signed)

    def state(self) -> SealState:
        """A snapshot. Any thread."""
        return SealState(
            key=keys.key_id(self._key.public_key()) if self._key is not None else None,
            error=self._error,
            signed=self._signed,
            unsigned=self._unsigned,
            at=self._at.isoformat() if self._at is not None else None,
        )

    def _why(self, records: int) -> str | None:
        """Why a checkpoint is due behind *records* more; None where none is."""
        if not records and not self._unsigned:
            return None
        if not self._introduced:
            return "start"
        if self._promised != self._settings():
            return "settings"  # the last checkpoint says when the next is due
        if self._unsigned + records >= self._settings().records:
            return "records"
        return "age" if self._unsigned and time.monotonic() - self._since >= self._settings().age else None

    def _checkpoint(
        self, key: Ed25519PrivateKey, file: LiveFile, lines: list[bytes], why: str, *, introduce: bool
    ) -> SealCheckpoint:
        seal = (seal_of(lines[-1]) if lines else None) or file.seal
        return checkpoint(
            key,
            time=self._now(),
            chain=file.path.name.removesuffix(".jsonl"),
            sequence=file.sequence + len(lines),
            seal=seal.decode(),
            settings=self._settings(),
            cause=why,
            introduce=introduce,
            introduction=self._introduction,
        )

    def _usable(self) -> bool:
        if self._key is None and time.monotonic() >= self._retry_at:
            self._load()
        return self._key is not None

    def _load(self) -> None:
        self._retry_at = time.monotonic() + _RETRY
        if self._key is not None:
            try:
                keys.put_back(self._log, self._key)
            except (OSError, keys.KeyUnusable) as failure:
                _logger.warning("decision log: the key of the seal could not be put back: %s", failure)
            return
        try:
            self._key = keys.signing_key(self._log)
        except keys.KeyUnusable as failure:
            if self._error != str(failure):
                self._error = str(failure)
                self._unsaid = True
                _logger.warning("decision log: RECORDS ARE SEALED BUT NOT SIGNED: %s", failure)
            return
        self._introduction = keys.introduction(self._log, self._key)
        if self._error is not None:
            self._error = None
            _logger.warning("decision log: the key of the seal can be used again")
        self._unsaid = False
