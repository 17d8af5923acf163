"""A browser over a large log: how long each page takes to load, and whether any is at fault.

python -m tests.bench browsing --records 2000000
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.bench.subjects import ROOT
from tests.generated_log import END, generate

from embargo.journal.store import Store

PAGES = {  # what it is: its address
    "overview, 7 days": "/",
    "overview, a year": "/?q=since:365d",
    "overview, one client": "/?q=client:10.0.0.1",
    "log": "/log",
    "log, one client": "/log?q=client:10.0.0.1",
    "log, host:*weixin*": "/log?q=host:*weixin*",
    "log, blocked in 30 days": "/log?q=class:blocked+since:30d",
    "apps": "/apps",
    "devices": "/devices",
    "health": "/health",
}
_ROUNDS = 3
_DEPTH = 10  # pages that are turned


@dataclass(frozen=True)
class Loaded:
    """A page."""

    name: str
    first: float  # seconds, of the first time
    again: float  # median of the others


def measure(
    directory: Path,
    records: int,
    tell: Callable[[str], None] = lambda _: None,
    *,
    rounds: int = _ROUNDS,
    depth: int = _DEPTH,
) -> list[Loaded]:
    """Loads every page of `PAGES`, then turns pages of the log. A page at fault (script, policy, host) raises."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    if str(ROOT / "tests") not in sys.path:
        sys.path.insert(0, str(ROOT / "tests"))  # as pytest has it
    from console.in_a_browser import chromium, serving, watched
    from console.signed_in import a_console

    log = directory / "log"
    tell(f"writing {records:,} records")
    generate(log, records, days=max(8, round(365 * records / 10_000_000)))
    tell("filling the store")
    with closing(Store.open(log)) as store:
        store.catch_up()
    app = a_console(directory, log=log, now=lambda: END)
    found = []
    with chromium() as browser, serving(app) as base, watched(browser, app, base) as seen:
        seen.context.set_default_timeout(60_000)
        for name, path in PAGES.items():
            tell(name)
            took = []
            for _ in range(rounds):
                began = time.monotonic()
                page = seen.open(path)
                took.append(time.monotonic() - began)
                if page.locator("h1").count() != 1:
                    raise AssertionError(f"{path} has no heading")
            found.append(Loaded(name, took[0], statistics.median(took[1:] or took)))
        tell("turning pages")
        page = seen.open("/log")
        took = []
        for _ in range(depth):
            began = time.monotonic()
            page.locator("a[rel=next]").first.click()
            page.wait_for_load_state()
            took.append(time.monotonic() - began)
        found.append(Loaded("log, the next page", took[0], statistics.median(took)))
    return found


def lines(found: list[Loaded], records: int) -> list[str]:
    """The figures as Markdown."""
    return [
        f"### Chromium over {records:,} records",
        "",
        "| page | loaded first | again |",
        "| --- | ---: | ---: |",
        *(f"| {each.name} | {each.first * 1000:,.0f} ms | {each.again * 1000:,.0f} ms |" for each in found),
    ]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=2_000_000)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embargo-browsing-") as place:
        found = measure(Path(place), chosen.records, lambda text: print(text, file=sys.stderr))
    print("\n".join(lines(found, chosen.records)))
