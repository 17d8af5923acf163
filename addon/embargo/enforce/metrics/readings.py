"""A worker's answer to `embargo status` as metrics: what is counted and what stands as it is. Pure.

Every series is made of a closed set of labels: verdicts, apps of the policy, surfaces, reasons. A client, a user or a
host is never one, so that whoever may read the metrics learns nothing about a person.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from embargo.core.request import Surface
from embargo.journal.status import Liveness, Status

MOST_APPS = 50  # apps whose counters exist at 0 from the start: some 30 series each; those of others once they count
_OWNED = (("block", False), ("log", False), ("log", True), ("allow", False))  # verdicts, and whether it would block


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name without `_total`, what it says, its labels."""

    name: str
    text: str
    labels: tuple[str, ...] = ()


COUNTERS = (  # by process; summed over workers
    Family(
        "embargo_decisions",
        "Decisions. shadow=true: it went on, and would have been blocked by monitor mode's policy, a shadow rule or an "
        "endpoint on trial; its verdict is what happened.",
        ("verdict", "app", "surface", "shadow"),
    ),
    Family("embargo_decision_errors", "Decisions that failed, so that the flow was refused.", ("surface",)),
    Family("embargo_policy_reloads", "Policies that were taken up or refused, the first included.", ("result",)),
    Family("embargo_log_records", "Records written to the decision log."),
    Family("embargo_log_lost_records", "Records that never reached the disk."),
    Family("embargo_log_wait_seconds", "Time that flows have waited for room in the log's queue."),
    Family(
        "embargo_uninspected_flows",
        "Connections inside of which nobody looked, by reason. pinned: the client refused our certificate, and so did "
        "not get through.",
        ("reason",),
    ),
    Family("embargo_anchor_failures", "Attempts to hand a checkpoint to an anchor that failed.", ("anchor",)),
)
GAUGES = (  # by worker: a sum would say nothing
    Family("embargo_worker_up", "Whether the worker answers.", ("worker",)),
    Family("embargo_worker_start_time_seconds", "When the worker's process began.", ("worker",)),
    Family("embargo_open_connections", "Client connections that are open.", ("worker",)),
    Family("embargo_policy_in_force", "Whether a policy is enforced; 0: everything is refused.", ("worker",)),
    Family("embargo_monitor", "Whether nothing is refused: monitor mode or break-glass.", ("worker",)),
    Family("embargo_break_glass", "Whether break-glass is in force.", ("worker",)),
    Family("embargo_policy_last_reload_success_timestamp_seconds", "When a policy was last taken up.", ("worker",)),
    Family(
        "embargo_policy_last_reload_successful",
        "Whether the newest text of the policy is in force; 0: it was refused.",
        ("worker",),
    ),
    Family("embargo_log_queue_records", "Records that wait to be written.", ("worker",)),
    Family("embargo_log_writable", "Whether records can be written now.", ("worker",)),
    Family("embargo_log_signing", "Whether the log's seal is signed; 0: the key cannot be used.", ("worker",)),
    Family("embargo_log_unsigned_records", "Records written since the seal was last signed.", ("worker",)),
    Family("embargo_log_last_checkpoint_timestamp_seconds", "When the log's seal was last signed.", ("worker",)),
    Family(
        "embargo_anchor_last_timestamp_seconds", "When an anchor was last handed a checkpoint.", ("worker", "anchor")
    ),
    Family("embargo_findings", "What `embargo status` finds to look into.", ("worker",)),
    Family("embargo_heartbeat_last_timestamp_seconds", "When the worker last wrote a heartbeat.", ("worker",)),
    Family("embargo_ca_not_after_timestamp_seconds", "When the CA's certificate ends.", ("worker",)),
)
INFOS = (
    Family("embargo_build_info", "Version of embargo; always 1.", ("version",)),
    Family(
        "embargo_policy_info", "The policy in force, and its catalogue's release; always 1.", ("digest", "catalogue")
    ),
)
LATENCY = Family("embargo_decision_seconds", "How long judging took, of one decision in sixteen.")

type Labels = tuple[str, ...]
type Series = dict[tuple[str, Labels], float]


