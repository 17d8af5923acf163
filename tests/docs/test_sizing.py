"""The sizing page's arithmetic: what follows is computed from what it measured and assumed."""

import math
import re

from docs.pages import ROOT, section

PAGE = ROOT / "docs" / "explanation" / "sizing.md"
BENCH = ROOT / "docs" / "performance.md"
MEASURED = {  # what the page calls it: operation and subject in the bench
    "a TLS connection that is opened, with its first request": (
        "https intercepted, 2 000 hosts",
        "embargo 10 000 all",
    ),
    "a TLS connection that is tunnelled (`decrypt: needed`)": (
        "https tunnelled (decrypt: needed)",
        "embargo 10 000 needed",
    ),
    "a further request on an open connection (plain http)": ("http, kept connection", "embargo 10 000 all"),
    "a refused CONNECT": ("refused CONNECT, logged", "embargo 10 000 needed"),
}


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    lines = [line for line in section(PAGE, title) if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def figures(title: str) -> dict[str, float]:
    return {name: float(re.findall(r"[\d.]+", value)[0]) for name, value in rows(title)}


def test_what_was_measured_is_what_the_bench_wrote() -> None:
    cells = [line.strip("|").split("|") for line in BENCH.read_text(encoding="utf-8").splitlines() if "|" in line]
    written = {(row[0].strip(), row[1].strip()): row[2].strip() for row in cells}
    told = figures("What was measured")
    assert {name: f"{told[name]:.1f}" for name in MEASURED} == {
        name: f"{int(written[place]) / 1000:.1f}" for name, place in MEASURED.items()
    }


def test_what_follows() -> None:
    measured, assumed = figures("What was measured"), figures("What is assumed")
    connections = assumed["new TLS connections a second"]
    requests = assumed["further requests a second on them, where they are opened"]
    busy = {  # milliseconds a second, of each member of staff
        "`needed`": connections * measured["a TLS connection that is tunnelled (`decrypt: needed`)"],
        "`all`": connections * measured["a TLS connection that is opened, with its first request"]
        + requests * measured["a further request on an open connection (plain http)"],
    }
    found = rows("What follows")
    assert [(row[0], row[1]) for row in found] == [
        (staff, decrypt) for staff in ("1 000", "5 000") for decrypt in ("`needed`", "`all`")
    ]
    for staff, decrypt, cores, workers, memory in found:
        people = int(staff.replace(" ", ""))
        taken = people * busy[decrypt] / 1000
        wanted = math.ceil(taken / (assumed["load of a core at most"] / 100))
        megabytes = (
            wanted * measured["a worker, idle"]
            + measured["the supervisor"]
            + people * assumed["connections open at a time"] * measured["an open connection"] / 1000
        )
        assert (cores, workers, memory) == (f"{taken:.1f}", str(wanted), f"{megabytes / 1000:.1f} GB")
