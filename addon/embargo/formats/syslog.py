"""syslog, RFC 5424: header, structured data, and behind a byte order mark what happened in words, or another format.

`<PRI>1 TIMESTAMP HOSTNAME embargo PID ACTION [embargo@PEN id="…" …] MESSAGE`. A private enterprise number is the
site's to give; 32473 is that of documentation (RFC 5612), which no registered software uses.
"""

import re
from dataclasses import dataclass

from embargo.formats.kind import Kind, kind_of, words
from embargo.formats.members import client_words, number, one_line, text
from embargo.journal.record import Record

LOG_AUDIT = 13  # the facility
DOCUMENTATION = 32473  # the enterprise number
UDP_SAFE = 2048  # bytes that a receiver should take (RFC 5424, 6.1); more may be cut there
SEVERITIES = {
    Kind.BLOCK: 5, Kind.FAILED: 3, Kind.WOULD: 6, Kind.LOG: 6, Kind.ALLOW: 6,
    Kind.CONFIGURATION: 5, Kind.SIGN_IN: 5, Kind.PROCESS: 5, Kind.LOSS: 3, Kind.OTHER: 6,
}  # 3 error, 5 notice, 6 informational  # fmt: skip
PARAMETERS = {  # of the structured data: what it holds
    "id": "event.id",
    "sequence": "event.sequence",
    "verdict": "embargo.verdict",
    "would": "embargo.would",
    "app": "embargo.app, the deciding one",
    "rule": "rule.id",
    "surface": "embargo.surface",
    "host": "the host that people think of",
    "client": "source.ip, or what stands for it",
    "user": "user.name",
    "reason": "event.reason",
    "policy": "rule.ruleset",
}
_HEADER = {"hostname": 255, "procid": 128, "msgid": 32}  # characters (RFC 5424, 6)
_NO_PRINTABLE = re.compile(r"[^!-~]")
_MARK = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a receiver wants."""

    facility: int = LOG_AUDIT  # 0 to 23
    enterprise: int = DOCUMENTATION


def write(record: Record) -> str:
    """The record as a message with words for people."""
    return message(record, Site())


def message(record: Record, site: Site, payload: str | None = None) -> str:
    """The record as a message of one line; *payload*, in another format, stands in place of words where given."""
    priority = site.facility * 8 + SEVERITIES[kind_of(record)]
    header = " ".join(
        (
            f"<{priority}>1",
            record.time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{record.time.microsecond // 1000:03}Z",
            _word(text(record, "observer.hostname"), "hostname"),
            "embargo",
            _word(str(pid) if (pid := number(record, "process.pid")) is not None else None, "procid"),
            _word(record.action, "msgid"),
        )
    )
    return f"{header} {_structured(record, site)} {_MARK + one_line(words(record)) if payload is None else payload}"


def _word(value: str | None, place: str) -> str:
    """*value* as a header field: printable ASCII without space, `-` where nothing is left."""
    return _NO_PRINTABLE.sub("?", value)[: _HEADER[place]] if value else "-"


def _structured(record: Record, site: Site) -> str:
    found = {
        "id": record.id,
        "sequence": str(record.sequence),
        "verdict": record.verdict,
        "would": record.would,
        "app": record.apps[0] if record.apps else None,
        "rule": record.rule,
        "surface": record.surface,
        "host": record.host,
        "client": text(record, "source.ip") or client_words(record),
        "user": record.user,
        "reason": record.reason,
        "policy": record.policy,
    }
    pairs = "".join(f' {name}="{_escaped(value)}"' for name, value in found.items() if value)
    return f"[embargo@{site.enterprise}{pairs}]"


def _escaped(value: str) -> str:
    return one_line(value).replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
