"""The report as tables: what CSV has, a file each, and what the page shows of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from embargo.journal.ecs import timestamp
from embargo.journal.table import csv_line
from embargo.review.enforcement import State
from embargo.review.report.orders import WHY
from embargo.review.report.report import Report
from embargo.review.report.tallies import CLASSES, DIMENSIONS, OF_APPS, Ranking
from embargo.review.report.wording import WORDS, lasting, share

type Value = str | int | datetime | date | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under columns."""

    name: str  # of the file, without `.csv`
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def csv(self) -> str:
        """As CSV (RFC 4180), no cell of which a spreadsheet computes."""
        return "".join(map(csv_line, [self.columns, *self.rows]))


def tables(report: Report) -> list[Table]:
    """All tables of *report*; those without rows too, so that nobody wonders."""
    tallies = report.tallies
    return [
        _table("about", ("what", "value"), _about(report)),
        _table("totals", ("class", "requests"), tallies.totals.items()),
        _table(
            "over-time",
            ("from", "until", *CLASSES),
            ((each.start, each.end, *(each.counts.get(key, 0) for key in CLASSES)) for each in tallies.moments),
        ),
        *(
            _ranking(f"by-{word}", word, tallies.rankings[key])
            for key, word in DIMENSIONS.items()
            if key in tallies.rankings
        ),
        _table(
            "shared",
            ("app", "name", "requests"),
            ((row.key, row.label, row.counts.get("shared", 0)) for row in tallies.shared.rows),
        ),
        _table("enforcement", ("from", "until", "state", "lasted", "seconds", "why"), _stretches(report)),
        _table(
            "policies",
            ("from", "until", "digest", "mode", "files"),
            (
                (each.start, each.end, each.digest, " ".join(each.modes), " ".join(each.files))
                for each in report.policies
            ),
        ),
        _table(
            "edits", ("time", "id", "accepted", "before", "after", "stricter", "milder", "problems"), _edits(report)
        ),
        _table("exceptions", _EXCEPTIONS, _exceptions(report)),
        _table(
            "break-glass",
            ("time", "id", "until", "author", "reason", "ticket"),
            (
                (each.time, each.id, each.until, each.author, each.reason, each.ticket)
                for each in report.interventions.openings
            ),
        ),
        _table(
            "other-acts",
            ("time", "id", "action", "who", "outcome", "reason"),
            (
                (each.time, each.event, each.action, each.who, each.outcome, each.reason)
                for each in report.interventions.acts
            ),
        ),
        _table(
            "blind-spots",
            ("reason", "connections", "meaning"),
            ((each.reason, each.count, each.words) for each in report.blind_spots),
        ),
        _table(
            "losses",
            ("time", "records", "since", "reason"),
            ((each.time, each.count, each.since, each.reason) for each in report.losses),
        ),
        _table("devices", _DEVICES, _devices(report)),
        _table("orders", ("order", "title", "state", "from", "until", "binding", "reviewed", "url"), _orders(report)),
        _table(
            "apps-under-orders",
            ("order", "app", "name", "blocked", "only logged", *WHY, *(f"requests {key}" for key in CLASSES)),
            _apps(report),
        ),
        _table("probe", ("app", "endpoint", "way", "outcome", "detail"), _probe(report)),
        _table("verification", ("line",), ((line,) for line in report.proof.transcript)),
    ]


_EXCEPTIONS = (
    *("time", "id", "apps", "for", "hosts", "action", "until", "ended", "reason", "ticket"),
    *("granted by", "approved by", "basis", "against"),
)
_DEVICES = ("client", "user", "app", "presence", "first seen", "last seen", "attempts", "gone", "client silent too")


def _about(report: Report) -> Iterator[tuple[str, Value]]:
    shares = report.enforcement.site.shares
    yield "organization", report.organization
    yield "from", report.period.start
    yield "until", report.period.end
    yield "apps", " ".join(report.period.apps) or "all"
    yield "made", report.made
    yield "embargo", report.version
    yield "clients and users", "masked" if report.masked else "named"
    yield from (
        (f"share {state.word}", share(shares[state])) for state in State if shares[state] or state is State.ENFORCED
    )
    yield "gaps", len(report.enforcement.gaps)
    yield "log begins", report.begins
    yield "records lost", report.lost
    yield "unreadable lines", report.broken
    yield "seal", report.proof.summary


def _ranking(name: str, word: str, ranking: Ranking) -> Table:
    rows: list[list[Value]] = [
        [row.key, row.label, *(row.counts.get(key, 0) for key in OF_APPS)] for row in ranking.rows
    ]
    return _table(name, (word, "name", *OF_APPS), rows)


def _stretches(report: Report) -> Iterator[tuple[Value, ...]]:
    for each in report.enforcement.site.stretches:
        seconds = round(each.length.total_seconds())
        yield each.begin, each.end, WORDS[each.state], lasting(each.length), seconds, each.why


def _edits(report: Report) -> Iterator[tuple[Value, ...]]:
    for each in report.edits:
        stricter = "; ".join(each.stricter) or each.stricter_count
        milder = "; ".join(each.milder) or each.milder_count
        accepted = "yes" if each.accepted else "refused"
        yield each.time, each.id, accepted, each.old, each.new, stricter, milder, "; ".join(each.problems)


def _exceptions(report: Report) -> Iterator[tuple[Value, ...]]:
    for each in report.interventions.exemptions:
        yield (
            *(each.time, each.id, " ".join(each.apps), " ".join(each.whom) or "everybody", " ".join(each.hosts)),
            *(each.action, each.until, each.ended, each.reason, each.ticket),
            *(each.granted_by, each.approved_by, each.basis, " ".join(each.against)),
        )


def _devices(report: Report) -> Iterator[tuple[Value, ...]]:
    for each in report.devices:
        gone, silent = "yes" if each.gone else "no", "yes" if each.silent else "no"
        yield each.client, each.user, each.app, each.presence.value, each.first, each.last, each.attempts, gone, silent


def _orders(report: Report) -> Iterator[tuple[Value, ...]]:
    for order in report.orders:
        for each in order.course:
            binding = "yes" if order.binding else "no"
            yield order.id, order.title, each.state, each.start, each.end, binding, order.reviewed, order.url


def _apps(report: Report) -> Iterator[tuple[Value, ...]]:
    for order in report.orders:
        for app in order.apps:
            counts = [app.blocked, app.logged, *(app.unverifiable.get(reason, 0) for reason in WHY)]
            counts += (app.hits.get(key, 0) for key in CLASSES)
            yield order.id, app.id, app.name, *counts


def _probe(report: Report) -> Iterator[tuple[Value, ...]]:
    for each in report.probe.findings if report.probe is not None else ():
        yield each.app, each.endpoint, each.way, each.outcome, each.detail


def _table(name: str, columns: Iterable[str], rows: Iterable[Iterable[Value]]) -> Table:
    return Table(name, tuple(columns), tuple(tuple(map(_text, row)) for row in rows))


def _text(value: Value) -> str:
    if value is None:
        return ""
    return timestamp(value) if isinstance(value, datetime) else str(value)
