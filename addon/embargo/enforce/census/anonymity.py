"""What of a tally may be told: hosts that several clients met, by name; the rest by registered name and day alone.

The name of a host may be a person's: that of a device at home, a shard or a tracker of one account, a random name.
So a host is told with its hour only where at least `FEWEST_CLIENTS` clients met it in that hour. What fewer met is
counted under its registered name, without the private division of the Public Suffix List (of alice.github.io that
is github.io), and told by day. What has no registered name (addresses, names inside the house) is counted as others.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nlargest
from operator import itemgetter

from embargo.core.request import Surface
from embargo.enforce.census.tally import BELOW, Counted, Tally
from embargo.policy.registration import registered_name
from embargo.traffic.census import FEWEST_CLIENTS, HostCount

_MOST_NAMES = 50_000  # a day


@dataclass(slots=True)
class Rest:
    """What fewer clients met: requests by registered name, without an hour."""

    requests: dict[tuple[str, bool], int] = field(default_factory=dict)  # by name, and whether in DNS
    clients: dict[tuple[str, bool], int] = field(default_factory=dict)  # the most in an hour, where they were enough
    others: int = 0

    def add(self, other: "Rest") -> None:
        """Count what *other* has, of another hour of the same day; of too many names those met most are kept."""
        self.others += other.others
        for key, requests in other.requests.items():
            self.requests[key] = self.requests.get(key, 0) + requests
        for key, clients in other.clients.items():
            self.clients[key] = max(clients, self.clients.get(key, 0))
        if len(self.requests) > _MOST_NAMES:
            everything = sum(self.requests.values())
            self.requests = dict(nlargest(_MOST_NAMES, self.requests.items(), key=itemgetter(1)))
            self.clients = {key: clients for key, clients in self.clients.items() if key in self.requests}
            self.others += everything - sum(self.requests.values())

    def copy(self) -> "Rest":
        """One that can be added to while this one stays."""
        return Rest(self.requests.copy(), self.clients.copy(), self.others)

    def counts(self) -> Iterable[HostCount]:
        """As a file of the census has them."""
        for (name, question), requests in self.requests.items():
            yield HostCount(
                host=name,
                below=True,
                requests=requests,
                clients=self.clients.get((name, question)),
                surface=Surface.DNS if question else None,
            )

    def __bool__(self) -> bool:
        return bool(self.requests) or self.others > 0


def told(tally: Tally, fewest: int = FEWEST_CLIENTS) -> tuple[list[HostCount], Rest]:
    """The hosts of *tally* that may be told with their hour, and the rest."""
    hosts: list[HostCount] = []
    below: dict[tuple[str, bool], Counted] = {}
    rest = Rest(others=tally.others)
    for host, counted, question in tally.copied():
        requests = counted.requests
        if not requests:
            continue  # it is being counted right now
        if not host.startswith(BELOW) and counted.at_least >= fewest:
            hosts.append(
                HostCount(
                    host=host,
                    requests=requests,
                    clients=counted.estimate,
                    surface=Surface.DNS if question else None,
                )
            )
            continue
        name = host[len(BELOW) :] if host.startswith(BELOW) else registered_name(host, private=False)
        if name is None:
            rest.others += requests
        else:
            together = below.setdefault((name, question), Counted())
            together.requests += requests
            together.merge(counted)
    for key, counted in below.items():
        rest.requests[key] = counted.requests
        if counted.at_least >= fewest:
            rest.clients[key] = counted.estimate
    return hosts, rest
