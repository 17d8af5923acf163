"""pydantic's findings as problems: path in the document, position, the user's words, the nearest right one."""

from typing import Any

from pydantic import ValidationError

from embargo.policy.document import Document, Mapping, Sequence
from embargo.policy.patterns import FORMS, KINDS, MARK
from embargo.policy.problem import Path, Problem, nearest, quoted
from embargo.policy.schema import PolicyForm, keys_beside

MOST_PROBLEMS = 1000  # of one file; a wrong list of endpoints would have a million
_EXPECTED = {  # what pydantic wanted, in the words of a policy file
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_ELSEWHERE = {  # keys of one mapping that are looked for in another
    ("rules", "days"): "write `schedule: {days: …}`",
    ("rules", "hours"): "write `schedule: {hours: …}`",
    ("rules", "timezone"): "write `schedule: {timezone: …}`",
    ("rules", "named_in"): "write `apps: {named_in: …}`",
    ("rules", "vendor"): "write `apps: {vendor: …}`",
    ("rules", "since"): "did you mean 'from'?",
}
_NULLABLE = ("status", "would", "respond", "record")  # of tests: null says that there must be none
_KEY = "[key]"  # ends pydantic's location where a mapping's key is the problem


def validate(document: Document) -> tuple[PolicyForm | None, list[Problem]]:
    """The document as a model, or None, and every problem of its text, keys and values."""
    problems = list(document.problems)
    form = None
    if document.root:
        try:
            form = PolicyForm.model_validate(document.root)
        except ValidationError as refused:
            errors = refused.errors(include_url=False)
            problems += [_problem(document, error) for error in errors[:MOST_PROBLEMS]]
            if len(errors) > MOST_PROBLEMS:
                last, more = problems[-1], f"and {len(errors) - MOST_PROBLEMS} more problems"
                problems.append(Problem(document.name, last.line, last.column, "more-problems", "", more))
    found = {problem.path for problem in problems}
    problems += [problem for problem in _missing_values(document) if problem.path not in found]
    return (None if problems else form), problems


def _missing_values(document: Document) -> list[Problem]:
    return [
        document.problem(path, "wrong-type", "found nothing, expected a value", "fill it in, or leave the key out")
        for path in document.nulls
        if not (path[0] == "tests" and len(path) > 2 and path[-1] in _NULLABLE)
    ]


def _problem(document: Document, error: Any) -> Problem:
    location: tuple[Any, ...] = error["loc"]
    kind: str = error["type"]
    value = error["input"]
    at_key = bool(location) and location[-1] == _KEY and kind != "extra_forbidden"
    path = document_path(document, location[:-1] if at_key else location)
    match kind:
        case "mistake":
            context = error["ctx"]
            return document.problem(path, context["code"], context["message"], context["hint"], key=at_key)
        case "missing":
            hint = "begin with `version: 1`" if path == ("version",) else ""
            return document.problem(path, "missing-key", f"{path[-1]!r} is missing", hint)
        case "extra_forbidden":
            return _unknown_key(document, location, path)
        case "no-form":
            return _no_form(document, path, value, error["msg"])
        case "too_short":
            hint = "write `all` for every app" if path[0] == "rules" and path[-1] == "apps" else "leave the key out"
            return document.problem(path, "empty-list", "found an empty list, which nothing satisfies", hint)
        case _ if kind in _EXPECTED:
            hint = "begin each entry with '- '" if kind == "list_type" and isinstance(value, str) else ""
            message = f"found {quoted(value)}, expected {_EXPECTED[kind]}"
            return document.problem(path, "wrong-type", message, hint)
        case _:  # no type above has it; should pydantic invent one, its own words are better than none
            return document.problem(path, "wrong-value", f"found {quoted(value)}: {error['msg']}")


def _unknown_key(document: Document, location: tuple[Any, ...], path: Path) -> Problem:
    key = str(path[-1])
    parent = location[-2] if len(location) > 1 else None
    allowed = keys_beside(location)
    if parent in FORMS and key in KINDS and key not in allowed:
        hint = "make it two entries of the list"
        return document.problem(path, "unknown-key", f"{key!r} is a second pattern in one entry", hint, key=True)
    hint = _ELSEWHERE.get((str(path[0]), key), "") if len(path) == 3 else ""
    hint = hint or nearest(key, allowed)
    return document.problem(
        path, "unknown-key", f"unknown key {key!r}, allowed are {', '.join(allowed)}", hint, key=True
    )


def _no_form(document: Document, path: Path, value: object, forms: str) -> Problem:
    """A value of a union that has none of its forms."""
    if not isinstance(value, dict):
        expected = "text or a mapping" + (f" with one of {forms.replace(',', ', ')}" if forms else "")
        hint = "quote it to make it text" if isinstance(value, int | float) else ""
        return document.problem(path, "wrong-type", f"found {quoted(value)}, expected {expected}", hint)
    words = forms.split(",")
    for key in value:
        if key not in words and (hint := nearest(str(key), words)):
            message = f"unknown key {key!r}, expected one of {', '.join(words)}"
            return document.problem((*path, key), "unknown-key", message, hint, key=True)
    if misplaced := next((key for key in value if key in KINDS), None):
        message = f"{misplaced!r} has no meaning here, expected one of {', '.join(words)}"
        return document.problem((*path, misplaced), "unknown-key", message, key=True)
    return document.problem(path, "missing-key", f"expected one of {', '.join(words)}")


def document_path(document: Document, location: tuple[Any, ...]) -> Path:
    """*location* without what the models put into it: tags of unions, and positions in lists that are none."""
    path: list[str | int] = []
    node: Any = document.root
    for step in location:
        if isinstance(step, str) and step.startswith(MARK) and not (isinstance(node, Mapping) and step in node):
            continue
        if isinstance(step, int) and not isinstance(node, Sequence):
            continue
        path.append(step)
        if isinstance(node, Mapping):
            node = node.get(step)
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            node = None
    return tuple(path)
