"""Which keys are believed: those that were given, and those that one of them introduces."""

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from embargo.journal.event import SealCheckpoint
from embargo.journal.seal import keys
from embargo.journal.seal.checkpoint import genuine


class Trust:
    """The believed keys by id. Grows as checkpoints introduce others."""

    def __init__(self, given: Iterable[Ed25519PublicKey]) -> None:
        self.keys = {keys.key_id(key): key for key in given}

    def introduce(self, checkpoint: SealCheckpoint) -> bool:
        """Takes up the key that *checkpoint* brings, where one that is believed has signed it; whether it is new."""
        if checkpoint.key in self.keys or checkpoint.public is None or checkpoint.introduction is None:
            return False
        by = self.keys.get(checkpoint.introduced_by or "")
        if by is None or not keys.verify(by, checkpoint.introduction, keys.introduction_message(checkpoint.public)):
            return False
        try:
            key = keys.from_raw(checkpoint.public)
        except ValueError:
            return False
        if keys.key_id(key) != checkpoint.key:
            return False
        self.keys[checkpoint.key] = key
        return True

    def holds(self, checkpoint: SealCheckpoint) -> bool | None:
        """Whether its signature is right; None where its key is not known."""
        key = self.keys.get(checkpoint.key)
        return genuine(checkpoint, key) if key is not None else None
