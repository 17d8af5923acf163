"""Checkpoints: a signature under a chain up to one record, which is itself a record of that chain (DESIGN 7). Pure.

A checkpoint is about the record before it. Signed is that record's seal, and with it everything before; the chain's
name and the record's number, so that a signature serves in one place alone; and when the next one is due, so that
those which somebody took out are missed.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from embargo.core.rules import CheckpointSettings
from embargo.journal.event import SealCheckpoint
from embargo.journal.seal import keys

ACTION = "seal-checkpoint"
_MOST = 1e12  # records or seconds between two; more is none of ours
_SEAL = re.compile(r"[0-9a-f]{64}")


def message(chain: str, sequence: int, seal: str, records: int, age: float) -> bytes:
    """What is signed: five lines, that no two checkpoints share."""
    return f"embargo seal checkpoint 1\n{chain}\n{sequence}\n{seal}\n{records} {age:g}\n".encode()


def checkpoint(
    key: Ed25519PrivateKey,
    *,
    time: datetime,
    chain: str,
    sequence: int,
    seal: str,
    settings: CheckpointSettings,
    cause: str,
    introduce: bool = False,
    introduction: keys.Introduction | None = None,
) -> SealCheckpoint:
    """The signed checkpoint about the record *sequence* of *chain*; with the public key where it is to *introduce*."""
    public = key.public_key()
    return SealCheckpoint(
        time=time,
        chain=chain,
        sequence=sequence,
        seal=seal,
        records=settings.records,
        age=settings.age,
        cause=cause,
        key=keys.key_id(public),
        signature=keys.sign(key, message(chain, sequence, seal, settings.records, settings.age)),
        public=keys.raw(public) if introduce else None,
        introduced_by=introduction.by if introduce and introduction is not None else None,
        introduction=introduction.signature if introduce and introduction is not None else None,
    )


def genuine(found: SealCheckpoint, key: Ed25519PublicKey) -> bool:
    """Whether the holder of *key* signed it."""
    return keys.verify(key, found.signature, message(found.chain, found.sequence, found.seal, found.records, found.age))


def read(document: Mapping[str, Any], time: datetime) -> SealCheckpoint | None:
    """The checkpoint of a parsed record of *time*; None where it is none, or not well formed."""
    try:
        if document["event"]["action"] != ACTION:
            return None
        found = SealCheckpoint(time=time, **document["embargo"]["checkpoint"])
    except (KeyError, TypeError):
        return None
    texts = (found.chain, found.seal, found.cause, found.key, found.signature)
    known = (found.public, found.introduced_by, found.introduction)
    formed = (
        all(type(text) is str for text in texts)
        and all(text is None or type(text) is str for text in known)
        and type(found.sequence) is int
        and type(found.records) is int
        and type(found.age) in (int, float)
        and 0 < found.records < _MOST
        and 0 < found.age < _MOST
    )
    return found if formed and _SEAL.fullmatch(found.seal) else None
