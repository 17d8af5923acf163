"""The bench's tables, as docs/performance.md has them."""

import os
import platform
import statistics
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench import sizing
from tests.bench.deciding import Decided
from tests.bench.operations import Figures
from tests.bench.replaying import Replayed
from tests.bench.replaying import lines as replay_lines
from tests.bench.sealing import Sealed
from tests.bench.sealing import lines as seal_lines
from tests.bench.start import Reload, Start
from tests.bench.subjects import ROOT
from tests.bench.workers import Throughput
from tests.bench.workers import lines as worker_lines

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin, written by `make bench` -->", "<!-- bench: end -->"


def write(
    figures: list[Figures],
    decided: list[Decided],
    replayed: list[Replayed],
    sealed: Sealed,
    started: list[Start],
    reloaded: list[Reload],
    shared: Throughput,
    *,
    rounds: int,
    keep: bool,
) -> str:
    """The tables in Markdown; unless *keep*, also into the page, between its marks, and into that on sizing."""
    text = "\n".join(
        [
            f"{datetime.now(UTC):%Y-%m-%d}, `make bench` ({rounds} rounds), {_machine()}.",
            "",
            "### CPU of the proxy process, per operation",
            "",
            "Median of all rounds, and in brackets the tenth and ninetieth percentile of the ratio.",
            "",
            "| operation | subject | CPU µs | ratio to | ratio |",
            "| --- | --- | ---: | --- | ---: |",
            *(_row(figure) for figure in figures),
            "",
            "### A decision alone (wall time, one process, four names a request)",
            "",
            "| listed | fresh, 7 in 10 pass | fresh, passes | fresh, blocked | repeated, passes | repeated, blocked |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *(
                f"| {row.name} | {row.fresh_mixed:.1f} µs | {row.fresh_pass:.1f} µs "
                f"| {row.fresh_block:.1f} µs | {row.repeated_pass:.1f} µs "
                f"| {row.repeated_block:.1f} µs |"
                for row in decided
            ),
            "",
            *replay_lines(replayed),
            "",
            *seal_lines(sealed),
            "",
            "### Start-up and memory, over bare mitmdump in the same round",
            "",
            "| listed | ready after, cold | ready after, compiled before | memory (PSS) | peak |",
            "| --- | ---: | ---: | ---: | ---: |",
            *(
                f"| {row.name} | +{row.cold:.2f} s | {row.warm:+.2f} s | {row.pss:+.0f} MB | {row.peak:+.0f} MB |"
                for row in started
            ),
            "",
            "### Reload under traffic",
            "",
            "| listed | in effect after | slowest request, idle | slowest, reloading | median, idle / reloading |",
            "| --- | ---: | ---: | ---: | ---: |",
            *(
                f"| {row.name} | {row.in_effect:.2f} s | {row.slowest_idle:.1f} ms | {row.slowest:.1f} ms "
                f"| {row.median_idle:.1f} / {row.median:.1f} ms |"
                for row in reloaded
            ),
            "",
            *worker_lines(shared),
        ]
    )
    if not keep:
        _into_page(PAGE, text)
        sizing.update(figures)
    return text


def _row(figure: Figures) -> str:
    cost = f"{statistics.median(figure.microseconds):.0f}"
    if figure.subject == "bare" and not figure.operation.peer_operation:
        return f"| {figure.operation.name} | bare | {cost} | – | 1 |"
    ratios = sorted(figure.ratios)
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    peer = figure.operation.peer_operation or "bare"
    return (
        f"| {figure.operation.name} | {figure.subject} | {cost} | {peer} "
        f"| **{statistics.median(ratios):.3f}** ({low:.2f}–{high:.2f}) |"
    )


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores {platform.machine()}, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, mitmproxy {version('mitmproxy')}"
    )


def _into_page(page: Path, text: str) -> None:
    old = page.read_text() if page.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    head, _, rest = old.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}")
