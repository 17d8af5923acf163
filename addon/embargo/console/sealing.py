"""The state of the log's seal, verified beside the pages that show it: the whole log once, then what is new."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from flask import current_app

from embargo.console.background import Background, Told
from embargo.console.context import settings
from embargo.console.sign_offs import sign_offs
from embargo.journal.seal.keys import known_keys
from embargo.journal.seal.result import Verification
from embargo.journal.seal.tally import Head
from embargo.journal.seal.verification import Verifier

_KEY = "embargo-sealing"
_FRESH = 20.0  # seconds


@dataclass(slots=True)
class Progress:
    """How far a verification is, in bytes."""

    done: int = 0
    total: int = 0

    @property
    def percent(self) -> int:
        """Of what is to be read."""
        return 100 * self.done // self.total if self.total else 0


class _Sealing:
    """One log directory, verified again and again. Safe across threads."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self._log, self._heads = settings().log, heads
        self._lock = Lock()
        self._verifier: Verifier | None = None
        self.progress = Progress()
        self.background = Background(self._run, settings().now, _FRESH)

    def _run(self) -> Verification:
        with self._lock:
            if self._verifier is None:  # the keys as they are now; none: the key is made at a proxy's first start
                keys = known_keys(self._log)
                verifier = Verifier(self._log, keys, own_key=True, heads=self._heads)
                self._verifier = verifier if keys else None
            else:
                verifier = self._verifier
            return verifier.run(self._advance)

    def _advance(self, done: int, total: int) -> None:
        self.progress = Progress(done, total)


def seal(patience: float | None = None) -> tuple[Told[Verification], Progress]:
    """What is known of it, and how far a running verification is."""
    found = _sealing()
    told = found.background.told() if patience is None else found.background.told(patience)
    return told, found.progress


def _sealing() -> _Sealing:
    if _KEY not in current_app.extensions:
        heads = [
            Head(pin.chain, pin.sequence, pin.seal, f"the sign-off of {each.time:%Y-%m-%d %H:%M}")
            for each in sign_offs()
            for pin in each.pins
            if pin.seal
        ]
        current_app.extensions.setdefault(_KEY, _Sealing(heads))
    found: _Sealing = current_app.extensions[_KEY]
    return found
