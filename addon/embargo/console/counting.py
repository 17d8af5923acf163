"""Numbers that lead to what they counted: each with the address of just those rows, up to one snapshot."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from embargo.console.context import store
from embargo.console.masking import masked
from embargo.console.selection import Selection
from embargo.journal.query import Query, parse_query
from embargo.journal.store.rows import of_class
from embargo.journal.verdict_class import VerdictClass

WORDS: Mapping[VerdictClass, str] = {  # as columns are headed
    VerdictClass.BLOCKED: "blocked",
    VerdictClass.WOULD_BLOCK: "would block",
    VerdictClass.LOGGED: "logged",
    VerdictClass.ALLOWED: "allowed",
    VerdictClass.SHARED: "shared",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A count."""

    count: int
    url: str | None  # None: nothing was counted, or who asks may not filter so
    word: str = ""  # what it counts, where it stands without a heading


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts on one snapshot."""

    snapshot: int
    moment: datetime  # from which times ago count

    @classmethod
    def now(cls, moment: datetime) -> "Counted":
        """All that the store has."""
        return cls(store().snapshot(), moment)

    def query(self, *terms: str, since: datetime | None = None, until: datetime | None = None) -> Query:
        """The query of *terms* in that time."""
        return parse_query(terms, self.moment).between(since, until)

    def url(self, query: Query) -> str | None:
        """The address of the rows of *query*; None where who asks may not filter so."""
        selection = Selection.of(query, self.moment, self.snapshot)
        return None if masked() and selection.names_people() else selection.url()

    def number(self, query: Query, word: str = "") -> Number:
        """How many rows *query* has."""
        count = store().count(query, self.snapshot)
        return Number(count=count, url=self.url(query) if count else None, word=word)

    def of_classes(self, query: Query, counts: Mapping[VerdictClass | None, int] | None = None) -> tuple[Number, ...]:
        """The decisions of *query*, a number for each class in their order; *counts* where they are known already."""
        return tuple(self._of_classes(query, store().classes(query, self.snapshot) if counts is None else counts))

    def _of_classes(self, query: Query, counts: Mapping[VerdictClass | None, int]) -> Iterator[Number]:
        for name in VerdictClass:
            count = counts.get(name, 0)
            yield Number(count=count, url=self.url(of_class(query, name)) if count else None, word=WORDS[name])
