"""EVE as Suricata writes it, one JSON object a line: a decision is an `alert`, all else an `engine` message.

That schema is closed at its top and open below `alert.metadata`, where values are lists of texts: ours go there.
"""

from hashlib import sha256

from embargo.formats.kind import NAMES, Kind, kind_of, words
from embargo.formats.members import client_address, client_words, encoded, text
from embargo.journal.ecs import Document
from embargo.journal.record import Record

GID = 1
FIRST_SIGNATURE = 1_900_000_000  # ours lie in the 100 million from here on, which no known ruleset uses
_SIGNATURES = 100_000_000
SEVERITIES = {Kind.BLOCK: 2, Kind.FAILED: 1, Kind.WOULD: 3, Kind.LOG: 3, Kind.ALLOW: 3}  # 1 is the highest of 4
_ANSWERED_BY_RESET = frozenset({"connect", "tls", "tcp", "server"})  # a refusal there may end in a reset


def write(record: Record) -> str:
    """The record as one EVE event, printable ASCII without line feed."""
    return encoded(document(record))


def document(record: Record) -> Document:
    """The record as an EVE event."""
    event: Document = {"timestamp": record.time.strftime("%Y-%m-%dT%H:%M:%S.%f+0000")}
    if hostname := text(record, "observer.hostname"):
        event["host"] = hostname
    if record.verdict is None:
        level = "Error" if record.outcome == "failure" or record.lost else "Info"
        engine = {"message": words(record), "module": f"embargo {record.action}"}
        return event | {"event_type": "engine", "log_level": level, "engine": engine}
    if record.connection is not None:
        event["flow_id"] = _number(record.connection, 1 << 53)  # what a JSON number holds exactly everywhere
    event["event_type"] = "alert"
    for name, found in (
        ("src_ip", client_address(record)),
        ("src_port", record.client_port),
        ("dest_ip", text(record, "destination.ip")),
        ("dest_port", record.destination_port),
        ("proto", record.transport.upper() if record.transport else None),
        ("app_proto", record.protocol),
    ):
        if found is not None:
            event[name] = found
    return event | _alert(record) | _layers(record)


def signature_id(rule: str) -> int:
    """The number of a rule, the same wherever and whenever it is computed."""
    return FIRST_SIGNATURE + _number(rule, _SIGNATURES)


def _number(name: str, below: int) -> int:
    return int.from_bytes(sha256(name.encode("utf-8", "replace")).digest()[:8], "big") % below


def _alert(record: Record) -> Document:
    kind = kind_of(record)
    refused = kind in (Kind.BLOCK, Kind.FAILED)
    rule = record.rule or "default"
    verdict: Document = {"action": "drop" if refused else "pass"}
    if refused and record.status is None and record.surface in _ANSWERED_BY_RESET:
        verdict["reject"] = ["tcp-reset"]
    return {
        "alert": {
            "action": "blocked" if refused else "allowed",
            "gid": GID,
            "signature_id": signature_id(rule),
            "rev": 1,
            "signature": f"embargo {rule}",
            "category": NAMES[kind],
            "severity": SEVERITIES.get(kind, 3),
            "metadata": _metadata(record),
        },
        "verdict": verdict,
    }


def _metadata(record: Record) -> dict[str, list[str]]:
    found: dict[str, tuple[str | None, ...]] = {
        "embargo_id": (record.id,),
        "embargo_sequence": (str(record.sequence),),
        "embargo_verdict": (record.verdict,),
        "embargo_would": (record.would,),
        "embargo_app": record.apps,
        "embargo_endpoint": (record.endpoint,),
        "embargo_rule": (record.rule,),
        "embargo_reason": (record.reason,),
        "embargo_surface": (record.surface,),
        "embargo_authority": tuple(f"{name}:{state}" if state else name for name, state in record.authorities),
        "embargo_policy": (record.policy,),
        "embargo_user": (record.user,),
        "embargo_client": (client_words(record),),
        "embargo_error": (record.error,),
    }
    return {name: texts for name, values in found.items() if (texts := [value for value in values if value])}


def _layers(record: Record) -> Document:
    layers: Document = {}
    http: Document = {}
    for name, found in (
        ("hostname", text(record, "url.domain")),
        ("url", record.path),
        ("http_user_agent", record.user_agent),
        ("http_method", record.method),
        ("status", record.status),
    ):
        if found is not None:
            http[name] = found
    if http:
        layers["http"] = http
    if sni := text(record, "tls.client.server_name"):
        layers["tls"] = {"sni": sni}
    if question := text(record, "dns.question.name"):
        asked = {"rrname": question} | ({"rrtype": record.question_type} if record.question_type else {})
        layers["dns"] = {"version": 3, "type": "request", "queries": [asked]}
    return layers
