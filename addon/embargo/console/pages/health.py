"""How it all is: proxies, seal, store, sinks, holds, what could not be looked into, and the share of time enforced."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, render_template, request, url_for
from markupsafe import Markup

from embargo.console.access.rights import Right, requires
from embargo.console.context import console, may, now, policy, settings, store
from embargo.console.counting import Counted, Number
from embargo.console.enforced import SPANS, enforced
from embargo.console.freshness import refresh
from embargo.console.health import notices
from embargo.console.moments import HOUR, buckets, zone_name, zone_of
from embargo.console.sealing import seal
from embargo.core.rules import Policy
from embargo.journal.retention.holds import Hold, HoldsUnreadable, holds
from embargo.journal.status import Liveness, Status, running
from embargo.paths import runtime_directory
from embargo.policy.problem import PolicyError
from embargo.review.chart.lanes import Lane, lanes
from embargo.review.chart.lanes import Span as Bar
from embargo.review.chart.look import ENFORCEMENT
from embargo.review.course import Course
from embargo.review.enforcement import Enforcement
from embargo.review.report.blind_spots import NOT_SEEN, blind_spots, standing
from embargo.review.report.probed import Probed, UnreadableProbe, read_probe
from embargo.review.report.proof import told as told_proof
from embargo.review.report.wording import WORDS, lasting, share
from embargo.sinks import status as sinks

blueprint = Blueprint("health", __name__)

PROBES = "probes"  # of the log directory: results of `embargo probe --json`, of which the newest is shown
_PATIENCE = 1.0  # seconds for a proxy to answer in
_MOST_GAPS = 50  # told one by one
_MOST_FINDINGS = 20
_BARS = 48  # of a chart


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy process."""

    pid: int | None
    worker: str
    liveness: str
    error: str | None
    answer: Mapping[str, Any]
    digest: str  # of its policy; empty: none
    since: datetime | None  # that policy
    started: datetime | None
    heartbeat: datetime | None
    refused: tuple[str, ...]  # problems of the newest reload that was refused
    refused_at: datetime | None
    anchors: tuple[Mapping[str, Any], ...]

    def part(self, name: str) -> Mapping[str, Any]:
        """A member of its answer that is an object."""
        value = self.answer.get(name)
        return value if isinstance(value, Mapping) else {}

    def number(self, name: str, member: str) -> int | None:
        """A number in it."""
        value = self.part(name).get(member)
        return value if type(value) is int else None


@blueprint.get("/health")
@requires(Right.HEALTH)
def show() -> str:
    """All of it."""
    refresh()
    moment = now()
    known = _policy()
    proxies, trouble = _proxies()
    told_seal, progress = seal()
    told_enforced = enforced()
    chosen = request.args.get("span", "24h")
    chosen = chosen if chosen in SPANS else "24h"
    counted = Counted.now(moment)
    found = told_enforced.value[chosen] if told_enforced.value is not None else None
    return render_template(
        "health.html",
        notices=notices(moment),
        proxies=proxies,
        trouble=trouble,
        digests=sorted({proxy.digest for proxy in proxies if proxy.digest}),
        of_files=known.digest if known is not None else None,
        refused=[str(each) for each in problems.problems] if (problems := console().refused) is not None else [],
        seal=told_seal,
        proof=told_proof(told_seal.value) if told_seal.value is not None else None,
        progress=progress,
        store=store().status(),
        broken=store().broken(_MOST_FINDINGS),
        sinks=sinks.read(settings().log),
        sinks_running=sinks.running(settings().log),
        holds=_holds() if may(Right.RETENTION) else None,
        enforced=told_enforced,
        shares=_shares(told_enforced.value) if told_enforced.value is not None else [],
        spans=[(name, url_for("health.show", span=name), name == chosen) for name in SPANS],
        span=chosen,
        chart=_chart(found, counted) if found is not None else None,
        gaps=found.gaps[:_MOST_GAPS] if found is not None else (),
        more_gaps=len(found.gaps) - _MOST_GAPS if found is not None else 0,
        states=_states(found.site) if found is not None else [],
        blind=blind_spots(found.uninspected) if found is not None else [],
        standing=[*standing(known), *NOT_SEEN],
        lost=found.lost if found is not None else None,
        surfaces=list(_surfaces(counted, moment - SPANS[chosen], moment)),
        probe=_probe(),
        probes=settings().log / PROBES,
        log=settings().log,
    )


