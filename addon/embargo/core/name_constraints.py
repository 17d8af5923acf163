"""What a certification authority's certificate permits it to sign for (RFC 5280, 4.2.1.10).

Only the forms that a server's certificate carries: DNS names and addresses. A subtree of a DNS name is that
name and all below it; one that begins with a dot, which some software writes, is what lies below alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from embargo.core.address import Network
from embargo.core.hostname import Host
from embargo.core.matcher import suffixes


@dataclass(frozen=True, slots=True, kw_only=True)
class NameConstraints:
    """The constraints of one certificate; None where it has no permitted subtree of that form: then all are."""

    permitted_names: frozenset[str] | None = None  # lower case; "" is every name
    excluded_names: frozenset[str] = frozenset()
    permitted_networks: tuple[Network, ...] | None = None
    excluded_networks: tuple[Network, ...] = ()
    unmet: str | None = None  # a constraint that no certificate of a proxy's meets: nothing is permitted

    def permits(self, host: Host) -> bool:
        """Whether a certificate for *host* alone, signed by this authority, is within its constraints."""
        if self.unmet is not None:
            return False
        if host.address is not None:
            address = host.address
            inside = self.permitted_networks is None or any(address in net for net in self.permitted_networks)
            return inside and not any(address in network for network in self.excluded_networks)
        name = host.text
        inside = self.permitted_names is None or _below(name, self.permitted_names)
        # one that begins with a dot: clients differ in whether it means the name itself, so that counts as excluded
        return inside and not _below(name, self.excluded_names) and f".{name}" not in self.excluded_names

    @property
    def limits_names(self) -> bool:
        """Whether there is a name that the authority may not sign for."""
        return self.unmet is not None or self.permitted_names is not None or bool(self.excluded_names)

    @property
    def names_few(self) -> bool:
        """Whether the authority may sign for certain names alone."""
        return self.unmet is not None or (self.permitted_names is not None and "" not in self.permitted_names)


def permits(constraints: Iterable[NameConstraints], host: Host) -> bool:
    """Whether every certificate of a chain permits *host*."""
    return all(each.permits(host) for each in constraints)


def _below(name: str, subtrees: frozenset[str]) -> bool:
    if "" in subtrees:
        return True
    parents = suffixes(name)
    return any(parent in subtrees for parent in parents) or any(f".{parent}" in subtrees for parent in parents[1:])
