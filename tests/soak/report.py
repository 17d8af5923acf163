"""A soak as a chart and a table, in the docs."""

import collections
import itertools
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import mitmproxy.version

from soak.samples import Life
from soak.story import Event
from soak.traffic import Seen

BEGIN, END = "<!-- soak: begin, written by `make soak` -->", "<!-- soak: end -->"
CHART = "images/soak.svg"
MIB = 1024 * 1024
STEP = 5.0  # seconds of answers that make one point


def write(docs: Path, seen: Seen, lives: Sequence[Life], events: Sequence[Event]) -> None:
    """Put table and chart into `performance.md` of *docs*. Raises ValueError where that has no place for them."""
    page = docs / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page} has no {BEGIN} ... {END}")
    start = min(life.times[0] for life in lives)
    draw(docs / CHART, seen, lives, events, start)
    page.write_text("\n\n".join([before + BEGIN, *section(seen, lives, events, start), END + after]))


def section(seen: Seen, lives: Sequence[Life], events: Sequence[Event], start: float) -> list[str]:
    """Its paragraphs, in Markdown."""
    length = max(life.times[-1] for life in lives) - start
    refused = sum(refused for *_, refused in seen.answers)
    memory = [
        f"| worker {life.worker}, process {number} | {life.times[0] - start:.0f}–{life.times[-1] - start:.0f} s "
        f"| {_megabytes(_fifth(life.memory, 1))} | {_megabytes(_fifth(life.memory, 4))} "
        f"| {_megabytes([max(life.memory)])} | {max(life.files)} |"
        for number, life in enumerate(lives, 1)
    ]
    kinds = collections.defaultdict(list)
    for _, kind, took, _ in seen.answers:
        kinds[kind].append(took * 1000)
    answers = [
        f"| {kind} | {len(took)} | {statistics.median(took):.1f} | {_percentile(took, 0.99):.0f} |"
        for kind, took in sorted(kinds.items())
    ]
    return [
        f"{date.today()}, `make soak` for {length:.0f} s: two workers, Python {platform.python_version()}, mitmproxy "
        f"{mitmproxy.version.VERSION}, {os.cpu_count()} cores, which clients and origin share.",
        f"{len(seen.answers)} answers, {refused} of them refusals; {len(seen.wrong)} wrong; {len(seen.cut)} "
        f"connections were cut, as a worker was killed. {_counted(events)}.",
        f"![Memory, descriptors, answers and latency over the run]({CHART})",
        "\n".join(
            [
                "| process | lived | memory, second fifth | last fifth | most | most descriptors |",
                "| --- | --- | ---: | ---: | ---: | ---: |",
                *memory,
            ]
        ),
        "\n".join(["| kind | answers | median ms | 99 % ms |", "| --- | ---: | ---: | ---: |", *answers]),
    ]


def draw(file: Path, seen: Seen, lives: Sequence[Life], events: Sequence[Event], start: float) -> None:
    """The chart, as SVG."""
    import matplotlib.pyplot as plt  # `make soak` installs it

    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "embargo", "font.size": 9, "axes.grid": True})
    figure, (memory, files, rate, latency) = plt.subplots(4, 1, sharex=True, figsize=(9, 10), layout="constrained")
    for number, life in enumerate(lives, 1):
        times = [when - start for when in life.times]
        label = f"worker {life.worker}, process {number}"
        memory.plot(times, [held / MIB for held in life.memory], label=label)
        files.plot(times, life.files, label=label)
    for refused, label in ((False, "passed"), (True, "refused")):
        points = _by_step([(when, took) for when, _, took, was in seen.answers if was is refused], start)
        rate.plot([when for when, _ in points], [len(tooks) / STEP for _, tooks in points], label=label)
        for share, style in ((0.5, "-"), (0.99, ":")):
            values = [_percentile(tooks, share) * 1000 for _, tooks in points]
            latency.plot([when for when, _ in points], values, style, label=f"{label}, {share:.0%}")
    for axes, title in (
        (memory, "own memory of each worker, MiB"),
        (files, "descriptors of each worker"),
        (rate, "answers a second"),
        (latency, "time to an answer, ms"),
    ):
        axes.set_title(title, loc="left", fontsize=9)
        if axes is latency:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        for event in events:
            axes.axvline(event.began - start, color="0.6", linewidth=0.7, linestyle="--")
    for event in events:
        memory.text(
            event.began - start, memory.get_ylim()[1], event.what, rotation=90, va="top", ha="right", fontsize=6
        )
    memory.legend(loc="lower right")
    rate.legend(loc="lower right")
    latency.legend(loc="upper right", ncols=4)
    latency.set_xlabel("seconds")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def _counted(events: Sequence[Event]) -> str:
    counts = collections.Counter(event.what for event in events)
    return "In that time: " + ", ".join(f"{what} ({count}×)" if count > 1 else what for what, count in counts.items())


def _megabytes(values: Sequence[int]) -> str:
    return f"{statistics.median(values) / MIB:.1f} MiB"


def _fifth(values: Sequence[int], number: int) -> Sequence[int]:
    size = max(1, len(values) // 5)
    return values[number * size : (number + 1) * size] or values


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _by_step(answers: Sequence[tuple[float, float]], start: float) -> list[tuple[float, list[float]]]:
    """The times of answers, by the step in which they came."""
    groups = itertools.groupby(sorted(answers), key=lambda answer: int((answer[0] - start) // STEP))
    return [(step * STEP, [took for _, took in group]) for step, group in groups]
