"""What the seal proves of the log of a period: the verdict of its verification, and a transcript."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from embargo.journal.seal.keys import load_public_key, public_key
from embargo.journal.seal.result import Verification
from embargo.journal.seal.transcript import transcript
from embargo.journal.seal.verification import Verifier

_MOST = 500  # lines of the transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The log was verified, or could not be."""

    whole: bool | None  # None: it was not verified
    summary: str  # one sentence
    transcript: Sequence[str] = ()
    keys: Sequence[str] = ()  # ids of the keys that are believed
    warnings: Sequence[str] = ()  # what it cannot know
    signed: bool = True  # whether anything in it is

    @property
    def word(self) -> str:
        """The whole in a word or two."""
        if self.whole is None:
            return "not verified"
        return ("whole" if self.signed else "not signed") if self.whole else "broken"


NOT_VERIFIED = Proof(whole=None, summary="The log's seal was not verified for this report, as was asked for.")


def prove(
    log: Path,
    since: datetime,
    until: datetime,
    key: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Proof:
    """Verifies the files of the log directory *log* that reach into the time from *since* to *until*.

    *key*: a file with the public key; None: the one beside the log. Raises OSError and ValueError where *key* cannot be
    read; without one, that is what the proof says.
    """
    if key is not None:
        own, keys = False, [load_public_key(key)]
    else:
        try:
            own, keys = True, [public_key(log)]
        except (OSError, ValueError) as failure:
            why = failure.strerror or str(failure) if isinstance(failure, OSError) else str(failure)
            summary = f"The log's seal could not be verified: its public key cannot be read ({why})."
            return Proof(whole=None, summary=summary)
    return told(Verifier(log, keys, own_key=own, since=since, until=until).run(progress))


def told(result: Verification) -> Proof:
    """What *result* says, in sentences and lines."""
    files = sum(chain.tally.files for chain in result.chains)
    records = sum(chain.tally.records for chain in result.chains)
    checkpoints = sum(chain.tally.checkpoints for chain in result.chains)
    if not records:
        return Proof(
            whole=None if result.whole else False,
            summary="There is no sealed record to verify." if result.whole else _broken(result),
            transcript=tuple(islice(transcript(result), _MOST)),
            keys=result.keys,
        )
    unproven = sum(chain.chained for chain in result.chains)
    unsealed = sum(chain.tally.unsealed for chain in result.chains)
    summary = (
        f"The log is whole, as far as its seal shows: {records:,} records in {_counted(files, 'file')}, "
        f"{_counted(checkpoints, 'signed checkpoint')}."
    )
    if not checkpoints:
        summary = (
            f"The log's {records:,} records follow one another as they should, and nothing in it is signed: "
            "whoever can write the files could have made them anew."
        )
    warnings = []
    if unproven and checkpoints:
        warnings.append(
            f"Of the newest {unproven:,} records only the order is sealed; no signature stands behind them."
        )
    if unsealed:
        warnings.append(f"{unsealed:,} records are from before sealing began, and are not proved by anything.")
    if result.own_key:
        warnings.append(
            "The public key was taken from beside the log. Compare its id with the one kept elsewhere: whoever "
            "can change the log can change the key there too."
        )
    if not result.anchors:
        warnings.append(
            "No anchor was compared: whether records were cut off the end cannot be known from the files alone. "
            "`embargo verify --anchor FILE` does that."
        )
    return Proof(
        whole=result.whole,
        summary=summary if result.whole else _broken(result),
        transcript=tuple(islice(transcript(result), _MOST)),
        keys=result.keys,
        warnings=tuple(warnings),
        signed=checkpoints > 0,
    )


def _broken(result: Verification) -> str:
    return f"The log is not what was written: {_counted(result.found, 'thing')} wrong, the first: {result.findings[0]}."


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
