"""`embargo sinks`: what leaves for SIEMs and log servers, how far it is, and whether a way works."""

import os
import pwd
import signal
import socket
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from embargo import __version__
from embargo.cli.loading import loaded_policy
from embargo.cli.options import json_option, log_option, policy_option
from embargo.cli.output import colourful, echo_json, printable
from embargo.journal.clock import utc_now
from embargo.journal.identifier import uuid7

_COLUMNS = ("name", "state", "delivered", "lag", "behind", "failures", "dead", "missing", "to")


@click.group()
def command() -> None:
    """Send records to SIEMs and log servers: the sinks of settings.log.sinks.

    Example: embargo sinks status
    """


@command.command()
@policy_option
@log_option
@click.option("--once", is_flag=True, help="Deliver what there is and end; exit 1 where something could not be.")
def run(policy: tuple[Path, ...], log: Path, once: bool) -> None:
    """Deliver to every sink of the policy, each at its own pace, until interrupted.

    Follows edits of the policy, a sink that comes later too. One process a log directory; it may be stopped and killed
    at any time: the next one goes on where the receivers are, and repeats a batch at most.

    Example: embargo sinks run --policy domains.yaml
    """
    from embargo.policy.problem import PolicyError
    from embargo.sinks.dispatch import AlreadyRunning, Dispatch, only_one

    found = loaded_policy(policy)
    if not any(sink.enabled for sink in found.settings.log.sinks):
        click.echo("the policy names no sink yet (settings.log.sinks)", err=True)
        if once:
            sys.exit(0)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        log.mkdir(mode=0o700, parents=True, exist_ok=True)
        _as_its_owner(log)
        with only_one(log):
            if once:
                sys.exit(_once(found.settings.log.sinks, log, stop))
            Dispatch(log, policy, say=_say).run(stop)
    except AlreadyRunning as running:
        click.echo(f"error: {running}", err=True)
        sys.exit(2)
    except PolicyError as refused:
        click.echo(f"error: {refused.problems[0]}", err=True)
        sys.exit(2)
    except OSError as failure:
        click.echo(f"error: {failure.filename or log}: {failure.strerror or failure}", err=True)
        sys.exit(2)


def _as_its_owner(log: Path) -> None:
    """End where root would leave files in somebody else's log, which that user could then neither read nor replace."""
    owner = log.stat().st_uid
    if os.geteuid() != 0 or owner == 0:
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"#{owner}"
    click.echo(f"error: {log} belongs to {name}; run this as that user: sudo -u '{name}' embargo sinks …", err=True)
    sys.exit(2)


def _say(line: str) -> None:
    click.echo(printable(line), err=True)


def _once(sinks: tuple[Any, ...], log: Path, stop: threading.Event) -> int:
    from embargo.sinks import status
    from embargo.sinks.courier import Courier
    from embargo.sinks.keep import BrokenCursor
    from embargo.sinks.message import BadFilter
    from embargo.sinks.receivers import IntoTheLog

    failed = False
    documents = []
    for sink in sinks:
        if not sink.enabled or stop.is_set():
            continue
        try:
            courier = Courier(sink, log)
        except (BadFilter, BrokenCursor, IntoTheLog, OSError) as refused:
            _say(f"{sink.id}: {refused}")
            documents.append(status.refused_document(sink, str(refused)))
            failed = True
            continue
        before = courier.progress.cursor.counts
        thread = threading.Thread(target=lambda courier=courier: courier.run(once=True), daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.1)
            if stop.is_set():
                courier.stop()
        after, error = courier.progress.cursor.counts, courier.progress.error
        _say(f"{sink.id}: {after.delivered - before.delivered} delivered" + (f"; {error}" if error else ""))
        documents.append(status.document_of(sink, courier.progress, log, utc_now()))
        failed = failed or error is not None
    status.publish(log, documents, utc_now())
    return 1 if failed or stop.is_set() else 0


@command.command()
@log_option
@json_option
def status(log: Path, as_json: bool) -> None:
    """Show how far each sink is: records delivered and behind, failures, what was set aside.

    Exit 1 where a sink does not deliver, or nobody delivers. Example: embargo sinks status --json
    """
    from embargo.sinks.status import read, running

    if log.is_dir() and not os.access(log, os.R_OK | os.X_OK):
        click.echo(f"error: {log}: not yours to read", err=True)
        sys.exit(2)
    found = read(log)
    alive = running(log)
    sinks: list[dict[str, Any]] = found["sinks"] if found else []
    ok = bool(found) and alive and all(sink.get("error") is None for sink in sinks)
    if as_json:
        echo_json({"running": alive, "time": found.get("time") if found else None, "sinks": sinks})
    elif not found:
        click.echo(f"no sink has ever been delivered to from {log}")
    else:
        for line in _table(sinks):
            click.echo(printable(line))
        for sink in sinks:
            if sink.get("last_error"):
                now = "now" if sink.get("error") else f"last at {sink.get('last_error_time')}"
                text = printable(f"{sink['name']}: {now}: {sink['last_error']}")
                click.echo(click.style(text, fg="red") if colourful() and sink.get("error") else text)
        if not alive:
            text = f"nobody delivers; as of {found.get('time')}. Start `embargo sinks run`"
            click.echo(click.style(text, fg="red") if colourful() else text)
    sys.exit(0 if ok else 1)


