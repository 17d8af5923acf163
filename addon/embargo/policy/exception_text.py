"""The text of `exceptions.yaml` with one entry more, or one that ends: all else stays byte for byte.

The place of the edit comes from libyaml's marks, and only that place changes, since a round trip through any YAML
library moves blanks and line breaks that somebody put there. Where the text is written in a way that leaves no such
place (a list in brackets, an alias), ruamel.yaml's round trip keeps the comments and the order. Either way the result
is read back, and must say what it said before and the edit besides: nothing else is ever returned.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError as RoundTripError
from ruamel.yaml.nodes import ScalarNode as WrittenScalar
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from embargo.policy.document import parse
from embargo.policy.problem import Mistake
from embargo.policy.reading import BOM, Source

type Value = bool | str | datetime | tuple[Value, ...] | Mapping[str, Value]
type Entry = Mapping[str, Value]  # a rule as it is written, in this order

_HEAD = """\
# Exceptions from the policy beside this file: each rule here is asked before the policy's own.
# `embargo except` adds and ends them; by hand is fine too, comments and order are kept.
version: 1
"""
_NOWHERE = Path()  # no file: a text that is only read back
_UNMISTAKABLE = re.compile(r"[^\W_](?:[\w./@+ -]*[\w.])?")  # text that needs no quotation marks for its letters
_UNFOLDED = 1 << 30  # columns


def appended(data: bytes | None, entry: Entry) -> bytes:
    """The file *data* (None: there is none yet) with *entry* as its last rule.

    Raises Mistake: unwritable-file, where the text cannot be edited without changing what else it says.
    """
    if data is None:
        return f"{_HEAD}\nrules:\n{_written(entry)}".encode()

    def say(root: Any) -> None:
        root.setdefault("rules", []).append(_plain(entry))

    def say_in_place(root: CommentedMap) -> None:
        root.setdefault("rules", CommentedSeq()).append(_commented(entry))

    return _edited(data, lambda text: _with_entry(text, entry), say, say_in_place)


def changed(data: bytes, identifier: str, values: Entry) -> bytes:
    """The file *data* in which the rule *identifier*, which is there, has these *values* for their keys.

    Raises Mistake: unwritable-file.
    """

    def say(root: Any) -> None:
        _rule_of(root, identifier).update(_plain(values))

    def say_in_place(root: CommentedMap) -> None:
        _rule_of(root, identifier).update(_commented(values))

    def splice(text: str) -> str | None:
        for key, value in values.items():
            spliced = _with_value(text, identifier, key, _spelled(value))
            if spliced is None:
                return None
            text = spliced
        return text

    return _edited(data, splice, say, say_in_place)


def _rule_of(root: Any, identifier: str) -> Any:
    return next(rule for rule in root["rules"] if rule["id"] == identifier)


def _edited(
    data: bytes,
    splice: Callable[[str], str | None],
    say: Callable[[Any], None],
    say_in_place: Callable[[CommentedMap], None],
) -> bytes:
    mark = BOM if data.startswith(BOM) else b""
    text = data.removeprefix(BOM).decode()
    wanted = deepcopy(_tree(data))
    try:
        say(wanted)
    except (AttributeError, TypeError, KeyError, StopIteration):  # it says something else than rules there
        wanted = None
    for edit in (splice, lambda text: _round_trip(text, say_in_place)):
        if wanted is not None and (edited := edit(text)) is not None:
            found = mark + edited.encode()
            if _tree(found) == wanted:
                return found
    hint = "write the rules as a plain list, each beginning with '- id:', then try again"
    raise Mistake("unwritable-file", "the file cannot be edited without changing what else it says", hint)


def _tree(data: bytes) -> Any:
    """What *data* says; None where it is no policy file that can be read."""
    document = parse(Source("", _NOWHERE, data))
    return None if document.problems else _bare(document.root)


def _bare(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _bare(value) for key, value in node.items()}
    return [_bare(item) for item in node] if isinstance(node, list) else node


# --- in place


def _with_entry(text: str, entry: Entry) -> str | None:
    root = _composed(text)
    if root is None or root.flow_style:
        return None
    newline = "\r\n" if "\r\n" in text else "\n"
    rules = _value_of(root, "rules")
    if rules is None:
        return _inserted(text, len(text), f"\nrules:\n{_written(entry)}", newline)
    if not isinstance(rules, yaml.SequenceNode):
        return None
    if rules.flow_style:
        if rules.value:
            return None
        start, end = rules.start_mark.index, rules.end_mark.index
        emptied = text[:start].rstrip() + text[end:]
        return _inserted(emptied, _line_end(emptied, len(text[:start].rstrip())), _written(entry), newline)
    column = rules.start_mark.column
    last = rules.value[-1]
    after = _line_end(text, max(_ends(last)))
    before = text[: text.rfind("\n", 0, last.start_mark.index) + 1].removesuffix("\n").removesuffix("\r")
    apart = "\n" if len(rules.value) > 1 and not before.rpartition("\n")[2].strip() else ""
    return _inserted(text, after, apart + _written(entry, column), newline)


def _with_value(text: str, identifier: str, key: str, spelled: str) -> str | None:
    root = _composed(text)
    rules = _value_of(root, "rules") if root is not None else None
    for rule in rules.value if isinstance(rules, yaml.SequenceNode) else ():
        known = _value_of(rule, "id") if isinstance(rule, yaml.MappingNode) else None
        if not isinstance(known, yaml.ScalarNode) or known.value != identifier:
            continue
        if (old := _value_of(rule, key)) is not None:
            if not isinstance(old, yaml.ScalarNode):
                return None
            return text[: old.start_mark.index] + spelled + text[old.end_mark.index :]
        if rule.flow_style:
            end = known.end_mark.index
            return f"{text[:end]}, {key}: {spelled}{text[end:]}"
        indent = " " * rule.value[0][0].start_mark.column
        newline = "\r\n" if "\r\n" in text else "\n"
        return _inserted(text, _line_end(text, known.end_mark.index), f"{indent}{key}: {spelled}\n", newline)
    return None


def _composed(text: str) -> yaml.MappingNode | None:
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None
    return root if isinstance(root, yaml.MappingNode) else None


def _value_of(node: yaml.MappingNode, name: str) -> yaml.Node | None:
    return next((value for key, value in node.value if key.value == name), None)


def _ends(node: yaml.Node) -> Iterator[int]:
    """Where what is written of *node* ends; a block's own end mark lies behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                yield from _ends(part)
    else:
        yield node.end_mark.index - (node.end_mark.column == 0)  # a block scalar ends at the next line's beginning


