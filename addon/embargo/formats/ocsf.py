"""OCSF 1.8, one JSON object a line: what Security Lake and its like read (https://schema.ocsf.io/1.8.0).

A class a sort of record: HTTP, DNS and Network Activity for decisions, Entity Management for changes to what is
enforced, Authentication for the console, Application Lifecycle for starts and ends, and Base Event for all else,
records of later versions too.

OCSF tells the outcome of the *activity*: a blocked request is `Failure`, where ECS, which tells that of the
observer, says `success`. The fields of a decision's outcome are those of the profile `security_control`.
"""

from dataclasses import dataclass
from typing import Any

from embargo.formats.kind import Kind, kind_of, words
from embargo.formats.members import client_address, client_words, encoded, member, text
from embargo.journal.ecs import Document
from embargo.journal.record import Record

VERSION = "1.8.0"
PROFILE = "security_control"
METHODS = {
    "CONNECT": 1, "DELETE": 2, "GET": 3, "HEAD": 4, "OPTIONS": 5, "POST": 6, "PUT": 7, "TRACE": 8, "PATCH": 9,
}  # activity_id of HTTP Activity  # fmt: skip
_OTHER = 99
_HTTP, _DNS, _NETWORK, _ENTITY, _SIGN_IN, _LIFECYCLE, _BASE = 4002, 4003, 4001, 3004, 3002, 6002, 0
_ON_HTTP = frozenset({"http", "websocket", "connect"})
_CHANGES = {"creation": 1, "change": 3, "deletion": 4}  # event.type: activity_id of Entity Management
_LIVES = {"start": 3, "stop": 4, "died": 4}  # action: activity_id of Application Lifecycle
_KEPT = ("embargo", "tls", "error", "process")
_OUTCOMES = {"success": 1, "failure": 2}  # status_id; 0 is unknown


@dataclass(frozen=True, slots=True)
class Said:
    """What the profile says of a decision."""

    action: int  # 1 Allowed, 2 Denied, 3 Observed
    disposition: int
    status: int  # of the activity: 1 Success, 2 Failure
    severity: int  # 1 Informational, 2 Low, 4 High


SAID = {
    Kind.BLOCK: Said(2, 2, 2, 2),  # Blocked
    Kind.FAILED: Said(2, 27, 2, 4),  # Error
    Kind.WOULD: Said(3, 15, 1, 1),  # Detected
    Kind.LOG: Said(3, 17, 1, 1),  # Logged
    Kind.ALLOW: Said(1, 1, 1, 1),  # Allowed
}
DROPPED = Said(2, 6, 2, 2)  # refused without an answer, as below HTTP and DNS
_SEVERITIES = {Kind.LOSS: 4}  # of what is no decision; a failure is 3, Medium, all else informational


def write(record: Record) -> str:
    """The record as one OCSF event, printable ASCII without line feed."""
    return encoded(document(record))


def document(record: Record) -> Document:
    """The record as an OCSF event."""
    kind = kind_of(record)
    classified, activity, own = _class(record, kind)
    event: Document = {
        "class_uid": classified,
        "category_uid": classified // 1000,
        "activity_id": activity,
        "type_uid": classified * 100 + activity,
        "time": int(record.time.timestamp()) * 1000 + record.time.microsecond // 1000,
        "metadata": _metadata(record),
        "message": words(record),
    }
    if activity == _OTHER:
        event["activity_name"] = (record.method or record.action) if classified == _HTTP else record.action
    event |= own
    if (policy := _policy(record, kind)) is not None:
        event["policy"] = policy
    if record.rule is not None:
        event["firewall_rule"] = {"uid": record.rule, "name": record.rule}
    if (said := _said(record, kind)) is not None:
        event |= {
            "action_id": said.action,
            "disposition_id": said.disposition,
            "status_id": said.status,
            "severity_id": said.severity,
        }
    else:
        failed = record.outcome == "failure"
        event["severity_id"] = _SEVERITIES.get(kind, 3 if failed else 1)
        event["status_id"] = _OUTCOMES.get(record.outcome or "", 0)
    if record.status is not None:
        event["status_code"] = str(record.status)
    if detail := text(record, "error.message") or record.reason:
        event["status_detail"] = detail
    event["unmapped"] = _unmapped(record)
    return event


def _said(record: Record, kind: Kind) -> Said | None:
    answered = record.status is not None or record.surface == "dns"
    return DROPPED if kind is Kind.BLOCK and not answered else SAID.get(kind)


def _class(record: Record, kind: Kind) -> tuple[int, int, Document]:
    """Class, activity and the members that only this class has."""
    if record.verdict is not None:
        return _traffic(record, kind)
    if kind is Kind.CONFIGURATION:
        types = member(record, "event.type")
        changed = types[0] if isinstance(types, list) and types and isinstance(types[0], str) else ""
        own: Document = {"entity": _entity(record)}
        if record.user is not None:
            own["actor"] = {"user": {"name": record.user}}
        if record.reason is not None:
            own["comment"] = record.reason
        return _ENTITY, _CHANGES.get(changed, _OTHER), own
    if kind is Kind.SIGN_IN:
        types = member(record, "event.type")
        ended = isinstance(types, list) and "end" in types
        own = {"user": {"name": record.user or "unknown"}, "service": {"name": "embargo console"}}
        if address := client_address(record):
            own["src_endpoint"] = {"ip": address}
        return _SIGN_IN, 2 if ended else 1, own
    if kind is Kind.PROCESS:
        return _LIFECYCLE, _LIVES.get(record.action, _OTHER), {"app": _product(record)}
    return _BASE, _OTHER, {}