def _proxies() -> tuple[list[Proxy], str | None]:
    try:
        return [_proxy(status) for status in running(settings().runtime or runtime_directory(), _PATIENCE)], None
    except OSError as failure:
        return [], failure.strerror or str(failure)


def _proxy(status: Status) -> Proxy:
    worker, own, refused = status.part("worker"), status.part("policy"), status.part("refused")
    problems = refused.get("problems")
    anchors = status.answer.get("anchors")
    return Proxy(
        pid=status.pid,
        worker=str(worker.get("number", "")) if worker else "",
        liveness=status.liveness.value if status.liveness is not Liveness.STALE else "ended",
        error=status.error,
        answer=status.answer,
        digest=str(own.get("digest") or ""),
        since=_instant(own.get("since")),
        started=_instant(status.answer.get("started")),
        heartbeat=_instant(status.answer.get("heartbeat")),
        refused=tuple(map(_problem, problems))
        if isinstance(problems, Sequence) and not isinstance(problems, str)
        else (),
        refused_at=_instant(refused.get("time")),
        anchors=tuple(each for each in anchors if isinstance(each, Mapping)) if isinstance(anchors, list) else (),
    )


def _problem(told: object) -> str:
    if isinstance(told, Mapping):
        where = ":".join(str(told[name]) for name in ("file", "line", "column") if told.get(name) is not None)
        return f"{where}: {told.get('code', '')} {told.get('path', '')}: {told.get('message', '')}"
    return str(told)


def _shares(found: Mapping[str, Enforcement]) -> list[tuple[str, str, int, str]]:
    return [
        (name, share(each.site.share), len(each.gaps), url_for("health.show", span=name))
        for name, each in found.items()
    ]


def _states(course: Course) -> list[tuple[str, str, str]]:
    return [(WORDS[state], share(part), lasting(course.total(state))) for state, part in course.shares.items() if part]


def _chart(found: Enforcement, counted: Counted) -> Markup:
    zone = zone_of(found.begin)
    begin, end = found.begin.astimezone(zone), found.end.astimezone(zone)
    query = counted.query("verdict:*", since=found.begin, until=found.end)
    cells = store().series(query, counted.snapshot, HOUR)
    bars = buckets(cells, found.begin, found.end, query, counted, _BARS)
    rows = [Lane(label="the site", spans=list(_bars(found.site, zone)))]
    rows += [Lane(label=name, spans=list(_bars(course, zone))) for name, course in list(found.workers.items())[:8]]
    title = "When the ban was enforced, over the requests of that time"
    return lanes("enforcement", title, begin, end, rows, ENFORCEMENT, traffic=bars, zone=zone_name(zone))


def _bars(course: Course, zone: Any) -> Iterator[Bar]:
    for each in course.stretches:
        start, end = each.begin.astimezone(zone), each.end.astimezone(zone)
        yield Bar(start=start, end=end, state=each.state.word, detail=each.why or "")


def _surfaces(counted: Counted, since: datetime, until: datetime) -> Iterator[Number]:
    """What of the decisions fell where little or nothing is seen."""
    for word, terms in (
        ("judged on QUIC's first packet", ("surface:quic",)),
        ("judged on the name of a TLS handshake", ("surface:tls",)),
        ("judged on an address or port alone", ("surface:tcp", "surface:udp")),
    ):
        number = counted.number(counted.query(*terms, since=since, until=until), word)
        yield replace(number, word=word)


def _holds() -> tuple[Sequence[Hold], str | None]:
    try:
        return holds(settings().log), None
    except HoldsUnreadable as unreadable:
        return (), str(unreadable)


def _probe() -> tuple[Probed | None, datetime | None, str | None]:
    """The newest result that somebody saved, when, and why it cannot be read."""
    path = _newest(settings().log / PROBES)
    if path is None:
        return None, None, None
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, now().tzinfo)
        return read_probe(path), written, None
    except (OSError, UnreadableProbe) as failure:
        return None, None, str(failure)


def _newest(directory: Path) -> Path | None:
    try:
        found = [(path.stat().st_mtime, path) for path in directory.glob("*.json") if path.is_file()]
    except OSError:
        return None
    return max(found)[1] if found else None


def _policy() -> Policy | None:
    try:
        return policy()
    except PolicyError:
        return None


def _instant(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
