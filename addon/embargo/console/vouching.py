"""Whether one record can be relied upon, in words: its seal, and what verifying the log has come to."""

from collections.abc import Iterator

from flask import url_for

from embargo.console.sealing import seal
from embargo.console.telling import Fact, Line
from embargo.journal.record import Record
from embargo.journal.seal.result import Verification

_PATIENCE = 0.2  # seconds that the page waits for a log that nobody has verified yet


def seal_of(record: Record, *, verify: bool) -> list[Fact]:
    """What stands on its page; *verify*: with the state of the whole log, which is read for it where that is old."""
    if record.seal is None:
        return [Fact("Seal", (Line(text="none, so nothing can be proved of it: what wrote it does not seal"),))]
    sealed = Fact("Seal", (Line(text=record.seal, note=f"of record {record.sequence}"),))
    return [sealed, Fact("Verified", tuple(_verified()))] if verify else [sealed]


def _verified() -> Iterator[Line]:
    told, progress = seal(_PATIENCE)
    if told.failure is not None:
        yield Line(text=f"the log could not be verified: {told.failure}", url=url_for("health.show"))
    if told.value is not None and told.at is not None:
        yield Line(text=_state(told.value), url=url_for("health.show"), note=f"{told.at:%Y-%m-%d %H:%M} UTC")
    elif told.working:
        yield Line(text=f"the log is being verified: {progress.percent} %", note="look again in a while")
    elif told.failure is None:
        yield Line(text="not yet", url=url_for("health.show"))


def _state(verification: Verification) -> str:
    if not verification.whole:
        return f"the log is not whole: {verification.found} faults found"
    unsigned = sum(chain.chained for chain in verification.chains)
    return "the log is whole" + (f"; its newest records, {unsigned}, are not signed yet" if unsigned else "")
