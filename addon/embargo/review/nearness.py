"""What is met near an app: hosts that no app owns, by the same client within seconds of the app's own.

One pass over past traffic, in bounded memory. A *visit* is a host met by a client, its repeats within the window not
counted again. An *anchor* is what only the app's users meet: a host, URL or address of an endpoint that is neither
shared nor a store listing, or a user agent of its own. Visits are counted under the host and, as `*.` and the name,
under its registered name.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2s
from heapq import nlargest
from typing import NamedTuple

from embargo.core.cardinality import DIGEST, Distinct, mark_of
from embargo.core.catalogue import Role
from embargo.core.hostname import Host, MalformedHost, parse_authority
from embargo.core.matcher import Entry, strongest
from embargo.core.pattern import Kind
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Policy
from embargo.core.seen import Seen
from embargo.core.url import parse_target
from embargo.policy.registration import registered_name

WINDOW = 10.0  # seconds: an app's start asks for its hosts within a few
BELOW = "*."  # before a registered name that stands for its hosts together
_MOST_HOSTS = 100_000  # each with some 400 bytes; beyond, those with the fewest visits are forgotten
_MOST_CLIENTS = 20_000  # those met least recently are forgotten
_MOST_RECENT = 256  # hosts of a client within the window
_MOST_NAMES = 20  # registered names on a certificate; one with more belongs to a CDN, and says nothing
_MOST_PROVEN = 10_000  # names on certificates of an app's hosts


class Near:
    """What visits of one host had to do with one app."""

    __slots__ = ("certificate", "clients", "near", "of_users", "with_agent", "with_shared_agent")

    def __init__(self) -> None:
        self.of_users = 0  # visits by clients that had met the app
        self.near = 0  # of these, visits within the window of an anchor
        self.clients = Distinct()  # of visits that were near or had its user agent
        self.with_agent = 0  # requests with a user agent that is the app's alone
        self.with_shared_agent = 0  # with one that others use too: its in-app browser
        self.certificate: str | None = None  # a name of the app's on the host's certificate


class Visited:
    """A host, or the hosts of a registered name together."""

    __slots__ = ("agents", "apps", "clients", "hosts", "visits")

    def __init__(self) -> None:
        self.visits = 0
        self.agents = 0  # requests that told a user agent
        self.clients = Distinct()
        self.hosts = 0  # of a registered name: its hosts that were met
        self.apps: dict[str, Near] = {}

    def of(self, app: str) -> Near:
        """What they had to do with *app*."""
        found = self.apps.get(app)
        if found is None:
            found = self.apps[app] = Near()
        return found


@dataclass(slots=True)
class Base:
    """What visits in all had to do with one app: by what chance a visit is near."""

    of_users: int = 0
    near: int = 0
    anchors: int = 0  # requests
    clients: Distinct = field(default_factory=Distinct)
    proven: dict[str, str] = field(default_factory=dict)  # names on certificates of its hosts: the host

    @property
    def rate(self) -> float:
        """The part of its users' visits that is near it, whatever the host."""
        return self.near / self.of_users if self.of_users else 0.0


class _Visit:
    __slots__ = ("near", "time")

    def __init__(self, time: float) -> None:
        self.time = time
        self.near: set[str] = set()


class _Client:
    __slots__ = ("anchored", "recent")

    def __init__(self) -> None:
        self.anchored: dict[str, float] = {}  # by app: when it was last met
        self.recent: OrderedDict[str, _Visit] = OrderedDict()  # the oldest first


class _Known(NamedTuple):
    """What the catalogue knows of a host by itself."""

    anchors: tuple[str, ...]  # apps whose own it is
    candidate: bool  # no app knows it, in no way
    limited: bool  # paths, ports or protocols matter


