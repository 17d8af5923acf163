"""The policy: rules, groups, settings, and all of them compiled for `decide`."""

import unicodedata
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING

from embargo.core.address import Address, Network
from embargo.core.catalogue import App, Authority, DomainList, Role
from embargo.core.matcher import ListedDomains, Matcher
from embargo.core.pattern import Pattern
from embargo.core.request import Surface
from embargo.core.schedule import Schedule
from embargo.core.sink import Sink
from embargo.core.thinned import ThinnedMatcher
from embargo.core.timeline import State
from embargo.core.trials import Trials

if TYPE_CHECKING:
    from embargo.core.standing import Kind, Standing


class Action(StrEnum):
    """What a rule does."""

    BLOCK = "block"
    LOG = "log"
    ALLOW = "allow"


class Mode(StrEnum):
    """Whether blocks are carried out."""

    ENFORCE = "enforce"
    MONITOR = "monitor"  # every block becomes a log that says it would have blocked


class NewEndpoints(StrEnum):
    """How endpoints come in that a newer catalogue, or a list of others, brings."""

    SHADOW = "shadow"  # on trial, until somebody has looked
    ENFORCE = "enforce"


class Decrypt(StrEnum):
    """Which TLS is opened."""

    ALL = "all"
    NEEDED = "needed"  # only where what is inside can turn the verdict into block
    NONE = "none"


class Respond(StrEnum):
    """How a refusal looks to the client."""

    PAGE = "page"
    RESET = "reset"
    NXDOMAIN = "nxdomain"
    REFUSED = "refused"
    NULL_ADDRESS = "null-address"


class Recording(StrEnum):
    """How much of a decision the log keeps."""

    FULL = "full"
    ANONYMOUS = "anonymous"  # no client, port, user, path, user agent


class Basis(StrEnum):
    """By what right an exception is made from an order that binds the organization."""

    LICENSE = "license"  # the authority itself permits it
    COUNSEL = "counsel"  # the organization's lawyers say that the order does not reach it
    AGENCY_HEAD = "agency-head"  # the head of the agency grants it, where the order gives them that power


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Clients and users under one name; a member is who matches any of them."""

    id: str
    clients: tuple[Network, ...] = ()
    users: frozenset[str] = frozenset()

    def holds(self, client: Address | None, user: str | None) -> bool | None:
        """Whether they are a member; None where what is unknown of them could make them one."""
        if (client is not None and any(client in network for network in self.clients)) or user in self.users:
            return True
        if (self.clients and client is None) or (self.users and user is None):
            return None
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSelector:
    """Which apps a rule is for: any criterion that holds selects."""

    all: bool = False
    ids: frozenset[str] = frozenset()
    named_in: tuple[str, ...] = ()  # ids of authorities
    vendors: frozenset[str] = frozenset()

    def selects(self, app: App) -> bool:
        """Whether the rule is for *app*."""
        return (
            self.all
            or app.id in self.ids
            or (app.vendor is not None and app.vendor in self.vendors)
            or any(authority in app.named_in for authority in self.named_in)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of policy. An empty criterion holds always."""

    id: str
    apps: AppSelector
    action: Action
    hosts: tuple[Pattern, ...] = ()
    roles: frozenset[Role] = frozenset()
    shared: bool | None = None
    surfaces: frozenset[Surface] = frozenset()
    groups: tuple[Group, ...] = ()  # a member of any
    not_groups: tuple[Group, ...] = ()  # a member of none, and known not to be
    users: frozenset[str] = frozenset()
    clients: tuple[Network, ...] = ()
    schedule: Schedule | None = None
    authority: frozenset[State] = frozenset()
    since: datetime | None = None  # `from`: the first instant that counts
    until: datetime | None = None  # the first instant that no longer does
    respond: tuple[Respond, ...] = ()
    shadow: bool = False
    final: bool = False
    enabled: bool = True
    message: Mapping[str, str] = field(default_factory=dict)  # by language tag; "" where it names none
    reason: str | None = None
    ticket: str | None = None
    approved_by: str | None = None
    author: str | None = None
    basis: Basis | None = None
    exception: bool = False  # it stands in exceptions.yaml
    record: Recording = Recording.FULL
    layer: str = ""  # the file it stands in
    line: int = 0  # its line there, from 1

    def fits(self, role: Role, shared: bool) -> bool:
        """Whether it is for an endpoint of *role* that is *shared* or not."""
        return (not self.roles or role in self.roles) and (self.shared is None or self.shared is shared)

    @property
    def lets_through(self) -> bool:
        """Whether it is an exception that does not block: what an order in force may stand against."""
        return self.exception and self.action is not Action.BLOCK

    @property
    def lacks(self) -> tuple[str, ...]:
        """What an exception still needs to stand against an order in force, in words; empty where nothing."""
        approved = self.approved_by is not None and (
            self.author is None or not same_person(self.approved_by, self.author)
        )
        needs = {
            "an author": self.author is not None,
            "an approver other than the author": approved,
            "a basis": self.basis is not None,
            "a ticket": self.ticket is not None,
        }
        return tuple(need for need, met in needs.items() if not met)


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's, as far as names can tell: blanks, letter case and what is not seen aside."""
    return _as_read(one) == _as_read(other)


