"""Who has which address, and when: what a map of addresses to users says. Pure."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from embargo.core.address import Address, Network


@dataclass(frozen=True, slots=True)
class Assignment:
    """A user has an address, or all of a network, for a time."""

    network: Network
    user: str
    start: datetime | None = None  # the first instant that counts (UTC); None: since ever
    end: datetime | None = None  # the first that no longer does; None: for ever

    def holds(self, time: datetime) -> bool:
        """Whether it holds at *time*."""
        return (self.start is None or self.start <= time) and (self.end is None or time < self.end)


class Identities:
    """Answers whose address it is. Immutable."""

    def __init__(self, assignments: Iterable[Assignment] = ()) -> None:
        """Of *assignments* with the same network, the later counts before the earlier."""
        self._by_length: dict[tuple[int, int], dict[int, list[Assignment]]] = {}  # version and prefix; network
        self._count = 0
        changes: set[datetime] = set()
        for assignment in assignments:
            network = assignment.network
            same = self._by_length.setdefault((network.version, network.prefixlen), {})
            same.setdefault(int(network.network_address), []).append(assignment)
            changes.update(time for time in (assignment.start, assignment.end) if time is not None)
            self._count += 1
        for same in self._by_length.values():
            for several in same.values():
                several.reverse()
        self._changes = sorted(changes)
        self._lengths = {
            version: sorted((length for each, length in self._by_length if each == version), reverse=True)
            for version in (4, 6)
        }

    def __len__(self) -> int:
        """The number of assignments."""
        return self._count

    def user(self, address: Address, time: datetime) -> str | None:
        """The user who has *address* at *time*: of the longest network with an assignment that holds then.

        Of several of one network that hold, the last in the file: a lease that was handed on early is followed by its
        new holder's line.
        """
        version, bits, value = address.version, address.max_prefixlen, int(address)
        for length in self._lengths[version]:
            shift = bits - length
            for assignment in self._by_length[version, length].get(value >> shift << shift, ()):
                if assignment.holds(time):
                    return assignment.user
        return None

    def changes_between(self, start: datetime, end: datetime) -> bool:
        """Whether an assignment begins or ends after *start* and not after *end*."""
        return bisect_right(self._changes, start) < bisect_right(self._changes, end)
