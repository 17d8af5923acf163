"""From the log's store to a report: what is asked for, and how it becomes the report's values."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import batched, chain

from embargo import __version__
from embargo.core.rules import Policy
from embargo.journal.heartbeat import Heartbeat
from embargo.journal.query import Query, parse_query
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.store import Dimension, Store, Top
from embargo.journal.verdict_class import VerdictClass
from embargo.review.devices import Device, devices
from embargo.review.enforcement import Enforcement, enforcement
from embargo.review.history import NoSuchPolicy
from embargo.review.past_policy import past_policy
from embargo.review.report.blind_spots import blind_spots, standing
from embargo.review.report.catalogue_age import catalogue_age
from embargo.review.report.interventions import interventions
from embargo.review.report.orders import orders
from embargo.review.report.period import Period
from embargo.review.report.policies import InForce, edits, in_force
from embargo.review.report.probed import Probed
from embargo.review.report.proof import Proof
from embargo.review.report.report import Loss, Report
from embargo.review.report.tallies import APART, CLASSES, DIMENSIONS, Moment, Ranked, Ranking, Tallies

TOP = 20  # rows of each list, unless more are asked for
_MOST_APPS = 10_000  # a catalogue has some thousand
_BATCH = 5000  # records that are held at a time; of a compressed file all before them is read for each batch
_PANELS = 6  # apps that are drawn over time
_BEYOND = timedelta(minutes=10)  # that enforcement needs to know of both sides of a period
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

type Progress = Callable[[str], None]  # told what is being done


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of a report is to be how."""

    period: Period
    now: datetime
    top: int = TOP  # rows of each list
    probe: Probed | None = None
    policy: Policy | None = None  # told of where no policy of the period can be read


def gather(store: Store, asked: Asked, prove: Callable[[], Proof], progress: Progress = lambda _: None) -> Report:
    """The report on the log of *store*, as it is now; *prove* verifies its seal.

    Every number is counted on one snapshot. Raises ValueError where the period lies wholly in the future.
    """
    period, snapshot = asked.period, store.snapshot()
    progress("counting")
    changes = list(store.changes(None, period.end))
    policies = in_force(changes, period.start, period.end)
    told_by, policy = _readable(store, policies, asked.policy)
    names = {app.id: app.name for app in policy.apps.values()} if policy is not None else {}
    titles = {each.id: each.title for each in policy.authorities.values()} if policy is not None else {}
    tallies = _tallies(store, period, snapshot, asked.top, names, titles)
    progress("reading heartbeats")
    losses: list[Loss] = []
    process = _noting(_process(store, period, snapshot), losses, period)  # a year has millions: none is kept
    told: Iterator[Record | Heartbeat] = chain(_heartbeats(store, period, snapshot), process, changes)
    found = enforcement(told, period.start, period.end, asked.now)
    progress("looking at devices")
    seen = _devices(store, period, snapshot, found)
    progress("verifying the log")
    proof = prove()
    within = [record for record in changes if record.time >= period.start]
    return Report(
        period=period,
        made=asked.now,
        version=__version__,
        organization=policy.settings.organization if policy is not None else None,
        tallies=tallies,
        enforcement=found,
        policies=tuple(replace(each, modes=_modes(found, each)) for each in policies),
        edits=tuple(edits(within)),
        interventions=interventions(changes, period.start, period.end),
        blind_spots=tuple(blind_spots(found.uninspected)),
        unseen=tuple(standing(policy)),
        losses=tuple(losses),
        begins=next((row.time for row in store.rows(parse_query((), asked.now), snapshot, batch=1)), None),
        broken=store.broken()[0],
        devices=tuple(seen),
        orders=tuple(orders(policy, period.start, period.end, tallies.by_app)) if policy is not None else (),
        orders_by=told_by,
        catalogue=catalogue_age(policy, period.end) if policy is not None else None,
        names=names,
        proof=proof,
        probe=asked.probe,
    )


def _readable(store: Store, policies: Sequence[InForce], otherwise: Policy | None) -> tuple[str | None, Policy | None]:
    """The digest and policy last in force whose stored text can be read; else the one given."""
    for each in reversed(policies):
        try:
            found = past_policy(store.log, each.digest).policy
        except (NoSuchPolicy, OSError):
            continue
        if found is not None:
            return each.digest, found
    return (otherwise.digest, otherwise) if otherwise is not None else (None, None)


# --- counts


