"""Which apps own a name: a lookup whose cost does not grow with the number of domains.

Catalogue patterns lie in dictionaries, one lookup a label; the names of long lists lie in an index of
their own (`ListedDomains`), since a million Python strings would cost a hundred megabytes. What is found
for a host is remembered, so a repeated host costs one lookup.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from embargo.core.address import Address
from embargo.core.catalogue import App, DomainList, Endpoint
from embargo.core.hostname import Host
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Name, Request

_REMEMBERED = 65_536  # hosts; about 100 bytes each


class ListedDomains(Protocol):
    """An index of the names of all domain lists."""

    def suffixes(self, host: str) -> Iterable[tuple[str, int]]:
        """The listed domains that are *host* or a parent of it, each with its list's number."""
        ...


class DomainTable:
    """`ListedDomains` in memory: for tests and small lists."""

    def __init__(self, lists: Iterable[Iterable[str]]) -> None:
        self._lists: dict[str, list[int]] = defaultdict(list)
        for number, names in enumerate(lists):
            for name in names:
                self._lists[name].append(number)

    def suffixes(self, host: str) -> list[tuple[str, int]]:
        """The listed domains that are *host* or a parent of it, each with its list's number."""
        return [(domain, number) for domain in suffixes(host) for number in self._lists.get(domain, ())]


@dataclass(frozen=True, slots=True)
class Entry:
    """A pattern of an app, and whether it takes the name out of that app."""

    app: str
    endpoint: Endpoint
    excluded: bool
    rank: tuple[int, int, bool]  # sort key: the most specific last; at equal rank exclude wins

    @classmethod
    def of(cls, app: str, endpoint: Endpoint, *, excluded: bool) -> "Entry":
        """The entry of *endpoint*, an endpoint or an exclude of *app*."""
        return cls(app, endpoint, excluded, (*endpoint.pattern.specificity, excluded))


@dataclass(frozen=True, slots=True)
class Owner:
    """An app that owns a name, by its most specific endpoint there."""

    app: str
    endpoint: Endpoint
    specificity: tuple[int, int]


def suffixes(host: str) -> Iterator[str]:
    """*host* and its parents by whole labels, the longest first: ``notqq.com`` never meets ``qq.com``."""
    while host:
        yield host
        _, _, host = host.partition(".")


class Matcher:
    """The catalogue, compiled for lookup. Immutable but for its memory of hosts; safe across threads."""

    def __init__(
        self, apps: Iterable[App], lists: tuple[DomainList, ...] = (), listed: ListedDomains | None = None
    ) -> None:
        self._domains: dict[str, list[Entry]] = defaultdict(list)
        self._hosts: dict[str, list[Entry]] = defaultdict(list)
        self._urls: dict[str, list[Entry]] = defaultdict(list)
        self._networks: dict[tuple[int, int], dict[int, list[Entry]]] = {}  # by version and length, then by prefix
        self._agents: list[Entry] = []
        self._lists = lists
        self._listed = listed
        for app in apps:
            for endpoint in app.endpoints:
                self._add(Entry.of(app.id, endpoint, excluded=False))
            for endpoint in app.exclude:
                self._add(Entry.of(app.id, endpoint, excluded=True))
        self.entries_of_host = lru_cache(maxsize=_REMEMBERED)(self._entries_of_host)
        self.entries_of_agent = lru_cache(maxsize=4096)(self._entries_of_agent)

    def _add(self, entry: Entry) -> None:
        pattern = entry.endpoint.pattern
        match pattern.kind:
            case Kind.DOMAIN:
                self._domains[pattern.text].append(entry)
            case Kind.HOST:
                self._hosts[pattern.text].append(entry)
            case Kind.URL:
                self._urls[pattern.host].append(entry)
            case Kind.CIDR:
                assert pattern.network is not None
                network = pattern.network
                prefixes = self._networks.setdefault((network.version, network.prefixlen), {})
                prefixes.setdefault(int(network.network_address), []).append(entry)
            case Kind.USER_AGENT:
                self._agents.append(entry)

    def owners(self, name: Name, request: Request) -> tuple[Owner, ...]:
        """The apps that own *name*, the most specific first."""
        host = name.host
        if host is None:
            return ()
        entries: Iterable[Entry] = self.entries_of_host(host)
        extra: list[Entry] = []
        if request.target is not None and host.text in self._urls:
            extra += [entry for entry in self._urls[host.text] if entry.endpoint.pattern.covers_target(request)]
        if host.address is not None:
            entries = [entry for entry in entries if entry.endpoint.pattern.covers(name, request)]
        if request.user_agent is not None and self._agents:
            extra += self.entries_of_agent(request.user_agent)
        if extra:
            entries = (*entries, *extra)
        return strongest(entries) if entries else ()

    def urls_of_host(self, host: str) -> tuple[Entry, ...]:
        """The url endpoints and url excludes at *host* (canonical), whatever their path."""
        return tuple(self._urls.get(host, ()))

    def _entries_of_host(self, host: Host) -> tuple[Entry, ...]:
        if host.address is not None:
            return tuple(self._entries_of_address(host.address))
        found = list(self._hosts.get(host.text, ()))
        for domain in suffixes(host.text):
            found += self._domains.get(domain, ())
        if self._listed is not None:
            for domain, number in self._listed.suffixes(host.text):
                found.append(self._listed_entry(domain, self._lists[number]))
        return tuple(found)

    def _entries_of_address(self, address: Address) -> Iterator[Entry]:
        number = int(address)
        for (version, length), prefixes in self._networks.items():
            if version == address.version:
                shift = address.max_prefixlen - length
                yield from prefixes.get(number >> shift << shift, ())

    @staticmethod
    def _listed_entry(domain: str, source: DomainList) -> Entry:
        endpoint = Endpoint(Pattern(Kind.DOMAIN, domain), source.role, source.shared, (source.source,))
        return Entry.of(source.app, endpoint, excluded=False)

    def _entries_of_agent(self, user_agent: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self._agents if entry.endpoint.pattern.text in user_agent)


def strongest(entries: Iterable[Entry]) -> tuple[Owner, ...]:
    """The owners among *entries*, the most specific first: of each app its strongest, unless that excludes."""
    best: Mapping[str, Entry] = {entry.app: entry for entry in sorted(entries, key=lambda entry: entry.rank)}
    owners = [
        Owner(entry.app, entry.endpoint, entry.rank[:2]) for entry in best.values() if not entry.excluded
    ]
    owners.sort(key=lambda owner: (owner.specificity, owner.app), reverse=True)
    return tuple(owners)
