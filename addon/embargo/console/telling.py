"""A record in words, for its page: why it was decided so, and who asked for what. Values that a template shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embargo.console.selection import Selection
from embargo.core.rules import Policy
from embargo.journal.query import Query
from embargo.journal.record import Record
from embargo.review.past_policy import PastPolicy
from embargo.review.unmet import state_of

_STATES = {None: "before its first date", "in-force": "in force"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A value of a fact."""

    text: str
    url: str | None = None
    outside: bool = False  # the address is elsewhere
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known under one heading."""

    label: str
    lines: tuple[Line, ...]


def why(record: Record, past: PastPolicy | None, now: datetime) -> list[Fact]:
    """What decided *record*; *past* is the policy of then, where it is kept."""
    return [Fact(label, lines) for label, lines in _why(record, past, now) if lines]


def who(record: Record, now: datetime, *, masked: bool) -> list[Fact]:
    """Who asked for what; *masked*: client and user stand under other names, by which nothing can be found."""
    return [Fact(label, lines) for label, lines in _who(record, now, masked) if lines]


def _why(record: Record, past: PastPolicy | None, now: datetime) -> Iterator[tuple[str, tuple[Line, ...]]]:
    ours = _members(record.document, "embargo")
    yield "Verdict", _some(record.verdict, note=f"would have been {record.would}" if record.would else "")
    yield "App", tuple(_linked("app", app, now) for app in record.apps)
    evidence = _evidence(record, past)
    if record.endpoint is not None:
        said = ", ".join(filter(None, (record.role, "also serves others" if record.shared else "")))
        yield "Endpoint", (_linked("endpoint", record.endpoint, now, note=said),)
        yield "Evidence", tuple(_evident(text) for text in evidence)
    yield "Rule", (_linked("rule", record.rule, now),) if record.rule is not None else ()
    yield "Shadow rule", _some(record.shadow_rule)
    if record.trial is not None:
        yield "On trial", (Line(text=f"{record.trial[1]} of {record.trial[0]}"),)
    yield "Orders", tuple(_order(name, state, past, record.time, now) for name, state in record.authorities)
    for label, member in (
        ("Ticket", "ticket"),
        ("Author", "author"),
        ("Approved by", "approved_by"),
        ("Basis", "basis"),
    ):
        yield label, _some(_text(ours.get(member)))
    yield "Against", tuple(Line(text=text) for text in _texts(ours.get("against")))
    yield "Break-glass", _some(record.break_glass)
    yield "Judged at", _some(record.surface)
    names = _texts(ours.get("names"))
    yield "Names", tuple(Line(text=text) for text in (names or record.hosts))
    if record.mismatch:
        yield "Mismatch", (Line(text="its names have different owners: domain fronting, or an attempt at it"),)
    yield "Policy", (_linked("policy", record.policy, now),) if record.policy is not None else ()
    yield "Error", _some(record.error)


def _who(record: Record, now: datetime, masked: bool) -> Iterator[tuple[str, tuple[Line, ...]]]:
    if record.anonymous:
        yield "Who", (Line(text="not recorded: the rule says `record: anonymous`"),)
    port = f"port {record.client_port}" if record.client_port is not None else ""
    yield "Client", (_person("client", record.client, now, port, masked),) if record.client is not None else ()
    source = _text(_members(record.document, "embargo").get("identity_source"))
    yield (
        "User",
        (
            (_person("user", record.user, now, f"known by {source}" if source else "", masked),)
            if record.user is not None
            else ()
        ),
    )
    yield "Groups", tuple(Line(text=group) for group in record.groups)
    yield "Asked for", _some(record.url or record.host, note=record.method or "")
    where = f":{record.destination_port}" if record.destination_port is not None else ""
    yield "Destination", _some(f"{record.destination}{where}" if record.destination is not None else None)
    yield "Question", _some(record.question_type)
    yield "Protocol", _some(" over ".join(filter(None, (record.protocol, record.transport))) or None)
    yield "Answered", _some(str(record.status) if record.status is not None else None)
    yield "User agent", _some(record.user_agent)
    yield "Connection", (_linked("connection", record.connection, now),) if record.connection is not None else ()
    observer = _members(record.document, "observer")
    yield "Proxy", _some(_text(observer.get("hostname")))


def _some(text: str | None, note: str = "") -> tuple[Line, ...]:
    return (Line(text=text, note=note),) if text else ()


def _linked(key: str, value: str, now: datetime, note: str = "") -> Line:
    url = Selection.of(Query(), now).only_url(key, value) if value else None
    return Line(text=value, url=url, note=note)


def _person(key: str, name: str, now: datetime, note: str, masked: bool) -> Line:
    return Line(text=name, note=note) if masked else _linked(key, name, now, note)


def _evidence(record: Record, past: PastPolicy | None) -> tuple[str, ...]:
    if past is None or record.endpoint is None:
        return ()
    return tuple(dict.fromkeys(text for app in record.apps for text in past.evidence(app, record.endpoint)))


def _evident(text: str) -> Line:
    web = text.startswith(("https://", "http://")) and " " not in text
    return Line(text=text, url=text if web else None, outside=web)


def _order(name: str, state: str | None, past: PastPolicy | None, then: datetime, now: datetime) -> Line:
    authority = past.policy.authorities.get(name) if past is not None and past.policy is not None else None
    if authority is None:
        return _linked("authority", name, now, note=_STATES.get(state, state or ""))
    return _linked("authority", name, now, note=f"{authority.title}: {state_of(authority.timeline, then)}, that day")


def _members(document: Any, name: str) -> dict[str, Any]:
    found = document.get(name) if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def now_states(policy: Policy, record: Record, now: datetime) -> list[str]:
    """How the orders of *record* stand today, where that is another state than then."""
    return [
        f"{name}: {state_of(authority.timeline, now)}"
        for name, state in record.authorities
        if (authority := policy.authorities.get(name)) is not None
        and (today := authority.timeline.state_at(now)) is not None
        and today.value != state
    ]
