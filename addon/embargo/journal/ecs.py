"""Records without a decision, and what all records share: ECS constants, the observer, the frame.

Member names and values are those of ECS 8 (see its field reference); what is ours lies under `embargo`, the last
member, so that a seal can be appended to an encoded line without parsing it.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from embargo.journal.event import (
    ConfigurationChanged,
    ConsoleUsed,
    Detail,
    Heartbeat,
    Outcome,
    PolicyChanged,
    ProcessChanged,
    RecordsLost,
    SealCheckpoint,
    SealUnsigned,
)
from embargo.journal.privacy import WILDCARD, keyword

ECS_VERSION = "8.11.0"  # the version whose field table the tests hold
DATASET = "embargo.decision"
MODULE = "embargo"
MOST_TEXTS = 100  # problems or changes that one policy record lists; more are counted

encode_json = json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False).encode

type Document = dict[str, Any]  # JSON values


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Who writes: constant for a process."""

    hostname: str
    version: str  # of embargo
    pid: int

    @property
    def document(self) -> Document:
        """The record's `observer`."""
        return {
            "type": "proxy",
            "vendor": "embargo",
            "product": "embargo",
            "hostname": keyword(self.hostname),
            "version": self.version,
        }


def timestamp(instant: datetime) -> str:
    """*instant* (aware) as `2026-01-05T10:00:00.123Z`, cut to the millisecond."""
    return f"{_second(int(instant.timestamp()))}{instant.microsecond // 1000:03}Z"


@lru_cache(maxsize=64)  # records come in the order of time, and formatting a time costs 1.5 µs
def _second(stamp: int) -> str:
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


def _frame(
    time: datetime, observer: Observer, sequence: int, identifier: str, category: str, kind: str, action: str
) -> Document:
    """The members that records without a decision share, in the order of the judged ones."""
    return {
        "@timestamp": timestamp(time),
        "ecs": {"version": ECS_VERSION},
        "event": {
            "kind": "event",
            "category": [category],
            "type": [kind],
            "action": action,
            "sequence": sequence,
            "id": identifier,
            "dataset": DATASET,
            "module": MODULE,
        },
        "observer": observer.document,
    }


def policy_changed(event: PolicyChanged, observer: Observer, sequence: int, identifier: str) -> Document:
    """The record of a policy that took effect or was refused."""
    written = _frame(event.time, observer, sequence, identifier, "configuration", "change", "policy-load")
    written["event"]["outcome"] = event.outcome.value
    if (digest := event.new or event.old) is not None:
        written["rule"] = {"ruleset": digest}
    if event.outcome is Outcome.FAILURE:
        written["event"]["reason"] = (
            "the policy was refused; what was enforced stays enforced"
            if event.old is not None
            else "the policy was refused, and there was none before it"
        )
        written["error"] = {
            "message": keyword("\n".join(event.problems[:MOST_TEXTS]) or "no problem was named", WILDCARD),
            "type": "policy-refused",
        }
    else:
        written["event"]["reason"] = "a policy took effect"
    policy: Document = {}
    if event.old is not None:
        policy["old"] = event.old
    if event.new is not None:
        policy["new"] = event.new
    for member, texts in (
        ("files", event.files),
        ("problems", event.problems),
        ("stricter", event.stricter),
        ("milder", event.milder),
    ):
        if texts:
            policy[member] = [keyword(text) for text in texts[:MOST_TEXTS]]
            if len(texts) > MOST_TEXTS:
                policy[f"{member}_count"] = len(texts)
    written["embargo"] = {"policy": policy}
    return written


def configuration_changed(event: ConfigurationChanged, observer: Observer, sequence: int, identifier: str) -> Document:
    """The record of a change that somebody makes to what is enforced, or is about to make."""
    action = keyword(event.action)
    written = _frame(event.time, observer, sequence, identifier, "configuration", event.change.value, action)
    written["event"]["outcome"] = event.outcome.value
    if event.reason is not None:
        written["event"]["reason"] = keyword(event.reason)
    rule: Document = {}
    if event.rule is not None:
        rule |= {"id": keyword(event.rule), "name": keyword(event.rule)}
    if event.policy is not None:
        rule["ruleset"] = event.policy
    if rule:
        written["rule"] = rule
    if event.user is not None:
        written["user"] = {"name": keyword(event.user)}
        written["related"] = {"user": [keyword(event.user)]}
    if event.error is not None:
        written["error"] = {"message": keyword(event.error, WILDCARD), "type": "change-failed"}
    ours: Document = {"app": [keyword(app) for app in event.apps[:MOST_TEXTS]]} if event.apps else {}
    details = {name: _detail(value) for name, value in event.details.items() if value not in (None, ())}
    written["embargo"] = ours | {event.subject: details}
    return written


def _detail(value: Detail) -> bool | int | str | list[str] | None:
    match value:
        case str():
            return keyword(value)
        case tuple():
            return [keyword(text) for text in value[:MOST_TEXTS]]
        case datetime():
            return timestamp(value)
    return value


