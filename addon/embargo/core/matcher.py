"""Which apps own a name: a lookup whose cost does not grow with the number of domains.

Catalogue patterns lie in dictionaries, one lookup a label; the names of long lists lie in an index of
their own (`ListedDomains`), since a million Python strings would cost a hundred megabytes. What is found
for a host is remembered, so a repeated host costs one lookup.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from embargo.core.address import Address, parse_address
from embargo.core.catalogue import App, DomainList, Endpoint, ListedEndpoint
from embargo.core.hostname import Host
from embargo.core.pattern import Kind
from embargo.core.request import Name, Request

_DOMAIN = Kind.DOMAIN
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
        lists = self._lists
        return [(domain, number) for domain in suffixes(host) if domain in lists for number in lists[domain]]


class Owner(NamedTuple):
    """An app that owns a name, by its most specific endpoint there."""

    app: str
    endpoint: Endpoint
    specificity: tuple[int, int]


class Entry(NamedTuple):
    """A pattern of an app, and whether it takes the name out of that app."""

    owner: Owner  # the app by this pattern; made once, not for each request
    excluded: bool

    @classmethod
    def of(cls, app: str, endpoint: Endpoint, *, excluded: bool) -> "Entry":
        """The entry of *endpoint*, an endpoint or an exclude of *app*."""
        return cls(Owner(app, endpoint, endpoint.pattern.specificity), excluded)

    @property
    def app(self) -> str:
        """The app's id."""
        return self.owner.app

    @property
    def endpoint(self) -> Endpoint:
        """The pattern, as the catalogue has it."""
        return self.owner.endpoint

    @property
    def rank(self) -> tuple[tuple[int, int], bool]:
        """Sort key: the most specific last; at equal rank exclude wins."""
        return self.owner.specificity, self.excluded


class Known(NamedTuple):
    """What a host alone tells of its owners."""

    entries: tuple[Entry, ...]
    urls: tuple[Entry, ...]  # at this host, whatever their path
    owners: tuple[Owner, ...]  # where settled: those of any request without a listed user agent
    settled: bool  # neither path nor port nor protocol can change the owners


UNKNOWN = Known((), (), (), True)  # one value for all the hosts that no pattern meets


def suffixes(host: str) -> list[str]:
    """*host* and its parents by whole labels, the longest first: ``notqq.com`` never meets ``qq.com``."""
    found = []
    while host:
        found.append(host)
        host = host.partition(".")[2]
    return found


class Matcher:
    """The catalogue, compiled for lookup. Immutable but for its memory of hosts; safe across threads."""

    def __init__(
        self,
        apps: Iterable[App],
        lists: tuple[DomainList, ...] = (),
        listed: ListedDomains | None = None,
        *,
        trials: bool = False,
    ) -> None:
        """*trials*: endpoints on trial count too; else it is as if they were not there."""
        self._domains: dict[str, list[Entry]] = defaultdict(list)
        self._hosts: dict[str, list[Entry]] = defaultdict(list)
        self._urls: dict[str, list[Entry]] = defaultdict(list)
        self._networks: dict[tuple[int, int], dict[int, list[Entry]]] = {}  # by version and length, then by prefix
        self._agents: list[Entry] = []
        self._lists = lists
        self._listed = listed
        for app in apps:
            for endpoint in app.endpoints:
                if trials or not endpoint.shadow:
                    self._add(Entry.of(app.id, endpoint, excluded=False))
            for endpoint in app.exclude:
                self._add(Entry.of(app.id, endpoint, excluded=True))
        self._known = lru_cache(maxsize=_REMEMBERED)(self._look_up)  # by canonical text: a string keeps its hash
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
        """The apps that own *name*, the most specific first; equally specific ones by id."""
        host = name.host
        if host is None:
            return ()
        known = self._known(host.text)
        agents = self._agents_of(request.user_agent) if self._agents and request.user_agent is not None else ()
        if known.settled and not agents:
            return known.owners
        entries = [*known.entries, *agents]
        if known.urls and request.target is not None:
            entries += [entry for entry in known.urls if entry.endpoint.pattern.covers_target(request)]
        if host.address is not None:  # a cidr may be limited to a port or protocol
            entries = [entry for entry in entries if entry.endpoint.pattern.covers(name, request)]
        return strongest(entries)

    def _agents_of(self, user_agent: str) -> tuple[Entry, ...]:
        # a long one is looked at each time, so that no client fills the memory with them
        return (self.entries_of_agent if len(user_agent) <= 512 else self._entries_of_agent)(user_agent)

    def forget(self) -> None:
        """Drop what is remembered of hosts and user agents; a measurement of fresh ones begins so."""
        self._known.cache_clear()
        self.entries_of_agent.cache_clear()

    def urls_of_host(self, host: str) -> tuple[Entry, ...]:
        """The url endpoints and url excludes at *host* (canonical), whatever their path."""
        return tuple(self._urls.get(host, ()))

    def entries_of_host(self, host: Host) -> tuple[Entry, ...]:
        """The endpoints and excludes that *host* falls under by itself, whatever port, path or user agent."""
        return self._known(host.text).entries

    def _look_up(self, text: str) -> Known:
        urls = tuple(self._urls.get(text, ()))
        limited = False
        if (address := parse_address(text)) is None:
            entries = self._entries_of_name(text)
        else:
            entries = tuple(self._entries_of_address(address))
            patterns = [entry.endpoint.pattern for entry in entries]
            limited = any(pattern.port is not None or pattern.protocol is not None for pattern in patterns)
        if urls or limited:
            return Known(entries, urls, (), False)
        return _make(Known, (entries, (), strongest(entries), True)) if entries else UNKNOWN

    def _entries_of_name(self, text: str) -> tuple[Entry, ...]:
        found: list[Entry] = []
        if self._listed is not None:
            lists = self._lists
            for listed, number in self._listed.suffixes(text):
                found.append(_listed_entry(listed, lists[number]))
        domains = self._domains
        domain = text
        while domain:  # after the lists: of an app's two equal endpoints the catalogue's own is told
            if domain in domains:
                found += domains[domain]
            domain = domain.partition(".")[2]
        if text in self._hosts:
            found += self._hosts[text]
        return tuple(found)

    def _entries_of_address(self, address: Address) -> Iterator[Entry]:
        number = int(address)
        for (version, length), prefixes in self._networks.items():
            if version == address.version:
                shift = address.max_prefixlen - length
                yield from prefixes.get(number >> shift << shift, ())

    def _entries_of_agent(self, user_agent: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self._agents if entry.endpoint.pattern.text in user_agent)


_make = tuple.__new__  # of a tuple's fields, in half the time that its own constructor takes (measured)


def _listed_entry(domain: str, source: DomainList) -> Entry:
    owner = _make(Owner, (source.app, ListedEndpoint(domain, source), (_DOMAIN, len(domain))))
    return _make(Entry, (owner, False))


def strongest(entries: Sequence[Entry]) -> tuple[Owner, ...]:
    """The owners among *entries*, the most specific first: of each app its strongest, unless that excludes.

    Equally specific owners come in order of their ids; of an app's equal endpoints the last one counts.
    """
    if len(entries) == 1:  # the usual case
        return () if entries[0].excluded else (entries[0].owner,)
    best = {entry.app: entry for entry in sorted(entries, key=lambda entry: entry.rank)}
    owners = sorted((entry.owner for entry in best.values() if not entry.excluded), key=lambda owner: owner.app)
    return tuple(sorted(owners, key=lambda owner: owner.specificity, reverse=True))  # stable
