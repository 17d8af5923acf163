"""What several chains tell of one another: deletions on record, copies, when sealing began."""

from collections.abc import Collection, Sequence
from itertools import islice

from embargo.journal.retention.tombstone import Tombstone, explanation
from embargo.journal.seal.chain import chain_name
from embargo.journal.seal.finding import Kind
from embargo.journal.seal.walk import Walk

_MOST_GONE = 20  # chains that are named


def explain(walk: Walk, stones: Sequence[Tombstone]) -> None:
    """The gaps of *walk* for which a tombstone stands are no findings."""
    for gap in walk.disorder.gaps:
        stone = explanation(stones, gap.first, gap.last)
        if stone is None or gap.after is None or not gap.after.after(stone.seal.encode()):
            continue
        if not gap.moved and gap.finding.kind.tampering:
            gap.finding.kind = Kind.DELETED
            gap.finding.message = (
                f"{{records}} deleted after their time, as a tombstone says: the last file was {stone.file}, "
                f"with records up to {stone.until or 'a time that is not known'}"
            )
            walk.tally.findings -= 1


def find_gone(walks: Sequence[Walk], present: Collection[str], stones: Sequence[Tombstone]) -> None:
    """A chain is begun where those before it are all being written, so that their files are there, or tombstones."""
    known = {*present, *(stone.chain for stone in stones)}
    told = set[str]()
    for walk in sorted(walks, key=lambda walk: walk.chain):
        stem, _, number = walk.chain.partition(".")
        before = [chain_name(stem, each) for each in range(1, int(number or 1))] if walk.first_seal is not None else []
        for gone in islice((name for name in before if name not in known and name not in told), _MOST_GONE):
            told.add(gone)
            why = f"not one file is left of the chain {gone}, beside which this one was begun, and no tombstone"
            walk.report_at(Kind.FILE_MISSING, walk.file, None, None, None, why)


def tell_unsealed(walks: Sequence[Walk]) -> None:
    """Lines of before sealing began are a note, where they are of before it."""
    began = min((walk.sealed_since for walk in walks if walk.sealed_since), default=None)
    for walk in walks:
        count, last = walk.tally.unsealed, walk.stamp
        if not count:
            continue
        if not walk.begun and began is not None and last > began:
            why = f"none of its {count} records is sealed, though sealing had begun before the last of them"
            walk.report_at(Kind.UNSEALED, walk.file, 1, None, None, why)
        else:
            why = f"{count} records are of before sealing began: nothing proves them"
            walk.report_at(Kind.BEFORE, walk.file if not walk.begun else walk.chain, None, None, None, why)


def find_copies(walks: Sequence[Walk]) -> None:
    """A chain that begins with another's first record is a copy of it."""
    seen: dict[bytes, str] = {}
    for walk in walks:
        if walk.first_seal is None:
            continue
        if (other := seen.setdefault(walk.first_seal, walk.chain)) != walk.chain:
            walk.report_at(Kind.DUPLICATE, walk.file, None, None, None, f"the chain holds the records of chain {other}")
