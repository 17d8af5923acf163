"""`embargo break-glass`: for a bounded time nothing is refused, on every process of this machine."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from embargo.cli.options import json_option
from embargo.cli.output import colourful, echo_json, printable
from embargo.core.break_glass import LONGEST, SHORTEST, BreakGlass, in_words
from embargo.journal.audit import login_user
from embargo.journal.break_glass import WORDS
from embargo.journal.status import Status, running
from embargo.paths import log_directory, runtime_directory, state_directory
from embargo.policy.break_glass import Damaged, Last, clocks, in_force, last
from embargo.policy.instants import duration
from embargo.policy.problem import Mistake
from embargo.review.break_glass import (
    AlreadyInForce,
    Ended,
    Logs,
    Uptake,
    begin,
    end,
    logs_of,
    uptake,
)

_LONGEST_TEXT = {"reason": 1_000, "author": 256, "ticket": 256}  # characters


class Span(click.ParamType[float]):
    """A time such as 30m or 2h, in seconds, within the bounds of break-glass."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds that *value* spells; a usage error where it is none, or out of bounds."""
        try:
            seconds = duration(str(value))
        except Mistake as mistake:
            self.fail(f"{mistake.message}; such as 30m or 2h", param, ctx)
        if not SHORTEST <= seconds <= LONGEST:
            self.fail(
                f"{value} is not between {SHORTEST:g}s and {LONGEST / 3600:g}h. What has to last longer is a policy: "
                "set `settings.mode: monitor`, where others see and review it.",
                param,
                ctx,
            )
        return seconds


@click.command()
@click.option("--for", "seconds", type=Span(), help="Refuse nothing for so long, from now on: 30m, 2h; 24h at most.")
@click.option("--reason", help="Why; required with --for. It stands in the log and in `embargo status`.")
@click.option("--author", help="Who orders it. Default: the login user.")
@click.option("--ticket", help="Where it is tracked.")
@click.option(
    "--replace", "replaces", is_flag=True, help="Take the place of one in force, as when more time is needed."
)
@click.option("--end", "ends", is_flag=True, help="End the one in force now.")
@click.option(
    "--log",
    "log",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Log directory in which it is recorded too, beside those of the proxy that runs. Where none runs: as for "
    "`embargo log`.",
)
@json_option
def command(
    seconds: float | None,
    reason: str | None,
    author: str | None,
    ticket: str | None,
    replaces: bool,
    ends: bool,
    log: Path | None,
    as_json: bool,
) -> None:
    """In an emergency: refuse nothing for a while, on every worker, also where no policy loads.

    What would have been refused is recorded with `would: block`. Ends by itself. Without --for and --end it shows what
    is in force. Exit 1: it is in force where only shown, or a process did not follow within two seconds.

    Example: embargo break-glass --for 30m --reason "payroll is blocked since the edit of 14:00" --ticket INC-4711
    """
    reason = _checked("reason", reason)
    ticket = _checked("ticket", ticket)
    who = _checked("author", author) or login_user()
    if ends and seconds is not None:
        raise click.UsageError("Either --for or --end.")
    if seconds is not None and reason is None:
        raise click.UsageError("--for needs a --reason.")
    if seconds is None and (replaces or ticket is not None or (not ends and (reason or author or log) is not None)):
        raise click.UsageError("Nothing to do: --for TIME begins break-glass, --end ends it.")
    directory = state_directory().absolute()
    try:
        if seconds is not None and reason is not None:
            _begin(directory, log, seconds, reason, who, ticket, replaces=replaces, as_json=as_json)
        elif ends:
            _end(directory, log, reason, who, as_json=as_json)
        else:
            _show(directory, as_json=as_json)
    except AlreadyInForce as other:
        glass = other.glass
        _fail(
            f"break-glass is in force until {_time(glass.until)}, by {printable(glass.author)}: "
            f"{printable(glass.reason)}; with --replace this one takes its place"
        )
    except OSError as failure:
        where = f"{failure.filename}: " if failure.filename is not None else ""
        _fail(f"{where}{failure.strerror or failure}")


def _begin(
    directory: Path,
    log: Path | None,
    seconds: float,
    reason: str,
    author: str,
    ticket: str | None,
    *,
    replaces: bool,
    as_json: bool,
) -> None:
    asked = running(runtime_directory())
    glass = begin(
        directory,
        Logs(_logs(log, asked)),
        seconds=seconds,
        reason=reason,
        author=author,
        ticket=ticket,
        policy=_digest(asked),
        replace=replaces,
    )
    found = uptake(runtime_directory(), glass.id, directory)
    if as_json:
        echo_json(_object(glass, None, None, found))
    else:
        _tell(glass)
        _tell_uptake(found, "refuse nothing now")
        if not found:
            click.echo("one that starts meanwhile refuses nothing until then")
        click.echo("it ends by itself; earlier with: embargo break-glass --end")
    sys.exit(_exit(found))


def _end(directory: Path, log: Path | None, reason: str | None, author: str, *, as_json: bool) -> None:
    asked = running(runtime_directory())
    over = end(directory, Logs(_logs(log, asked)), by=author, reason=reason, policy=_digest(asked))
    found = uptake(runtime_directory(), None, directory)
    if as_json:
        echo_json(_object(None, last(directory), over.removed or over.unrecorded, found))
    else:
        _tell_end(over)
        _tell_uptake(found, "follow the policy")
    sys.exit(1 if over.unrecorded is not None or any(each.late is not None for each in found) else 0)


