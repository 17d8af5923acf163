"""`embargo status`: what the running proxy enforces, and whether all is well with it."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from embargo.cli.options import json_option
from embargo.cli.output import colourful, printable
from embargo.core.ca_findings import colons
from embargo.journal.status import Liveness, Status, crews, disagreement, running
from embargo.paths import runtime_directory

_MOST_ANNOUNCED = 5  # changes on known dates that are printed
_MOST_CLIENTS = 10  # that reject our certificate, which are printed
_MOST_PROBLEMS = 10  # of a refused reload that are printed; `embargo check` prints all


@click.command()
@json_option
def command(as_json: bool) -> None:
    """What the running proxy enforces: policy, since when, refused reloads, counts.

    Asks every proxy process of this machine. Exit 1 where none runs, or where one enforces no policy, refused its
    newest policy, or lost records. --json prints an object a process, a line each. Example: embargo status --json
    """
    directory = runtime_directory()
    try:
        answers = running(directory)
    except OSError as failure:
        click.echo(f"error: {directory}: {failure.strerror or failure}", err=True)
        sys.exit(2)
    alive = [status for status in answers if status.liveness is Liveness.RUNNING]
    together = crews(answers)
    apart = {pid: told for pid, workers in together.items() if (told := disagreement(workers)) is not None}
    findings = [finding for status in answers for finding in status.findings()] + list(apart.values())
    if as_json:
        for status in answers:
            click.echo(json.dumps(_object(status, apart.get(status.part("worker").get("supervisor", 0)))))
    else:
        crewed = [status for workers in together.values() for status in workers]
        for status in [*(status for status in answers if status not in crewed), *crewed]:
            for line in _account(status):
                click.echo(line)
        for pid, workers in together.items():
            click.echo(_total(pid, workers))
            if pid in apart:
                click.echo(_line("finding", _alarm(apart[pid])))
    if not alive:
        click.echo(f"no proxy is running (no process answers in {directory})", err=True)
    sys.exit(0 if alive and not findings else 1)


def _object(status: Status, disagreement: str | None) -> dict[str, object]:
    return {
        "socket": status.path,
        "pid": status.pid,
        "state": status.liveness.value,
        "error": status.error,
        "findings": [*status.findings(), *([disagreement] if disagreement is not None else [])],
        **{name: value for name, value in status.answer.items() if name != "pid"},
    }


def _total(supervisor: int, workers: Sequence[Status]) -> str:
    """The line that sums up the workers of one supervisor."""
    named = {"flows": ("judged", "blocked", "logged", "allowed", "passed", "errors"), "log": ("written", "lost")}
    sums = [
        f"{sum(value for status in workers if type(value := status.part(part).get(what)) is int)} {what}"
        for part, names in named.items()
        for what in names
    ]
    connections = sum(value for status in workers if type(value := status.answer.get("connections")) is int)
    several = "" if len(workers) == 1 else "s"
    return f"total of {len(workers)} worker{several} of process {supervisor}: {connections} open, {', '.join(sums)}"


def _account(status: Status) -> Iterator[str]:
    """A process in a few lines, aligned alike on a terminal and in a pipe."""
    answer = status.answer
    if status.liveness is Liveness.STALE:
        yield f"process {status.pid or '?'}: gone; {status.path} is left over"
        return
    title = f"process {status.pid or '?'}"
    if status.liveness is not Liveness.RUNNING:
        yield _alarm(f"{title}: {status.error}")
        return
    if worker := status.part("worker"):
        title = f"worker {_shown(worker, 'number')} of process {_shown(worker, 'supervisor')}, {title}"
    title = f"{title}, embargo {_shown(answer, 'version')}"
    yield click.style(title, bold=True) if colourful() else title
    yield _line("started", _time(answer, "started"))
    listen = answer.get("listen")
    yield _line("listens on", ", ".join(map(str, listen)) if isinstance(listen, list) and listen else "nothing")
    yield _line("mode", f"{_shown(answer, 'mode')}, decrypt {_shown(answer, 'decrypt')}")
    if (glass := status.part("break_glass")).get("id"):
        yield _line("break-glass", _alarm(f"NOTHING IS REFUSED until {_time(glass, 'until')}"))
        ticket = f" ({_shown(glass, 'ticket')})" if glass.get("ticket") else ""
        by = f"by {_shown(glass, 'author')}{ticket}: {_shown(glass, 'reason')}"
        yield _line("", f"since {_time(glass, 'since')}, {by}")
    if policy := status.part("policy"):
        counts = ", ".join(f"{_shown(policy, what)} {what}" for what in ("apps", "rules", "endpoints"))
        counts += f", {_shown(policy, 'on_trial')} on trial" if policy.get("on_trial") else ""
        yield _line("policy", f"{_shown(policy, 'digest')[:16]} since {_time(policy, 'since')} ({counts})")
        files = policy.get("files")
        for file in files if isinstance(files, list) else ():
            yield _line("", printable(str(file)))
    else:
        refusing = "none" if glass.get("id") else "none: everything is refused"
        yield _line("policy", _alarm(refusing))
    if answer.get("next_change"):
        yield _line("next change", _time(answer, "next_change"))
    for number, text in enumerate(_announced(answer)):
        yield _line("announced" if number == 0 else "", text)
    reloads = status.part("reloads")
    yield _line("reloads", f"{_shown(reloads, 'ok')} taken up, {_shown(reloads, 'refused')} refused")
    if refused := status.part("refused"):
        yield _line("refused", _alarm(f"at {_time(refused, 'time')}"))
        problems = refused.get("problems")
        texts = [printable(str(problem)) for problem in problems] if isinstance(problems, list) else []
        for text in texts[:_MOST_PROBLEMS]:
            yield _line("", text)
        if len(texts) > _MOST_PROBLEMS:
            yield _line("", f"and {len(texts) - _MOST_PROBLEMS} more")
    yield from _identity(status.part("identity"), status.part("proxy_protocol"))
    flows = status.part("flows")
    counted = ("judged", "blocked", "logged", "allowed", "passed", "nameless", "errors")
    yield _line("flows", ", ".join(f"{_shown(flows, what)} {what}" for what in counted))
    if would := sum(_count(each) for each in _objects(answer.get("decisions")) if each.get("shadow") is True):
        yield _line("", f"{would} would have been blocked, and were not")
    if blind := [each for each in _objects(answer.get("uninspected")) if _count(each)]:
        yield _line("uninspected", ", ".join(f"{_count(each)} {_shown(each, 'reason')}" for each in blind))
    if answer.get("heartbeat"):
        yield _line("heartbeat", _time(answer, "heartbeat"))
    yield from _ca(status)
    log = status.part("log")
    yield _line("log", f"{_shown(log, 'directory')}/{_shown(log, 'file')}")
    yield _line("", ", ".join(f"{_shown(log, what)} {word}" for what, word in _LOG_WORDS.items()))
    yield from _seal(log.get("seal"))
    yield from _keeping(log.get("retention"))
    for anchor in _objects(status.answer.get("anchors")):
        last = f", the newest at {_time(anchor, 'last')}" if anchor.get("last") else ""
        yield _line(
            "anchor", f"{_shown(anchor, 'to')}: {_shown(anchor, 'state')}, {_shown(anchor, 'anchored')} taken{last}"
        )
    if census := status.part("census"):
        yield _line("census", ", ".join(f"{_shown(census, what)} {word}" for what, word in _CENSUS_WORDS.items()))
    for finding in status.findings():
        yield _line("finding", _alarm(printable(finding)))


def _seal(seal: object) -> Iterator[str]:
    """Up to where the log is signed."""
    if isinstance(seal, Mapping) and seal.get("key"):
        last = f"up to record {_shown(seal, 'signed')}" if seal.get("signed") else "nothing yet"
        yield _line("", f"signed {last} by key {_shown(seal, 'key')}, {_shown(seal, 'unsigned')} records since")


def _keeping(retention: object) -> Iterator[str]:
    """What became of files that are old enough to be deleted, where there were any."""
    if isinstance(retention, Mapping) and (retention.get("deleted") or retention.get("held")):
        yield _line("", f"{_shown(retention, 'deleted')} old files deleted, {_shown(retention, 'held')} on hold")


def _count(members: Mapping[str, Any]) -> int:
    return value if type(value := members.get("count")) is int else 0


def _objects(listed: object) -> list[Mapping[str, Any]]:
    """The objects in a list of an answer."""
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []


def _announced(answer: Mapping[str, Any]) -> list[str]:
    """What the policy will say otherwise on known dates, in lines."""
    from embargo.core.forecast import announcement_lines  # not at the top: most of `status` needs no policy

    listed = answer.get("announced")
    found = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    told = found[:_MOST_ANNOUNCED]
    texts = [line for each in told for line in announcement_lines(_shown(each, "text"))]
    more = len(found) - len(told)
    return [*texts, f"and {more} more (--json has them)"] if more else texts


def _ca(status: Status) -> Iterator[str]:
    ca, rejecting = status.part("ca"), status.part("rejecting")
    if ca.get("fingerprint"):
        limits = "name-constrained" if ca.get("constrained") else "may sign for every name"
        yield _line("CA", f"{_shown(ca, 'subject')}, {_shown(ca, 'days_left')} days left, {limits}")
        yield _line("", f"SHA-256 {colons(_shown(ca, 'fingerprint'))}")
        if ca.get("not_opened"):
            yield _line("", f"{_shown(ca, 'not_opened')} connections not opened: the CA does not permit them")
    if rejecting.get("clients"):
        yield _line("rejecting", f"{_shown(rejecting, 'clients')} clients reject our certificate")
        listed = rejecting.get("listed")
        found = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
        for each in found[:_MOST_CLIENTS]:
            agent = _shown(each, "user_agent") if each.get("user_agent") else "no user agent"
            told = f"since {_time(each, 'since')}, {_shown(each, 'times')} times, {_shown(each, 'why')}"
            yield _line("", f"{_shown(each, 'client')}  {agent}  ({told})")
        if len(found) > _MOST_CLIENTS:
            yield _line("", f"and {len(found) - _MOST_CLIENTS} more of those latest seen (--json has them)")


def _identity(identity: Mapping[str, Any], balancers: Mapping[str, Any]) -> Iterator[str]:
    """By what it is known who asks, where anything is set."""
    if proxies := _texts(identity, "front_proxies"):
        yield _line("identity", f"{_shown(identity, 'user_header')} from {', '.join(proxies)}")
    if isinstance(known := identity.get("map"), Mapping):
        counted = f"{_shown(known, 'assignments')} assignments since {_time(known, 'since')}"
        yield _line("" if proxies else "identity", f"{_shown(known, 'file')} ({counted})")
    if isinstance(refused := identity.get("refused"), Mapping):
        yield _line("", _alarm(f"refused at {_time(refused, 'time')}"))
        for problem in _texts(refused, "problems")[:_MOST_PROBLEMS]:
            yield _line("", problem)
    if networks := _texts(balancers, "balancers"):
        counted = ", ".join(f"{_shown(balancers, what)} {word}" for what, word in _BALANCER_WORDS.items())
        yield _line("balancers", f"{', '.join(networks)} ({counted})")


_BALANCER_WORDS = {"passed_on": "passed on", "own": "of their own", "refused": "refused"}
_CENSUS_WORDS = {"hosts": "hosts in this hour", "others": "requests for others"}
_LOG_WORDS = {"written": "records written", "lost": "lost", "queue": "waiting"}


def _alarm(text: str) -> str:
    return click.style(text, fg="red") if colourful() else text


def _line(label: str, text: str) -> str:
    return f"  {label:<12} {text}"


def _time(members: Mapping[str, Any], name: str) -> str:
    """A time as people read it, to the second, in UTC; as it came where it is none."""
    shown = _shown(members, name)
    try:
        return f"{datetime.fromisoformat(shown).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return shown


def _texts(members: Mapping[str, Any], name: str) -> list[str]:
    """The list *name* as people read it; an empty one where there is none."""
    values = members.get(name)
    return [printable(str(value)) for value in values] if isinstance(values, list) else []


def _shown(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return "?" if value is None else printable(str(value))
