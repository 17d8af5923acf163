"""Runs every case and its twin through one proxy in one mode, and gathers what came of each."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from evasion.attempt import Attempt, Outcome
from evasion.case import Case
from evasion.origin import Arrival, Origin
from evasion.ways import Refusal, Way

AT_ONCE = 20  # attempts
_GRACE = 0.3  # seconds in which what a proxy has still to send comes in
_BRIEF = 2.0  # seconds
_CLOCK, _LATE = 0.01, 2.0  # seconds by which a record may seem to be early, for its milliseconds, or be late
_numbers = count(1)


@dataclass
class Finding:
    """What became of one attempt."""

    outcome: Outcome
    said: bytes
    seconds: float
    ports: list[int]
    began: float  # by the wall clock, as records tell it
    bytes_out: int  # of its own places and any other, where its mark was seen
    places: int  # connections to a banned place
    leaked: bool  # its mark came in, or a banned place was dialled
    records: list[dict[str, Any]] = field(default_factory=list)

    @property
    def refusals(self) -> list[dict[str, Any]]:
        return [record for record in self.records if record["embargo"].get("verdict") == "block"]

    def __str__(self) -> str:
        verdicts = [
            (r["embargo"].get("surface"), r["embargo"].get("verdict"), r["embargo"].get("error")) for r in self.records
        ]
        return (
            f"{self.outcome} in {self.seconds:.2f} s, {self.bytes_out} bytes out, {self.places} banned places, "
            f"leaked: {self.leaked}, records: {verdicts}, heard: {self.said[:300]!r}"
        )


@dataclass
class Pair:
    """Both sides of a case."""

    banned: Finding
    twin: Finding


def run(
    way: Way,
    cases: Sequence[Case],
    origin: Origin,
    bound: float,
    works: Mapping[str, str] | None = None,
    *,
    at_once: int = AT_ONCE,
) -> dict[str, Pair]:
    """Every case that applies in the mode of *way*, and its twin; *bound* is the seconds that each may take.

    Where *works* says of a case that its twin does not work on a bare proxy, it is not waited for as long.
    """
    origin.take()
    attempts = [
        (case, innocent, Attempt(next(_numbers), way, innocent, bound if _counts(case, innocent, works) else _BRIEF))
        for case in cases
        if way.mode in case.modes
        for innocent in (False, True)
    ]
    with ThreadPoolExecutor(at_once) as pool:
        outcomes = list(pool.map(lambda item: _one(item[0], item[2]), attempts))
    time.sleep(_GRACE)
    by_place: dict[int, list[Arrival]] = defaultdict(list)
    by_mark: dict[int, list[Arrival]] = defaultdict(list)
    for arrival in origin.take():
        by_place[arrival.number].append(arrival)
        for number in arrival.marks():
            by_mark[number].append(arrival)
    findings = {}
    for (case, innocent, attempt), (outcome, began, seconds) in zip(attempts, outcomes, strict=True):
        places = by_place[attempt.number]
        dialled = sum(arrival.banned for arrival in places)
        findings[case.name, innocent] = Finding(
            outcome=outcome,
            said=attempt.said,
            seconds=seconds,
            ports=attempt.ports,
            began=began,
            bytes_out=sum(
                len(arrival.raw) for arrival in {id(a): a for a in places + by_mark[attempt.number]}.values()
            ),
            places=dialled,
            leaked=bool(by_mark[attempt.number]) or dialled > 0,
        )
    return {
        case.name: Pair(findings[case.name, False], findings[case.name, True])
        for case in cases
        if way.mode in case.modes
    }


def attach(pairs: Iterable[Pair], records: Iterable[dict[str, Any]]) -> None:
    """Give each finding the records of its connections; a later attempt may have its port again, so time counts."""
    by_port: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        by_port[record.get("source", {}).get("port", 0)].append(record)
    for pair in pairs:
        for finding in (pair.banned, pair.twin):
            finding.records = [
                record
                for port in finding.ports
                for record in by_port[port]
                if -_CLOCK < at(record) - finding.began < finding.seconds + _LATE
            ]


def at(record: dict[str, Any]) -> float:
    return datetime.fromisoformat(record["@timestamp"]).timestamp()


def _counts(case: Case, innocent: bool, works: Mapping[str, str] | None) -> bool:
    return not innocent or works is None or "W" in works[case.name]


def _one(case: Case, attempt: Attempt) -> tuple[Outcome, float, float]:
    began, start = time.time(), time.monotonic()
    try:
        outcome = case.run(attempt)
    except Refusal as refusal:
        attempt.said, outcome = refusal.args[0], Outcome.REFUSED
    except TimeoutError:
        outcome = Outcome.HUNG
    except OSError as error:
        attempt.said += repr(error).encode()
        outcome = Outcome.CLOSED
    finally:
        attempt.end()
    return outcome, began, time.monotonic() - start
