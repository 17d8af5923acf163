"""About how many rows a selection's numbers have, as the counts tell, and so which index finds them soonest."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, Table, func, select

from embargo.journal.store import schema
from embargo.journal.store.selection import Selection
from embargo.journal.store.spans import LENGTHS, SPAN

_TABLES: Mapping[str, tuple[Table, ColumnElement[int]]] = {
    "who": (schema.by_who, schema.by_who.c.who),
    "names": (schema.by_names, schema.by_names.c.names),
    "kind": (schema.by_kind, schema.by_kind.c.kind),
}


class Estimating:
    """Estimates in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._estimates: dict[tuple[str, int, int, int], int] = {}

    def driver(self, selection: Selection) -> str:
        """The column whose index finds the selection's rows soonest."""
        if selection.identifiers is not None:
            return "id"
        if selection.connections is not None:
            return "connection"
        estimates = {
            name: self.estimate(name, numbers, selection)
            for name, numbers in (("who", selection.whos), ("names", selection.names), ("kind", selection.kinds))
            if numbers is not None
        }
        if not estimates:
            return "time"
        return min(estimates, key=lambda name: estimates[name])

    def total(self, selection: Selection) -> int:
        """About how many rows there are in the spans that the period touches."""
        return self.estimate("kind", None, selection)

    def estimate(self, name: str, numbers: frozenset[int] | None, selection: Selection) -> int:
        """About how many rows have one of *numbers*, in the spans that the period touches."""
        begin, end = selection.begin // LENGTHS[SPAN], selection.end // LENGTHS[SPAN]
        known = (name, id(numbers), begin, end)  # the sets are those of one selection, which lives as long as we do
        if known not in self._estimates:
            table, key = _TABLES[name]
            within = (table.c.level == SPAN, table.c.bucket >= begin, table.c.bucket <= end)
            if numbers is None:
                found = self._connection.scalar(select(func.sum(table.c.n)).where(*within)) or 0
            else:
                rows = self._connection.execute(select(key, func.sum(table.c.n)).where(*within).group_by(key))
                found = sum(n for value, n in rows if value in numbers)
            self._estimates[known] = found
        return self._estimates[known]
