"""The marks of endpoints on trial (`shadow: true`) in a policy file's text: set and taken away, all else byte for byte.

The place of an edit comes from libyaml's marks. The result is read back and must say what the text said before and the
marks besides; else nothing is returned. Aliases are not edited: one mark would be set in several places.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import yaml

from embargo.policy.document import Document, parse
from embargo.policy.problem import Mistake, path_text
from embargo.policy.problem import Path as DocumentPath
from embargo.policy.reading import BOM

KEY = "shadow"
_HINT = "write its endpoints out, one a line, without anchors"


def marked(document: Document, paths: Iterable[DocumentPath]) -> bytes:
    """The text of *document*, which has no problems, with the endpoints at *paths* on trial.

    Raises Mistake: unmarkable-endpoint.
    """
    return _edited(document, tuple(paths), on_trial=True)


def unmarked(document: Document, paths: Iterable[DocumentPath]) -> bytes:
    """The text of *document*, which has no problems, with the endpoints at *paths*, which are on trial, enforced.

    Raises Mistake: unmarkable-endpoint.
    """
    return _edited(document, tuple(paths), on_trial=False)


def _edited(document: Document, paths: tuple[DocumentPath, ...], *, on_trial: bool) -> bytes:
    data = document.source.data
    bom = BOM if data.startswith(BOM) else b""
    text = data.removeprefix(BOM).decode()
    edits = _edits(text, paths, on_trial=on_trial)
    for start, end, put in sorted(edits, reverse=True):
        text = text[:start] + put + text[end:]
    found = bom + text.encode()
    reread = parse(replace(document.source, data=found))
    wanted = _plain(document.root)
    for path in paths:
        _say(wanted, path, on_trial=on_trial)
    if reread.problems or _plain(reread.root) != wanted:
        what = path_text(paths[0]) if paths else document.name
        raise Mistake("unmarkable-endpoint", f"{what} and its like cannot be marked in this text", _HINT)
    return found


def _edits(text: str, paths: tuple[DocumentPath, ...], *, on_trial: bool) -> list[tuple[int, int, str]]:
    """What to put where: start and end in *text*, and what stands there then."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    found = []
    for path in paths:
        node = _node(root, path)
        if isinstance(node, yaml.ScalarNode) and on_trial:
            start, end = node.start_mark.index, node.end_mark.index
            found.append((start, end, f"{{domain: {text[start:end]}, {KEY}: true}}"))
        elif isinstance(node, yaml.MappingNode):
            found.append(_set(text, node) if on_trial else _taken(text, node))
        else:
            raise Mistake("unmarkable-endpoint", f"{path_text(path)} is no endpoint that can be marked", _HINT)
    return found


def _set(text: str, node: yaml.MappingNode) -> tuple[int, int, str]:
    if (known := _pair(node)) is not None:  # `shadow: false` stands there
        return known[1].start_mark.index, known[1].end_mark.index, "true"
    value = node.value[0][1]
    if node.flow_style:  # behind the first pair, so that the pattern is still what one reads first
        end = value.end_mark.index
        return end, end, f", {KEY}: true"
    key = node.value[0][0].start_mark
    newline = "\r\n" if "\r\n" in text else "\n"
    return key.index, key.index, f"{KEY}: true{newline}{' ' * key.column}"


def _taken(text: str, node: yaml.MappingNode) -> tuple[int, int, str]:
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
    section = tree
    for step in path[:-1]:
        section = section[step]
    entry = section[path[-1]]
    if isinstance(entry, str):
        entry = section[path[-1]] = {"domain": entry}
    if on_trial:
        entry[KEY] = True
    else:
        del entry[KEY]