def _entity(record: Record) -> Document:
    """What was changed: an account, else the policy or what it says of its subject."""
    if account := text(record, "user.target.name"):
        return {"name": account, "type_id": 2, "user": {"name": account}}
    subject = _subject(record)
    policy: Document = {"name": subject}
    if record.policy is not None:
        policy["uid"] = record.policy
    return {"name": subject, "type_id": 5, "policy": policy}


def _subject(record: Record) -> str:
    ours = member(record, "embargo")
    named = [key for key, value in ours.items() if isinstance(value, dict)] if isinstance(ours, dict) else []
    return named[0] if named else "policy"


def _traffic(record: Record, kind: Kind) -> tuple[int, int, Document]:
    own: Document = {"connection_info": _connection(record)}
    if record.apps:
        own["app_name"] = record.apps[0]
    source, destination = _source(record), _destination(record)
    if source:
        own["src_endpoint"] = source
    own["dst_endpoint"] = destination or {"name": "unknown"}
    if hostname := text(record, "observer.hostname"):
        own["proxy"] = {"hostname": hostname}
    refused = kind in (Kind.BLOCK, Kind.FAILED)
    if record.surface == "dns" and (question := text(record, "dns.question.name")):
        own["query"] = {"hostname": question}
        if record.question_type:
            own["query"]["type"] = record.question_type
        return _DNS, 2 if refused else 1, own
    request = _request(record)
    if record.surface in _ON_HTTP and (request or record.status is not None):
        if request:
            own["http_request"] = request
        if record.status is not None:
            own["http_response"] = {"code": record.status}
        _secured(record, own)
        return _HTTP, METHODS.get(record.method or "", _OTHER), own
    if url := _url(record):
        own["url"] = url
    _secured(record, own)
    return _NETWORK, 5 if refused else 1, own


def _connection(record: Record) -> Document:
    connection: Document = {"direction_id": 2}  # outbound
    if record.transport:
        connection["protocol_name"] = record.transport
    if record.connection:
        connection["uid"] = record.connection
    return connection


def _source(record: Record) -> Document:
    endpoint: Document = {}
    if address := client_address(record):
        endpoint["ip"] = address
    if masked := client_words(record):
        endpoint["name"] = masked
    if record.user is not None:
        endpoint["owner"] = {"name": record.user}
        endpoint.setdefault("name", record.user)  # an endpoint is named, be it by whom it belongs to
    if endpoint and record.client_port is not None:
        endpoint["port"] = record.client_port
    return endpoint


def _destination(record: Record) -> Document:
    endpoint: Document = {}
    if name := text(record, "destination.domain") or _named(record):
        endpoint["hostname"] = name
    if address := text(record, "destination.ip"):
        endpoint["ip"] = address
    if endpoint and record.destination_port is not None:
        endpoint["port"] = record.destination_port
    return endpoint


def _named(record: Record) -> str | None:
    """The host that people think of, where it is a name and not an address."""
    address = text(record, "destination.ip")
    return record.host if record.host and record.host != address and ":" not in record.host else None


def _url(record: Record) -> Document:
    url: Document = {}
    for name, found in (
        ("url_string", record.url),
        ("path", record.path),
        ("hostname", text(record, "url.domain")),
    ):
        if found:
            url[name] = found
    return url if "url_string" in url or "path" in url else {}


def _request(record: Record) -> Document:
    request: Document = {}
    if record.method in METHODS:  # a closed list; another stands in activity_name
        request["http_method"] = record.method
    if url := _url(record):
        request["url"] = url
    if record.user_agent:
        request["user_agent"] = record.user_agent
    return request


def _secured(record: Record, own: Document) -> None:
    """The server name, where the version that OCSF wants beside it is known."""
    name, version = text(record, "tls.client.server_name"), text(record, "tls.version")
    if name and version:
        own["tls"] = {"sni": name, "version": version}


def _product(record: Record) -> Document:
    product: Document = {"name": "embargo", "vendor_name": "embargo"}
    if version := text(record, "observer.version"):
        product["version"] = version
    return product


def _metadata(record: Record) -> Document:
    metadata: Document = {
        "version": VERSION,
        "product": _product(record),
        "profiles": [PROFILE],
        "uid": record.id,
        "sequence": record.sequence,
        "event_code": record.action,
    }
    if record.connection:
        metadata["correlation_uid"] = record.connection
    return metadata


def _policy(record: Record, kind: Kind) -> Document | None:
    if record.policy is None:
        return None
    policy: Document = {"uid": record.policy, "name": record.rule or "embargo"}
    if record.verdict is not None:
        policy["is_applied"] = kind is not Kind.WOULD
    return policy


def _unmapped(record: Record) -> dict[str, Any]:
    """What OCSF has no place for: ours, and of the rest what none of the members above says."""
    kept: dict[str, Any] = {name: record.document[name] for name in _KEPT if name in record.document}
    if record.outcome is not None:
        kept["event.outcome"] = record.outcome
    return kept
