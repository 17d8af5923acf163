"""What rows can be counted by: the values of a dimension, how often each came, and the query that has its rows."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from heapq import nlargest

from sqlalchemy import Connection, select

from embargo.journal.query import Query
from embargo.journal.store import schema
from embargo.journal.store.counting import Counting
from embargo.journal.store.dialect import among
from embargo.journal.store.kinds import Extra, Kind, Who, class_of
from embargo.journal.store.lexicon import Lexicon
from embargo.journal.store.rows import Top
from embargo.journal.store.selection import Selection


class Dimension(StrEnum):
    """What `Store.top` counts by; each is a key of the queries, too."""

    APP = "app"
    RULE = "rule"
    AUTHORITY = "authority"
    ENDPOINT = "endpoint"
    ROLE = "role"
    SURFACE = "surface"
    VERDICT = "verdict"
    WOULD = "would"
    CLASS = "class"
    CATEGORY = "category"
    ACTION = "action"
    OUTCOME = "outcome"
    CLIENT = "client"
    USER = "user"
    HOST = "host"
    POLICY = "policy"
    METHOD = "method"
    STATUS = "status"


type Values = tuple[str, ...]  # () for none


def _some(text: str | None) -> Values:
    return () if text is None else (text,)


_OF_KIND: Mapping[Dimension, Callable[[Kind], Values]] = {
    Dimension.APP: lambda kind: kind.apps,
    Dimension.RULE: lambda kind: _some(kind.rule),
    Dimension.AUTHORITY: lambda kind: tuple(dict.fromkeys(name for name, _ in kind.authorities)),
    Dimension.ENDPOINT: lambda kind: _some(kind.endpoint),
    Dimension.ROLE: lambda kind: _some(kind.role),
    Dimension.SURFACE: lambda kind: _some(kind.surface),
    Dimension.VERDICT: lambda kind: _some(kind.verdict),
    Dimension.WOULD: lambda kind: _some(kind.would),
    Dimension.CLASS: lambda kind: _some(kind.verdict_class),
    Dimension.CATEGORY: lambda kind: kind.categories,
    Dimension.ACTION: lambda kind: (kind.action,),
    Dimension.OUTCOME: lambda kind: _some(kind.outcome),
}
_OF_WHO: Mapping[Dimension, Callable[[Who], Values]] = {
    Dimension.CLIENT: lambda who: _some(who.client),
    Dimension.USER: lambda who: _some(who.user),
}
_OF_EXTRA: Mapping[Dimension, Callable[[Extra], Values]] = {
    Dimension.POLICY: lambda extra: _some(extra.policy),
    Dimension.METHOD: lambda extra: _some(extra.method),
    Dimension.STATUS: lambda extra: _some(None if extra.status is None else str(extra.status)),
}
_NONE: tuple[int | None, ...] = (None,)
_MANY = 2000  # sets of names from which on all are read rather than looked up
_PLAIN = frozenset(
    {Dimension.ROLE, Dimension.SURFACE, Dimension.VERDICT, Dimension.WOULD, Dimension.CLASS, Dimension.CATEGORY}
    | {Dimension.OUTCOME, Dimension.POLICY}
)  # whose values are written without `=`

type Counts = defaultdict[str | None, defaultdict[int, int]]  # by value and class


def tops(
    counting: Counting,
    connection: Connection,
    lexicon: Lexicon,
    query: Query,
    selection: Selection,
    dimension: Dimension,
    limit: int,
) -> list[Top]:
    """The *limit* values that come most often; a record with several counts for each."""
    dimension = Dimension(dimension)
    found: Counts = defaultdict(lambda: defaultdict(int))
    if (read := _OF_KIND.get(dimension)) is not None:
        for number, n in counting.by_kind(selection).items():
            kind = lexicon.kinds[number]
            _add(found, read(kind), kind.class_number, n)
    elif (of_who := _OF_WHO.get(dimension)) is not None:
        for (number, cls), n in counting.by_who(selection).items():
            _add(found, of_who(lexicon.whos[number]), cls, n)
    elif (of_extra := _OF_EXTRA.get(dimension)) is not None:
        for (number, cls), n in counting.by_extra(selection).items():
            _add(found, of_extra(lexicon.extras[number]), cls, n)
    else:
        return _top_hosts(counting, connection, query, selection, limit)
    return _ranked(query, dimension, found, limit)


def _add(found: Counts, values: Iterable[str], cls: int, n: int) -> None:
    for value in values or (None,):
        found[value][cls] += n


def _top_hosts(counting: Counting, connection: Connection, query: Query, selection: Selection, limit: int) -> list[Top]:
    counted = counting.by_names(selection)
    members: defaultdict[int, list[int | None]] = defaultdict(list)
    table = schema.names_member.c
    wanted = {names for names, _ in counted}
    statement = select(table.host, table.names)
    for host, names in connection.execute(
        statement if len(wanted) > _MANY else statement.where(among(table.names, wanted))
    ):
        members[names].append(host)
    weights: defaultdict[int | None, int] = defaultdict(int)
    for (names, _), n in counted.items():
        for host in members.get(names, _NONE):
            weights[host] += n
    best = nlargest(limit + 1, weights.items(), key=lambda item: item[1])
    by_host: dict[int | None, defaultdict[int, int]] = {host: defaultdict(int) for host, _ in best}
    for (names, cls), n in counted.items():
        for host in members.get(names, _NONE):
            if host in by_host:
                by_host[host][cls] += n
    hosts = {host for host, _ in best if host is not None}
    named = connection.execute(select(schema.host.c.id, schema.host.c.name).where(among(schema.host.c.id, hosts)))
    names_of = {row[0]: row[1] for row in named}
    found: Counts = defaultdict(lambda: defaultdict(int))
    for host, classes in by_host.items():
        found[None if host is None else names_of[host]] = classes
    return _ranked(query, Dimension.HOST, found, limit)


def _weight(classes: Mapping[int, int]) -> int:
    return sum(classes.values())


def _ranked(query: Query, dimension: Dimension, found: Counts, limit: int) -> list[Top]:
    best = sorted(found.items(), key=lambda item: (-_weight(item[1]), item[0] is None, item[0] or ""))[:limit]
    return [
        Top(
            value,
            _weight(classes),
            {class_of(cls): n for cls, n in sorted(classes.items())},
            query.and_(_term(dimension, value)),
        )
        for value, classes in best
    ]


def _term(dimension: Dimension, value: str | None) -> str:
    if value is None:
        return f"-{dimension}:*"
    return f"{dimension}:{value}" if dimension in _PLAIN else f"{dimension}:={value}"