class Nearness:
    """Takes past traffic, request by request; then `visited` and `bases` tell what was met near what."""

    def __init__(self, policy: Policy, *, window: float = WINDOW, most_hosts: int = _MOST_HOSTS) -> None:
        self.visited: dict[str, Visited] = {}
        self.bases: dict[str, Base] = {app: Base() for app in policy.apps}
        self._policy = policy
        self._window = window
        self._most_hosts = most_hosts
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._key = os.urandom(32)
        self._known = lru_cache(maxsize=65_536)(self._look_up)
        self._registered = lru_cache(maxsize=65_536)(registered_name)

    def take(self, seen: Seen) -> None:
        """Count *seen*. Of requests that name no client or time only user agent and certificate tell anything."""
        hosts = list(_hosts(seen))
        known = [self._known(host.text) for host in hosts]
        agents, shared_agents = self._agents(seen.user_agent)
        anchors = set(agents)
        for host, each in zip(hosts, known, strict=True):
            anchors.update(self._anchors_by_path(seen, host) if each.limited else each.anchors)
        who = str(seen.client) if seen.client is not None else seen.user
        client = self._client(who) if who is not None and seen.time is not None else None
        mark = mark_of(blake2s(who.encode(), key=self._key, digest_size=DIGEST).digest()) if who is not None else None
        now = seen.time.timestamp() if seen.time is not None else 0.0
        if client is not None:
            self._forget_visits(client, now)
        for app in anchors:
            base = self.bases[app]
            base.anchors += 1
            if mark is not None:
                base.clients.add(mark)
            if client is not None and mark is not None:
                self._anchor(client, app, now, mark)
        for host, each in zip(hosts, known, strict=True):
            if each.anchors:
                self._prove(seen, each.anchors, host.text)
            if each.candidate and host.address is None:
                self._candidate(seen, host.text, client, now, mark, agents, shared_agents)

    # -- who is met

    def _look_up(self, text: str) -> _Known:
        matcher = self._policy.matcher
        entries = matcher.entries_of_host(_host(text))
        limited = bool(matcher.urls_of_host(text)) or any(_is_limited(entry) for entry in entries)
        owners = strongest(entries) if entries else ()
        anchors = tuple(
            owner.app for owner in owners if not owner.endpoint.shared and owner.endpoint.role != Role.STORE
        )
        return _Known(() if limited else anchors, not entries and not limited, limited)

    def _anchors_by_path(self, seen: Seen, host: Host) -> list[str]:
        _, _, rest = seen.request.partition("://")
        path = "/" + rest.partition("/")[2] if "/" in rest else "/"
        name = Name(Source.HOST, host.text, host, 443)
        if seen.time is None:
            return []
        request = Request(surface=Surface.HTTP, time=seen.time, names=(name,), target=parse_target(path))
        owners = self._policy.matcher.owners(name, request)
        return [owner.app for owner in owners if not owner.endpoint.shared and owner.endpoint.role != Role.STORE]

    def _agents(self, user_agent: str | None) -> tuple[list[str], list[str]]:
        """The apps whose user agent this is: of their own, and such as others use too."""
        if user_agent is None:
            return [], []
        entries = [entry for entry in self._policy.matcher.entries_of_agent(user_agent) if not entry.excluded]
        own = [entry.app for entry in entries if not entry.endpoint.shared]
        return own, [entry.app for entry in entries if entry.app not in own]

    # -- what is near what

    def _client(self, who: str) -> _Client:
        client = self._clients.get(who)
        if client is None:
            client = self._clients[who] = _Client()
            if len(self._clients) > _MOST_CLIENTS:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(who)
        return client

    def _forget_visits(self, client: _Client, now: float) -> None:
        recent = client.recent
        while recent and (len(recent) > _MOST_RECENT or abs(now - next(iter(recent.values())).time) > self._window):
            recent.popitem(last=False)

    def _anchor(self, client: _Client, app: str, now: float, mark: int) -> None:
        base, first = self.bases[app], app not in client.anchored
        client.anchored[app] = now
        for host, visit in client.recent.items():
            if (visited := self.visited.get(host)) is None:
                continue  # forgotten, with the rare ones
            if first:
                visited.of(app).of_users += 1
                base.of_users += not host.startswith(BELOW)
            self._near(visit, visited, host, app, mark)

    def _visit(self, client: _Client, host: str, now: float, mark: int) -> bool:
        """Note a visit; whether it is a new one."""
        visited, visit = self._of(host), client.recent.get(host)
        new = visit is None
        if visit is None:
            visit = client.recent[host] = _Visit(now)
            visited.visits += 1
            visited.clients.add(mark)
            for app in client.anchored:
                visited.of(app).of_users += 1
                self.bases[app].of_users += not host.startswith(BELOW)
        for app, met in client.anchored.items():
            if abs(now - met) <= self._window:
                self._near(visit, visited, host, app, mark)
        return new

    def _near(self, visit: _Visit, visited: Visited, host: str, app: str, mark: int) -> None:
        if app not in visit.near:
            visit.near.add(app)
            found = visited.of(app)
            found.near += 1
            found.clients.add(mark)
            self.bases[app].near += not host.startswith(BELOW)

    def _candidate(
        self,
        seen: Seen,
        host: str,
        client: _Client | None,
        now: float,
        mark: int | None,
        agents: list[str],
        shared_agents: list[str],
    ) -> None:
        name = self._registered(host)
        known = host in self.visited
        for key in (host, BELOW + name) if name is not None else (host,):
            visited = self._of(key)
            visited.agents += seen.user_agent is not None
            if client is not None and mark is not None:
                self._visit(client, key, now, mark)
            for app in agents:
                visited.of(app).with_agent += 1
            for app in shared_agents:
                visited.of(app).with_shared_agent += 1
            for app in (*agents, *shared_agents):
                if mark is not None:
                    visited.of(app).clients.add(mark)
            if key is not host:
                visited.hosts += not known
        if seen.certificate_names:
            self._read_certificate(seen, self._of(host))

    def _of(self, host: str) -> Visited:
        found = self.visited.get(host)
        if found is None:
            if len(self.visited) >= self._most_hosts:
                kept = nlargest(self._most_hosts // 2, self.visited.items(), key=lambda item: item[1].visits)
                self.visited = dict(kept)
            found = self.visited[host] = Visited()
        return found

    # -- certificates

    def _read_certificate(self, seen: Seen, visited: Visited) -> None:
        names = _names(seen)
        if len({self._registered(name) for name in names}) > _MOST_NAMES:
            return
        for name in names:
            for app in self._known(name).anchors:
                found = visited.of(app)
                found.certificate = found.certificate or name

    def _prove(self, seen: Seen, apps: tuple[str, ...], host: str) -> None:
        """Remember the names on the certificate of a host that is an app's: what else they name is probably too."""
        names = _names(seen)
        if not names or len({self._registered(name) for name in names}) > _MOST_NAMES:
            return
        for app in apps:
            proven = self.bases[app].proven
            for name in names:
                if len(proven) < _MOST_PROVEN:
                    proven.setdefault(name, host)


def _names(seen: Seen) -> list[str]:
    return [host.text for name in seen.certificate_names if (host := _parsed(name.removeprefix("*."))) is not None]


def _hosts(seen: Seen) -> Iterator[Host]:
    """The hosts of *seen*, each once."""
    found: dict[str, Host] = {}
    scheme, mark, rest = seen.request.partition("://")
    authority = (rest if mark else scheme).replace("\\", "/").partition("/")[0].partition("?")[0].partition("#")[0]
    for text in (authority.rpartition("@")[2], *seen.names):
        if (host := _parsed(text)) is not None:
            found.setdefault(host.text, host)
    yield from found.values()


def _host(text: str) -> Host:
    host = _parsed(text)
    assert host is not None, "it was one before"
    return host


def _parsed(text: str) -> Host | None:
    try:
        return parse_authority(text)[0]
    except MalformedHost:
        return None


def _is_limited(entry: Entry) -> bool:
    pattern = entry.endpoint.pattern
    return pattern.kind is Kind.CIDR and (pattern.port is not None or pattern.protocol is not None)
