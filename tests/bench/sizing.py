"""The sizing page's figures, which follow from the bench: what was measured, and what it comes to."""

import math
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

from tests.bench.operations import Figures
from tests.bench.subjects import ROOT

PAGE = ROOT / "docs" / "explanation" / "sizing.md"
OPENED, TUNNELLED = "a TLS connection that is opened", "a TLS connection that is tunnelled"
FURTHER, REFUSED = "a further request on an open connection", "a refused CONNECT"
MEASURED = {  # the beginning of a row: operation and subject
    OPENED: ("https intercepted, 2 000 hosts", "embargo 10 000 all"),
    TUNNELLED: ("https tunnelled (decrypt: needed)", "embargo 10 000 needed"),
    FURTHER: ("http, kept connection", "embargo 10 000 all"),
    REFUSED: ("refused CONNECT, logged", "embargo 10 000 needed"),
}


def update(figures: Sequence[Figures], page: Path = PAGE) -> None:
    """Put the bench's figures into *page*, and what follows from them. Leaves it where one was not measured."""
    found = {(each.operation.name, each.subject): statistics.median(each.microseconds) / 1000 for each in figures}
    if not set(MEASURED.values()) <= found.keys():
        return
    costs = {row: round(round(found[place], 3), 1) for row, place in MEASURED.items()}  # milliseconds, as shown
    text = page.read_text(encoding="utf-8")
    for row, cost in costs.items():
        unit = " ms of a core" if row == OPENED else " ms"
        text = re.sub(rf"(?m)^(\| {re.escape(row)}[^|]*\|)[^|]*\|$", rf"\1 {cost:.1f}{unit} |", text)
    connections, requests = _figure(text, "new TLS connections a second"), _figure(text, "further requests a second")
    busy = {  # milliseconds a second, of each member of staff
        "`needed`": connections * costs[TUNNELLED],
        "`all`": connections * costs[OPENED] + requests * costs[FURTHER],
    }
    for people in (1000, 5000):
        for decrypt, each in busy.items():
            row = f"| {people // 1000} 000 | {decrypt} |"
            text = re.sub(rf"(?m)^{re.escape(row)}.*$", row + _row(text, people, people * each / 1000), text)
    example = (
        f"For example 1 000, `all`: 1 000 × ({connections:g} × {costs[OPENED]:.1f} ms + {requests:g} × "
        f"{costs[FURTHER]:.1f} ms) = {busy['`all`']:.1f} s of work a second, ÷ {_load(text):g} = "
        f"{busy['`all`'] / _load(text):.1f}."
    )
    page.write_text(re.sub(r"(?m)^For example 1 000, .*$", example, text), encoding="utf-8")


def _row(text: str, people: int, taken: float) -> str:
    workers = math.ceil(taken / _load(text))
    open_at_a_time = people * _figure(text, "connections open at a time")
    megabytes = (
        workers * _figure(text, "a worker, idle")
        + _figure(text, "the supervisor")
        + open_at_a_time * _figure(text, "an open connection") / 1000
    )
    return f" {taken:.1f} | {workers} | {megabytes / 1000:.1f} GB |"


def _load(text: str) -> float:
    return _figure(text, "load of a core at most") / 100


def _figure(text: str, row: str) -> float:
    """The figure in the row of a table that begins so."""
    found = re.search(rf"(?m)^\| {re.escape(row)}[^|]*\| ([\d.]+)", text)
    assert found is not None, row
    return float(found[1])
