"""What passes, counted in memory: requests of each host, and its distinct clients as an estimate.

Clients are told apart by a keyed hash whose key is made for this tally, is never written, and dies with it: within an
hour. Memory is bounded by a plain bound on names: once half of it is taken, a new host is counted with all of its
registered name, so that one domain of random names cannot crowd out the others; once all is taken, among `others`. So
it is for each client with a quarter of the bound, so that one that asks for random names cannot crowd out the others.
"""

import os
from collections.abc import Iterator
from hashlib import blake2s
from ipaddress import IPv6Address

from embargo.core.address import Address
from embargo.core.cardinality import DIGEST, Distinct, Mark, mark_of
from embargo.policy.registration import registered_name

MOST_HOSTS = 50_000  # names a tally; some 10 MB where most have one client, 30 MB at the very most
BELOW = "*."  # before a registered name that stands for all of its hosts; no host begins so
_MOST_MARKS = 50_000  # clients whose marks are remembered; those beyond are worked out each time
_SHARE = 4  # clients that together can take all the room
_SITE = 64  # bits of an IPv6 address that tell one client from another: the rest a machine changes as it likes


class Counted(Distinct):
    """What one host had: its distinct clients, and requests."""

    __slots__ = ("latest", "requests")

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.latest: Mark | None = None  # mostly the next request is of the same client


class Tally:
    """Counts of an hour at most. One thread counts (`Census.passed`, without a call more); others may copy."""

    def __init__(self, most: int = MOST_HOSTS) -> None:
        self.others = 0  # requests that found no room
        self.hosts: dict[str, Counted] = {}
        self.questions: dict[str, Counted] = {}  # of DNS
        self.era = object()  # tells its marks from another tally's, and keeps nothing of it alive
        self._most = most
        self._brought: dict[Mark, int] = {}  # names that came with a client of this mark
        self._key = os.urandom(32)
        self._marks: dict[Address | None, Mark] = {}

    def mark(self, client: Address | None) -> Mark:
        """The mark of *client*, in this tally alone."""
        mark = self._marks.get(client)
        if mark is None:
            mark = mark_of(blake2s(_identity(client), key=self._key, digest_size=DIGEST).digest())
            if len(self._marks) < _MOST_MARKS:
                self._marks[client] = mark
        return mark

    def copied(self) -> Iterator[tuple[str, Counted, bool]]:
        """Each name with what it had, and whether it was asked for in DNS; counting may go on."""
        for counts, question in ((self.hosts, False), (self.questions, True)):
            for host, counted in counts.copy().items():
                yield host, counted, question

    def __len__(self) -> int:
        return len(self.hosts) + len(self.questions)

    def new(self, counts: dict[str, Counted], host: str, mark: Mark) -> Counted | None:
        """Where *host*, not yet in *counts* (one of the two above), is counted; None: it was, among others.

        *mark*: of the client that asks for it.
        """
        brought = self._brought.get(mark, 0)
        taken = max(len(self), brought * _SHARE)  # of the room for all, and of the client's own
        if taken >= self._most // 2:
            name = registered_name(host, private=False)
            if name is not None:
                host = BELOW + name
                if (known := counts.get(host)) is not None:
                    return known
            if taken >= self._most:
                self.others += 1
                return None
        self._brought[mark] = brought + 1
        counts[host] = made = Counted()
        return made


def _identity(client: Address | None) -> bytes:
    if client is None:
        return b""
    return client.packed[: _SITE // 8] if isinstance(client, IPv6Address) else client.packed
