"""What sort of thing a record tells, which decides its class, severity and words in every format."""

from enum import StrEnum

from embargo.formats.members import member, text
from embargo.journal.record import Record


class Kind(StrEnum):
    """Sorts of records."""

    BLOCK = "block"  # refused
    FAILED = "failed"  # refused because judging failed, or decided and not carried out
    WOULD = "would-block"  # let through by a shadow rule, monitor or break-glass, and would be refused
    LOG = "log"
    ALLOW = "allow"
    CONFIGURATION = "configuration"  # somebody changed what is enforced
    SIGN_IN = "sign-in"  # somebody signed in to the console or out of it, or failed to
    PROCESS = "process"  # a proxy started or ended
    LOSS = "loss"  # records are missing
    OTHER = "other"  # heartbeats, checkpoints, and what later versions record


NAMES = {  # a name for people; constant, so that a SIEM can group by it
    Kind.BLOCK: "App blocked by policy",
    Kind.FAILED: "Decision failed",
    Kind.WOULD: "App would be blocked",
    Kind.LOG: "App traffic logged",
    Kind.ALLOW: "App allowed by exception",
    Kind.CONFIGURATION: "Configuration changed",
    Kind.SIGN_IN: "Console sign-in",
    Kind.PROCESS: "Proxy process changed",
    Kind.LOSS: "Records lost",
    Kind.OTHER: "Proxy event",
}
_VERDICTS = {"block": Kind.BLOCK, "log": Kind.LOG, "allow": Kind.ALLOW, "pass": Kind.LOG}
_PROCESSES = frozenset({"start", "stop", "died"})


def kind_of(record: Record) -> Kind:
    """The kind of *record*."""
    if record.verdict is not None:
        failed = record.outcome == "failure" or member(record, "embargo.reason") == "error"
        if record.verdict == "block" and failed:
            return Kind.FAILED
        if record.verdict != "block" and record.would == "block":
            return Kind.WOULD
        return _VERDICTS.get(record.verdict, Kind.OTHER)
    if record.lost:
        return Kind.LOSS
    if "authentication" in record.categories:
        return Kind.SIGN_IN
    if "configuration" in record.categories or "iam" in record.categories:
        return Kind.CONFIGURATION
    return Kind.PROCESS if record.action in _PROCESSES else Kind.OTHER


def words(record: Record) -> str:
    """One sentence on what happened, for people: unescaped, of any length."""
    if record.verdict is None:
        reason = text(record, "error.message") or record.reason
        return f"{record.action}: {reason}" if reason else record.action
    who = record.user or record.client or ("a client" if record.anonymous else "an unknown client")
    what = ", ".join(record.apps) or "no known app"
    where = record.host or "no named host"
    return f"{record.verdict} {what}: {who} to {where} ({record.reason or 'no reason told'})"
