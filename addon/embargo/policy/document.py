"""YAML text as a tree of plain values that knows where each of them stands.

Built from libyaml's event stream: it carries line and column with every scalar, costs a thirtieth of a
round-trip parser and resolves nothing, so the rules of YAML 1.2 are ours (`scalar`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml
from yaml._yaml import CParser

from embargo.policy.problem import Path, Problem, Severity, path_text
from embargo.policy.reading import BOM, NotUtf8, Source, utf8
from embargo.policy.scalar import Scalar, resolve
from embargo.policy.syntax import explain

DEEPEST = 32  # nested mappings and lists
LARGEST_EXPANSION = 10  # nodes with aliases expanded, over nodes as written

type Node = Scalar | Mapping | Sequence

_SHIFT = 32  # a mark is line << 32 | column, both from 0: an integer costs a third of a pair
_COLUMN = (1 << _SHIFT) - 1
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    "null": (type(None),), "bool": (bool,), "int": (int,), "float": (int, float),
}  # fmt: skip


class Mapping(dict[str, Any]):
    """A mapping, with the mark of itself, of each key and of each value."""

    __slots__ = ("keys_at", "mark", "values_at")

    def __init__(self, mark: int) -> None:
        super().__init__()
        self.mark = mark
        self.keys_at: dict[str, int] = {}
        self.values_at: dict[str, int] = {}


class Sequence(list[Any]):
    """A list, with the mark of itself and of each item."""

    __slots__ = ("items_at", "mark")

    def __init__(self, mark: int) -> None:
        super().__init__()
        self.mark = mark
        self.items_at: list[int] = []


@dataclass(frozen=True, slots=True)
class Document:
    """One file, parsed: its tree, and what was wrong on the way."""

    source: Source
    root: Mapping  # empty where the text is no mapping at all
    problems: tuple[Problem, ...] = ()
    nulls: tuple[Path, ...] = ()  # where a value is missing or null

    @property
    def name(self) -> str:
        """The file, as messages show it."""
        return self.source.name

    def position(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at *path*, or of its key; of the nearest parent where there is none."""
        node: Any = self.root
        mark = self.root.mark
        for depth, step in enumerate(path):
            if isinstance(node, Mapping) and step in node:
                last = depth == len(path) - 1
                mark = (node.keys_at if key and last else node.values_at)[str(step)]
                node = node[str(step)]
            elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node):
                mark = node.items_at[step]
                node = node[step]
            else:
                break
        return (mark >> _SHIFT) + 1, (mark & _COLUMN) + 1

    def problem(
        self, path: Path, code: str, message: str, hint: str = "", *, key: bool = False,
        severity: Severity = Severity.ERROR,
    ) -> Problem:  # fmt: skip
        """A problem at *path*; at its key where *key*."""
        line, column = self.position(path, key=key)
        return Problem(self.name, line, column, code, path_text(path), message, hint, severity)


def parse(source: Source) -> Document:
    """The document in *source*, with every problem of its text; never raises for what the text holds."""
    parser = _Parser(source)
    root = parser.parse()
    return Document(source, root, tuple(parser.problems), tuple(parser.nulls))