CONSOLE_ACTIONS = {  # action: ECS category and type
    "log-in": ("authentication", "start"),  # outcome `failure`: one that did not succeed
    "log-out": ("authentication", "end"),
    "session-ended": ("session", "end"),  # by somebody, from elsewhere
    "account-added": ("iam", "creation"),
    "account-changed": ("iam", "change"),  # role, password, second factor; disabled or enabled
    "link-made": ("iam", "change"),  # with which an account's password can be set anew
    "token-added": ("iam", "creation"),
    "token-revoked": ("iam", "deletion"),
    "export": ("database", "access"),
    "record-marked": ("database", "change"),  # an auditor's word on a record
    "period-signed-off": ("database", "change"),  # an auditor has reviewed it
    "exception-asked": ("configuration", "info"),  # by somebody who may not grant it
    "exception-answered": ("configuration", "change"),  # what an admin said to that
}


def console_used(event: ConsoleUsed, observer: Observer, sequence: int, identifier: str) -> Document:
    """The record of a sign-in, of a change to who may use the console, of records taken out."""
    category, kind = CONSOLE_ACTIONS[event.action]
    written = _frame(event.time, observer, sequence, identifier, category, kind, event.action)
    if kind != "info":  # ECS wants no outcome beside info
        written["event"]["outcome"] = event.outcome.value
    if event.reason is not None:
        written["event"]["reason"] = keyword(event.reason)
    user: Document = {}
    if event.user is not None:
        user["name"] = keyword(event.user)
    if event.target is not None:
        user["target"] = {"name": keyword(event.target)}
    if user:
        written["user"] = user
        written["related"] = {"user": [keyword(name) for name in (event.user, event.target) if name is not None]}
    if event.client:
        written["source"] = {"address": keyword(event.client)}
        with suppress(ValueError):  # a name: what a server says of a Unix socket
            address = str(ip_address(event.client))
            written["source"]["ip"] = address
            written.setdefault("related", {})["ip"] = [address]
    details = {name: _detail(value) for name, value in event.details.items() if value not in (None, ())}
    written["embargo"] = {"console": details}
    return written


def process_changed(event: ProcessChanged, observer: Observer, sequence: int, identifier: str) -> Document:
    """The record of a proxy's start or end."""
    kind = {"start": "start", "stop": "end", "died": "end"}.get(event.action, "info")
    written = _frame(event.time, observer, sequence, identifier, "process", kind, keyword(event.action))
    if kind != "info":  # ECS wants no outcome beside info
        written["event"]["outcome"] = event.outcome.value
    if event.reason is not None:
        written["event"]["reason"] = keyword(event.reason)
    written["process"] = {"pid": observer.pid if event.pid is None else event.pid, "name": "embargo"}
    if event.policy is not None:
        written["rule"] = {"ruleset": event.policy}
    written["embargo"] = {"process": event.action}
    return written


def records_lost(event: RecordsLost, observer: Observer, sequence: int, identifier: str) -> Document:
    """The record of records that are missing."""
    written = _frame(event.time, observer, sequence, identifier, "process", "info", "log-loss")
    written["event"]["reason"] = keyword(event.reason)
    written["event"]["start"] = timestamp(event.since)
    written["event"]["end"] = timestamp(event.time)
    written["process"] = {"pid": observer.pid, "name": "embargo"}
    written["embargo"] = {
        "lost": {"count": event.count, "since": timestamp(event.since), "reason": keyword(event.reason)}
    }
    return written


def heartbeat(event: Heartbeat, observer: Observer, sequence: int, identifier: str) -> Document:
    """The record of a stretch of a worker's life."""
    written = _frame(event.time, observer, sequence, identifier, "process", "info", "heartbeat")
    written["event"]["start"] = timestamp(event.since)
    written["event"]["end"] = timestamp(event.time)
    written["event"]["duration"] = round(event.seconds * 1e9)  # ECS counts nanoseconds
    written["process"] = {"pid": observer.pid, "name": "embargo"}
    if event.policy is not None:
        written["rule"] = {"ruleset": event.policy}
    known = {
        "policy": event.policy,
        "break_glass": event.break_glass,
        "ca": event.ca,
        "worker": event.worker,
        "next_change": timestamp(event.next_change) if event.next_change is not None else None,
    }
    written["embargo"] = {
        "heartbeat": {
            "mode": event.mode or "refuse",
            **{name: value for name, value in known.items() if value is not None},
            "since": timestamp(event.since),
            "interval": round(event.seconds, 3),
            "flows": dict(event.flows),
            "uninspected": dict(event.uninspected),
            "lost": event.lost,
        }
    }
    return written


def seal_checkpoint(event: SealCheckpoint, observer: Observer, sequence: int, identifier: str) -> Document:
    """The record that signs what stands before it in its chain."""
    written = _frame(event.time, observer, sequence, identifier, "process", "info", "seal-checkpoint")
    written["process"] = {"pid": observer.pid, "name": "embargo"}
    checkpoint: Document = {
        "chain": event.chain,
        "sequence": event.sequence,
        "seal": event.seal,
        "records": event.records,
        "age": event.age,
        "cause": event.cause,
        "key": event.key,
        "signature": event.signature,
    }
    known = {"public": event.public, "introduced_by": event.introduced_by, "introduction": event.introduction}
    written["embargo"] = {"checkpoint": checkpoint | {name: text for name, text in known.items() if text is not None}}
    return written


def seal_unsigned(event: SealUnsigned, observer: Observer, sequence: int, identifier: str) -> Document:
    """The record that says why no checkpoints come."""
    written = _frame(event.time, observer, sequence, identifier, "process", "info", "seal-unsigned")
    written["event"]["reason"] = keyword(event.reason)
    written["process"] = {"pid": observer.pid, "name": "embargo"}
    written["embargo"] = {"unsigned": keyword(event.reason)}
    return written
