"""The tombstones that a log directory has, and for which of them there still is a need."""

import json
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from embargo.journal.ecs import Document
from embargo.journal.files import AUDIT_STEM, STEMS, LogFile, log_files
from embargo.journal.livefile import last_record
from embargo.journal.retention.extent import Extent, first_of, lines_with
from embargo.journal.retention.holds import FILE, Hold, HoldsUnreadable
from embargo.journal.retention.order import MARK as HOLD_MARK
from embargo.journal.retention.order import order_of
from embargo.journal.retention.tombstone import MARK, Tombstone, tombstone_of
from embargo.journal.seal.chain import START, chain_name


class Register:
    """Those of one log directory. Keeps what it has read of files that do not change."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read: dict[tuple[Path, bytes, int, int], list[bytes]] = {}

    def of(self, file: LogFile) -> list[Tombstone]:
        """Those in the audit *file*. Raises OSError."""
        return [stone for document in self._with(file, MARK) if (stone := tombstone_of(document)) is not None]

    def all(self) -> list[Tombstone]:
        """All of them. Raises OSError."""
        return [stone for file in log_files(self._log, AUDIT_STEM) for stone in self.of(file)]

    def accounts_for(self, file: LogFile, extent: Extent, key: Ed25519PublicKey) -> bool:
        """Whether all that stood before *file* in its chain, if anything, was deleted on record as well.

        A release that kept no record of what it deleted did not seal it either. Raises OSError.
        """
        ours = [other for other in log_files(self._log, file.stem) if other.chain == file.chain]
        if any(other.path == file.path for other in ours) and ours[0].path != file.path:
            return False  # an older one is kept
        if extent.anew or extent.seal is None:
            return extent.anew
        behind = self._stone_before(file, extent.first, key)
        return behind is not None and bool(behind.seal)

    def seal_before(self, file: LogFile, key: Ed25519PublicKey) -> bytes | None:
        """The seal of the record before the first of *file*; None where it is not known. Raises OSError."""
        if file.first <= 1:
            return START
        before = None
        for other in log_files(self._log, file.stem):
            if other.chain == file.chain:
                if other.path == file.path:
                    break
                before = other
        last = last_record(before) if before is not None else None
        if last is not None and last.sequence == file.first - 1:
            return last.seal
        behind = self._stone_before(file, file.first, key)
        return (behind.seal.encode() or START) if behind is not None else None

    def holds_are_on_record(self, found: Sequence[Hold]) -> None:
        """Holds that *found* in the file are what the audit chain says. Raises HoldsUnreadable, OSError."""
        known = {hold.id: hold for hold in found}
        told = [document for file in log_files(self._log, AUDIT_STEM) for document in self._with(file, HOLD_MARK)]
        orders = [order for document in told if (order := order_of(document)) is not None]
        ended = {order.id for order in orders if order.ends}
        for order in orders:
            if order.ends or not order.done:
                continue
            hold = known.get(order.id)
            if hold is None or not order.is_of(hold):
                raise HoldsUnreadable(f"{order.id} is not in {FILE} as it was ordered; bring the file back as it was")
            if not hold.holds and order.id not in ended:
                raise HoldsUnreadable(
                    f"{order.id} is ended in {FILE}, and no record says so; bring the file back as it was"
                )

    def needs(self, file: LogFile, *, holding: bool) -> bool:
        """Whether a tombstone in the audit *file* still explains anything; *holding*: something is on hold.

        Where files are kept among others that are deleted, the whole row of tombstones is needed, and what holds were
        ordered. Raises OSError.
        """
        stones = self.of(file)
        if holding:
            return bool(stones or self._with(file, HOLD_MARK))
        if not stones:
            return False
        begins = {
            (chain_name(*other.chain), first_of(other))
            for stem in STEMS
            for other in log_files(self._log, stem)
            if other.path != file.path
        }
        explaining = [stone for stone in self.all() if (stone.chain, stone.last + 1) in begins]
        if any((stone.chain, stone.last + 1) in begins for stone in stones):
            return True
        return any(stone.chain in {each.chain for each in explaining if not each.accounted} for stone in stones)

    def _stone_before(self, file: LogFile, first: int, key: Ed25519PublicKey) -> Tombstone | None:
        """The tombstone of what stood before the record *first* of the chain of *file*. Raises OSError."""
        chain = chain_name(*file.chain)
        return next(
            (each for each in self.all() if each.chain == chain and each.last == first - 1 and each.holds(key)), None
        )

    def _with(self, file: LogFile, mark: bytes) -> list[Document]:
        """The records in *file* in which *mark* stands. Raises OSError."""
        status = file.path.stat()
        key = (file.path, mark, status.st_size, status.st_mtime_ns)
        if key not in self._read:
            self._read[key] = lines_with(file, mark)
        return [document for line in self._read[key] if (document := _parsed(line)) is not None]


def _parsed(line: bytes) -> Document | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
