"""The texts of policies beside the log, `policies/DIGEST`: stored before a record names them (DESIGN 7)."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def keep_text(store: Path | None, digest: str, pieces: Iterable[bytes]) -> list[str]:
    """Keep the policy's text, in *pieces*, as *store*/*digest*, confirmed by the disk; what went wrong, in words.

    Where *store* is None nothing is kept.
    """
    if store is None:
        return []
    if (store / digest).exists():
        with suppress(OSError):
            os.utime(store / digest)  # it is needed again: texts go once they were in force before all that is recorded
        return []
    beside = store / f".{digest}.{os.getpid()}"
    try:
        for directory in (store.parent, store):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123 - mode 600 from the first byte
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(store / digest)
    except OSError as failed:
        with suppress(OSError):  # where its directory cannot be, neither can it
            beside.unlink()
        return [f"the policy's text could not be stored as {store / digest}: {failed.strerror}"]
    return []
