"""The tombstones that a log directory has, and for which of them there still is a need."""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from embargo.journal.files import AUDIT_STEM, STEMS, LogFile, log_files
from embargo.journal.retention.extent import Extent, first_of, lines_with
from embargo.journal.retention.tombstone import MARK, Tombstone, tombstone_of
from embargo.journal.seal.chain import chain_name


class Register:
    """Those of one log directory. Keeps what it has read of files that do not change."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read: dict[tuple[Path, int, int], list[Tombstone]] = {}

    def of(self, file: LogFile) -> list[Tombstone]:
        """Those in the audit *file*. Raises OSError."""
        status = file.path.stat()
        key = (file.path, status.st_size, status.st_mtime_ns)
        if key not in self._read:
            found = [stone for line in lines_with(file, MARK) if (stone := _stone(line)) is not None]
            self._read[key] = found
        return self._read[key]

    def all(self) -> list[Tombstone]:
        """All of them. Raises OSError."""
        return [stone for file in log_files(self._log, AUDIT_STEM) for stone in self.of(file)]

    def accounts_for(self, file: LogFile, extent: Extent, key: Ed25519PublicKey) -> bool:
        """Whether all that stood before *file* in its chain, if anything, was deleted on record as well.

        Before the first file that is deleted on record there may be some of a release that kept no record; those
        were not sealed either. Raises OSError.
        """
        ours = [other for other in log_files(self._log, file.stem) if other.chain == file.chain]
        if any(other.path == file.path for other in ours) and ours[0].path != file.path:
            return False  # an older one is kept
        if extent.first <= 1 or extent.seal is None:
            return True
        chain = chain_name(*file.chain)
        return any(stone.chain == chain and stone.last == extent.first - 1 and stone.holds(key) for stone in self.all())

    def needs(self, file: LogFile, *, holding: bool) -> bool:
        """Whether a tombstone in the audit *file* still explains anything; *holding*: something is on hold.

        Where files are kept among others that are deleted, the whole row of tombstones is needed. Raises OSError.
        """
        stones = self.of(file)
        if not stones or holding:
            return bool(stones)
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


def _stone(line: bytes) -> Tombstone | None:
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return tombstone_of(document) if isinstance(document, dict) else None
