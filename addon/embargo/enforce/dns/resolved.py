"""What addresses mean to the clients that asked for them: a memory of the DNS answers that passed through us.

A raw stream, a datagram, or TLS without a name shows nothing but an address. What its client asked for just before
tells which name it is after. Rules, each on the side of the innocent where the two cannot be told apart:

- Only a client's own questions count. Another's must not block it on a shared CDN's address.
- A flow that shows a host name of its own is judged by that, never by what is remembered.
- One address serves many names. A flow is judged by the one with the mildest verdict of all that its client was
  given that address for, so it is blocked only where every one of them is.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from embargo.core.address import Address
from embargo.core.decision import Decision, Verdict
from embargo.core.request import Name, Request, Source

SHORTEST = 300.0  # seconds: apps keep addresses for longer than a TTL of seconds says
LONGEST = 86_400.0  # seconds: no client may fill the memory for longer
MOST_ADDRESSES = 65_536  # pairs of client and address
MOST_NAMES = 16  # of one address, for one client

type _Key = tuple[Address, Address]  # client, address


class Resolved:
    """The memory. Touched by the event loop's thread alone."""

    def __init__(self) -> None:
        self._names: OrderedDict[_Key, OrderedDict[str, float]] = OrderedDict()  # until when (POSIX), the oldest first

    def __len__(self) -> int:
        """The number of pairs of client and address that are remembered."""
        return len(self._names)

    def learn(self, client: Address, name: str, addresses: Iterable[Address], ttl: float, time: datetime) -> None:
        """*client* was told at *time* that *name* (canonical) has *addresses*, for *ttl* seconds."""
        until = time.timestamp() + min(max(ttl, SHORTEST), LONGEST)
        for address in addresses:
            key = (client, address)
            names = self._names.get(key)
            if names is None:
                names = self._names[key] = OrderedDict()
                if len(self._names) > MOST_ADDRESSES:
                    self._names.popitem(last=False)
            self._names.move_to_end(key)
            names[name] = max(until, names.get(name, 0.0))
            names.move_to_end(name)
            if len(names) > MOST_NAMES:
                names.popitem(last=False)

    def names(self, client: Address, address: Address, time: datetime) -> tuple[str, ...]:
        """The names that *client* was given *address* for and that still hold at *time*, the newest first."""
        key, now = (client, address), time.timestamp()
        names = self._names.get(key)
        if names is None:
            return ()
        for name in [name for name, until in names.items() if until <= now]:
            del names[name]
        if not names:
            del self._names[key]
        return tuple(reversed(names))

    def named(self, request: Request, decide: Callable[[Request], Decision]) -> Request:
        """*request* with the name that its client asked for, where it shows nothing but addresses.

        Of several the one with the mildest verdict, and of equals the newest; so the result never is blocked where
        one of them would pass.
        """
        if not self._names or request.client is None or not request.names:
            return request
        best: Request | None = None
        mildest: tuple[bool, Verdict] | None = None
        for name in request.names:
            if name.host is None or name.host.address is None:
                return request  # it shows a name, be it one that cannot be read
        for shown in request.names:
            assert shown.host is not None and shown.host.address is not None, "checked above"
            for text in self.names(request.client, shown.host.address, request.time):
                learnt = replace(request, names=(*request.names, Name.parse(Source.RESOLVED, text, shown.port)))
                decision = decide(learnt)
                strictness = (decision.held_back, decision.verdict)  # what monitor holds back, enforce blocks
                if mildest is None or strictness < mildest:
                    best, mildest = learnt, strictness
        return request if best is None else best
