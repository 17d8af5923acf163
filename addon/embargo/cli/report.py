"""`embargo report`: a period told whole, as a page, a table or JSON; `--counsel`: for lawyers."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embargo.cli.options import Instant, log_option
from embargo.cli.output import json_line, printable
from embargo.journal.clock import utc_now

if TYPE_CHECKING:
    from embargo.journal.store import Store
    from embargo.review.report.gathering import Asked
    from embargo.review.report.probed import Probed
    from embargo.review.report.proof import Proof
    from embargo.review.report.report import Report

UNREADABLE = 2
INTERRUPTED = 130  # exit: 128 and SIGINT, as shells have it
_USUAL = timedelta(days=30)  # before the end, where no beginning is given
_MOST = 100_000  # rows of a list
_FORMATS = ("html", "csv", "json")
_ID = re.compile(r"[a-z0-9-]+")  # of an app; what else a term may be, such as `ali*`, names several


@click.command(
    epilog="""\b
Examples:
  embargo report -o november.html --from 2026-11-01 --to 2026-12-01
  embargo report --counsel --probe probe.json -o counsel.html
  embargo report --format csv -o november.zip --from 2026-11-01 --to 2026-12-01
  embargo report --app wechat --format json | jq .tallies.totals"""
)
@log_option
@click.option("--from", "start", type=Instant(), metavar="TIME", help="From then on. Default: 30 days before the end.")
@click.option("--to", "end", type=Instant(), metavar="TIME", help="Up to then, not included. Default: now.")
@click.option("--app", "apps", multiple=True, metavar="ID", help="Count this app alone; repeat it for several.")
@click.option(
    "--counsel", is_flag=True, help="For lawyers: order by order, in plain words, with what it does not prove."
)
@click.option(
    "--probe",
    "probe",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With the result of a test: what `embargo probe --json` printed.",
)
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Default: as the name of -o ends, else html.")
@click.option(
    "--output", "-o", "output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; needed for csv."
)
@click.option("--masked", is_flag=True, help="Name no client and no user: for those who may see counts alone.")
@click.option(
    "--top", type=click.IntRange(1, _MOST), default=20, show_default=True, metavar="N", help="Rows of a list."
)
@click.option(
    "--public-key",
    "key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The public key that was kept elsewhere. Default: the one beside the log, which proves less.",
)
@click.option("--no-verify", is_flag=True, help="Leave the log's seal unverified, and say so in the report.")
def command(
    log: Path,
    start: datetime | None,
    end: datetime | None,
    apps: tuple[str, ...],
    counsel: bool,
    probe: Path | None,
    form: str | None,
    output: Path | None,
    masked: bool,
    top: int,
    key: Path | None,
    no_verify: bool,
) -> None:
    """Write a report on a period: what was blocked, by whom and what, whether it was enforced, and what proves it.

    html is one file that needs nothing else: charts, tables, printable. csv is a directory of tables, or a zip where
    the name of -o ends in .zip. json goes to standard output unless -o names a file. The newest records are taken into
    the store first.
    """
    now = utc_now()
    end = min(end, now) if end is not None else now
    start = start if start is not None else end - _USUAL
    if start >= now:
        raise click.UsageError("the period lies in the future")
    if start >= end:
        raise click.UsageError("the period ends before it begins: --from has to be before --to")
    form = form or _form_of(output)
    if counsel and form != "html":
        raise click.UsageError(f"--counsel is a page; {form} has all of it without: leave --counsel out")
    if probe is not None and form == "html" and not counsel:
        raise click.UsageError("the test's result stands in the report for counsel: add --counsel")
    if key is not None and no_verify:
        raise click.UsageError("--public-key is to verify with, and --no-verify is not to: leave one of them out")
    _check(form, output)
    if not log.is_dir():
        click.echo(f"error: {log}: no such log directory", err=True)
        sys.exit(UNREADABLE)
    from embargo.review.report.gathering import Asked
    from embargo.review.report.period import Period

    asked = Asked(period=Period(start=start, end=end, apps=apps), now=now, top=top, probe=_probed(probe))
    with _telling() as tell:
        found = _gathered(log, asked, (None if no_verify else _prover(log, asked, key, tell)), tell)
        _check_apps(found)
        tell("writing")
        if masked:
            from embargo.review.report.masking import masked as masked_report

            found = masked_report(found)
        _write(found, form, output, counsel=counsel)
    if output is not None:
        click.echo(f"{output}: {found.period.words}", err=True)


def _form_of(output: Path | None) -> str:
    suffix = output.suffix.lower() if output is not None else ""
    return {".json": "json", ".zip": "csv", ".csv": "csv"}.get(suffix, "html")


def _check(form: str, output: Path | None) -> None:
    """Ends the command where the report could not be written, before it is made."""
    if form == "csv" and (output is None or output.suffix.lower() == ".csv"):
        raise click.UsageError("csv is several tables: say where they go, with -o DIRECTORY or -o FILE.zip")
    if form == "html" and output is None and sys.stdout.isatty():
        raise click.UsageError("say where the page goes, with -o FILE.html")
    if output is not None and form != "csv" and not output.parent.is_dir():
        click.echo(f"error: {output.parent}: no such directory", err=True)
        sys.exit(UNREADABLE)


def _check_apps(found: "Report") -> None:
    """Ends the command for an app that is none: a report without a count would pass for one on an app nobody used."""
    from embargo.policy.problem import nearest

    for app in found.period.apps:
        if found.names and app not in found.names and app not in found.tallies.by_app and _ID.fullmatch(app):
            hint = nearest(app, found.names)
            said = f"--app {app}: no policy of the period has such an app, and no record names it"
            raise click.UsageError(f"{said}; {hint}" if hint else said)


def _probed(path: Path | None) -> "Probed | None":
    from embargo.review.report.probed import UnreadableProbe, read_probe

    if path is None:
        return None
    try:
        return read_probe(path)
    except UnreadableProbe as unreadable:
        click.echo(f"error: {printable(str(unreadable))}", err=True)
    except OSError as failure:
        click.echo(f"error: {path}: {failure.strerror or failure}", err=True)
    sys.exit(UNREADABLE)


def _prover(log: Path, asked: "Asked", key: Path | None, tell: Callable[[str], None]) -> "Callable[[], Proof]":
    from embargo.review.report.proof import prove

    def progress(done: int, total: int) -> None:
        tell(f"verifying the log: {done / total:.0%}" if total else "verifying the log")

    def proof() -> "Proof":
        try:
            return prove(log, asked.period.start, asked.period.end, key, progress)
        except ValueError as unusable:
            raise OSError(None, f"no public key: {unusable}", str(key)) from unusable

    return proof


def _gathered(log: Path, asked: "Asked", prover: "Callable[[], Proof] | None", tell: Callable[[str], None]) -> "Report":
    """The report; where the log cannot be read, the reason on standard error and exit 2."""
    from embargo.journal.query import BadTerm
    from embargo.journal.store import Busy, NoPlace, Store, UnknownVersion
    from embargo.review.report.gathering import gather
    from embargo.review.report.proof import NOT_VERIFIED

    try:
        tell("reading the log")
        store = Store.open(log)
        _catch_up(store, tell)
        return gather(store, asked, prover or (lambda: NOT_VERIFIED), tell)
    except BadTerm as bad:
        raise click.UsageError(str(bad)) from bad
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (NoPlace, UnknownVersion, Busy) as refused:
        click.echo(f"error: {printable(str(refused))}", err=True)
    except OSError as failure:
        click.echo(f"error: {failure.filename or log}: {failure.strerror or failure}", err=True)
    sys.exit(UNREADABLE)


def _catch_up(store: "Store", tell: Callable[[str], None]) -> None:
    def progress(done: int, total: int) -> None:
        if total:
            tell(f"reading the log: {done / total:.0%}")

    store.catch_up(progress)


def _write(report: "Report", form: str, output: Path | None, *, counsel: bool) -> None:
    from embargo.review.report.files import write_page, write_tables

    try:
        if form == "csv":
            assert output is not None, "asked for above"
            write_tables(report, output)
        elif form == "json":
            from embargo.review.report.document import document

            text = json_line(document(report)) + "\n"
            write_page(text, output) if output is not None else click.echo(text, nl=False)
        else:
            from embargo.review.report.page import page

            text = page(report, counsel=counsel)
            write_page(text, output) if output is not None else click.echo(text.encode(), nl=False)
    except OSError as failure:
        click.echo(f"error: {failure.filename or output or 'standard output'}: {failure.strerror or failure}", err=True)
        sys.exit(UNREADABLE)


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """Says what is being done, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # costs 50 ms, which a pipe need not pay

    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(printable(text))
