"""What the gate remembers of an open client connection.

mitmproxy hands each hook a part of the story (the CONNECT here, the ClientHello there); a verdict needs
all names together, and one record has to stand for the whole connection.
"""

from dataclasses import dataclass, field

from mitmproxy import connection as mitm

from embargo.core.address import Address, parse_address, plain
from embargo.core.decision import Decision, Verdict
from embargo.core.forwarded import Said
from embargo.core.request import Name, Request
from embargo.enforce.judgement import Judgement
from embargo.enforce.streams.raw_stream import RawStream


@dataclass(frozen=True, slots=True)
class Page:
    """A refused CONNECT whose tunnel is open to the client alone, to show the page inside."""

    incident: str  # id of the CONNECT's record
    decision: Decision


@dataclass(slots=True)
class Connection:
    """One client connection; mutable, and touched by the event loop's thread alone."""

    peer: mitm.Client
    client: Address | None
    tunnel: Name | None = None  # CONNECT target
    snis: tuple[Name, ...] = ()  # of the ClientHello inside the tunnel; a secure proxy's own is not meant
    user_agent: str | None = None  # of the CONNECT
    user: str | None = None
    identity_source: str | None = None  # how it is known who asks
    said: Said | None = None  # by a front proxy, of the newest request or of the tunnel
    page: Page | None = None
    nameless: bool = False  # it was counted as one that shows nothing but an address
    watched: bool = False  # our own layer sees each of its datagrams
    sealed: bool = False  # its TLS was left closed, since nothing inside could be blocked
    recorded: set[tuple[Verdict, Verdict | None]] = field(default_factory=set)  # on surfaces that share a record
    asked: Judgement | None = None  # the CONNECT, as it was judged before other addons saw it
    dialled: tuple[object, ...] | None = None  # the upstream address that was last judged and passed
    tunnel_request: Request | None = None  # the newest that concerns the connection as a whole
    raw: dict[str, RawStream] = field(default_factory=dict)  # by id of the TCP flow
    counted: str | None = None  # the host under which the census counted it, until a request inside stands for it
    marked: tuple[object, Address | None, int] | None = None  # the client's mark in the census, and in which era

    @classmethod
    def of(cls, peer: mitm.Client) -> "Connection":
        """A new memory of *peer*."""
        host = peer.peername[0] if peer.peername else ""
        address = parse_address(host.lower())
        return cls(peer, plain(address) if address is not None else None)

    @property
    def id(self) -> str:
        """The same on every record of this connection."""
        return self.peer.id

    @property
    def port(self) -> int | None:
        """The client's port; None where a front proxy stands between."""
        if self.said is not None and self.said.forwarded:
            return None
        return self.peer.peername[1] if self.peer.peername else None
