"""What the proxy hands to the journal: small values, made in a hook and turned into records by the writer.

Building the record's dictionaries costs more than encoding them (23 µs, measured), so that happens in the
writer's thread and these only hold references.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from embargo.core.decision import Decision
from embargo.core.request import Name, Surface
from embargo.core.rules import ClientForm


class Outcome(StrEnum):
    """Whether what was decided was carried out (ECS `event.outcome`, of the observer)."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"  # it is about to be tried: only this much is known yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A decision on a flow."""

    id: str  # UUIDv7: the incident id that a block page shows
    time: datetime  # aware, UTC
    decision: Decision
    surface: Surface
    connection: str  # the same on every record of a client connection
    policy: str = ""  # digest in force
    outcome: Outcome = Outcome.SUCCESS
    client: str | None = None  # literal address
    client_port: int | None = None
    user: str | None = None
    identity_source: str | None = None  # how the user is known: "proxyauth", …
    destination: str | None = None  # name or literal address, canonical where it is well formed
    destination_port: int | None = None
    scheme: str | None = None  # of the URL, where one is seen
    host: str | None = None  # of the URL
    target: str | None = None  # path and query as they came
    method: str | None = None
    status: int | None = None  # of our own answer
    sni: str | None = None
    question: str | None = None  # of a DNS query
    question_type: str | None = None
    transport: str = "tcp"
    protocol: str | None = None  # "http", "tls", "dns", "quic", "websocket"
    user_agent: str | None = None
    error_type: str | None = None  # class of the exception that made judging or refusing fail
    error: str | None = None  # why a refusal could not be carried out; why judging failed is the decision's own
    names: tuple[Name, ...] = ()  # all that the request carries; recorded where they differ in owner
    destination_address: str | None = None  # literal; where `destination` is a name and the address is known too
    reference: str | None = None  # URL of the order behind the rule
    query_values: bool = False  # settings.query_values: keep what is otherwise redacted
    client_form: ClientForm = ClientForm.FULL  # settings.client: how the client stands in the record
    break_glass: str | None = None  # id of the break-glass that alone kept it from being refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanged:
    """A policy took effect, or was refused and the one before stays."""

    time: datetime
    outcome: Outcome
    old: str | None  # digest
    new: str | None  # digest; None where none could be computed
    files: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # as `check` prints them; empty on success
    stricter: tuple[str, ...] = ()  # what the new one blocks more, in words
    milder: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessChanged:
    """A proxy process started or ended."""

    time: datetime
    action: str  # "start", "stop"; "died": another worker, which could not say so itself
    policy: str | None = None  # digest in force
    outcome: Outcome = Outcome.SUCCESS
    pid: int | None = None  # of the process that died; None: the one that writes this
    reason: str | None = None  # how it died


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsLost:
    """Records that never reached the disk; the first record after recovery says so."""

    time: datetime
    count: int
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What held throughout a stretch of a worker's life, and what it judged in it (`enforce.process.heartbeat`).

    A stretch ends each minute, and where what holds changes: so of each instant a record says what held, and where
    none does, nobody can say it.
    """

    time: datetime  # the stretch's end
    since: datetime  # its begin, which is the end of the one before
    seconds: float  # how long that was by a clock that nobody sets
    mode: str | None  # "enforce", "monitor"; None: no policy, so everything was refused
    policy: str | None  # digest
    flows: Mapping[str, int]  # decisions in it: "judged", "blocked", …
    uninspected: Mapping[str, int]  # connections in it inside of which nobody looked, by reason
    lost: int  # records of this worker that never reached the disk, in it
    break_glass: str | None = None  # id of the one in force
    ca: str | None = None  # SHA-256, hex, of the certificate with which TLS is opened
    next_change: datetime | None = None  # when a date or schedule may next change a verdict
    worker: int | None = None  # its number; None: it runs alone


@dataclass(frozen=True, slots=True, kw_only=True)
class SealCheckpoint:
    """A signature under all that stands before it in its chain (`journal.seal`)."""

    time: datetime
    chain: str  # "decisions", "decisions.2", "audit"
    sequence: int  # of the record before it
    seal: str  # of that record
    records: int  # after how many records at most the next is due
    age: float  # after how many seconds at most, where records come
    cause: str  # "found" (by another process, unsigned), "start", "records", "age", "settings", "rotation", "close"
    key: str  # its id
    signature: str  # base64
    public: str | None = None  # the key, raw, base64; where a process signs for the first time
    introduced_by: str | None = None  # id of the old key that signed this one
    introduction: str | None = None  # its signature, base64


@dataclass(frozen=True, slots=True, kw_only=True)
class SealUnsigned:
    """From here on records are sealed, and not signed: the key cannot be used."""

    time: datetime
    reason: str


class Change(StrEnum):
    """What became of a piece of configuration (ECS `event.type` of category `configuration`)."""

    CREATION = "creation"
    CHANGE = "change"
    DELETION = "deletion"
    ACCESS = "access"  # nothing is changed: what was kept from view is looked at


type Detail = bool | int | str | datetime | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChanged:
    """Somebody changes, by a command or in the console, what the proxy enforces.

    One with the outcome UNKNOWN is recorded before the change is made and one with what came of it after: so
    nothing takes effect that is not recorded, and a crash in between shows.
    """

    time: datetime
    action: str  # "exception-added", …: a noun and what happened to it
    change: Change
    outcome: Outcome = Outcome.SUCCESS
    user: str | None = None  # who did it
    reason: str | None = None  # why, in words
    apps: tuple[str, ...] = ()  # that it is about; empty: none, or all
    rule: str | None = None  # id of the rule that came, changed or went
    policy: str | None = None  # digest of the policy that was changed
    subject: str = "change"  # the member of `embargo` that holds the details: "exception", …
    details: Mapping[str, Detail] = field(default_factory=dict)  # None and empty ones are left out
    error: str | None = None  # why it was not made


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleUsed:
    """Somebody signs in to the console or fails to, changes who may use it, or takes records out of it."""

    time: datetime
    action: str  # a key of `journal.ecs.CONSOLE_ACTIONS`: "log-in", "export", …
    outcome: Outcome = Outcome.SUCCESS
    user: str | None = None  # who did it, or tried to
    target: str | None = None  # whose account it is about, where that is another's
    reason: str | None = None  # why, in words
    client: str | None = None  # literal address
    details: Mapping[str, Detail] = field(default_factory=dict)  # None and empty ones are left out


type Event = (
    Judged
    | PolicyChanged
    | ProcessChanged
    | RecordsLost
    | ConfigurationChanged
    | Heartbeat
    | ConsoleUsed
    | SealCheckpoint
    | SealUnsigned
)
