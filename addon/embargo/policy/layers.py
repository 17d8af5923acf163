"""Which files make a policy, in which order, and the text of each: layers, and the lists they name.

Layers, earliest first: what a file includes (relative to it), the file itself, and last `exceptions.yaml`
from beside the last file named. A file counts once, however often it is named.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from embargo.policy.document import Document, parse
from embargo.policy.lists import ListedNames, parse_list
from embargo.policy.problem import Mistake, Problem
from embargo.policy.problem import Path as DocumentPath
from embargo.policy.reading import LARGEST_LIST, UNREADABLE, Source, read
from embargo.policy.rejection import validate
from embargo.policy.schema import PolicyForm

EXCEPTIONS = "exceptions.yaml"
_LEFT_OUT = UNREADABLE | {"too-large", "include-cycle", "include-depth"}  # codes for which a file is not there
DEEPEST_INCLUDE = 32  # files that include one another


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One file of a policy."""

    document: Document
    form: PolicyForm | None  # None where the file has problems
    lists: dict[str, ListedNames] = field(default_factory=dict)  # by the name that the file gives them
    exceptions: bool = False  # it is the file of exceptions: each of its rules says why, and when it ends

    @property
    def name(self) -> str:
        """The file, as messages show it."""
        return self.document.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """All that was read for a policy, and what is to be watched for changes."""

    layers: tuple[Layer, ...]  # the earliest first
    lists: tuple[ListedNames, ...]  # each file once, in the order in which they are named
    watched: tuple[Path, ...]  # all of them, and those that would count if they were there
    problems: tuple[Problem, ...]

    @property
    def complete(self) -> bool:
        """Whether every file could be read and parsed; else what they define is not known."""
        unread = any(problem.code in _LEFT_OUT for problem in self.problems)
        return not unread and all(layer.document.root for layer in self.layers)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every file, layers before lists."""
        return (*(layer.document.source for layer in self.layers), *(names.source for names in self.lists))


def exceptions_file(policy: Sequence[Path]) -> Path:
    """The file of exceptions of the policy that these files make; it need not exist."""
    return policy[-1].parent / EXCEPTIONS


def read_files(
    paths: Sequence[Path], exceptions_text: bytes | None = None, instead: Mapping[Path, bytes] = MappingProxyType({})
) -> Files:
    """The layers of the policy that *paths* name, the last of them last. Problems are collected, never raised.

    *exceptions_text* stands in for what `exceptions.yaml` holds, *instead* for what the files that it names hold,
    whether they are there or not: the policy as it would be.
    """
    exceptions = exceptions_file(paths)
    real = os.path.realpath(exceptions)
    given = {os.path.realpath(path): text for path, text in instead.items()}
    reader = _Reader(real, given | ({real: exceptions_text} if exceptions_text is not None else {}))
    for path in paths:
        reader.layer(str(path), path)
    reader.watch(exceptions)
    if exceptions_text is not None or os.path.lexists(exceptions):
        reader.layer(str(exceptions), exceptions)
    return Files(
        layers=tuple(reader.layers),
        lists=tuple(reader.lists.values()),
        watched=tuple(reader.watched),
        problems=tuple(reader.problems),
    )


@dataclass(slots=True)
class _Reader:
    exceptions: str  # real path of the file of exceptions, whether it is there or not
    instead: Mapping[str, bytes] = field(default_factory=dict)  # by real path: text in place of the file's
    layers: list[Layer] = field(default_factory=list)
    lists: dict[str, ListedNames] = field(default_factory=dict)  # by real path
    watched: dict[Path, None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)  # real paths
    _open: list[str] = field(default_factory=list)  # real paths of the files whose includes are being read

    def watch(self, path: Path) -> None:
        self.watched[path.absolute()] = None

    def layer(self, name: str, path: Path, named_by: tuple[Document, DocumentPath] | None = None) -> None:
        """Read the file at *path* with all it includes, unless it is there already."""
        real = os.path.realpath(path)
        self.watch(path)
        if real in self._open:
            self._refuse(name, Mistake("include-cycle", "the file includes itself, directly or by others"), named_by)
            return
        if real in self._seen:
            return
        self._seen.add(real)
        if len(self._open) >= DEEPEST_INCLUDE:
            self._refuse(
                name, Mistake("include-depth", f"more than {DEEPEST_INCLUDE} files include one another"), named_by
            )
            return
        try:
            given = self.instead.get(real)
            source = Source(name, path, given) if given is not None else read(name, path)
        except Mistake as mistake:
            self._refuse(name, mistake, named_by)
            return
        document = parse(source)
        form, problems = validate(document)
        self.problems += problems
        self._open.append(real)
        for at, included in _texts(document.root.get("include"), ("include",)):
            below = path.parent / included
            self.layer(_joined(name, included), below, (document, at))
        self._open.pop()
        lists = dict(self._lists_of(name, path, document))
        exceptions = path.name == EXCEPTIONS or real == self.exceptions
        self.layers.append(Layer(document=document, form=form, lists=lists, exceptions=exceptions))

    def _lists_of(self, name: str, path: Path, document: Document) -> Iterator[tuple[str, ListedNames]]:
        apps = document.root.get("apps")
        for app, content in apps.items() if isinstance(apps, dict) else ():
            if isinstance(content, dict):
                for at, named in _texts(content.get("endpoints_from"), ("apps", app, "endpoints_from")):
                    names = self._list(_joined(name, named), path.parent / named, (document, at))
                    if names is not None:
                        yield named, names

    def _list(self, name: str, path: Path, named_by: tuple[Document, DocumentPath]) -> ListedNames | None:
        real = os.path.realpath(path)
        self.watch(path)
        if (known := self.lists.get(real)) is not None:
            return known
        try:
            names = parse_list(read(name, path, LARGEST_LIST))
        except Mistake as mistake:
            self._refuse(name, mistake, named_by)
            return None
        self.problems += names.problems
        self.lists[real] = names
        return names

    def _refuse(self, name: str, mistake: Mistake, named_by: tuple[Document, DocumentPath] | None) -> None:
        if named_by is None:
            self.problems.append(Problem(name, 1, 1, mistake.code, "", mistake.message, mistake.hint))
        else:
            document, at = named_by
            self.problems.append(document.problem(at, mistake.code, f"{name!r}: {mistake.message}", mistake.hint))


def _texts(value: object, path: DocumentPath) -> Iterable[tuple[DocumentPath, str]]:
    """The names in *value*, one or a list; what is no name is the models' to report."""
    if isinstance(value, str):
        return [(path, value)] if value.strip() and "\0" not in value else []
    if isinstance(value, list):
        return [
            ((*path, index), item)
            for index, item in enumerate(value)
            if isinstance(item, str) and item.strip() and "\0" not in item
        ]
    return []


def _joined(name: str, relative: str) -> str:
    """*relative*, as it stands in the file called *name*, in messages."""
    return os.path.normpath(Path(name).parent / relative)
