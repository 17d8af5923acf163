"""A row of a table of records, as templates show it: what the store knows of it, with clients masked where they are."""

from dataclasses import dataclass
from datetime import datetime

from flask import url_for

from embargo.console.masking import masked, pseudonym
from embargo.console.selection import Selection
from embargo.journal.store.rows import Row as Stored
from embargo.journal.verdict_class import VerdictClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record, or several that are alike."""

    id: str
    url: str | None  # of its page
    time: datetime  # of the newest
    klass: VerdictClass | None  # None: no decision
    action: str  # what happened, where it is no decision; or that it failed
    failed: bool
    apps: tuple[str, ...]
    host: str
    client: str
    anonymous: bool  # whose request it was is not recorded
    user: str
    rule: str
    surface: str
    role: str
    endpoint: str
    method: str
    status: str
    policy: str
    count: int = 1
    first: datetime | None = None  # of the oldest, where there are several
    unfold_url: str | None = None
    here: bool = False  # the record whose page it is

    def __getitem__(self, name: str) -> str:
        value: str = getattr(self, name)
        return value


def row_of(stored: Stored, selection: Selection | None = None) -> Row:
    """The row of *stored*; *selection* is the one of the page, whose snapshot and columns its unfolding keeps."""
    kind, klass = stored.kind, stored.verdict_class
    failed = kind.outcome == "failure"
    unfold = None
    if stored.query is not None and selection is not None and stored.n > 1 and not masked():
        unfold = selection.unfolded(stored.query).url()
    return Row(
        id=stored.id or "",
        url=url_for("record.show", identifier=stored.id) if stored.id is not None else None,
        time=stored.time,
        klass=klass,
        action=("failed" if failed else "") if klass is not None else _what(kind.action, kind.outcome),
        failed=failed,
        apps=stored.apps,
        host=stored.host or "",
        client=_person("client", stored.client),
        anonymous=kind.anonymous,
        user=_person("user", stored.user),
        rule=stored.rule or "",
        surface=stored.surface or "",
        role=kind.role or "",
        endpoint=kind.endpoint or "",
        method=stored.extra.method or "",
        status=str(stored.extra.status) if stored.extra.status is not None else "",
        policy=(stored.extra.policy or "")[:12],
        count=stored.n,
        first=stored.first if stored.n > 1 else None,
        unfold_url=unfold,
    )


def _person(kind: str, name: str | None) -> str:
    if name is None:
        return ""
    return pseudonym(kind, name) if masked() else name


def _what(action: str, outcome: str | None) -> str:
    """What happened, of a record that is no decision."""
    return f"{action} (attempt)" if outcome == "unknown" else action