def _line_end(text: str, position: int) -> int:
    """Behind the line break of the line that holds *position*."""
    found = text.find("\n", position)
    return len(text) if found < 0 else found + 1


def _inserted(text: str, position: int, lines: str, newline: str) -> str:
    before, after = text[:position], text[position:]
    if before and not before.endswith("\n"):
        before += newline
    return before + lines.replace("\n", newline) + after


# --- by ruamel.yaml


def _round_trip(text: str, say: Callable[[CommentedMap], None]) -> str | None:
    written = _writer()
    written.preserve_quotes = True
    try:
        root = written.load(text)
        say(root)
        output = io.StringIO()
        written.dump(root, output)
    except (RoundTripError, ValueError, TypeError, AttributeError, KeyError, StopIteration):
        return None  # what it cannot write is told as such
    return output.getvalue()


class _Representer(RoundTripRepresenter):
    """Writes times as policy files do."""


def _time(representer: RoundTripRepresenter, instant: datetime) -> WrittenScalar:
    return WrittenScalar("tag:yaml.org,2002:timestamp", _spelled(instant))


_Representer.add_representer(datetime, _time)


def _writer() -> YAML:
    writer = YAML()
    writer.Representer = _Representer
    writer.width = _UNFOLDED
    writer.allow_unicode = True
    return writer


def _written(entry: Entry, column: int = 0) -> str:
    """*entry* as an item of a block list whose dashes stand in *column* (from 0)."""
    output = io.StringIO()
    _writer().dump([_commented(entry)], output)
    return "".join(" " * column + line for line in output.getvalue().splitlines(keepends=True))


def _commented(value: Value) -> Any:
    """*value* as ruamel.yaml writes it well: lists and mappings inside on one line, lines of a text kept together."""
    match value:
        case str():
            return value if _UNMISTAKABLE.fullmatch(value) else DoubleQuotedScalarString(value)
        case tuple():
            items = CommentedSeq(map(_commented, value))
            for each in (items, *items):
                if isinstance(each, CommentedMap | CommentedSeq):
                    each.fa.set_flow_style()
            return items
        case Mapping():
            return CommentedMap((key, _commented(each)) for key, each in value.items())
    return value


def _plain(value: Value) -> Any:
    """*value* as the parser reads it back."""
    match value:
        case datetime():
            return _spelled(value)
        case tuple():
            return [_plain(each) for each in value]
        case Mapping():
            return {key: _plain(each) for key, each in value.items()}
    return value


def _spelled(value: Value) -> str:
    """*value*, a switch or a time, as it is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    assert isinstance(value, datetime)
    precision = "milliseconds" if value.microsecond else "seconds"
    return value.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
