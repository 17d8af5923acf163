"""The catalogue: apps, their endpoints, and the authorities that name them."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from embargo.core.pattern import Kind, Pattern
from embargo.core.timeline import Timeline


class Role(StrEnum):
    """What an endpoint is to its app."""

    API = "api"
    WEB = "web"
    LOGIN = "login"
    PAYMENT = "payment"
    MESSAGING = "messaging"
    CDN = "cdn"
    TELEMETRY = "telemetry"
    ADS = "ads"
    DOWNLOAD = "download"
    UPDATE = "update"
    STORE = "store"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One pattern of an app, with what the catalogue knows of it."""

    pattern: Pattern
    role: Role = Role.API
    shared: bool = False  # also serves others
    evidence: tuple[str, ...] = ()
    shadow: bool = False  # on trial: what it would do is noted, and it does nothing (`trials`)
    layer: int = field(default=0, compare=False)  # number of the policy file that it stands in, from 0

    def __str__(self) -> str:
        return f"{self.pattern.kind.key}:{self.pattern.text}"


@dataclass(frozen=True, slots=True)
class DomainList:
    """A plain list of domains (`endpoints_from`); its names live in the matcher's index, not here."""

    app: str
    source: str  # the file as the policy names it
    count: int
    role: Role = Role.API
    shared: bool = False
    layer: int = field(default=0, compare=False)  # number of the policy file that names it, from 0


class ListedEndpoint(Endpoint):
    """The endpoint of one name of a `DomainList`: made when the name is met, so it holds two references only.

    (A whole `Endpoint` with its `Pattern` takes 2.5 µs to make, a third of a decision on a fresh host.)
    """

    __slots__ = ("_domain", "_list")
    _domain: str
    _list: DomainList

    def __init__(self, domain: str, source: DomainList) -> None:
        _set_domain(self, domain)
        _set_list(self, source)

    pattern = property(lambda self: Pattern(Kind.DOMAIN, self._domain))
    role = property(lambda self: self._list.role)
    shared = property(lambda self: self._list.shared)
    evidence = property(lambda self: (self._list.source,))
    shadow = property(lambda self: False)  # lists are always enforced
    layer = property(lambda self: self._list.layer)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Endpoint):
            return NotImplemented
        return (self.pattern, self.role, self.shared, self.evidence, self.shadow) == (
            other.pattern,
            other.role,
            other.shared,
            other.evidence,
            other.shadow,
        )

    def __hash__(self) -> int:
        return hash((self.pattern, self.role, self.shared, self.evidence, self.shadow))

    def __repr__(self) -> str:
        return f"ListedEndpoint({self._domain!r}, {self._list!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return (ListedEndpoint, (self._domain, self._list))


_set_domain, _set_list = ListedEndpoint._domain.__set__, ListedEndpoint._list.__set__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Stores:
    """Ids of an app in the app stores."""

    apple: tuple[str, ...] = ()
    google_play: tuple[str, ...] = ()
    microsoft: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app of the catalogue."""

    id: str
    name: str
    vendor: str | None = None
    named_in: tuple[str, ...] = ()  # ids of authorities
    endpoints: tuple[Endpoint, ...] = ()  # those made of `stores` included
    exclude: tuple[Endpoint, ...] = ()
    stores: Stores = field(default_factory=Stores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """An order, statute or ruling."""

    id: str
    title: str
    jurisdiction: str | None = None
    url: str | None = None
    reviewed: date | None = None
    timeline: Timeline = field(default_factory=Timeline)
