"""Asks the running proxy processes what they enforce: each answers on `PID.sock` with one JSON object.

The client alone; the answer is made in `enforce`. The object's members:

    pid, started, version, worker {number, supervisor} or null (where it runs alone),
    mode, decrypt, privacy {client, error},
    break_glass {id, since, until, seconds_left, reason, author, ticket, error} or {error} or null,
    state_directory, next_change (RFC 3339 or null),
    announced [{time, causes, changes [{apps, what, who, hours, from, to}, …], text}, …], listen [ADDRESS:PORT, …],
    modes [{mode, listen [ADDRESS:PORT, …]}, …],
    policy {digest, since, files, apps, rules, domains} or null,
    refused {time, problems, files} or null: the newest reload that was refused, until one succeeds,
    reloads {ok, refused}, flows {judged, blocked, logged, allowed, passed, nameless, errors},
    decisions [{verdict, app, surface, shadow, count}, …], failures [{surface, count}, …],
    uninspected [{reason, count}, …], latency {every, bounds, counts, seconds}, heartbeat (RFC 3339 or null),
    log {directory, file, written, lost, queue, error, waited, seal, retention {error, held, deleted}},
    anchors [{to, state, anchored, failures, error, last}, …], census {hosts, others, error} or null,
    ca {subject, issuer, fingerprint, not_before, not_after, days_left, certificates, constrained,
    not_permitted, not_opened} or {error} or null, rejecting {clients, handshakes, listed}
"""

import json
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from embargo.core.break_glass import in_words
from embargo.core.ca_findings import expiry_findings, not_permitted

PATIENCE = 2.0  # seconds for a process to connect and answer in
_LONGEST_ANSWER = 4 * 1024 * 1024  # bytes; a refusal lists its problems
_AT_ONCE = 16  # sockets asked side by side


class Liveness(StrEnum):
    """How a socket answered."""

    RUNNING = "running"
    STALE = "stale"  # nobody listens: the process died without removing it
    SILENT = "silent"  # no answer in time
    UNREADABLE = "unreadable"  # no answer of ours, or not ours to ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What one socket said."""

    path: str
    liveness: Liveness
    error: str | None = None  # why there is no answer
    answer: Mapping[str, Any] = field(default_factory=dict)  # empty unless running

    @property
    def pid(self) -> int | None:
        """Of the process; as the socket is named where it does not answer."""
        if type(pid := self.answer.get("pid")) is int:
            return pid
        name = Path(self.path).stem
        return int(name) if name.isascii() and name.isdigit() else None

    def part(self, name: str) -> Mapping[str, Any]:
        """The member *name* where it is an object, else an empty one."""
        value = self.answer.get(name)
        return value if isinstance(value, Mapping) else {}

    def findings(self) -> Iterator[str]:
        """What an operator has to look into, in words; nothing where all is well."""
        if self.liveness is not Liveness.RUNNING:
            if self.liveness is not Liveness.STALE:
                yield f"does not answer: {self.error}"
            return
        glass = self.part("break_glass")
        if glass.get("id"):
            author, reason = glass.get("author"), glass.get("reason")
            yield f"refuses nothing: break-glass for {_time_left(glass)} more, by {author}: {reason}"
        elif glass.get("error"):
            yield f"ignores a file of break-glass: {glass['error']}"
        if not self.part("policy"):
            yield "has no policy" if glass.get("id") else "enforces no policy: everything is refused"
        if refused := self.part("refused"):
            problems = refused.get("problems")
            count = len(problems) if isinstance(problems, Sequence) else 0
            kept = "; what was enforced stays" if self.part("policy") else ""
            yield f"refused the newest policy ({count} problem{'' if count == 1 else 's'}){kept}"
        yield from self._ca_findings()
        unread = self.part("identity").get("refused")
        if isinstance(unread, Mapping):
            problems = unread.get("problems")
            count = len(problems) if isinstance(problems, Sequence) else 0
            several = "" if count == 1 else "s"
            yield f"refused the newest map of identities ({count} problem{several}); what it said before stays"
        log = self.part("log")
        if lost := log.get("lost"):
            yield f"lost {lost} record{'' if lost == 1 else 's'} of the decision log"
        if log.get("error"):
            yield f"cannot write the decision log: {log['error']}"
        if why := (log.get("seal") or {}).get("error"):
            yield f"signs no record of the decision log: {why}"
        if why := (log.get("retention") or {}).get("error"):
            yield f"deletes no old files of the log: {why}"
        anchors = self.answer.get("anchors")
        for anchor in anchors if isinstance(anchors, list) else ():
            if isinstance(anchor, Mapping) and anchor.get("error"):
                yield f"cannot hand checkpoints to the anchor {anchor.get('to')}: {anchor['error']}"
        if error := self.part("privacy").get("error"):
            yield f"makes no pseudonyms, so that records name no client: {error}"
        if error := self.part("census").get("error"):
            yield f"cannot write the census: {error}"

    def _ca_findings(self) -> Iterator[str]:
        ca = self.part("ca")
        if ca.get("error"):
            yield f"opens nothing, since the CA cannot be read: {ca['error']}"
        days = ca.get("days_left")
        if type(days) is int:
            yield from expiry_findings(days, _instant(ca.get("not_before")), datetime.now(UTC))
        names = ca.get("not_permitted")
        for name in names if isinstance(names, list) else ():
            yield not_permitted(str(name))


