"""The marks of endpoints on trial (`shadow: true`) in a policy file's text: set and taken away, all else byte for byte.

With a mark come endpoints that are kept beside what is on trial, and go with it. The place of an edit comes from
libyaml's marks. The result is read back and must say what the text said before and the edits besides; else nothing is
returned. Aliases are not edited: one mark would be set in several places.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import yaml

from embargo.policy.document import Document, parse
from embargo.policy.problem import Mistake, path_text
from embargo.policy.problem import Path as DocumentPath
from embargo.policy.reading import BOM

KEY = "shadow"
_HINT = "write its endpoints out, one a line, without anchors"

type Beside = Mapping[DocumentPath, Sequence[str]]  # by an endpoint: others to stand before it, as YAML in braces
type Edit = tuple[int, int, str]  # start and end in the text, and what stands there then


def marked(document: Document, paths: Iterable[DocumentPath], beside: Beside = MappingProxyType({})) -> bytes:
    """The text of *document*, which has no problems, with the endpoints at *paths* on trial and others *beside* them.

    Raises Mistake: unmarkable-endpoint.
    """
    return _edited(document, tuple(paths), on_trial=True, beside=beside)


def unmarked(document: Document, paths: Iterable[DocumentPath], without: Iterable[DocumentPath] = ()) -> bytes:
    """The text of *document*, which has no problems, with the endpoints at *paths*, which are on trial, enforced.

    The endpoints at *without* are taken out. Raises Mistake: unmarkable-endpoint.
    """
    return _edited(document, tuple(paths), on_trial=False, without=tuple(without))


def _edited(
    document: Document,
    paths: tuple[DocumentPath, ...],
    *,
    on_trial: bool,
    beside: Beside = MappingProxyType({}),
    without: tuple[DocumentPath, ...] = (),
) -> bytes:
    data = document.source.data
    bom = BOM if data.startswith(BOM) else b""
    text = data.removeprefix(BOM).decode()
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    edits = [_mark(text, root, path, on_trial=on_trial) for path in paths]
    edits += [_put(text, root, path, entries) for path, entries in beside.items()]
    edits += [_cut(text, root, path) for path in without]
    for start, end, put in sorted(edits, reverse=True):
        text = text[:start] + put + text[end:]
    found = bom + text.encode()
    reread = parse(replace(document.source, data=found))
    wanted = _plain(document.root)
    for path in paths:
        _say(wanted, path, on_trial=on_trial)
    for path in sorted({*beside, *without}, key=lambda path: path[-1], reverse=True):  # the last first: places hold
        section = _at(wanted, path[:-1])
        entries = [_read(document, entry) for entry in beside.get(path, ())]
        section[path[-1] : int(path[-1]) + (path in without)] = entries
    if reread.problems or _plain(reread.root) != wanted:
        what = path_text(paths[0]) if paths else document.name
        raise Mistake("unmarkable-endpoint", f"{what} and its like cannot be marked in this text", _HINT)
    return found


def _mark(text: str, root: Any, path: DocumentPath, *, on_trial: bool) -> Edit:
    node = _node(root, path)
    if isinstance(node, yaml.ScalarNode) and on_trial:
        start, end = node.start_mark.index, node.end_mark.index
        return start, end, f"{{domain: {text[start:end]}, {KEY}: true}}"
    if isinstance(node, yaml.MappingNode):
        return _set(text, node) if on_trial else _taken(text, node)
    raise Mistake("unmarkable-endpoint", f"{path_text(path)} is no endpoint that can be marked", _HINT)


def _put(text: str, root: Any, path: DocumentPath, entries: Sequence[str]) -> Edit:
    """*entries* before the one at *path*."""
    around, node = _node(root, path[:-1]), _node(root, path)
    if around.flow_style:
        at = node.start_mark.index
        return at, at, "".join(f"{entry}, " for entry in entries)
    at, column = _dash(text, around, path), around.start_mark.column
    return at, at, "".join(f"- {entry}{_newline(text)}{' ' * column}" for entry in entries)


def _cut(text: str, root: Any, path: DocumentPath) -> Edit:
    """The entry at *path* taken out: with its line where it has one for itself, with a comment behind it."""
    around, node, place = _node(root, path[:-1]), _node(root, path), int(path[-1])
    if around is None or node is None or len(around.value) < 2:
        raise Mistake("unmarkable-endpoint", f"{path_text(path)} is no endpoint that can be taken out", _HINT)
    if around.flow_style:
        if place + 1 < len(around.value):
            return node.start_mark.index, around.value[place + 1].start_mark.index, ""
        return around.value[place - 1].end_mark.index, node.end_mark.index, ""
    start = text.rfind("\n", 0, _dash(text, around, path)) + 1
    end = text.find("\n", _end(node))
    return start, end + 1 if end >= 0 else len(text), ""


def _end(node: Any) -> int:
    """Where the text of *node* ends: that of what is written in lines ends for libyaml where the next begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return int(node.end_mark.index)


