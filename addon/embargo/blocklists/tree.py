"""YAML (and JSON, which is YAML) of somebody else's making, as a tree that knows where each text stands.

Read from libyaml's events: no tags are resolved, every value is text, and what lists have no use for (aliases, several
documents, deep nesting) is refused, so that no text is larger in memory than it is written.
"""

from dataclasses import dataclass
from typing import Any

import yaml
from yaml._yaml import CParser

DEEPEST = 16  # nested mappings and lists


class NoTree(ValueError):
    """Text that is no such tree: why, and where (line and column, from 1)."""

    def __init__(self, why: str, line: int, column: int) -> None:
        super().__init__(why)
        self.line, self.column = line, column


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value, and where it begins (from 1)."""

    text: str
    line: int
    column: int


type Tree = Leaf | dict[str, Tree] | list[Tree]


def parse_tree(text: str) -> Tree:
    """The tree in *text*. Raises NoTree."""
    parser = CParser(text.encode())
    stack: list[tuple[Any, str | None]] = []
    root: Tree | None = None
    documents = 0
    try:
        while not isinstance(event := parser.get_event(), yaml.StreamEndEvent):
            match event:
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        _refuse("a second document begins here", event)
                    continue
                case yaml.AliasEvent():
                    _refuse("aliases have no place in a list", event)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    if len(stack) >= DEEPEST:
                        _refuse(f"more than {DEEPEST} levels", event)
                    if stack and isinstance(stack[-1][0], dict) and stack[-1][1] is None:
                        _refuse("a key must be text", event)
                    stack.append(({} if isinstance(event, yaml.MappingStartEvent) else [], None))
                    continue
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    value: Tree = stack.pop()[0]
                case yaml.ScalarEvent():
                    if stack and isinstance(stack[-1][0], dict) and stack[-1][1] is None:
                        stack[-1] = (stack[-1][0], event.value)
                        continue
                    value = Leaf(event.value, *_place(event.start_mark))
                case _:
                    continue
            if not stack:
                root = value
                continue
            node, key = stack[-1]
            if isinstance(node, dict):
                node.setdefault(key, value)  # of a key that stands twice the first
                stack[-1] = (node, None)
            else:
                node.append(value)
    except yaml.MarkedYAMLError as refused:
        raise NoTree(refused.problem or "not readable", *_place(refused.problem_mark)) from refused
    except yaml.YAMLError as refused:
        raise NoTree("it holds a character that YAML does not allow", 1, 1) from refused
    if root is None:
        raise NoTree("it holds nothing", 1, 1)
    return root


def _refuse(why: str, event: Any) -> None:
    raise NoTree(why, *_place(event.start_mark))


def _place(mark: Any) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
