"""Log directories with rotated files of sealed records, as a proxy would have left them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import zstandard

from embargo.journal.files import LogFile, log_file, rotated_name
from embargo.journal.reader import Reader
from embargo.journal.seal.chain import START, seal_of, sealed

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
YEAR = timedelta(days=365)


def line(sequence: int, time: datetime, policy: str = "", action: str = "block") -> bytes:
    document: dict[str, Any] = {
        "@timestamp": time.isoformat(),
        "event": {"sequence": sequence, "id": f"id-{sequence}", "action": action},
    }
    if policy:
        document["rule"] = {"ruleset": policy}
    return json.dumps(document | {"embargo": {"verdict": action}}, separators=(",", ":")).encode() + b"\n"


class Chain:
    """Rotated files, one after another, each sealed behind the one before."""

    def __init__(self, log: Path, live: str = "decisions.jsonl") -> None:
        self.log = log
        self.live = live
        self.sequence = 0
        self.seal = START
        log.mkdir(exist_ok=True)

    def lines(self, times: list[datetime], policy: str = "") -> bytes:
        """Sealed lines of those times, which go on with the chain."""
        bare = [line(self.sequence + place, time, policy) for place, time in enumerate(times, 1)]
        done = sealed(bare, self.seal)
        self.sequence += len(done)
        self.seal = seal_of(done[-1]) or START
        return b"".join(done)

    def rotated(self, days: float, records: int = 3, *, compressed: bool = True, policy: str = "") -> LogFile:
        """A file that was rotated *days* ago and holds the hour before that."""
        end = NOW - timedelta(days=days)
        first = self.sequence + 1
        data = self.lines([end - timedelta(minutes=60 - place) for place in range(records)], policy)
        path = self.log / rotated_name(self.live, end, first)
        if compressed:
            path = path.with_name(f"{path.name}.zst")
            data = zstandard.compress(data)
        path.write_bytes(data)
        found = log_file(path, self.live.partition(".")[0])
        assert found is not None
        return found


def actions(log: Path, stem: str = "audit") -> list[str]:
    """What the records of a kind of chain say happened, checkpoints of the seal apart."""
    found = [entry.record.action for entry in Reader(log, (stem,)).entries()]
    return [action for action in found if action != "seal-checkpoint"]