def _dash(text: str, around: yaml.SequenceNode, path: DocumentPath) -> int:
    """Where the `-` of the entry at *path* stands, all of which stand in one column."""
    place, column = int(path[-1]), around.start_mark.column
    at = around.start_mark.index
    if place > 0:
        at = around.value[place - 1].end_mark.index
        while text[at] != "-" or text[text.rfind("\n", 0, at) + 1 : at] != " " * column:
            at += 1
            if at >= around.value[place].start_mark.index:
                raise Mistake("unmarkable-endpoint", f"{path_text(path)} begins in no line of its own", _HINT)
    return at


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _set(text: str, node: yaml.MappingNode) -> Edit:
    if (known := _pair(node)) is not None:  # `shadow: false` stands there
        return known[1].start_mark.index, known[1].end_mark.index, "true"
    value = node.value[0][1]
    if node.flow_style:  # behind the first pair, so that the pattern is still what one reads first
        end = value.end_mark.index
        return end, end, f", {KEY}: true"
    key = node.value[0][0].start_mark
    return key.index, key.index, f"{KEY}: true{_newline(text)}{' ' * key.column}"


def _taken(text: str, node: yaml.MappingNode) -> Edit:
    known = _pair(node)
    if known is None:
        raise Mistake("unmarkable-endpoint", "found no mark there", _HINT)
    key, value = known
    position = [pair[0] for pair in node.value].index(key)
    start, end = key.start_mark.index, value.end_mark.index
    if position + 1 < len(node.value):  # up to where the next key begins
        following = node.value[position + 1][0].start_mark.index
        if node.flow_style and position > 0:  # the comma and the blank before, which may be a line's end with a comment
            return node.value[position - 1][1].end_mark.index, end, ""
        return start, following, ""
    return node.value[position - 1][1].end_mark.index, end, ""


def _pair(node: yaml.MappingNode) -> tuple[Any, Any] | None:
    return next(((key, value) for key, value in node.value if key.value == KEY), None)


def _node(root: Any, path: DocumentPath) -> Any:
    node = root
    for step in path:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            return None
    return node


def _plain(node: Any) -> Any:
    """*node* as values alone, each written out: two that an alias makes one are two here."""
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(item) for item in node] if isinstance(node, list) else node


def _say(tree: Any, path: DocumentPath, *, on_trial: bool) -> None:
    """Have *tree* say of the endpoint at *path* whether it is on trial."""
    section = _at(tree, path[:-1])
    entry = section[path[-1]]
    if isinstance(entry, str):
        entry = section[path[-1]] = {"domain": entry}
    if on_trial:
        entry[KEY] = True
    else:
        del entry[KEY]


def _at(tree: Any, path: DocumentPath) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def _read(document: Document, entry: str) -> Any:
    """*entry* as the file would have it."""
    return _plain(parse(replace(document.source, data=f"x: [{entry}]".encode())).root)["x"][0]
