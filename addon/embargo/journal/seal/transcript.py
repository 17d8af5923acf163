"""A verification in words, as the command prints it and the report for counsel quotes it. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

from embargo.journal.seal.finding import Finding, Kind
from embargo.journal.seal.result import ChainResult, Verification

_MOST_NOTES = 10  # of a kind


def transcript(result: Verification) -> Iterator[str]:
    """*result*, a line each."""
    yield verdict(result)
    yield from (f"  {finding}" for finding in result.findings)
    if (more := result.found - len(result.findings)) > 0:
        yield f"  and {more:,} more"
    for chain in result.chains:
        yield from _chain(chain)
    if result.notes:
        yield "notes:"
        yield from _notes(result.notes)
    yield from _trust(result)


def verdict(result: Verification) -> str:
    """The whole in one line."""
    records = sum(chain.tally.records + chain.tally.unsealed for chain in result.chains)
    read = f"{records:,} records in {_plural(len(result.chains), 'chain')}"
    part = ", of which a part was read," if result.limited else ""
    if result.whole:
        return f"{result.log}{part} is whole: {read}"
    return f"{result.log}{part} IS NOT WHOLE: {_plural(result.found, 'thing')} wrong in {read}"


def _chain(chain: ChainResult) -> Iterator[str]:
    tally = chain.tally
    period = f", {tally.since} to {chain.until}" if tally.since else ""
    yield f"chain {chain.chain}: {_plural(tally.files, 'file')}, {tally.records:,} sealed records{period}"
    if not tally.records:
        return
    if chain.proven is None:
        yield "  nothing of it is signed by a key that is known"
        return
    yield f"  signed up to record {chain.proven.sequence:,} of {chain.proven.time} by key {chain.proven.key}"
    behind = _plural(chain.chained, "record") if chain.chained else "no record"
    yield f"  behind the last checkpoint {behind}{', chained and not signed yet' if chain.chained else ''}"


def _notes(notes: Iterable[Finding]) -> Iterator[str]:
    count: Counter[Kind] = Counter()
    for note in notes:
        count[note.kind] += 1
        if count[note.kind] <= _MOST_NOTES:
            yield f"  {note}"
    for kind, number in count.items():
        if number > _MOST_NOTES:
            yield f"  {kind}: {number - _MOST_NOTES:,} more"


def _trust(result: Verification) -> Iterator[str]:
    yield f"policies: {_plural(result.policies, 'text')} there and unchanged"
    if not result.keys:
        yield "keys: none, so nothing is proven; give the log's public key by --public-key"
    elif result.own_key:
        yield (
            f"keys: {', '.join(result.keys)}, from the log directory itself: whoever can change the log can change "
            "them too; give a copy that was kept elsewhere by --public-key"
        )
    else:
        yield f"keys: {', '.join(result.keys)}, as given"
    if result.anchors:
        yield f"anchors: {_plural(result.anchors, 'checkpoint')} known from elsewhere compared"
    else:
        yield "no anchor was compared: whether the end of a chain was cut off cannot be known"


def _plural(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
