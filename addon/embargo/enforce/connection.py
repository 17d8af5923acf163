"""What the gate remembers of an open client connection.

mitmproxy hands each hook a part of the story (the CONNECT here, the ClientHello there); a verdict needs
all names together, and one record has to stand for the whole connection.
"""

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field

from mitmproxy import connection as mitm
from mitmproxy import flow as mitm_flow

from embargo.core.address import Address, parse_address, plain
from embargo.core.decision import Decision, Verdict
from embargo.core.request import Name, Request
from embargo.enforce.raw_stream import RawStream

_PRUNE_AT = 16  # requests remembered before those that have ended are dropped


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
    sni: Name | None = None  # of the ClientHello inside the tunnel; a secure proxy's own is not meant
    user_agent: str | None = None  # of the CONNECT
    user: str | None = None
    page: Page | None = None
    recorded: set[tuple[Verdict, Verdict | None]] = field(default_factory=set)  # on surfaces that share a record
    tunnel_request: Request | None = None  # the newest that concerns the connection as a whole
    raw: dict[str, RawStream] = field(default_factory=dict)  # by id of the TCP flow
    _requests: list[tuple[weakref.ref[mitm_flow.Flow], Request]] = field(default_factory=list)

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
        """The client's port."""
        return self.peer.peername[1] if self.peer.peername else None

    def remember(self, flow: mitm_flow.Flow, request: Request) -> None:
        """Keep *request* for as long as *flow* is live, so that it can be judged again after a reload."""
        if len(self._requests) >= _PRUNE_AT:
            self._requests = [(held, past) for held, past in self._requests if (kept := held()) and kept.live]
        self._requests.append((weakref.ref(flow), request))

    def open_requests(self) -> Iterator[Request]:
        """The requests of what is still open: the tunnel, and each live flow."""
        if self.tunnel_request is not None:
            yield self.tunnel_request
        for held, request in self._requests:
            flow = held()
            if flow is not None and flow.live:
                yield request
