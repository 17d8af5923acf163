"""A verdict with all that explains it."""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import NamedTuple

from embargo.core.catalogue import Endpoint
from embargo.core.request import Name, Surface
from embargo.core.rules import Recording, Respond, Rule
from embargo.core.timeline import State

DEFAULT_RULE = "default"  # recorded where no rule of an owner holds


_PAGES = frozenset({Respond.PAGE, Respond.RESET})
_OVER_HTTP = frozenset({Surface.CONNECT, Surface.HTTP, Surface.WEBSOCKET})
_CLOSING = frozenset({Respond.RESET})
_FITTING = {  # what a refusal can look like where; elsewhere a connection can only be closed
    Surface.CONNECT: _PAGES,
    Surface.HTTP: _PAGES,
    Surface.WEBSOCKET: _PAGES,
    Surface.DNS: frozenset({Respond.NXDOMAIN, Respond.REFUSED, Respond.NULL_ADDRESS}),
}


class Verdict(IntEnum):
    """What happens to a flow; the stricter is the larger."""

    PASS = 0  # no app owns it: unlogged
    ALLOW = 1
    LOG = 2
    BLOCK = 3

    def __str__(self) -> str:
        return self.name.lower()


class Reason(StrEnum):
    """Why a verdict is what it is."""

    NO_OWNER = "no-owner"
    RULE = "rule"
    DEFAULT = "default"  # no rule of an owner held: settings.default
    MALFORMED = "malformed"  # the only names are no hosts
    NAMELESS = "nameless"  # no name at all, or nothing but addresses where no URL is read
    UNKNOWN_PROTOCOL = "unknown-protocol"  # it is none that is read: settings.unknown_protocol
    UNDECIDED = "undecided"  # what was sent never became a protocol that can be judged
    NO_POLICY = "no-policy"  # none has loaded yet
    OWN_SERVICE = "own-service"  # it leads to our own console, metrics or health; whatever the mode
    ERROR = "error"  # judging failed, so it is refused


def response_on(respond: Iterable[Respond], surface: Surface) -> Respond | None:
    """The first wish of *respond* that fits *surface*; None: what is usual there."""
    return next((wish for wish in respond if wish in _FITTING.get(surface, _CLOSING)), None)


class Trial(NamedTuple):
    """An endpoint on trial, and what it would have made of a decision (`trials`)."""

    verdict: Verdict  # with it enforced
    app: str  # whose endpoint it is
    endpoint: Endpoint
    rule: str | None  # id of what would have decided; `default` where no rule would
    unowned: bool  # without it no app owns the flow


class Decision(NamedTuple):
    """What was decided for a request, and why. (A tuple: a frozen dataclass of its fields takes 2.5 µs to make.)"""

    verdict: Verdict
    reason: Reason
    apps: tuple[str, ...] = ()  # the owner whose rule decided; several where equally specific ones agree
    rule: Rule | None = None  # None for the default, and where no app owns it
    would: Verdict | None = None  # what a shadow rule, an endpoint on trial, or enforce in place of monitor would do
    shadow_rule: str | None = None  # id of the shadow rule behind `would`
    authorities: tuple[tuple[str, State | None], ...] = ()  # those that name the app, with their state
    lawful: bool = False  # an authority in force that binds the organization demands the block
    against: tuple[str, ...] = ()  # authorities in force that bind it, against which an exception lets this through
    # from here on what differs from one request to the next
    endpoint: Endpoint | None = None  # of apps[0]
    name: Name | None = None  # the one that decided
    mismatch: bool = False  # its host names have different owners: fronting, or an attempt at it
    error: str | None = None
    trial: Trial | None = None  # the endpoint on trial by which it would be stricter

    @property
    def blocked(self) -> bool:
        """Whether the flow is refused."""
        return self.verdict is Verdict.BLOCK

    @property
    def unowned(self) -> bool:
        """Whether it passes, or is logged for the sake of an endpoint on trial alone."""
        return self.verdict is Verdict.PASS or (self.trial is not None and self.trial.unowned)

    @property
    def held_back(self) -> bool:
        """Whether monitor alone keeps the flow from being refused (a shadow rule's `would` is no such thing)."""
        return self.would is Verdict.BLOCK and self.shadow_rule is None and self.trial is None

    @property
    def rule_id(self) -> str | None:
        """The id of what decided; `default` where no rule held."""
        if self.rule is not None:
            return self.rule.id
        return DEFAULT_RULE if self.reason is Reason.DEFAULT else None

    @property
    def status(self) -> int | None:
        """HTTP status of the refusal: 451 only on a legal demand (RFC 7725), else 403; None unless blocked."""
        if not self.blocked:
            return None
        return 451 if self.lawful else 403

    @property
    def respond(self) -> tuple[Respond, ...]:
        """How the rule wants the refusal to look; empty: what fits the surface."""
        return self.rule.respond if self.rule is not None else ()

    def response_on(self, surface: Surface) -> Respond | None:
        """How the refusal looks at *surface*: the first wish of the rule that fits there; None: what is usual."""
        return response_on(self.respond, surface)

    def status_on(self, surface: Surface) -> int | None:
        """HTTP status of the answer at *surface*; None where no answer of HTTP is given."""
        if surface not in _OVER_HTTP or self.response_on(surface) is Respond.RESET:
            return None
        return self.status

    @property
    def anonymous(self) -> bool:
        """Whether the record leaves out who it was."""
        return self.rule is not None and self.rule.record is Recording.ANONYMOUS


PASS = Decision(verdict=Verdict.PASS, reason=Reason.NO_OWNER)
