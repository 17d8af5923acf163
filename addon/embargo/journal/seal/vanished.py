"""Chains of which an anchor knows and nothing is left: deleted after their time, or taken away. Pure."""

from collections.abc import Collection, Iterable

from embargo.journal.retention.tombstone import Tombstone
from embargo.journal.seal.finding import Finding, Kind
from embargo.journal.seal.tally import Head


def vanished(heads: Iterable[Head], present: Collection[str], stones: Iterable[Tombstone]) -> list[Finding]:
    """What is wrong with chains that are not *present*; *stones* are genuine."""
    newest: dict[str, Head] = {}
    for head in heads:
        if head.chain not in present and head.sequence > newest.get(head.chain, head).sequence - 1:
            newest[head.chain] = head
    explained: dict[str, int] = {}
    for stone in stones:
        explained[stone.chain] = max(stone.last, explained.get(stone.chain, 0))
    return [
        Finding(
            kind=Kind.FILE_MISSING,
            message=f"nothing is left of the chain {chain}: {{records}} missing, known from {head.source}",
            chain=chain,
            first=min(explained.get(chain, 0) + 1, head.sequence),
            last=head.sequence,
        )
        for chain, head in sorted(newest.items())
        if head.sequence > explained.get(chain, 0)
    ]