def _tallies(
    store: Store, period: Period, snapshot: int, top: int, names: Mapping[str, str], titles: Mapping[str, str]
) -> Tallies:
    decisions = period.query("verdict:*")
    own, shared = decisions.and_(f"-class:{APART}"), decisions.and_(f"class:{APART}")
    labels: dict[str, Mapping[str, str]] = {"app": names, "authority": titles}
    rankings = {
        dimension: _ranking(
            store.top(own, snapshot, Dimension(dimension), top + 1), dimension, top, labels.get(dimension, {})
        )
        for dimension in DIMENSIONS
    }
    every = store.top(decisions, snapshot, Dimension.APP, _MOST_APPS)
    of_apps = store.top(shared, snapshot, Dimension.APP, top + 1)
    stretches = period.stretches()
    most = [row.key for row in rankings["app"].rows[:_PANELS] if row.key]
    return Tallies(
        totals=_counts(store.classes(decisions, snapshot)),
        moments=_moments(store, decisions, snapshot, stretches),
        rankings=rankings,
        shared=_ranking(of_apps, "app", top, names),
        by_app={each.value: _counts(each.classes) for each in every if each.value is not None},
        app_moments={app: _moments(store, own.and_(f"app:={app}"), snapshot, period.stretches(32)) for app in most},
    )


def _counts(classes: Mapping[VerdictClass | None, int]) -> dict[str, int]:
    counted = {key.value: n for key, n in classes.items() if key is not None}
    return {key: counted.get(key, 0) for key in CLASSES}


def _ranking(found: Sequence[Top], dimension: str, top: int, labels: Mapping[str, str]) -> Ranking:
    rows = tuple(
        Ranked(
            key=each.value or "",
            label=labels.get(each.value, each.value) if each.value is not None else "none is recorded",
            counts={key: n for key, n in _counts(each.classes).items() if n},
        )
        for each in found[:top]
    )
    return Ranking(dimension=dimension, rows=rows, more=len(found) > top)


def _moments(
    store: Store, query: Query, snapshot: int, stretches: Sequence[tuple[datetime, datetime]]
) -> tuple[Moment, ...]:
    """Counts of *query* for each of *stretches*, which follow each other and begin on the hour but for the first."""
    starts = [start for start, _ in stretches]
    whole_days = all(start.hour == start.minute == 0 for start in starts[1:])
    counted: list[Counter[str]] = [Counter() for _ in stretches]
    for cell in store.series(query, snapshot, _DAY if whole_days else _HOUR):
        if cell.verdict_class is not None:
            counted[max(0, bisect_right(starts, cell.time) - 1)][cell.verdict_class.value] += cell.n
    return tuple(
        Moment(start=start, end=end, counts=dict(counts))
        for (start, end), counts in zip(stretches, counted, strict=True)
    )


# --- what happened to the proxy


def _heartbeats(store: Store, period: Period, snapshot: int) -> Iterator[Heartbeat]:
    """From some minutes before the period to some minutes after; a year has half a million, so no file is read."""
    for beat in store.heartbeats(period.start - _BEYOND, period.end + _BEYOND, snapshot):
        if (told := beat.told) is not None:
            yield told


def _process(store: Store, period: Period, snapshot: int) -> Iterator[Record]:
    """Starts, ends and losses, from some minutes before the period to some minutes after."""
    query = period.everything("category:process", "-action:heartbeat").between(
        period.start - _BEYOND, period.end + _BEYOND
    )
    for rows in batched(store.rows(query, snapshot), _BATCH):
        for _, line in store.lines(rows):
            if line is not None:
                with suppress(BrokenRecord):  # counted by the store
                    yield Record.parse(line)


def _noting(records: Iterable[Record], losses: list[Loss], period: Period) -> Iterator[Record]:
    """*records*, of which those that tell of a loss in the period are added to *losses*."""
    for record in records:
        if record.lost and period.start <= record.time < period.end:
            told = record.document.get("embargo", {}).get("lost", {})
            since, reason = _instant(told.get("since")), _text(told.get("reason"))
            losses.append(Loss(time=record.time, count=record.lost, since=since, reason=reason))
        yield record


def _devices(store: Store, period: Period, snapshot: int, found: Enforcement) -> list[Device]:
    gaps = [(gap.begin, gap.end) for gap in found.gaps]
    return devices(store.sightings(period.query("verdict:*", "client:*"), snapshot), found.end, gaps=gaps)


def _modes(found: Enforcement, policy: InForce) -> tuple[str, ...]:
    """What the workers did under *policy* in its time."""
    told = {
        each.state
        for course in found.workers.values()
        for each in course.stretches
        if each.policy == policy.digest and each.begin < policy.end and each.end > policy.start
    }
    return tuple(state.word for state in sorted(told))


def _instant(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
