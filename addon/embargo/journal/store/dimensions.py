"""What rows can be counted by: the values of a dimension, how often each came, and the query that has its rows."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Subquery, case, func, select

from embargo.journal.query import Query
from embargo.journal.store import schema
from embargo.journal.store.counting import Counting, by_key
from embargo.journal.store.kinds import NO_CLASS, Extra, Kind, class_of
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
_OF_WHO: Mapping[Dimension, ColumnElement[str]] = {
    Dimension.CLIENT: schema.who.c.client,
    Dimension.USER: schema.who.c.user,
}
_OF_EXTRA: Mapping[Dimension, Callable[[Extra], Values]] = {
    Dimension.POLICY: lambda extra: _some(extra.policy),
    Dimension.METHOD: lambda extra: _some(extra.method),
    Dimension.STATUS: lambda extra: _some(None if extra.status is None else str(extra.status)),
}
_FEW = 10_000  # clients and users that are added up here, once for both
_PLAIN = frozenset(
    {Dimension.ROLE, Dimension.SURFACE, Dimension.VERDICT, Dimension.WOULD, Dimension.CLASS, Dimension.CATEGORY}
    | {Dimension.OUTCOME, Dimension.POLICY}
)  # whose values are written without `=`

type Counts = dict[str | None, dict[int, int]]  # by value and class


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
    found: Counts = {}
    if (read := _OF_KIND.get(dimension)) is not None:
        for number, n in counting.by_kind(selection).items():
            kind = lexicon.kinds[number]
            _add(found, read(kind), kind.class_number, n)
    elif dimension in _OF_WHO and (len(lexicon.whos) <= _FEW or not counting.keeps(selection)):
        for (number, cls), n in counting.by_who(selection).items():
            who = lexicon.whos[number]
            _add(found, _some(who.client if dimension is Dimension.CLIENT else who.user), cls, n)
    elif dimension in _OF_WHO or dimension is Dimension.HOST:
        if (counted := counting.classed(selection, "names" if dimension is Dimension.HOST else "who")) is not None:
            rows = connection.execute(_best(counted, dimension, limit))
            found = {value: {cls: n for cls, n in enumerate(each) if n} for value, *each in rows}
    elif (of_extra := _OF_EXTRA.get(dimension)) is not None:
        for (number, cls), n in counting.by_extra(selection).items():
            _add(found, of_extra(lexicon.extras[number]), cls, n)
    return _ranked(query, dimension, found, limit)


def _add(found: Counts, values: Iterable[str], cls: int, n: int) -> None:
    for value in values or (None,):
        classes = found.setdefault(value, {})
        classes[cls] = classes.get(cls, 0) + n


def _best(counted: Subquery, dimension: Dimension, limit: int) -> Select[Any]:
    """The values that come most often, and how often in each class: added up where the counts are."""
    keyed = by_key(counted)
    sums = [func.coalesce(func.sum(keyed.c[f"n{number}"]), 0) for number in range(NO_CLASS + 1)]
    total = sum(sums[1:], sums[0])
    labelled = [each.label(f"n{number}") for number, each in enumerate(sums)]
    if dimension is not Dimension.HOST:
        group = _OF_WHO[dimension]
        value = case((group == "", None), else_=func.substr(group, 2))
        joined = keyed.join(schema.who, schema.who.c.id == keyed.c.key)
        found = select(value, *labelled).select_from(joined).group_by(group)
        return found.having(total > 0).order_by(total.desc(), value).limit(limit)
    member = schema.names_member.c
    best = (
        select(member.host.label("host"), *labelled)
        .select_from(keyed.outerjoin(schema.names_member, member.names == keyed.c.key))
        .group_by(member.host)
        .having(total > 0)
        .order_by(total.desc(), member.host)
        .limit(limit)
        .subquery()
    )
    named = best.outerjoin(schema.host, schema.host.c.id == best.c.host)
    return select(schema.host.c.name, *(best.c[each.name] for each in labelled)).select_from(named)


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