def _as_read(name: str) -> str:
    """*name* without what a reader does not see: Unicode's formats (Cf), forms of one letter, blanks in a row."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    return " ".join(seen.split()).casefold()


class ClientForm(StrEnum):
    """How the client's address stands in the log."""

    FULL = "full"
    TRUNCATED = "truncated"  # its network alone: /24 of IPv4, /48 of IPv6
    PSEUDONYM = "pseudonym"  # by a key; the same client has the same one until the key is changed


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSettings:
    """How often the log's seal is signed: after as many records, or that long after the first of them."""

    records: int = 1000
    age: float = 60.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How the decision log is kept."""

    flush: float = 0.2  # seconds: the most that a crash can lose (DESIGN 7)
    rotate_size: int = 256 * 1024 * 1024  # bytes
    rotate_age: float = 86_400.0  # seconds
    retention: float = 365 * 86_400.0  # seconds
    audit_retention: float | None = None  # seconds, of what commands and the console change; None: as the others
    checkpoint: CheckpointSettings = CheckpointSettings()
    sinks: tuple[Sink, ...] = ()  # where records go besides
    anchors: tuple[Sink, ...] = ()  # where the checkpoints of the seal go, each under an id of its place

    def kept_for(self, *, audit: bool) -> float:
        """Seconds for which files are kept: those of the audit chain, or of decisions."""
        return self.retention if not audit or self.audit_retention is None else self.audit_retention


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for the whole policy."""

    mode: Mode = Mode.ENFORCE
    default: Action = Action.LOG  # what an app's traffic gets when no rule holds
    decrypt: Decrypt = Decrypt.ALL
    never_decrypt: tuple[Pattern, ...] = ()
    unknown_protocol: Action = Action.LOG  # what no app owns and no protocol that is read explains
    bound_by: frozenset[str] = frozenset()  # authorities that bind this organization: only these give status 451
    organization: str | None = None
    contact: str | None = None
    timezone: tzinfo = UTC
    query_values: bool = False  # whether the log keeps the values of queries
    client: ClientForm = ClientForm.FULL
    new_endpoints: NewEndpoints = NewEndpoints.SHADOW
    census: bool = True  # whether the hosts that pass are counted, without a client
    log: LogSettings = LogSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The lower layers of a policy, up to one with a `final` rule that blocks: what no layer above them opens."""

    height: int  # how many they are
    rules: tuple[Rule, ...]  # theirs, in effective order
    below: "Closing | None" = None  # the same of these layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that `decide` needs, compiled; immutable, so a reload swaps one reference."""

    settings: Settings = Settings()
    authorities: Mapping[str, Authority] = field(default_factory=dict)
    apps: Mapping[str, App] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()  # in effective order: finals first, then layer by layer
    lists: tuple[DomainList, ...] = ()
    listed: ListedDomains | None = None  # the names of `lists`
    digest: str = ""  # SHA-256, hex, of the text of all layers and lists
    files: tuple[str, ...] = ()  # the layers, earliest first
    released: date | None = None  # of the catalogue: the newest day that a layer says
    closing: Closing | None = None  # None: no layer stands above one that closes something for good
    matcher: Matcher = field(init=False, repr=False, compare=False)
    rules_of: Mapping[str, tuple[Rule, ...]] = field(init=False, repr=False, compare=False)  # by app id
    # what `decide` found and need not find again; None where it depends on more than the kind of the endpoint
    standing: "dict[Kind, Standing | None]" = field(init=False, repr=False, compare=False, default_factory=dict)
    trials: Trials | None = field(init=False, repr=False, compare=False, default=None)  # None: nothing is on trial
    beneath: "Policy | None" = field(init=False, repr=False, compare=False, default=None)  # that of `closing`

    def __post_init__(self) -> None:
        object.__setattr__(self, "matcher", Matcher(self.apps.values(), self.lists, self.listed))
        object.__setattr__(self, "rules_of", self._rules_by_app())
        object.__setattr__(self, "beneath", self._lower(self.closing))
        object.__setattr__(self, "trials", Trials.of(self))

    def _lower(self, closing: Closing | None) -> "Policy | None":
        if closing is None:
            return None
        lower = self.varied(
            rules=closing.rules,
            matcher=ThinnedMatcher(self.matcher, lambda entry: entry.endpoint.layer >= closing.height),
        )
        object.__setattr__(lower, "beneath", self._lower(closing.below))
        return lower

    def _rules_by_app(self) -> dict[str, tuple[Rule, ...]]:
        enabled = [rule for rule in self.rules if rule.enabled]
        return {app.id: tuple(rule for rule in enabled if rule.apps.selects(app)) for app in self.apps.values()}

    def varied(
        self,
        *,
        rules: tuple[Rule, ...] | None = None,
        settings: Settings | None = None,
        matcher: Matcher | None = None,
    ) -> "Policy":
        """The same policy with other rules, settings or matcher: what is not given is shared, not built again.

        (A matcher of a long catalogue takes seconds to build, rules alone microseconds.)
        """
        variant = copy(self)
        given = {"rules": rules, "settings": settings, "matcher": matcher}
        for name, value in given.items():
            if value is not None:
                object.__setattr__(variant, name, value)
        object.__setattr__(variant, "standing", {})  # what was found of the others holds no more
        if rules is not None:
            object.__setattr__(variant, "rules_of", variant._rules_by_app())
        object.__setattr__(variant, "trials", None)
        if self.trials is not None and matcher is None:
            object.__setattr__(variant, "trials", self.trials.anew(variant))
        if self.beneath is not None:
            object.__setattr__(variant, "beneath", self.beneath.varied(rules=self._beneath(rules), settings=settings))
        return variant

    def _beneath(self, rules: tuple[Rule, ...] | None) -> tuple[Rule, ...] | None:
        """The lower layers' rules where *rules* take the place of all: as they were, but for what was changed there."""
        assert self.beneath is not None
        if rules is None:
            return None
        known = {(rule.layer, rule.id) for rule in self.rules}
        now = {(rule.layer, rule.id): rule for rule in rules}
        kept = [(now.get((rule.layer, rule.id)), rule) for rule in self.beneath.rules]
        return tuple(new or old for new, old in kept if new is not None or (old.layer, old.id) not in known)

    def kinds_of(self, app: App) -> set[tuple[Role, bool]]:
        """The roles of the endpoints of *app*, each with whether one of that role is shared."""
        found = {(endpoint.role, endpoint.shared) for endpoint in app.endpoints}
        return found | {(names.role, names.shared) for names in self.lists if names.app == app.id}
