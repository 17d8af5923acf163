"""A query as sets of the store's numbers: each term is asked of every kind, every who, every host once.

The tests are the terms' own, those that `Query.matches` asks of a record; hosts alone, of which there may be many, are
searched in SQL.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select

from embargo.journal.query import Query, Term
from embargo.journal.record import Record
from embargo.journal.store import schema
from embargo.journal.store.dialect import among
from embargo.journal.store.identity import identity
from embargo.journal.store.lexicon import Lexicon
from embargo.journal.store.spans import micros

_OF_WHO = frozenset({"client", "user"})
_OF_NAMES = frozenset({"host", ""})
_OF_EXTRA = frozenset({"policy", "method", "status"})
_OF_ROW = frozenset({"id", "connection"})
_BY_THEMSELVES = frozenset({"row", "id", "connection"})  # whose indexes know no time
LEAST, MOST = -(1 << 62), 1 << 62  # microseconds: before and after all records

type Numbers = frozenset[int]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for. None: all."""

    begin: int = LEAST  # microseconds; the first that counts
    end: int = MOST  # the first that no longer does
    kinds: Numbers | None = None
    whos: Numbers | None = None
    names: Numbers | None = None
    not_names: Numbers = frozenset()
    extras: Numbers | None = None
    identifiers: tuple[tuple[int, int], ...] | None = None
    not_identifiers: tuple[tuple[int, int], ...] = ()
    connections: Numbers | None = None
    not_connections: Numbers = frozenset()

    @property
    def only_kinds(self) -> bool:
        """Whether kinds and time alone are asked for, so that the counts kept by kind answer it."""
        return replace(self, begin=LEAST, end=MOST, kinds=None) == Selection()

    @property
    def nothing(self) -> bool:
        """Whether nothing can match."""
        sets = (self.kinds, self.whos, self.names, self.extras, self.connections, self.identifiers)
        return self.begin >= self.end or any(each is not None and not each for each in sets)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        sets = (self.kinds, self.whos, self.names, self.not_names, self.extras, self.connections, self.not_connections)
        return sum(len(each) for each in sets if each is not None)

    def with_one(self, driver: str, number: int) -> "Selection":
        """Of the numbers of *driver* (who, names, kind) *number* alone."""
        one = frozenset({number})
        match driver:
            case "who":
                return replace(self, whos=one)
            case "names":
                return replace(self, names=one)
            case _:
                return replace(self, kinds=one)

    def conditions(self, *, driver: str = "time") -> list[ColumnElement[bool]]:
        """The WHERE of `record`. *driver* is the column whose index is to be used; the others only sift."""
        record = schema.record.c
        found: list[ColumnElement[bool]] = []
        time = record.time + 0 if driver in _BY_THEMSELVES else record.time
        if self.begin != LEAST:
            found.append(time >= self.begin)
        if self.end != MOST:
            found.append(time < self.end)
        for name, numbers in (("kind", self.kinds), ("who", self.whos), ("names", self.names), ("extra", self.extras)):
            if numbers is not None:
                column = record[name]
                sieve = column if name == driver else column + 0
                found.append(sieve == next(iter(numbers)) if len(numbers) == 1 else among(sieve, numbers))
        if self.not_names:
            found.append(~among(record.names + 0, self.not_names))
        if self.connections is not None:
            found.append(record.connection.in_(self.connections))
        if self.not_connections:
            found.append((record.connection + 0).not_in(self.not_connections))
        if self.identifiers is not None:
            found.append(
                or_(false(), *(and_(record.id_high == h, record.id_low == low) for h, low in self.identifiers))
            )
        found += [~and_(record.id_high == h, record.id_low == low) for h, low in self.not_identifiers]
        return found


def select_by(query: Query, connection: Connection, lexicon: Lexicon) -> Selection:
    """What *query* asks for, in the numbers of the database behind *connection*. *lexicon* is up to date."""
    groups = _groups(query.terms)
    return Selection(
        LEAST if query.since is None else micros(query.since),
        MOST if query.until is None else micros(query.until),
        _sieved(lexicon.kinds, [g for g in groups if g[0].key not in _OF_WHO | _OF_NAMES | _OF_EXTRA | _OF_ROW]),
        _sieved(lexicon.whos, [g for g in groups if g[0].key in _OF_WHO]),
        *_names([g for g in groups if g[0].key in _OF_NAMES], connection),
        _sieved(lexicon.extras, [g for g in groups if g[0].key in _OF_EXTRA]),
        *_identities([g for g in groups if g[0].key == "id"], identity),
        *_connections([g for g in groups if g[0].key == "connection"]),
    )


def _groups(terms: Iterable[Term]) -> list[list[Term]]:
    """Terms of which any must hold; those with a sign stand alone."""
    groups: list[list[Term]] = []
    for term in terms:
        if groups and not term.sign and not groups[-1][0].sign and groups[-1][0].key == term.key:
            groups[-1].append(term)
        else:
            groups.append([term])
    return groups


def sieved(values: Mapping[int, object], terms: Iterable[Term]) -> Numbers | None:
    """The numbers of those *values* that *terms* take; None where there are no terms."""
    return _sieved(values, _groups(terms))


def _sieved(values: Mapping[int, object], groups: list[list[Term]]) -> Numbers | None:
    if not groups:
        return None
    return frozenset(number for number, value in values.items() if all(_holds(group, value) for group in groups))


def _holds(group: list[Term], value: object) -> bool:
    as_record = cast(Record, value)  # it has the members that a test of its keys reads
    return any(term.test(as_record) is not (term.sign == "-") for term in group)


def _names(groups: list[list[Term]], connection: Connection) -> tuple[Numbers | None, Numbers]:
    taken: Numbers | None = None
    left: Numbers = frozenset()
    for group in groups:
        found = frozenset(
            connection.scalars(
                select(schema.names_member.c.names)
                .distinct()
                .where(
                    schema.names_member.c.host.in_(select(schema.host.c.id).where(or_(*map(_host_condition, group))))
                )
            )
        )
        if group[0].sign == "-":
            left |= found
        else:
            taken = found if taken is None else taken & found
    return (taken, left) if taken is None else (taken - left, frozenset())


def _host_condition(term: Term) -> ColumnElement[bool]:
    name, value = schema.host.c.name, term.value
    if term.key == "":
        return name.contains(value.lower(), autoescape=True)
    if value.startswith("="):
        return name == value[1:]
    if "*" in value:
        escaped = value.replace("/", "//").replace("%", "/%").replace("_", "/_").replace("*", "%")
        return name.like(escaped, escape="/")
    return or_(name == value, name.endswith("." + value, autoescape=True))


def _identities(
    groups: list[list[Term]], of: Callable[[str], tuple[int, int]]
) -> tuple[tuple[tuple[int, int], ...] | None, tuple[tuple[int, int], ...]]:
    taken: frozenset[tuple[int, int]] | None = None
    left: frozenset[tuple[int, int]] = frozenset()
    for group in groups:
        found = frozenset(of(term.value) for term in group)
        if group[0].sign == "-":
            left |= found
        else:
            taken = found if taken is None else taken & found
    return None if taken is None else tuple(sorted(taken)), tuple(sorted(left))


def _connections(groups: list[list[Term]]) -> tuple[Numbers | None, Numbers]:
    taken, left = _identities(groups, identity)
    return None if taken is None else frozenset(low for _, low in taken), frozenset(low for _, low in left)
