"""One pattern of the policy file: what it is, how specific it is, what it covers."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from embargo.core.address import Network
from embargo.core.request import Name, Request
from embargo.core.url import Pairs, glob_matches


class Kind(IntEnum):
    """Kinds of patterns, the least specific first (DESIGN 5, Matching)."""

    USER_AGENT = 0
    CIDR = 1
    DOMAIN = 2
    HOST = 3
    URL = 4

    @property
    def key(self) -> str:
        """The word for it in a policy file."""
        return self.name.lower()


class Protocol(StrEnum):
    """Transport that a ``cidr`` pattern is limited to."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern in canonical form; the loader alone makes them, so a pattern is always well formed."""

    kind: Kind
    text: str  # canonical host, network, substring; of a URL, its canonical spelling
    network: Network | None = None  # kind CIDR
    port: int | None = None  # kind CIDR; None: every port
    protocol: Protocol | None = None  # kind CIDR; None: both
    host: str = ""  # kind URL: canonical host
    path: tuple[str, ...] = ("/",)  # kind URL: the pieces of the normalized path between "*"
    pairs: Pairs = frozenset()  # kind URL: query pairs, all of which must be there

    @property
    def specificity(self) -> tuple[int, int]:
        """Rank in the competition of patterns: by kind, then by length."""
        if self.kind is Kind.CIDR:
            assert self.network is not None
            return (self.kind, self.network.prefixlen)
        if self.kind in (Kind.USER_AGENT, Kind.HOST):
            return (self.kind, 0)
        return (self.kind, len(self.text))

    def contains(self, other: "Pattern") -> bool:
        """Whether all that *other* covers falls under this pattern too; False also where that is not plain."""
        if self == other:
            return True
        match self.kind:
            case Kind.DOMAIN:
                host = other.host if other.kind is Kind.URL else other.text
                return other.kind >= Kind.DOMAIN and (host == self.text or host.endswith("." + self.text))
            case Kind.HOST:
                return other.kind is Kind.URL and other.host == self.text
            case Kind.URL:
                return other.kind is Kind.URL and other.host == self.host and self._contains_target(other)
            case Kind.CIDR:
                return other.kind is Kind.CIDR and self._contains_network(other)
            case _:
                return other.kind is Kind.USER_AGENT and self.text in other.text

    def _contains_target(self, other: "Pattern") -> bool:
        plain = len(other.path) == 1 and glob_matches(self.path, other.path[0])
        return self.pairs <= other.pairs and (self.path == other.path or plain)

    def _contains_network(self, other: "Pattern") -> bool:
        assert self.network is not None and other.network is not None
        return (
            self.network.version == other.network.version
            and other.network.subnet_of(self.network)  # type: ignore[arg-type]
            and self.port in (None, other.port)
            and self.protocol in (None, other.protocol)
        )

    def covers(self, name: Name, request: Request) -> bool:
        """Whether *name* of *request* falls under this pattern."""
        host = name.host
        if self.kind is Kind.USER_AGENT:
            return request.user_agent is not None and self.text in request.user_agent
        if host is None:
            return False
        match self.kind:
            case Kind.DOMAIN:
                return host.text == self.text or host.text.endswith("." + self.text)
            case Kind.HOST:
                return host.text == self.text
            case Kind.URL:
                return host.text == self.host and self.covers_target(request)
            case _:
                return self.covers_address(name, request)

    def covers_target(self, request: Request) -> bool:
        """Whether the request's path and query fall under this URL pattern; its host is already compared."""
        target = request.target
        return target is not None and self.pairs <= target.pairs and glob_matches(self.path, target.path)

    def covers_address(self, name: Name, request: Request) -> bool:
        """Whether a literal address falls under this ``cidr`` pattern, port and protocol included."""
        assert self.network is not None
        address = name.host.address if name.host is not None else None
        return (
            address is not None
            and address in self.network
            and (self.port is None or self.port == name.port)
            and (self.protocol is None or self.protocol == request.transport)
        )
