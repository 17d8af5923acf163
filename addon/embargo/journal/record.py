"""The record: an event as one JSON line in ECS 8 (DESIGN 7), and a line read back. Pure.

Every other format is made of the record, never of the event.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from embargo.journal.ecs import (
    Document,
    Observer,
    configuration_changed,
    console_used,
    encode_json,
    heartbeat,
    policy_changed,
    process_changed,
    records_lost,
    seal_checkpoint,
    seal_unsigned,
)
from embargo.journal.event import (
    ConfigurationChanged,
    ConsoleUsed,
    Event,
    Heartbeat,
    Judged,
    PolicyChanged,
    ProcessChanged,
    SealCheckpoint,
    SealUnsigned,
)
from embargo.journal.judged import JudgedLines
from embargo.journal.pseudonym import Pseudonyms

__all__ = ["BrokenRecord", "Document", "Encoder", "Observer", "Record"]


class Encoder:
    """Makes lines of events for one observer; the same arguments give the same line. For one thread."""

    def __init__(self, observer: Observer, pseudonyms: Pseudonyms | None = None) -> None:
        """*pseudonyms* stand for clients where the policy wants that; None: then nothing does."""
        self._observer = observer
        self._judged = JudgedLines(observer, pseudonyms)

    def line(self, event: Event, *, sequence: int, identifier: str = "") -> bytes:
        """The record of *event*: printable ASCII and a line feed, so no control character is ever raw.

        *sequence* counts a chain's records from 1; *identifier* is the record's UUIDv7 where the event
        carries none of its own (all but `Judged`).
        """
        match event:
            case Judged():
                text = self._judged.line(event, sequence)
            case PolicyChanged():
                text = encode_json(policy_changed(event, self._observer, sequence, identifier))
            case ProcessChanged():
                text = encode_json(process_changed(event, self._observer, sequence, identifier))
            case ConfigurationChanged():
                text = encode_json(configuration_changed(event, self._observer, sequence, identifier))
            case ConsoleUsed():
                text = encode_json(console_used(event, self._observer, sequence, identifier))
            case SealCheckpoint():
                text = encode_json(seal_checkpoint(event, self._observer, sequence, identifier))
            case SealUnsigned():
                text = encode_json(seal_unsigned(event, self._observer, sequence, identifier))
            case Heartbeat():
                text = encode_json(heartbeat(event, self._observer, sequence, identifier))
            case _:
                text = encode_json(records_lost(event, self._observer, sequence, identifier))
        return text.encode("ascii") + b"\n"

    def document(self, event: Event, *, sequence: int, identifier: str = "") -> Document:
        """What `line` writes, as JSON values."""
        document: Document = json.loads(self.line(event, sequence=sequence, identifier=identifier))
        return document


class BrokenRecord(ValueError):
    """A line that is no record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A line of the log, typed; what a record does not say is None or empty."""

    time: datetime  # aware, UTC
    id: str
    sequence: int
    action: str  # "block", "log", "allow"; "policy-load", "exception-added", "start", "stop", "log-loss"
    categories: tuple[str, ...] = ()  # "network", "web", "configuration", "process"
    outcome: str | None = None
    reason: str | None = None  # in words
    verdict: str | None = None  # None: no decision, but something that happened to the proxy
    would: str | None = None
    apps: tuple[str, ...] = ()
    endpoint: str | None = None
    role: str | None = None
    shared: bool | None = None
    surface: str | None = None
    rule: str | None = None
    shadow_rule: str | None = None
    trial: tuple[str, str] | None = None  # app and `KIND:PATTERN` of the endpoint on trial that would be stricter
    policy: str | None = None  # digest
    authorities: tuple[tuple[str, str | None], ...] = ()  # id and state
    mismatch: bool = False
    anonymous: bool = False
    masked: bool = False  # `client` is no address of theirs: a network's first, or a pseudonym
    break_glass: str | None = None  # id of the break-glass that it is about, or that alone let the flow through
    connection: str | None = None
    client: str | None = None  # literal address, or what stands for one
    client_port: int | None = None
    user: str | None = None
    groups: tuple[str, ...] = ()
    host: str | None = None  # the one that people think of: of the URL, else the question, SNI, destination
    hosts: tuple[str, ...] = ()  # all of them, names and literal addresses
    destination: str | None = None
    destination_port: int | None = None
    url: str | None = None
    path: str | None = None
    method: str | None = None
    status: int | None = None
    transport: str | None = None
    protocol: str | None = None
    question_type: str | None = None
    user_agent: str | None = None
    error: str | None = None
    lost: int = 0  # records that this one says are missing
    seal: str | None = None  # 64 hex digits, as the line claims; `journal.seal` says whether it is true
    document: Document = field(repr=False, compare=False, default_factory=dict)

    @classmethod
    def parse(cls, line: str | bytes) -> "Record":
        """The record of one line. Raises BrokenRecord."""
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as broken:
            raise BrokenRecord(f"no JSON: {broken}") from broken
        if not isinstance(document, dict):
            raise BrokenRecord("no JSON object")
        return cls.of(document)

    @classmethod
    def of(cls, document: Document) -> "Record":
        """The record of a parsed line. Raises BrokenRecord where a member has another type than ours have."""
        try:
            return _read(document)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as broken:
            raise BrokenRecord(f"no record of ours: {type(broken).__name__} {broken}") from broken


_NONE: Mapping[str, Any] = {}


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and type(value) is not str:
        raise TypeError(f"{name} is no text")
    return value


def _number(members: Mapping[str, Any], name: str) -> int | None:
    value = members.get(name)
    if value is not None and type(value) is not int:
        raise TypeError(f"{name} is no whole number")
    return value


def _flag(members: Mapping[str, Any], name: str) -> bool | None:
    value = members.get(name)
    if value is not None and type(value) is not bool:
        raise TypeError(f"{name} is neither true nor false")
    return value


def _trial(found: Any) -> tuple[str, str] | None:
    if found is None:
        return None
    app, endpoint = _text(found, "app"), _text(found, "endpoint")
    return (_required(app, "embargo.trial.app"), _required(endpoint, "embargo.trial.endpoint"))


def _required[T](value: T | None, name: str) -> T:
    if value is None:
        raise KeyError(name)
    return value


def _texts(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = members.get(name)
    if values is None:
        return ()
    if type(values) is not list or not all(type(value) is str for value in values):
        raise TypeError(f"{name} is no list of texts")
    return tuple(values)


def _time(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("@timestamp has no offset")
    return instant.astimezone(UTC)


def _read(document: Document) -> Record:
    event, ours = document["event"], document.get("embargo", _NONE)
    source, destination = document.get("source", _NONE), document.get("destination", _NONE)
    url, http = document.get("url", _NONE), document.get("http", _NONE)
    related, rule = document.get("related", _NONE), document.get("rule", _NONE)
    network, question = document.get("network", _NONE), document.get("dns", _NONE).get("question", _NONE)
    server_name = _text(document.get("tls", _NONE).get("client", _NONE), "server_name")
    domain = _text(url, "domain")
    if domain is not None and domain.startswith("["):
        domain = domain[1:-1]  # ECS keeps the brackets of an IPv6 URL
    reached = _text(destination, "domain") or _text(destination, "ip") or _text(destination, "address")
    host = domain or _text(question, "name") or server_name or reached
    hosts = dict.fromkeys((host, reached, server_name, *_texts(related, "hosts")))
    return Record(
        time=_time(document["@timestamp"]),
        id=_required(_text(event, "id"), "event.id"),
        sequence=_required(_number(event, "sequence"), "event.sequence"),
        action=_required(_text(event, "action"), "event.action"),
        categories=_texts(event, "category"),
        outcome=_text(event, "outcome"),
        reason=_text(event, "reason"),
        verdict=_text(ours, "verdict"),
        would=_text(ours, "would"),
        apps=_texts(ours, "app"),
        endpoint=_text(ours, "endpoint"),
        role=_text(ours, "role"),
        shared=_flag(ours, "shared"),
        surface=_text(ours, "surface"),
        rule=_text(rule, "id"),
        shadow_rule=_text(ours, "shadow_rule"),
        trial=_trial(ours.get("trial")),
        policy=_text(rule, "ruleset"),
        authorities=tuple((entry["id"], entry.get("state")) for entry in ours.get("authority", ())),
        mismatch=_flag(ours, "mismatch") or False,
        anonymous=_flag(ours, "anonymous") or False,
        masked=_flag(ours, "masked") or False,
        break_glass=_text(ours.get("break_glass", _NONE), "id"),
        connection=_text(ours, "connection"),
        client=_text(source, "ip") or _text(source, "address"),
        client_port=_number(source, "port"),
        user=_text(document.get("user", _NONE), "name"),
        groups=_texts(ours, "group"),
        host=host,
        hosts=tuple(name for name in hosts if name is not None),
        destination=reached,
        destination_port=_number(destination, "port"),
        url=_text(url, "full"),
        path=_text(url, "path"),
        method=_text(http.get("request", _NONE), "method"),
        status=_number(http.get("response", _NONE), "status_code"),
        transport=_text(network, "transport"),
        protocol=_text(network, "protocol"),
        question_type=_text(question, "type"),
        user_agent=_text(document.get("user_agent", _NONE), "original"),
        error=_text(ours, "error") or _text(document.get("error", _NONE), "message"),
        lost=_number(ours.get("lost", _NONE), "count") or 0,
        seal=_text(ours, "seal"),
        document=document,
    )
