"""What libyaml says of text that is no YAML, in the words of somebody who writes a policy."""

import re

import yaml

from embargo.policy.problem import Mistake

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what libyaml counts as the end of a line
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def explain(refused: yaml.YAMLError, text: str) -> tuple[Mistake, int, int]:
    """What is wrong with *text*, and where: line and column, from 0."""
    if not isinstance(refused, yaml.MarkedYAMLError) or refused.problem_mark is None:
        found = _UNPRINTABLE.search(text)
        before = text[: found.start()] if found is not None else ""
        what = f"the control character U+{ord(found[0]):04X}" if found is not None else "an unreadable character"
        hint = "write it as an escape between double quotes"
        mistake = Mistake("control-character", f"{what} is not allowed", hint)
        return mistake, before.count("\n"), len(before) - (before.rfind("\n") + 1)
    at = refused.problem_mark
    mistake, from_beginning = _marked(refused, _character(text, at.line, at.column))
    if from_beginning and refused.context_mark is not None:
        at = refused.context_mark
    lines = _BREAK.split(text)
    if at.line >= len(lines):  # libyaml ends a last line that has no end
        return mistake, len(lines) - 1, len(lines[-1])
    return mistake, at.line, at.column


def _marked(refused: yaml.MarkedYAMLError, character: str) -> tuple[Mistake, bool]:
    """What libyaml's words mean for a policy file, and whether the place to show is where it began to read."""
    problem, context = refused.problem or "not readable", refused.context or ""
    if character == "\t" and ("token" in problem or "tab" in problem):
        return Mistake("tab", "found a tab where YAML wants spaces", "indent with spaces"), False
    if "flow" in context and "did not find expected ',' or" in problem and refused.context_mark is not None:
        opener = "[" if "sequence" in context else "{"
        at = refused.context_mark
        if not character:
            return Mistake("unclosed-bracket", f"the {opener} that opens here is never closed"), True
        closer = "]" if opener == "[" else "}"
        where = f"the {opener} of line {at.line + 1}, column {at.column + 1}"
        hint = "quote text that holds one of { } [ ] , # or a colon before a space"
        return Mistake("unclosed-bracket", f"expected ',' or '{closer}' for {where}", hint), False
    if "simple key" in context:
        hint = "write `key: value`, and begin each entry of a list with '- '"
        return Mistake("yaml-syntax", "no colon follows, as it must behind a key", hint), True
    hint = ""
    if "alias" in context:
        hint = "quote text that begins with *; a domain covers all below it without one"
    elif "mapping values are not allowed" in problem:
        hint = "quote text that holds a colon before a space, and check the indentation"
    elif "escape" in problem:
        hint = "write \\\\ for a backslash, or use single quotes"
    elif "quoted scalar" in context:
        if "end of stream" in problem:
            return Mistake("yaml-syntax", "the quotation mark that opens here is never closed", "close it"), True
        hint = "close the quotation mark"
    elif "block mapping" in context or "block collection" in context:
        hint = "check the indentation"
    elif character in "@`%" and character:
        hint = f"quote text that begins with {character}"
    message = f"{problem} {context}" if context else problem
    return Mistake("yaml-syntax", message, hint), False


def _character(text: str, line: int, column: int) -> str:
    """The character at *line* and *column*, from 0; empty at the text's end."""
    lines = _BREAK.split(text)
    return lines[line][column : column + 1] if line < len(lines) else ""