def crews(statuses: Iterable[Status]) -> dict[int, list[Status]]:
    """The workers that answer, those of one supervisor together, under its pid; by number."""
    found: dict[int, list[Status]] = {}
    for status in statuses:
        if status.liveness is Liveness.RUNNING and type(pid := status.part("worker").get("supervisor")) is int:
            found.setdefault(pid, []).append(status)
    for workers in found.values():
        workers.sort(key=lambda status: str(status.part("worker").get("number")).zfill(9))
    return found


def disagreement(workers: Sequence[Status]) -> str | None:
    """In words, that workers of one supervisor enforce different policies, or do otherwise; None where they agree."""
    if len({status.part("break_glass").get("id") for status in workers}) > 1:
        return "some workers refuse nothing by break-glass, and others do otherwise"
    digests = {str(status.part("policy").get("digest"))[:12] for status in workers if status.part("policy")}
    return f"the workers enforce different policies: {', '.join(sorted(digests))}" if len(digests) > 1 else None


def running(directory: Path, patience: float = PATIENCE) -> list[Status]:
    """What every socket in *directory* says, by pid. An empty list where there is none.

    Raises OSError where the directory is there and cannot be listed.
    """
    try:
        sockets = sorted(path for path in directory.iterdir() if path.suffix == ".sock")
    except FileNotFoundError:
        return []
    if not sockets:
        return []
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(sockets))) as pool:
        answers = pool.map(lambda path: ask(path, patience), sockets)
        return sorted(answers, key=lambda status: (status.pid or 0, status.path))


def ask(path: Path, patience: float = PATIENCE) -> Status:
    """What the process behind the socket *path* says. Never raises."""
    deadline = time.monotonic() + patience
    try:
        answer = json.loads(_read(path, deadline))
    except (ConnectionRefusedError, FileNotFoundError):
        return Status(path=str(path), liveness=Liveness.STALE, error="nobody listens")
    except TimeoutError:
        return Status(path=str(path), liveness=Liveness.SILENT, error=f"no answer within {patience:g} s")
    except OSError as failure:
        return Status(path=str(path), liveness=Liveness.UNREADABLE, error=failure.strerror or str(failure))
    except (ValueError, RecursionError) as broken:
        return Status(path=str(path), liveness=Liveness.UNREADABLE, error=f"its answer is no JSON: {broken}")
    if not isinstance(answer, dict):
        return Status(path=str(path), liveness=Liveness.UNREADABLE, error="its answer is no JSON object")
    return Status(path=str(path), liveness=Liveness.RUNNING, answer=answer)


def _time_left(glass: Mapping[str, Any]) -> str:
    seconds = glass.get("seconds_left")
    return in_words(seconds) if isinstance(seconds, int | float) else "an unknown time"


def _instant(value: object) -> datetime | None:
    """The time in *value*; None where it is none."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _read(path: Path, deadline: float) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        connection.connect(str(path))
        answer = bytearray()
        while True:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            block = connection.recv(65_536)
            if not block:
                return bytes(answer)
            answer += block
            if len(answer) > _LONGEST_ANSWER:
                raise ValueError(f"longer than {_LONGEST_ANSWER} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError
