"""Balancers in front: the client's own address comes in a head of the PROXY protocol, from named balancers alone.

Read in `client_connected`, before mitmproxy reads a byte, so that client rules, records and proxy authentication all
see the client. A named balancer has to send one: a receiver must not guess (section 2 of the specification).
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass

from mitmproxy import connection as mitm
from mitmproxy import ctx

from embargo.core.address import Address, Network, parse_address, plain
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.proxy_protocol import Head, Incomplete, MalformedHead, parse
from embargo.core.request import Surface
from embargo.enforce.gate import Gate

PATIENCE = 5.0  # seconds for a whole head; the specification wants at least 3, for a lost segment
_AWAITED = "awaits its PROXY protocol head"


@dataclass(slots=True)
class Counters:
    """Connections since the process started."""

    passed_on: int = 0  # of clients, whose addresses are known
    own: int = 0  # the balancer's own: health checks
    refused: int = 0  # heads that are malformed, missing, late, or from whom may not send one


class Balancers:
    """Whose PROXY protocol heads are believed."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.networks: tuple[Network, ...] = ()
        self.counters = Counters()

    def admit(self, client: mitm.Client) -> Coroutine[None, None, None] | None:
        """`client_connected` before all other addons. Returns what mitmproxy has to wait for."""
        if not self.networks or client.transport_protocol != "tcp" or not is_of(client, self.networks):
            return None
        server = ctx.master.addons.get("proxyserver")
        handler = server.connections.get(client.id) if server is not None else None
        transport = handler.transports.get(client) if handler is not None else None
        reader = transport.reader if transport is not None else None
        if reader is not None and not isinstance(reader, asyncio.StreamReader):
            return None  # a device (tun, WireGuard), behind which no balancer stands
        client.error = _AWAITED  # mitmproxy closes one that has an error; so it does if anything in here fails
        if reader is None:
            self._refuse(client, "a balancer's connection that mitmproxy does not hand out")
            return None
        return self._read(client, reader)

    def refuse_stranger(self, client: mitm.Client) -> None:
        """Record that somebody who is not named sent a head."""
        self._refuse(client, "a PROXY protocol head from an address that is not named as a balancer")

    async def _read(self, client: mitm.Client, reader: asyncio.StreamReader) -> None:
        data = b""
        try:
            async with asyncio.timeout(PATIENCE):
                while isinstance(found := parse(data), Incomplete):
                    piece = await reader.read(found.more)
                    if not piece:
                        break
                    data += piece
        except TimeoutError:
            self._refuse(client, f"no PROXY protocol head from a balancer within {PATIENCE:g} s")
        except MalformedHead as malformed:
            self._refuse(client, f"no PROXY protocol head from a balancer: {malformed}")
        except OSError:
            self._gone(client, data)
        else:
            if isinstance(found, Head):
                self._take(client, found)
            else:
                self._gone(client, data)

    def _take(self, client: mitm.Client, head: Head) -> None:
        if head.client is None:
            self.counters.own += 1
        else:
            self.counters.passed_on += 1
            client.peername = (str(head.client.address), head.client.port)
            if head.destination is not None:
                client.sockname = (str(head.destination.address), head.destination.port)
        client.error = None

    def _gone(self, client: mitm.Client, data: bytes) -> None:
        """It went away again: with nothing said a health check, which no log needs to know of."""
        if data:
            self._refuse(client, "a PROXY protocol head that is not whole")
        else:
            self.counters.own += 1

    def _refuse(self, client: mitm.Client, error: str) -> None:
        """In monitor mode too: whose connection it is cannot be told, whatever the policy says."""
        self.counters.refused += 1
        decision = Decision(verdict=Verdict.BLOCK, reason=Reason.UNDECIDED, error=error)
        self._gate.record(decision, Surface.TCP, self._gate.connection(client))


def is_of(client: mitm.Client, networks: Sequence[Network]) -> bool:
    """Whether *client*'s address lies in one of *networks*."""
    address = address_of(client)
    return address is not None and any(address in network for network in networks)


def address_of(client: mitm.Client) -> Address | None:
    """The address that *client* comes from."""
    address = parse_address(client.peername[0].lower()) if client.peername else None
    return plain(address) if address is not None else None
