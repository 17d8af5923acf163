"""`embargo replay`: what a policy would have made of past traffic."""

import gc
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from embargo.cli.explain import ClientAddress
from embargo.cli.loading import UNREADABLE, loaded_policy
from embargo.cli.options import Instant, json_option, policy_option
from embargo.cli.output import echo_json, printable, table
from embargo.cli.past_traffic import followed, opened
from embargo.core.address import Address
from embargo.core.decision import Verdict
from embargo.review.judge import Assumed, Judge
from embargo.review.replay import VERDICTS, By, Replay, Row, Summary, Table
from embargo.review.sources import Format, Source
from embargo.review.tally import AT, WOULD

BLOCKED = 1  # exit, under --exit-code
INTERRUPTED = 130  # exit: 128 and SIGINT, as shells have it
_MOST_SHOWN = 10  # rows of a table
_IN_SHORT = (By.APP, By.RULE, By.CLIENT, By.USER, By.HOST)  # tables that are shown where none is asked for


@click.command(
    epilog="""\b
Examples:
  embargo replay /var/log/squid/access.log --policy trial.yaml
  embargo replay traffic.pcap archive.har flows.mitm hosts.txt.gz
  embargo replay ~/.local/state/embargo/log --by client --top 50
  cut -d' ' -f7 access.log | embargo replay - --json"""
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@policy_option
@click.option(
    "--format",
    "wanted",
    type=click.Choice([each.value for each in Format]),
    metavar="FORMAT",
    callback=lambda _ctx, _param, value: Format(value) if value is not None else None,
    help=f"What the sources are: {', '.join(Format)}. Default: as their content shows.",
)
@click.option(
    "--at", type=Instant(), metavar="TIME", help="Judge all as of then. Default: each at its own time, else now."
)
@click.option("--client", type=ClientAddress(), metavar="IP", help="The client of requests that name none.")
@click.option("--user", metavar="NAME", help="The user of requests that name none.")
@click.option(
    "--by",
    type=click.Choice([by.value for by in By]),
    metavar="THING",
    callback=lambda _ctx, _param, value: By(value) if value is not None else None,
    help=f"Show one table, what passed included: {', '.join(By)}.",
)
@click.option("--top", type=click.IntRange(min=0), metavar="N", help="Rows of a table; 0 for all. Default: 10.")
@click.option("--exit-code", is_flag=True, help="Exit 1 where a request would have been blocked.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print the tables as CSV.")
def command(
    sources: tuple[str, ...],
    policy: tuple[Path, ...],
    wanted: Format | None,
    at: datetime | None,
    client: Address | None,
    user: str | None,
    by: By | None,
    top: int | None,
    exit_code: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Judge past traffic: what would have been blocked, by app, rule, client and host.

    A SOURCE is a decision log or census of ours (a directory, or a file of it), a mitmproxy flow file, a HAR, Squid's
    access.log, a packet capture (pcap, pcapng), a list of URLs or hosts, one a line, or - for standard input;
    compressed or not. What cannot be read in it is counted and shown. Interrupted, it prints what it has reached.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    found_sources = opened(sources, wanted, choosable=True)
    judged = loaded_policy(policy)
    assumed = Assumed(time=datetime.now(UTC), client=client, user=user)
    replay = Replay(Judge(judged, assumed, at=at))
    gc.freeze()  # a policy is thousands of objects, none of which will be garbage
    complete = _run(replay, found_sources)
    summary = replay.summary()
    if as_json:
        found = {"sources": [{"name": source.name, "format": source.format.value} for source in found_sources]}
        echo_json({**found, "policy": judged.digest, "complete": complete, **summary.document(top or None)})
    elif as_csv:
        _echo_csv(summary, by, top or None)
    else:
        _show(summary, by, _MOST_SHOWN if top is None else top or None)
    _tell_unread(summary, found_sources)
    if not complete:
        click.echo("interrupted: this is what was reached", err=True)
        sys.exit(INTERRUPTED)
    if not summary.requests and summary.unread:
        click.echo("error: nothing in it could be read; --format says what it is", err=True)
        sys.exit(UNREADABLE)
    if exit_code and summary.counts[AT[Verdict.BLOCK]]:
        sys.exit(BLOCKED)


def _run(replay: Replay, sources: Sequence[Source]) -> bool:
    """Whether all was read; False where it was interrupted."""
    try:
        for source in sources:
            replay.source = source.name
            replay.take_all(followed(source))
    except KeyboardInterrupt:
        return False
    return True


def _show(summary: Summary, by: By | None, most: int | None) -> None:
    counts = summary.counts
    period = f", {_day(summary.first)} to {_day(summary.last)}" if summary.first and summary.last else ""
    click.echo(f"{summary.requests:,} request{'' if summary.requests == 1 else 's'}{period}")
    told = [f"{counts[AT[verdict]]:,} {_WORDS[verdict]}" for verdict in VERDICTS]
    if counts[WOULD]:
        told.insert(1, f"{counts[WOULD]:,} would be blocked, were they enforced")
    click.echo(", ".join(told))
    if summary.clients is not None:
        click.echo(f"blocked for {summary.clients:,} client{'' if summary.clients == 1 else 's'}")
    for each in (by,) if by is not None else _IN_SHORT:
        found = summary.tables[each]
        rows = [row for row in found.rows if by is not None or row.touched]
        if rows:
            click.echo()
            _show_table(each, found, rows, most, would=bool(counts[WOULD]))
    for change in summary.changes:
        click.echo()
        click.echo(f"{change.count:,} of {summary.recorded:,} recorded requests: {change.then} then, {change.now} now")
        hosts = change.hosts[:most]
        table(("HOST", "REQUESTS"), [(host, f"{count:,}") for host, count in hosts])
        if len(change.hosts) > len(hosts):
            click.echo(f"and {len(change.hosts) - len(hosts):,} more hosts")
    if summary.recorded and not summary.changes:
        click.echo()
        click.echo(f"the same verdict on all {summary.recorded:,} recorded requests as then")


_WORDS = {Verdict.BLOCK: "blocked", Verdict.LOG: "logged", Verdict.ALLOW: "allowed", Verdict.PASS: "passed"}


def _day(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time is not None else ""


def _show_table(by: By, found: Table, rows: list[Row], most: int | None, *, would: bool) -> None:
    columns = [by.value.upper(), *(str(verdict).upper() for verdict in VERDICTS)]
    if would:
        columns.insert(2, "WOULD BLOCK")
    clients = by in (By.APP, By.RULE) and any(row.clients is not None for row in rows)
    if clients:
        columns.append("CLIENTS")
    shown = rows[:most]
    lines = []
    for row in [*shown, *([found.others] if found.others is not None else [])]:
        cells = [row.key if row is not found.others else "(others)"]
        cells += [f"{row.counts[AT[verdict]]:,}" for verdict in VERDICTS]
        if would:
            cells.insert(2, f"{row.counts[WOULD]:,}")
        if clients:
            cells.append(f"{row.clients:,}" if row.clients is not None else "-")
        lines.append(cells)
    table(columns, lines)
    if len(rows) > len(shown):
        click.echo(f"and {len(rows) - len(shown):,} more; --top 0 shows all")


def _echo_csv(summary: Summary, by: By | None, most: int | None) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("by", "key", *(str(verdict) for verdict in VERDICTS), "would_block", "clients"))
    for each in (by,) if by is not None else By:
        found = summary.tables[each]
        rows = [(row.key, row) for row in found.rows[:most]]
        if found.others is not None:
            rows.append(("(others)", found.others))
        for key, row in rows:
            counts = [row.counts[AT[verdict]] for verdict in VERDICTS]
            writer.writerow((each.value, _cell(key), *counts, row.counts[WOULD], row.clients or ""))


def _cell(text: str) -> str:
    """*text* for a spreadsheet, which must not take it for a formula."""
    text = printable(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _tell_unread(summary: Summary, sources: Sequence[Source]) -> None:
    if not summary.unread:
        return
    for source, unread in summary.examples:
        place = f"{source}: {unread.where}" if len(sources) > 1 else unread.where
        click.echo(f"warning: {printable(place)}: {printable(unread.why)}", err=True)
    more = summary.unread - len(summary.examples)
    rest = f", of which the first {len(summary.examples)} are shown" if more else ""
    were = "piece of the source was" if summary.unread == 1 else "pieces of the source were"
    click.echo(f"warning: {summary.unread:,} {were} not read{rest}", err=True)
