"""CEF 1 (OpenText, "CEF Implementation Standard"): what ArcSight, QRadar and Sentinel read.

A header of seven fields with `\\` and `|` escaped, then `key=value` with `\\`, `=` and ends of lines escaped. Its
dictionary gives each key a length; what was cut is said (`flexString1`).
"""

from collections.abc import Iterator
from ipaddress import ip_address

from embargo.formats.kind import NAMES, Kind, kind_of, words
from embargo.formats.members import client_address, client_words, cut, encoded, member, number, one_line, text
from embargo.journal.record import Record

SEVERITIES = {
    Kind.BLOCK: 5, Kind.FAILED: 8, Kind.WOULD: 4, Kind.LOG: 3, Kind.ALLOW: 3,
    Kind.CONFIGURATION: 4, Kind.SIGN_IN: 3, Kind.PROCESS: 3, Kind.LOSS: 8, Kind.OTHER: 2,
}  # of 0 to 10  # fmt: skip
LENGTHS = {  # characters, of the standard's dictionary
    "act": 63, "outcome": 63, "proto": 31, "app": 31, "dvchost": 100, "reason": 1023, "msg": 1023, "cat": 1023,
    "suser": 1023, "shost": 1023, "dhost": 1023, "request": 1023, "requestMethod": 1023,
    "requestClientApplication": 1023, "externalId": 40,
    "cs1": 4000, "cs2": 4000, "cs3": 4000, "cs4": 4000, "cs5": 4000, "cs6": 4000,
}  # fmt: skip
LABELS = {
    "cs1": "rule", "cs2": "apps", "cs3": "surface", "cs4": "authorities", "cs5": "policy", "cs6": "details",
    "cn1": "sequence", "c6a2": "source IPv6", "c6a3": "destination IPv6", "flexString1": "cut",
}  # fmt: skip
_VERSION_LENGTH = 31
_ACTION = 1023  # characters of the signature id
_FRAME = frozenset({"@timestamp", "ecs", "event", "observer", "rule", "user", "related", "error", "embargo"})
_SPOKEN = frozenset({"app", "seal"})  # of `embargo`; told elsewhere, or of no use outside the chain


def write(record: Record) -> str:
    """The record as one CEF line, without line feed."""
    kind = kind_of(record)
    version, _ = cut(text(record, "observer.version") or "0", _VERSION_LENGTH)
    header = ("CEF:1", "embargo", "embargo", version, record.action[:_ACTION], NAMES[kind], str(SEVERITIES[kind]))
    pairs = []
    shortened = []
    for key, value in _extension(record, kind):
        fitting, was_cut = cut(value, LENGTHS[key]) if key in LENGTHS else (value, False)
        if was_cut:
            shortened.append(key)
        pairs.append((key, fitting))
        if key in LABELS:
            pairs.append((f"{key}Label", LABELS[key]))
    if shortened:
        pairs += [("flexString1", "truncated " + " ".join(shortened)), ("flexString1Label", LABELS["flexString1"])]
    return "|".join(map(_in_header, header)) + "|" + " ".join(f"{key}={_in_extension(value)}" for key, value in pairs)


def _extension(record: Record, kind: Kind) -> Iterator[tuple[str, str]]:
    found = {
        "rt": str(int(record.time.timestamp()) * 1000 + record.time.microsecond // 1000),
        "act": "would block" if kind is Kind.WOULD else record.action,
        "outcome": record.outcome,
        "reason": record.reason,
        "msg": None if record.verdict is not None else words(record),
        "suser": record.user,
        "shost": client_words(record),
        "dhost": text(record, "destination.domain") or record.host,
        "proto": record.transport,
        "app": record.protocol,
        "request": record.url,
        "requestMethod": record.method,
        "requestClientApplication": record.user_agent,
        "dvchost": text(record, "observer.hostname"),
        "externalId": record.id,
        "cat": record.apps[0] if record.apps else ", ".join(record.categories),
        "deviceDirection": "1" if record.verdict is not None else None,  # outbound
        "cn1": str(record.sequence),
        "cs1": record.rule,
        "cs2": ",".join(record.apps),
        "cs3": record.surface,
        "cs4": ",".join(f"{name}:{state}" if state else name for name, state in record.authorities),
        "cs5": record.policy,
        "cs6": _details(record),
    }
    for key, value in found.items():
        if value:
            yield key, value
    for side, four, six in (("source", "src", "c6a2"), ("destination", "dst", "c6a3")):
        address = client_address(record) if side == "source" else text(record, "destination.ip")
        if (version := _version(address)) is not None and address is not None:
            yield (four if version == 4 else six), address
        port = number(record, f"{side}.port")
        if port is not None:
            yield ("spt" if side == "source" else "dpt"), str(port)


def _version(address: str | None) -> int | None:
    try:
        return ip_address(address).version if address else None
    except ValueError:
        return None


def _details(record: Record) -> str | None:
    """What only this sort of record says, as JSON; None for a decision, of which the keys say all."""
    if record.verdict is not None:
        return None
    ours = member(record, "embargo")
    told = {key: value for key, value in ours.items() if key not in _SPOKEN} if isinstance(ours, dict) else {}
    told |= {key: value for key, value in record.document.items() if key not in _FRAME}
    return encoded(told) if told else None


def _in_header(value: str) -> str:
    return one_line(value).replace("\\", "\\\\").replace("|", "\\|")


def _in_extension(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("=", "\\=")
    return "\\n".join(map(one_line, escaped.replace("\r\n", "\n").replace("\r", "\n").split("\n")))
