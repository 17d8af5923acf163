"""The tombstone: the signed record that a file of the log was deleted, and what stood in it last. Pure.

It is written before the file goes (`retention.deletion`), into the audit chain, whichever chain the file was of. A
gap in a chain is explained where a tombstone's `last` is the last record of the gap; its seal is then the one on which
the next record builds. Those before it, file by file, explain the rest. Tombstones, too, are deleted one day: one that
is `accounted` says that when it was written all before it was deleted on record, so that it needs no others. While an
older file is kept, on hold, none is that; so a file that is on hold, and is taken away, is missed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from embargo.journal.ecs import Document, timestamp
from embargo.journal.event import Change, ConfigurationChanged, Outcome
from embargo.journal.files import LogFile
from embargo.journal.retention.extent import Extent
from embargo.journal.seal.chain import chain_name
from embargo.journal.seal.keys import key_id, sign, verify

ACTION = "log-deleted"  # `event.action`
SUBJECT = "tombstone"  # the member of `embargo` that holds it
MARK = b'"action":"log-deleted"'  # stands raw in its record and, since quotes are escaped, in no text of another


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A file that was deleted."""

    file: str  # its name
    chain: str  # as checkpoints name it: `decisions`, `decisions.2`, `audit`
    first: int  # sequence of its first record
    last: int  # of its last
    seal: str  # of its last record; empty: it had none
    since: str  # time of its first record, as records write it; empty: not known
    until: str  # of its last
    accounted: bool  # all that stood before it in the chain was deleted on record as well, or there was nothing
    key: str  # id of the key that signs
    signature: str  # base64

    def holds(self, key: Ed25519PublicKey) -> bool:
        """Whether *key* signed it as it stands."""
        return self.key == key_id(key) and verify(key, self.signature, _message(self))


def tombstone(file: LogFile, extent: Extent, key: Ed25519PrivateKey, *, accounted: bool) -> Tombstone:
    """The tombstone of *file*, which holds *extent*.

    Of a file in which no record can be read the last number is 0: it explains nothing.
    """
    unsigned = Tombstone(
        file=file.path.name,
        chain=chain_name(file.stem, file.number),
        first=extent.first,
        last=extent.last if extent.last is not None else 0,
        seal=extent.seal or "",
        since=timestamp(extent.since) if extent.since is not None else "",
        until=timestamp(extent.until) if extent.until is not None else "",
        accounted=accounted,
        key=key_id(key.public_key()),
        signature="",
    )
    return replace(unsigned, signature=sign(key, _message(unsigned)))


def deleted(stone: Tombstone, time: datetime, reason: str) -> ConfigurationChanged:
    """The event that says so."""
    return ConfigurationChanged(
        time=time,
        action=ACTION,
        change=Change.DELETION,
        outcome=Outcome.SUCCESS,
        reason=reason,
        subject=SUBJECT,
        details={name: value for name, value in _members(stone).items() if value != ""},
    )


def tombstone_of(document: Document) -> Tombstone | None:
    """The tombstone in a record; None where it is none, or not in the form of ours. Of nobody's signature yet."""
    try:
        if document["event"]["action"] != ACTION:
            return None
        told = document["embargo"][SUBJECT]
        return Tombstone(
            **{name: str(told[name]) for name in ("file", "chain", "key", "signature")},
            **{name: str(told.get(name, "")) for name in ("seal", "since", "until")},
            first=int(told["first"]),
            last=int(told["last"]),
            accounted=told.get("accounted") is True,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def explanation(stones: Iterable[Tombstone], first: int, last: int) -> Tombstone | None:
    """Of *stones*, genuine ones of one chain, the one behind which the chain goes on after the gap *first* to *last*.

    None where they do not explain all of the gap.
    """
    by_last = {stone.last: stone for stone in stones}
    found = stone = by_last.get(last)
    while stone is not None and stone.first > first and not stone.accounted:
        stone = by_last.get(stone.first - 1)
    return found if stone is not None else None


def _message(stone: Tombstone) -> bytes:
    """What is signed: everything but the signature."""
    accounted = "accounted" if stone.accounted else "kept"
    told = (
        stone.file,
        stone.chain,
        stone.first,
        stone.last,
        stone.seal,
        stone.since,
        stone.until,
        accounted,
        stone.key,
    )
    return "\n".join(("embargo tombstone 1", *map(str, told))).encode()


def _members(stone: Tombstone) -> dict[str, str | int]:
    return {name: getattr(stone, name) for name in Tombstone.__slots__}
