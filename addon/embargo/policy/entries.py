"""The entries of the catalogue as an admin wrote them, and where each stands: what tests can cover and miss.

A store id is one entry, though it stands for some ten `url` endpoints; so is a list file, whatever its length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from embargo.core.catalogue import ListedEndpoint, Stores
from embargo.core.matcher import Entry
from embargo.core.pattern import Pattern
from embargo.core.stores import listing_urls
from embargo.policy.build import MOST_INLINE
from embargo.policy.document import Document
from embargo.policy.domains import url_pattern
from embargo.policy.load import Loaded
from embargo.policy.patterns import Known, endpoint_of
from embargo.policy.problem import Path, path_text
from embargo.policy.schema import AppForm, StoresForm

_STORES = ("apple", "google_play", "microsoft")


class Sort(StrEnum):
    """What an entry is."""

    ENDPOINT = "endpoint"
    EXCLUDE = "exclude"
    STORE = "store"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """An endpoint, an exclude, a store id or a list of an app, and its place."""

    app: str
    sort: Sort
    text: str  # `domain:qq.com`, `apple:444934666`, `lists/chat.txt`
    file: str
    line: int  # from 1
    column: int  # from 1
    path: str  # `apps.chat.endpoints[3]`
    patterns: frozenset[Pattern] = frozenset()  # none of a list
    source: str | None = None  # of a list: as `DomainList.source` has it

    @property
    def place(self) -> str:
        """`domains.yaml:41:9`."""
        return f"{self.file}:{self.line}:{self.column}"

    def is_of(self, entry: Entry) -> bool:
        """Whether the matcher's *entry* was made of this one."""
        if entry.app != self.app or entry.excluded is not (self.sort is Sort.EXCLUDE):
            return False
        if self.source is not None:
            return isinstance(entry.endpoint, ListedEndpoint) and entry.endpoint.evidence == (self.source,)
        return not isinstance(entry.endpoint, ListedEndpoint) and entry.endpoint.pattern in self.patterns


def entries_of(loaded: Loaded) -> tuple[CatalogueEntry, ...]:
    """The entries in effect, app by app; of equal ones of an app the last."""
    forms: dict[str, list[tuple[Document, AppForm]]] = {}
    for layer in loaded.layers:
        for app, form in layer.form.apps.items() if layer.form is not None else ():
            own = (layer.document, form)
            forms[app] = [*forms[app], own] if form.extend else [own]
    found = {}
    for app, pieces in forms.items():
        for document, form in pieces:
            for entry in _entries(document, app, form):
                found[app, entry.sort, entry.text] = entry
    return tuple(found.values())


def _entries(document: Document, app: str, form: AppForm) -> Iterator[CatalogueEntry]:
    yield from _patterns(document, app, form.endpoints or [], Sort.ENDPOINT)
    yield from _patterns(document, app, form.exclude, Sort.EXCLUDE)
    for index, name in enumerate(form.endpoints_from or []):
        several = isinstance(document.root["apps"][app]["endpoints_from"], list)
        path: Path = ("apps", app, "endpoints_from", index) if several else ("apps", app, "endpoints_from")
        yield _entry(document, app, Sort.LIST, name, path, source=name)
    if form.stores is not None:
        yield from _store_ids(document, app, form.stores)


def _patterns(document: Document, app: str, forms: Sequence[str | Known], sort: Sort) -> Iterator[CatalogueEntry]:
    key = "endpoints" if sort is Sort.ENDPOINT else "exclude"
    listed = key == "endpoints" and len({form for form in forms if isinstance(form, str)}) > MOST_INLINE
    if listed:  # kept as a list is
        yield _entry(document, app, Sort.LIST, document.name, ("apps", app, key), source=document.name)
    for index, form in enumerate(forms):
        if not (listed and isinstance(form, str)):
            endpoint = endpoint_of(form)
            yield _entry(
                document, app, sort, str(endpoint), ("apps", app, key, index), patterns=frozenset({endpoint.pattern})
            )


def _store_ids(document: Document, app: str, stores: StoresForm) -> Iterator[CatalogueEntry]:
    for store in _STORES:
        for index, identifier in enumerate(getattr(stores, store)):
            urls = listing_urls(Stores(**{store: (identifier,)}))
            several = isinstance(document.root["apps"][app]["stores"][store], list)
            path: Path = ("apps", app, "stores", store, index) if several else ("apps", app, "stores", store)
            yield _entry(
                document, app, Sort.STORE, f"{store}:{identifier}", path,
                patterns=frozenset(map(url_pattern, urls)),
            )  # fmt: skip


def _entry(
    document: Document, app: str, sort: Sort, text: str, path: Path, *,
    patterns: frozenset[Pattern] = frozenset(), source: str | None = None,
) -> CatalogueEntry:  # fmt: skip
    line, column = document.position(path)
    return CatalogueEntry(
        app=app, sort=sort, text=text, file=document.name, line=line, column=column, path=path_text(path),
        patterns=patterns, source=source,
    )  # fmt: skip