def _tell_end(over: Ended) -> None:
    if over.removed is not None:
        click.echo(f"removed a file that counted for nothing: {printable(over.removed)}")
    elif over.glass is None:
        click.echo("break-glass was not in force")
    else:
        click.echo(f"break-glass by {printable(over.glass.author)} has ended")
    if over.unrecorded is not None:
        click.echo(
            f"warning: its end is not recorded yet, which the proxy tries again: {printable(over.unrecorded)}", err=True
        )


def _show(directory: Path, *, as_json: bool) -> None:
    error = glass = None
    try:
        glass = in_force(directory, clocks())
    except Damaged as damaged:
        error = str(damaged)
    newest = last(directory)
    found = uptake(runtime_directory(), glass.id if glass is not None else None, directory, 0.5)
    if as_json:
        echo_json(_object(glass, newest, error, found))
    elif glass is not None:
        _tell(glass)
        _tell_uptake(found, "refuse nothing now")
    else:
        click.echo("break-glass is not in force")
        if newest is not None:
            click.echo(f"the last: {_time(newest.glass.since)}, {_of_last(newest)}")
        if found:
            _tell_uptake(found, "follow the policy")
    if error is not None and not as_json:
        click.echo(f"warning: ignored, and `--end` removes it: {printable(error)}", err=True)
    findings = glass is not None or error is not None or any(each.late is not None for each in found)
    sys.exit(1 if findings else 0)


def _of_last(newest: Last) -> str:
    who = f"by {printable(newest.glass.author)}: {printable(newest.glass.reason)}"
    if newest.end is None:
        return f"{who}; its end is not recorded yet"
    ended = f", at {_time(newest.ended)}" if newest.ended is not None else ""
    return f"{who}; {WORDS[newest.end]}{ended}"


def _tell(glass: BreakGlass) -> None:
    left = glass.left(clocks())
    _alarm(f"NOTHING IS REFUSED until {_time(glass.until)}, for {in_words(left)}")
    ticket = f" ({printable(glass.ticket)})" if glass.ticket is not None else ""
    click.echo(f"by {printable(glass.author)}{ticket}: {printable(glass.reason)}")


def _tell_uptake(found: Sequence[Uptake], what: str) -> None:
    if not found:
        click.echo(f"no proxy is running (no process answers in {runtime_directory()})", err=True)
        return
    late = [each for each in found if each.late is not None]
    several = "process" if len(found) == 1 else "processes"
    line = f"{len(found) - len(late)} of {len(found)} {several} {what}"
    if late:
        _alarm(line)
    else:
        click.echo(line)
    for each in late:
        click.echo(f"  {_named(each.status)} {printable(each.late or '')}", err=True)


def _named(status: Status) -> str:
    worker = status.part("worker")
    process = f"process {status.pid or '?'}"
    return f"worker {worker.get('number')}, {process}," if worker else process


def _object(glass: BreakGlass | None, newest: Last | None, error: str | None, found: Sequence[Uptake]) -> Any:
    return {
        "break_glass": _members(glass) | {"seconds_left": round(glass.left(clocks()), 1)}
        if glass is not None
        else None,
        "last": {
            **_members(newest.glass),
            "end": newest.end.value if newest.end is not None else None,
            "ended": newest.ended.isoformat() if newest.ended is not None else None,
        }
        if newest is not None
        else None,
        "error": error,
        "processes": [
            {
                "pid": each.status.pid,
                "worker": each.status.part("worker").get("number"),
                "followed": each.late is None,
                "why": each.late,
            }
            for each in found
        ],
    }


def _members(glass: BreakGlass) -> dict[str, Any]:
    return {
        "id": glass.id,
        "since": glass.since.isoformat(),
        "until": glass.until.isoformat(),
        "seconds": glass.seconds,
        "reason": glass.reason,
        "author": glass.author,
        "ticket": glass.ticket,
    }


def _exit(found: Sequence[Uptake]) -> int:
    return 0 if found and all(each.late is None for each in found) else 1


def _logs(named: Path | None, statuses: Sequence[Status]) -> list[Path]:
    """Where it is recorded: wherever a process would look for it, and in the one *named*; each once."""
    logs = [*([named] if named is not None else []), *logs_of(statuses)] or [log_directory()]
    return list({log.resolve(): log for log in logs}.values())


def _digest(statuses: Sequence[Status]) -> str | None:
    """Of the policy that the processes enforce, where it is one."""
    digests = {digest for status in statuses if isinstance(digest := status.part("policy").get("digest"), str)}
    return digests.pop() if len(digests) == 1 else None


def _checked(name: str, text: str | None) -> str | None:
    """*text* without blanks around it. A usage error where nothing is left, or too much."""
    if text is None:
        return None
    text = text.encode(errors="replace").decode().strip()
    if not text or len(text) > _LONGEST_TEXT[name]:
        raise click.BadParameter(f"expected 1 to {_LONGEST_TEXT[name]} characters", param_hint=f"--{name}")
    return text


def _time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _alarm(text: str) -> None:
    click.secho(text, fg="red", bold=True, color=colourful())


def _fail(text: str) -> NoReturn:
    click.echo(f"error: {text}", err=True)
    sys.exit(2)