class Timed(NamedTuple):
    """A histogram: a count a bucket, not cumulative, the last without a bound; and the sum."""

    bounds: tuple[float, ...] = ()  # seconds
    counts: tuple[int, ...] = ()
    seconds: float = 0.0

    def __add__(self, other: tuple[Any, ...]) -> "Timed":
        """Both together; where they have other buckets, the one that counted more."""
        assert isinstance(other, Timed)
        if self.bounds != other.bounds:
            return max(self, other, key=lambda timed: sum(timed.counts))
        counts = tuple(one + two for one, two in zip(self.counts, other.counts, strict=True))
        return Timed(self.bounds, counts, self.seconds + other.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that is shown of one instant."""

    counters: Series
    gauges: Series
    infos: Series
    timed: Timed


def zeros(apps: Sequence[str]) -> Series:
    """The counters that exist before anything is counted, for a policy of *apps*."""
    found: Series = {("embargo_decisions", ("pass", "", surface.value, "false")): 0.0 for surface in Surface}
    for app in apps if len(apps) <= MOST_APPS else ():
        for verdict, shadow in _OWNED:
            for surface in Surface:
                found["embargo_decisions", (verdict, app, surface.value, _word(shadow))] = 0.0
    for surface in Surface:
        found["embargo_decision_errors", (surface.value,)] = 0.0
    for result in ("success", "refused"):
        found["embargo_policy_reloads", (result,)] = 0.0
    for name in ("embargo_log_records", "embargo_log_lost_records", "embargo_log_wait_seconds"):
        found[name, ()] = 0.0
    return found


def counters(answer: Mapping[str, Any]) -> Series:
    """What the process behind *answer* has counted since it started."""
    found: Series = {}
    for each in _list(answer, "decisions"):
        labels: Labels = (str(each["verdict"]), str(each["app"]), str(each["surface"]), _word(each["shadow"]))
        found["embargo_decisions", labels] = float(each["count"])
    for each in _list(answer, "failures"):
        found["embargo_decision_errors", (str(each["surface"]),)] = float(each["count"])
    for each in _list(answer, "uninspected"):
        found["embargo_uninspected_flows", (str(each["reason"]),)] = float(each["count"])
    for each in _list(answer, "anchors"):
        found["embargo_anchor_failures", (str(each["to"]),)] = float(each["failures"])
    reloads, log = _part(answer, "reloads"), _part(answer, "log")
    for name, labels, value in (
        ("embargo_policy_reloads", ("success",), reloads.get("ok")),
        ("embargo_policy_reloads", ("refused",), reloads.get("refused")),
        ("embargo_log_records", (), log.get("written")),
        ("embargo_log_lost_records", (), log.get("lost")),
        ("embargo_log_wait_seconds", (), log.get("waited")),
    ):
        if value is not None:
            found[name, labels] = float(value)
    return found


def timed(answer: Mapping[str, Any]) -> Timed:
    """How long the process behind *answer* took to judge."""
    said = _part(answer, "latency")
    return Timed(tuple(said.get("bounds", ())), tuple(said.get("counts", ())), float(said.get("seconds", 0.0)))


def gauges(answer: Mapping[str, Any], worker: str) -> Series:
    """What holds in the process behind *answer*; what it does not say is left out."""
    policy, log, ca, glass = (_part(answer, name) for name in ("policy", "log", "ca", "break_glass"))
    in_force, seal = bool(glass.get("id")), _part(log, "seal")
    values = {
        "embargo_worker_up": 1.0,
        "embargo_worker_start_time_seconds": _instant(answer.get("started")),
        "embargo_open_connections": answer.get("connections"),
        "embargo_policy_in_force": float(bool(policy)),
        "embargo_monitor": float(answer.get("mode") == "monitor" or in_force),
        "embargo_break_glass": float(in_force),
        "embargo_policy_last_reload_success_timestamp_seconds": _instant(policy.get("since")),
        "embargo_policy_last_reload_successful": float(bool(policy) and not _part(answer, "refused")),
        "embargo_log_queue_records": log.get("queue"),
        "embargo_log_writable": float(bool(log) and not log.get("error")),
        "embargo_log_signing": float(bool(seal.get("key")) and not seal.get("error")) if seal else None,
        "embargo_log_unsigned_records": seal.get("unsigned"),
        "embargo_log_last_checkpoint_timestamp_seconds": _instant(seal.get("at")),
        "embargo_findings": len(list(_status(answer).findings())),
        "embargo_heartbeat_last_timestamp_seconds": _instant(answer.get("heartbeat")),
        "embargo_ca_not_after_timestamp_seconds": _instant(ca.get("not_after")),
    }
    found: Series = {(name, (worker,)): float(value) for name, value in values.items() if value is not None}
    for each in _list(answer, "anchors"):
        if (last := _instant(each.get("last"))) is not None:
            found["embargo_anchor_last_timestamp_seconds", (worker, str(each["to"]))] = last
    return found


def infos(answer: Mapping[str, Any]) -> Series:
    """Version and policy of the process behind *answer*."""
    found: Series = {("embargo_build_info", (str(answer.get("version", "")),)): 1.0}
    if policy := _part(answer, "policy"):
        found["embargo_policy_info", (str(policy.get("digest", "")), str(policy.get("catalogue") or ""))] = 1.0
    return found


def apps(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of the apps of the policy in force."""
    return tuple(map(str, _list(_part(answer, "policy"), "app_ids")))


def _status(answer: Mapping[str, Any]) -> Status:
    return Status(path="", liveness=Liveness.RUNNING, answer=answer)


def _part(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = members.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(members: Mapping[str, Any], name: str) -> Iterator[Any]:
    value = members.get(name)
    return iter(value if isinstance(value, list | tuple) else ())


def _word(flag: object) -> str:
    return "true" if flag else "false"


def _instant(value: object) -> float | None:
    """The Unix time of an RFC 3339 text; None where it is none."""
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except (ValueError, OverflowError):
        return None