def _table(sinks: list[dict[str, Any]]) -> list[str]:
    rows = [tuple(name.upper() for name in _COLUMNS)]
    for sink in sinks:
        shown = {
            **sink,
            "lag": sink["lag_records"],
            "behind": _span(sink["lag_seconds"]),
            "dead": sink["dead_letters"],
        }
        rows.append(tuple(str(shown.get(name, "")) for name in _COLUMNS))
    widths = [max(len(row[index]) for row in rows) for index in range(len(_COLUMNS))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _span(seconds: float) -> str:
    if seconds < 1:
        return "-"
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f}{unit}"
    return f"{seconds:.0f}s"


@command.command()
@click.argument("name", metavar="SINK")
@policy_option
@log_option
@json_option
def retry(name: str, policy: tuple[Path, ...], log: Path, as_json: bool) -> None:
    """Send again what the receiver of SINK had refused for good, once what it refused is mended.

    What it takes leaves the dead letters, what it refuses stays. Exit 1 where some stay.

    Example: embargo sinks retry elastic
    """
    from collections.abc import Sequence

    from embargo.journal.record import Record
    from embargo.sinks.courier import BATCH
    from embargo.sinks.letters import Busy
    from embargo.sinks.letters import retry as again
    from embargo.sinks.message import BadFilter, Composer
    from embargo.sinks.receiver import Unreachable
    from embargo.sinks.receivers import IntoTheLog, receiver_of

    sinks = {sink.id: sink for sink in loaded_policy(policy).settings.log.sinks}
    if name not in sinks:
        raise click.UsageError(f"{name!r} is no sink of the policy; its sinks: {', '.join(sinks) or 'none'}")
    if not log.is_dir():
        raise click.UsageError(f"{log}: no such log directory")
    _as_its_owner(log)
    refusals: list[str] = []

    def deliver(records: Sequence[Record]) -> Sequence[int]:
        try:
            delivery = receiver.deliver([composer.message(record) for record in records])
        except Unreachable as failure:
            if not failure.everything:
                raise
            refusals.append(str(failure))
            return range(len(records))
        refusals.extend(filter(None, (delivery.why, *(why for _, why in delivery.refused))))
        return [*delivery.again, *(position for position, _ in delivery.refused)]

    gone = stay = 0
    try:
        composer = Composer(sinks[name], utc_now())
        with closing(receiver_of(sinks[name], log)) as receiver:
            gone, stay = again(log, name, deliver, BATCH)
    except (Unreachable, BadFilter, IntoTheLog, Busy) as failure:
        refusals.append(str(failure))
    except OSError as failure:
        refusals.append(f"{failure.filename or log}: {failure.strerror or failure}")
    error = refusals[0] if refusals else None
    if as_json:
        echo_json({"name": name, "delivered": gone, "refused": stay, "error": error})
    else:
        text = printable(f"{name}: {gone} delivered, {stay} refused" + (f"; {error}" if error else ""))
        click.echo(click.style(text, fg="red" if error else "green") if colourful() else text)
    sys.exit(1 if error else 0)


@command.command()
@click.argument("names", nargs=-1, metavar="[SINK]...")
@policy_option
@log_option
@json_option
def test(names: tuple[str, ...], policy: tuple[Path, ...], log: Path, as_json: bool) -> None:
    """Send one record to each sink, or to those that are named, and say what came of it.

    The record's action is sink-test; it stands in no log and counts nowhere. A file gets a line. Exit 1 where one is
    not taken. Example: embargo sinks test siem
    """
    from embargo.sinks.message import BadFilter, Composer, trial
    from embargo.sinks.receiver import Unreachable
    from embargo.sinks.receivers import IntoTheLog, receiver_of

    sinks = {sink.id: sink for sink in loaded_policy(policy).settings.log.sinks}
    for name in names:
        if name not in sinks:
            raise click.UsageError(f"{name!r} is no sink of the policy; its sinks: {', '.join(sinks) or 'none'}")
    if log.is_dir():
        _as_its_owner(log)
    results: list[Any] = []
    for name in names or [name for name, sink in sinks.items() if sink.enabled]:
        sink = sinks[name]
        record = trial(uuid7(), utc_now(), socket.gethostname(), __version__)
        try:
            composer = Composer(sink, utc_now())
            with closing(receiver_of(sink, log)) as receiver:
                delivery = receiver.deliver([composer.message(record)])
            error = delivery.why or next((why for _, why in delivery.refused), None)
        except (Unreachable, BadFilter, IntoTheLog) as failure:
            error = str(failure)
        proven = {"udp": "sent; UDP proves nothing", "tcp": "sent", "tls": "sent"}.get(sink.to.transport, "taken")
        results.append({"name": name, "to": str(sink.to), "id": record.id, "ok": error is None, "error": error})
        if not as_json:
            text = printable(f"{name}: {sink.to}: {error or f'{proven}, id {record.id}'}")
            click.echo(click.style(text, fg="red" if error else "green") if colourful() else text)
    if as_json:
        echo_json(results)
    elif not results:
        click.echo("the policy names no sink; set settings.log.sinks", err=True)
    sys.exit(0 if all(result["ok"] for result in results) else 1)
