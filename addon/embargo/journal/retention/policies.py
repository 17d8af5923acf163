"""The texts of policies beside the log, `policies/DIGEST`: each is kept as long as a record names it (DESIGN 7).

When a policy was in force last is told by its file's mtime, which the proxy moves on while it is. One that was in
force when records were written that are still there is not even looked for; of any other the whole log is searched,
and only one that no record names goes, with a record that says so.
"""

import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from embargo.journal.event import Change, ConfigurationChanged, Outcome
from embargo.journal.files import STEMS, LogFile, log_files
from embargo.journal.retention.deletion import Recorder
from embargo.journal.retention.extent import begun, found_in

STORE = "policies"
ACTION = "policy-deleted"  # `event.action`
_MARGIN = timedelta(days=1)  # by which an mtime may be behind: it is moved on each hour
_DIGEST = re.compile(r"[0-9a-f]{64}")

_logger = logging.getLogger(__name__)


def mark_in_force(log: Path, digest: str) -> None:
    """The policy *digest* is in force now. One whose text could not be stored is no concern of ours."""
    if _DIGEST.fullmatch(digest):
        with suppress(OSError):
            os.utime(log / STORE / digest)


def prune(log: Path, now: datetime, record: Recorder, interrupted: Callable[[], bool] = lambda: False) -> int:
    """Deletes the texts that no record of the log directory *log* names; how many.

    Where anything of the log cannot be read, nothing is deleted. Raises OSError.
    """
    files = [file for stem in STEMS for file in log_files(log, stem)]
    candidates = _candidates(log, files)
    if not candidates:
        return 0
    unnamed = {digest.encode() for digest in candidates}
    for file in files:
        try:
            unnamed -= found_in(file, unnamed)
        except OSError as failure:
            _logger.warning("decision log: no policy is deleted, since the log cannot be read: %s", failure)
            return 0
        if interrupted() or not unnamed:
            return 0
    for digest in sorted(needle.decode() for needle in unnamed):
        record(log, pruned(digest, now))
        candidates[digest].unlink(missing_ok=True)
    return len(unnamed)


def _candidates(log: Path, files: list[LogFile]) -> dict[str, Path]:
    """Texts of policies that were last in force before anything that is still recorded, by digest."""
    begins = [instant for file in _first_of_each(files) if (instant := begun(file)) is not None]
    if not begins:
        return {}
    oldest = min(begins) - _MARGIN
    found = {}
    with suppress(FileNotFoundError):
        for path in (log / STORE).iterdir():
            if _DIGEST.fullmatch(path.name) and datetime.fromtimestamp(path.lstat().st_mtime, UTC) < oldest:
                found[path.name] = path
    return found


def _first_of_each(files: list[LogFile]) -> list[LogFile]:
    first: dict[tuple[str, int], LogFile] = {}
    for file in files:
        first.setdefault(file.chain, file)
    return list(first.values())


def pruned(digest: str, now: datetime) -> ConfigurationChanged:
    """The event that says so. It must not name the policy as one in force."""
    return ConfigurationChanged(
        time=now,
        action=ACTION,
        change=Change.DELETION,
        outcome=Outcome.SUCCESS,
        reason="no record names it any more",
        subject="deleted_policy",
        details={"digest": digest},
    )
