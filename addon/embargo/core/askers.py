"""Who may ask: one asker for each way in which the rules tell clients and users apart. Pure.

Rules look at who asks through networks (`clients`), names (`users`) and groups of both. Networks lie within one
another or apart, so a client is told apart by the smallest named network that it lies in; a user by who names them.
What all of these say together is an asker's signature, and askers of one signature get the same verdict always.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from embargo.core.address import Address, Network
from embargo.core.rules import Group, Rule

MOST = 256  # askers of one app; those who are in the most groups at once are left out first
_MOST_NAMES = 4  # of a rule's clients or users in a label
_MOST_PAIRS = 65_536  # of a kind of client and a kind of user
_OUTSIDE = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "100.64.0.1", "2001:db8::1")
NEWER = " as it is new"  # of a group that the newer of two policies defines otherwise
_NOBODY = "somebody"

type Token = int  # a group, or the clients or users of a rule
type Signature = tuple[frozenset[Token], frozenset[Token]]  # is a member of, may be one for all that is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A client and user who stand for all whom no rule tells from them."""

    client: Address
    user: str | None  # None: the proxy does not know who it is
    among: tuple[str, ...] = ()  # groups, networks and users by which rules know them; empty: nothing names them
    unknown: bool = False  # a rule wants it known that they are not in a group, and their user is not known

    def __str__(self) -> str:
        words = " and ".join(self.among)
        if self.unknown:
            return f"{words} with an unknown user" if words else "unknown users"
        return words or "whoever no rule names"


@dataclass(frozen=True, slots=True)
class Askers:
    """All askers that the rules tell apart, who is named by nothing first."""

    each: tuple[Asker, ...]
    complete: bool = True  # False: members of several groups at once were left out


class _Tokens:
    """What rules know askers by, each once, by value: a group that two policies define alike is one."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.of_network: dict[Network, set[Token]] = {}
        self.of_user: dict[str, set[Token]] = {}
        self.doubtful: set[Token] = set()  # groups that somebody must be known not to be in
        self._known: dict[object, Token] = {}

    def rule(self, rule: Rule, suffix: str) -> None:
        if rule.clients:
            self._named(("clients", rule.clients), _few(map(str, rule.clients)), rule.clients, ())
        if rule.users:
            self._named(("users", rule.users), _few(sorted(rule.users)), (), rule.users)
        for group in rule.groups:
            self._group(group, suffix)
        for group in rule.not_groups:
            token = self._group(group, suffix)
            if group.users:
                self.doubtful.add(token)

    def _group(self, group: Group, suffix: str) -> Token:
        key = ("group", group)
        taken = any(label == group.id for label in self.labels)
        label = f"{group.id}{suffix}" if taken and key not in self._known else group.id
        return self._named(key, label, group.clients, group.users)

    def _named(self, key: object, label: str, networks: Iterable[Network], users: Iterable[str]) -> Token:
        if (known := self._known.get(key)) is not None:
            return known
        token = self._known[key] = len(self.labels)
        self.labels.append(label)
        for network in networks:
            self.of_network.setdefault(network, set()).add(token)
        for user in users:
            self.of_user.setdefault(user, set()).add(token)
        return token


def _few(names: Iterable[str]) -> str:
    """*names* with commas, of many the first few."""
    every = list(names)
    more = len(every) - _MOST_NAMES
    return ", ".join(every) if more <= 0 else f"{', '.join(every[:_MOST_NAMES])} and {more} more"


def askers(rules: Sequence[Sequence[Rule]]) -> Askers:
    """Who the rules tell apart; *rules* are those of one app, of one policy or of several (the old one first)."""
    tokens = _Tokens()
    for number, own in enumerate(rules):
        for rule in own:
            tokens.rule(rule, NEWER if number else "")
    clients = _first_of_each(_clients(tokens.of_network))
    users = _first_of_each(_users(tokens))
    complete = len(clients) * len(users) <= _MOST_PAIRS
    if complete:
        pairs = [(client, user) for client in clients.items() for user in users.items()]
    else:
        nobody, nowhere = next(iter(users.items())), next(iter(clients.items()))
        pairs = [*((client, nobody) for client in clients.items()), *((nowhere, user) for user in users.items())]
    found: dict[Signature, Asker] = {}
    for ((inside, _), client), ((named, doubtful), user) in pairs:
        member = inside | named
        signature = (member, doubtful - member)
        if signature not in found:
            among = tuple(dict.fromkeys(tokens.labels[token] for token in sorted(member)))
            found[signature] = Asker(client=client, user=user, among=among, unknown=bool(signature[1]))
    ordered = sorted(found.values(), key=lambda asker: (len(asker.among), asker.unknown))
    return Askers(tuple(ordered[:MOST]), complete and len(ordered) <= MOST)


def _first_of_each[Value](found: Iterable[tuple[Signature, Value]]) -> dict[Signature, Value]:
    """The first value of each signature."""
    first: dict[Signature, Value] = {}
    for signature, value in found:
        first.setdefault(signature, value)
    return first


def _users(tokens: _Tokens) -> Iterator[tuple[Signature, str | None]]:
    nobody = _NOBODY
    while nobody in tokens.of_user:
        nobody += "-else"
    nothing: frozenset[Token] = frozenset()
    yield (nothing, nothing), nobody
    yield (nothing, frozenset(tokens.doubtful)), None
    for user in sorted(tokens.of_user):
        yield (frozenset(tokens.of_user[user]), nothing), user


def _clients(of_network: dict[Network, set[Token]]) -> Iterator[tuple[Signature, Address]]:
    nothing: frozenset[Token] = frozenset()
    if (outside := _outside(of_network)) is not None:
        yield (nothing, nothing), outside
    above: list[Network] = []  # the networks around the one at hand, the widest first
    ordered = sorted(of_network, key=lambda each: (each.version, int(each.network_address), each.prefixlen))
    for position, network in enumerate(ordered):
        while above and not _within(network, above[-1]):
            above.pop()
        above.append(network)
        if (address := _own_address(network, ordered, position)) is not None:
            yield (frozenset().union(*(of_network[each] for each in above)), nothing), address


def _within(network: Network, other: Network) -> bool:
    return network.version == other.version and (
        other.network_address <= network.network_address <= other.broadcast_address  # type: ignore[operator]
    )


def _own_address(network: Network, ordered: Sequence[Network], position: int) -> Address | None:
    """An address of *network* that no smaller named network holds; None where they cover it."""
    free, last = int(network.network_address), int(network.broadcast_address)
    for below in ordered[position + 1 :]:
        if below.version != network.version or int(below.network_address) > free:
            break
        free = max(free, int(below.broadcast_address) + 1)
    if free > last:
        return None
    return network.network_address + (free - int(network.network_address))


def _outside(networks: Iterable[Network]) -> Address | None:
    """An address in none of *networks*: one kept for documentation, else beside one of them."""
    named = list(networks)
    beside: list[Address] = []
    for network in named:
        make = IPv4Address if network.version == 4 else IPv6Address
        ends = (int(network.network_address) - 1, int(network.broadcast_address) + 1)
        beside += [make(number) for number in ends if 0 <= number < 1 << network.max_prefixlen]
    for candidate in (*map(ip_address, _OUTSIDE), *beside):
        if not any(candidate in network for network in named):
            return candidate
    return None