class _Stop(Exception):
    """The text cannot be read further; the problem is noted."""


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is still open."""

    node: Mapping | Sequence
    anchor: str | None
    before: int  # nodes counted, aliases expanded, when it began
    key: str | None = None  # of a mapping: the key whose value comes next
    deepest: int = 0  # depth of what it holds, from the root


@dataclass(frozen=True, slots=True)
class _Anchored:
    """What an anchor stands for."""

    node: Node
    weight: int  # nodes in it, aliases expanded
    height: int  # levels of mappings and lists in it


@dataclass(slots=True)
class _Parser:
    source: Source
    problems: list[Problem] = field(default_factory=list)
    nulls: list[Path] = field(default_factory=list)
    _stack: list[_Frame] = field(default_factory=list)
    _anchors: dict[str, _Anchored] = field(default_factory=dict)
    _open_anchors: set[str] = field(default_factory=set)
    _written: int = 0
    _expanded: int = 0
    _heaviest: tuple[int, int] = (0, 0)  # weight and mark of the alias that expands most

    def parse(self) -> Mapping:
        root: Any = None
        try:
            root = self._compose(self._bytes())
        except _Stop:
            pass
        except yaml.YAMLError as refused:
            self.problems.append(self._syntax(refused))
        if isinstance(root, Mapping):
            return root
        if not self.problems:
            if root is None:
                self._note(0, "empty-file", "the file holds nothing", "begin with `version: 1`")
            else:
                self._note(0, "wrong-type", "expected a mapping at the top", "begin with `version: 1`")
        return Mapping(0)

    def _bytes(self) -> bytes:
        data = self.source.data.removeprefix(BOM)
        if (at := data.find(b"\0")) >= 0:
            hint = "save it as UTF-8" if data[:2] in _UTF_16 else "is this a text file?"
            self._stop(_mark(data[:at].decode("utf-8", "replace")), "binary-file", "the file holds a NUL byte", hint)
        try:
            utf8(data)
        except NotUtf8 as refused:
            mistake = refused.mistake
            self._stop((refused.line - 1) << _SHIFT | refused.column - 1, mistake.code, mistake.message, mistake.hint)
        return data

    def _compose(self, data: bytes) -> Node:
        """The tree of the only document in *data*. Runs once an event, so it is one flat loop."""
        parser = CParser(data)
        next_event: Callable[[], Any] = parser.get_event
        stack = self._stack
        root: Node = None
        documents = 0
        while True:
            event = next_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                start = event.start_mark
                mark = start.line << _SHIFT | start.column
                frame = stack[-1] if stack else None
                if frame is not None and frame.key is None and type(frame.node) is Mapping:
                    self._key(frame, event, mark)
                    continue
                self._written += 1
                self._expanded += 1
                value: Node = event.value
                if event.tag is not None:
                    value = self._tagged(event, mark)
                elif event.implicit[0]:
                    value = resolve(event.value)
                    if value is None and stack:
                        self.nulls.append(self._path())
                if event.anchor is not None:
                    self._anchors[event.anchor] = _Anchored(value, 1, 0)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._open(event, kind is yaml.MappingStartEvent)
                continue
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                value = self._close()
                mark = value.mark
            elif kind is yaml.AliasEvent:
                mark = event.start_mark.line << _SHIFT | event.start_mark.column
                value = self._alias(event.anchor, mark)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    mark = event.start_mark.line << _SHIFT | event.start_mark.column
                    self._stop(mark, "several-documents", "a second document begins here", "one file, one document")
                continue
            elif kind is yaml.StreamEndEvent:
                self._judge_expansion()
                return root
            else:
                continue
            if not stack:
                root = value
                continue
            frame = stack[-1]
            node = frame.node
            if type(node) is Sequence:
                node.append(value)
                node.items_at.append(mark)
            else:
                assert frame.key is not None
                self._put(frame, value, mark)

    def _put(self, frame: _Frame, value: Node, mark: int) -> None:
        node, key = frame.node, frame.key
        assert isinstance(node, Mapping) and key is not None
        frame.key = None
        if key not in node:  # else a duplicate, noted at its key: the first stands
            node[key] = value
            node.values_at[key] = mark

    def _key(self, frame: _Frame, event: Any, mark: int) -> None:
        node, key = frame.node, event.value
        assert isinstance(node, Mapping)
        if event.tag not in (None, "!", _TAG + "str"):
            self._refuse_tag(event.tag, mark)
        if key == "<<" and event.implicit[0]:
            self._stop(
                mark, "merge-key", "merge keys (<<) are not part of YAML 1.2",
                "repeat the keys, alias a whole value, or extend an app in a layer with `extend: true`",
            )  # fmt: skip
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(key, 1, 0)
        if key in node:
            line = (node.keys_at[key] >> _SHIFT) + 1
            path = path_text((*self._path(), key))
            self._note(mark, "duplicate-key", f"{key!r} stands twice here, first in line {line}", path=path)
        else:
            node.keys_at[key] = mark
        frame.key = key

    def _open(self, event: Any, is_mapping: bool) -> None:
        mark = event.start_mark.line << _SHIFT | event.start_mark.column
        stack = self._stack
        if stack and stack[-1].key is None and type(stack[-1].node) is Mapping:
            found = "a mapping" if is_mapping else "a list"
            self._stop(
                mark, "wrong-key", f"found {found} where a key must be text", "quote text that begins with { or ["
            )
        if event.tag not in (None, "!", _TAG + ("map" if is_mapping else "seq")):
            self._refuse_tag(event.tag, mark)
        if len(stack) >= DEEPEST:
            self._stop(mark, "too-deep", f"more than {DEEPEST} levels of mappings and lists")
        node = Mapping(mark) if is_mapping else Sequence(mark)
        stack.append(_Frame(node, event.anchor, self._expanded, deepest=len(stack) + 1))
        if event.anchor is not None:
            self._open_anchors.add(event.anchor)
        self._written += 1
        self._expanded += 1

    def _close(self) -> Mapping | Sequence:
        frame = self._stack.pop()
        depth = len(self._stack)
        if frame.anchor is not None:
            self._open_anchors.discard(frame.anchor)
            weight = self._expanded - frame.before
            self._anchors[frame.anchor] = _Anchored(frame.node, weight, frame.deepest - depth)
        if self._stack and self._stack[-1].deepest < frame.deepest:
            self._stack[-1].deepest = frame.deepest
        return frame.node

    def _alias(self, name: str, mark: int) -> Node:
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.key is None and type(frame.node) is Mapping:
            self._stop(
                mark, "wrong-key", f"found the alias *{name} where a key must be text", "quote text that begins with *"
            )
        if name in self._open_anchors:
            self._stop(mark, "recursive-alias", f"*{name} stands inside what it stands for")
        found = self._anchors.get(name)
        if found is None:
            hint = "quote text that begins with *; a domain covers all below it without one"
            self._stop(mark, "unknown-alias", f"there is no anchor &{name}", hint)
        self._written += 1
        self._expanded += found.weight
        self._heaviest = max(self._heaviest, (found.weight, mark))
        deepest = len(self._stack) + found.height
        if deepest > DEEPEST:
            self._stop(mark, "too-deep", f"more than {DEEPEST} levels of mappings and lists, with *{name} expanded")
        if frame is not None:
            frame.deepest = max(frame.deepest, deepest)
        return found.node

    def _judge_expansion(self) -> None:
        if self._expanded > LARGEST_EXPANSION * self._written:
            times = f"{self._expanded / self._written:.0f}" if self._expanded < 10**9 * self._written else "billions of"
            self._stack.clear()
            self._stop(
                self._heaviest[1], "exploding-alias",
                f"aliases make the document {times} times as large as it is written, {LARGEST_EXPANSION} are allowed",
                "write the values out, or put domains into a list named by endpoints_from",
            )  # fmt: skip

    def _tagged(self, event: Any, mark: int) -> Scalar:
        tag = event.tag
        if tag in ("!", _TAG + "str"):
            return str(event.value)
        types = _SCALAR_TAGS.get(tag.removeprefix(_TAG)) if tag.startswith(_TAG) else None
        value = resolve(event.value)
        if types is None or type(value) not in types:
            self._refuse_tag(tag, mark)
            return str(event.value)
        return value

    def _refuse_tag(self, tag: str, mark: int) -> None:
        shown = tag.replace(_TAG, "!!")
        self._note(mark, "custom-tag", f"the tag {shown} is not allowed", "a policy needs no tags: leave it out")

    def _path(self) -> Path:
        path: list[str | int] = []
        for frame in self._stack:
            if type(frame.node) is Sequence:
                path.append(len(frame.node))
            elif frame.key is not None:
                path.append(frame.key)
        return tuple(path)

    def _note(self, mark: int, code: str, message: str, hint: str = "", path: str | None = None) -> None:
        where = path_text(self._path()) if path is None else path
        line, column = (mark >> _SHIFT) + 1, (mark & _COLUMN) + 1
        self.problems.append(Problem(self.source.name, line, column, code, where, message, hint))

    def _stop(self, mark: int, code: str, message: str, hint: str = "") -> NoReturn:
        self._note(mark, code, message, hint)
        raise _Stop

    def _syntax(self, refused: yaml.YAMLError) -> Problem:
        mistake, line, column = explain(refused, self.source.data.removeprefix(BOM).decode())
        where = path_text(self._path())
        return Problem(self.source.name, line + 1, column + 1, mistake.code, where, mistake.message, mistake.hint)


def _mark(before: str) -> int:
    """The mark of the character that follows *before*."""
    line = before.count("\n")
    return line << _SHIFT | len(before) - (before.rfind("\n") + 1)
