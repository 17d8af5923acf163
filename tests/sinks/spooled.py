"""A log directory with records in it, for the tests of what delivers them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from embargo.core.decision import Verdict
from embargo.core.sink import Sink
from embargo.journal.files import live_name
from embargo.journal.record import Encoder
from embargo.policy.sinks import address
from recorded import BLOCK, OBSERVER, judged

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ENCODER = Encoder(OBSERVER)


def identifier(number: int) -> str:
    return f"019dc9a8-0000-7000-8000-{number:012}"


def lines(first: int, last: int) -> list[bytes]:
    """Decisions *first* to *last*; each third one is a log."""
    found = []
    for number in range(first, last + 1):
        decision = BLOCK if number % 3 else BLOCK._replace(verdict=Verdict.LOG)
        event = judged(decision, id=identifier(number), time=NOW + timedelta(milliseconds=number))
        found.append(ENCODER.line(event, sequence=number))
    return found


def write(log: Path, first: int, last: int, chain: int = 1) -> None:
    log.mkdir(mode=0o700, exist_ok=True)
    with (log / live_name("decisions", chain)).open("ab") as target:
        target.writelines(lines(first, last))


def sink(to: str, **members: object) -> Sink:
    return Sink(**({"id": "siem", "to": address(to)} | members))  # type: ignore[arg-type]
