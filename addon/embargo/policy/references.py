"""What must agree across a policy: ids that are named exist, layers keep to what layers may do, times are in order.

Judged on the trees, beside the models: a model's own cross-checks would not run once one of its fields has
failed, just when there are many mistakes to report.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embargo.core.rules import Action
from embargo.policy.closed import undone
from embargo.policy.document import Document
from embargo.policy.instants import instant
from embargo.policy.layers import Layer
from embargo.policy.problem import Mistake, Path, Problem, nearest
from embargo.policy.schema import EXPECTATIONS, CaseForm, PolicyForm

_DEFINED = {  # where what is missing would be defined
    "authority": "define it under `authorities:`",
    "group": "define it under `groups:`",
    "app": "define it under `apps:`",
}
_OF_AN_EXCEPTION = {"reason": "why it was granted", "until": "when it ends"}  # key: what it says
_OF_EXCEPTIONS = frozenset({"version", "groups", "rules"})  # what their file has: any other key changes more than them
MOST_OF_A_TABLE = 10_000  # tests; each reload runs them
MOST_OF_A_FILE = 100_000  # tests: some seconds; in 64 MiB of tables there is room for hundreds of millions
_SOURCES = ("endpoints", "endpoints_from", "stores")


def check_references(layers: Sequence[Layer], *, complete: bool = True) -> list[Problem]:
    """Every problem of references, layering and order of time in *layers*, the earliest first.

    Unless the layers are *complete*, no id is called unknown: what defines it may be what could not be read.
    """
    documents = [layer.document for layer in layers]
    exceptions = {id(layer.document) for layer in layers if layer.exceptions}
    known = _Known.of(documents, complete=complete)
    problems: list[Problem] = []
    earlier: set[str] = set()  # ids of the apps in the layers before
    final: dict[str, str] = {}  # file by id of each final rule before
    ruled: dict[str, str] = {}  # file by id of each rule before
    grouped: dict[str, str] = {}  # file by id of each group that a layer before defines or asks for
    for document in documents:
        problems += _apps(document, known, earlier)
        problems += _rules(document, known, final)
        if id(document) in exceptions:
            problems += _exceptions(document, ruled)
            problems += _beside_exceptions(document, grouped)
        problems += _settings(document, known)
        problems += _tests(document, known)
        problems += _timelines(document)
        earlier.update(_section(document, "apps"))
        for group in (*_section(document, "groups"), *_groups_asked_for(document)):
            grouped.setdefault(group, document.name)
        for _, rule in _entries(document, "rules"):
            if isinstance(rule.get("id"), str):
                ruled[rule["id"]] = document.name
                if rule.get("final") is True:
                    final.setdefault(rule["id"], document.name)
    return [*problems, *undone(layers)]


@dataclass(slots=True)
class _Known:
    """Every id that any layer defines."""

    apps: set[str] = field(default_factory=set)
    authorities: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    vendors: set[str] = field(default_factory=set)
    rules: set[str] = field(default_factory=lambda: {"default"})
    complete: bool = True

    @classmethod
    def of(cls, documents: Iterable[Document], *, complete: bool = True) -> "_Known":
        known = cls(complete=complete)
        for document in documents:
            apps = _section(document, "apps")
            known.apps.update(apps)
            known.authorities.update(_section(document, "authorities"))
            known.groups.update(_section(document, "groups"))
            for app in apps.values():
                if isinstance(app, dict) and isinstance(app.get("vendor"), str):
                    known.vendors.add(app["vendor"])
            known.rules.update(rule["id"] for _, rule in _entries(document, "rules") if isinstance(rule.get("id"), str))
        return known

    def of_kind(self, noun: str) -> set[str]:
        """The ids of that kind."""
        match noun:
            case "app":
                return self.apps
            case "authority":
                return self.authorities
            case "group":
                return self.groups
            case "vendor":
                return self.vendors
            case _:
                return self.rules


def _unknown(document: Document, value: Any, path: Path, known: _Known, noun: str) -> Iterator[Problem]:
    """A problem for each id in *value*, one or a list, that is no known *noun*."""
    if not known.complete:
        return
    ids = known.of_kind(noun)
    items = [((*path, index), item) for index, item in enumerate(value)] if isinstance(value, list) else [(path, value)]
    for at, item in items:
        if isinstance(item, str) and item.strip() and item not in ids:
            hint = nearest(item, ids) or _DEFINED.get(noun, "")
            yield document.problem(at, f"unknown-{noun}", f"there is no {noun} {item!r}", hint)


def _apps(document: Document, known: _Known, earlier: set[str]) -> Iterator[Problem]:
    for app, content in _section(document, "apps").items():
        if not isinstance(content, dict):
            continue
        path = ("apps", app)
        yield from _unknown(document, content.get("named_in"), (*path, "named_in"), known, "authority")
        if content.get("extend") is True:
            if app not in earlier and known.complete:
                hint = nearest(app, earlier) or "leave `extend` out to add it"
                yield document.problem(
                    (*path, "extend"), "unknown-app", f"no earlier layer has an app {app!r} to extend", hint, key=True
                )
            for key in ("name", "vendor"):
                if key in content:
                    hint = "leave it out, or leave `extend` out to replace the app whole"
                    message = f"{key!r} cannot be extended, only endpoints, exclude, named_in and stores"
                    yield document.problem((*path, key), "not-extendable", message, hint, key=True)
        elif not any(key in _SOURCES or nearest(key, _SOURCES) for key in content):  # a misspelt one is told as such
            hint = "`extend: true` adds to the app of an earlier layer" if app in earlier else ""
            message = "an app needs endpoints, endpoints_from or stores"
            yield document.problem(path, "missing-key", message, hint, key=True)


def _rules(document: Document, known: _Known, final: dict[str, str]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for path, rule in _entries(document, "rules"):
        identifier = rule.get("id")
        if isinstance(identifier, str):
            line = document.position((*path, "id"))[0]
            if identifier in seen:
                message = f"a rule {identifier!r} stands in line {seen[identifier]} already"
                yield document.problem((*path, "id"), "duplicate-rule", message, "choose another id")
            seen.setdefault(identifier, line)
            if identifier in final:
                message = f"{identifier!r} is a final rule of {final[identifier]}, which no later layer replaces"
                yield document.problem((*path, "id"), "final-rule", message, "choose another id")
        yield from _selectors(document, rule.get("apps"), (*path, "apps"), known)
        for key in ("groups", "not_groups"):
            yield from _unknown(document, rule.get(key), (*path, key), known, "group")
        yield from _languages(document, rule.get("message"), (*path, "message"))
        start, end = _time(rule.get("from")), _time(rule.get("until"))
        if start is not None and end is not None and start >= end:
            message = f"the rule ends ({rule['until']}) before it begins ({rule['from']})"
            yield document.problem((*path, "until"), "wrong-order", message)


def _exceptions(document: Document, ruled: dict[str, str]) -> Iterator[Problem]:
    """What each rule of the file of exceptions must say, unless it blocks; and that it takes no other rule away."""
    for path, rule in _entries(document, "rules"):
        if isinstance(rule.get("id"), str) and rule["id"] in ruled:
            message = f"an exception would replace the rule {rule['id']!r} of {ruled[rule['id']]} for everybody"
            yield document.problem((*path, "id"), "duplicate-rule", message, "choose another id")
        for key, why in _OF_AN_EXCEPTION.items():
            if rule.get("action") != Action.BLOCK and key not in rule:
                yield document.problem(path, "missing-key", f"an exception needs {key!r}", f"{key} says {why}")


def _beside_exceptions(document: Document, grouped: dict[str, str]) -> Iterator[Problem]:
    """What the file of exceptions says besides: it would change the policy for everybody, and what binds it by law."""
    for key in document.root:
        if key in PolicyForm.model_fields and key not in _OF_EXCEPTIONS:
            message = f"a file of exceptions has rules, and groups of its own, and no {key!r}"
            hint = "write it into a file of the policy"
            yield document.problem((key,), "not-an-exception", message, hint, key=True)
    for group in _section(document, "groups"):
        if group in grouped:
            message = f"a file of exceptions cannot say who is in {group!r}, a group of {grouped[group]}"
            yield document.problem(("groups", group), "not-an-exception", message, "choose another id", key=True)


def _groups_asked_for(document: Document) -> Iterator[str]:
    """The groups that the rules of *document* name, wherever they are defined."""
    for _, rule in _entries(document, "rules"):
        for value in (rule.get("groups"), rule.get("not_groups")):
            yield from (name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str))


def _languages(document: Document, value: Any, path: Path) -> Iterator[Problem]:
    """A problem for each language of a message that stands there in another spelling already."""
    seen: dict[str, str] = {}
    for tag in value if isinstance(value, dict) else ():
        if (known := seen.setdefault(tag.lower(), tag)) != tag:
            message = f"{tag!r} is the same language as {known!r}"
            yield document.problem((*path, tag), "duplicate-language", message, key=True)


def _selectors(document: Document, value: Any, path: Path, known: _Known) -> Iterator[Problem]:
    items = [((*path, index), item) for index, item in enumerate(value)] if isinstance(value, list) else [(path, value)]
    for at, item in items:
        if isinstance(item, dict):
            named_in, vendor = item.get("named_in"), item.get("vendor")
            yield from _unknown(document, named_in, (*at, "named_in"), known, "authority")
            yield from _unknown(document, vendor, (*at, "vendor"), known, "vendor")
        elif item != "all":
            yield from _unknown(document, item, at, known, "app")


def _settings(document: Document, known: _Known) -> Iterator[Problem]:
    settings = document.root.get("settings")
    if isinstance(settings, dict):
        path = ("settings", "bound_by")
        yield from _unknown(document, settings.get("bound_by"), path, known, "authority")


def _tests(document: Document, known: _Known) -> Iterator[Problem]:
    counts = [_standing_for(test) for _, test in _entries(document, "tests")]
    if sum(counts) > MOST_OF_A_FILE and max(counts) <= MOST_OF_A_FILE:  # a table beyond that is told below
        message = f"the tests of the file are {sum(counts)}, {MOST_OF_A_FILE} are allowed"
        yield document.problem(("tests",), "too-many-tests", message, "make it several files")
        return
    for path, test in _entries(document, "tests"):
        yield from _test_ids(document, test, path, known)
        rows = test.get("cases")
        if "cases" not in test:
            yield from _incomplete(document, test, path)
        elif isinstance(rows, list) and isinstance(shared := test.get("request"), list):
            count = len(shared) * sum("request" not in row for row in rows if isinstance(row, dict))
            if count > MOST_OF_A_TABLE:
                message = f"the table stands for {count} tests, {MOST_OF_A_TABLE} are allowed"
                yield document.problem((*path, "cases"), "too-many-tests", message, "make it several tables")
        for index, row in enumerate(rows) if isinstance(rows, list) else ():
            if isinstance(row, dict):
                at = (*path, "cases", index)
                yield from _test_ids(document, row, at, known)
                yield from _incomplete(document, test | row, at)


def _standing_for(test: dict[str, Any]) -> int:
    """How many tests *test* is: its requests, for each row of its table those of the row or its own."""
    rows = test.get("cases")
    asked = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else [test]
    requests = (row.get("request", test.get("request")) for row in asked)
    return sum(len(each) if isinstance(each, list) else 1 for each in requests)


def _test_ids(document: Document, test: dict[str, Any], path: Path, known: _Known) -> Iterator[Problem]:
    yield from _unknown(document, test.get("app"), (*path, "app"), known, "app")
    yield from _unknown(document, test.get("rule"), (*path, "rule"), known, "rule")
    yield from _unknown(document, test.get("group"), (*path, "group"), known, "group")


def _incomplete(document: Document, test: dict[str, Any], path: Path) -> Iterator[Problem]:
    """What a test, or a row with what holds for all rows, lacks or has too much of."""
    unknown = [key for key in test if key not in CaseForm.model_fields]  # a misspelt one is told as such
    if "request" not in test and not any(nearest(key, ["request"]) for key in unknown):
        yield document.problem((*path, "request"), "missing-key", "'request' is missing")
    if not test.keys() & set(EXPECTATIONS) and not any(nearest(key, EXPECTATIONS) for key in unknown):
        hint = "add expect: block, log, allow or pass"
        yield document.problem(path, "missing-key", "the test expects nothing", hint)
    if "group" in test and (other := next((key for key in ("client", "user") if key in test), None)):
        hint = f"leave `{other}` out: a member of the group is chosen"
        yield document.problem((*path, "group"), "conflicting-keys", f"group and {other} exclude each other", hint)


def _timelines(document: Document) -> Iterator[Problem]:
    for authority, content in _section(document, "authorities").items():
        timeline = content.get("timeline") if isinstance(content, dict) else None
        seen: dict[datetime, str] = {}
        for key in timeline if isinstance(timeline, dict) else ():
            when = _time(key)
            if when is not None and when in seen:
                path = ("authorities", authority, "timeline", key)
                message = f"{key!r} is the same instant as {seen[when]!r}"
                yield document.problem(path, "duplicate-instant", message, key=True)
            elif when is not None:
                seen[when] = key


def _time(value: object) -> datetime | None:
    """The instant in *value*; None where there is none, which the models report."""
    if not isinstance(value, str):
        return None
    try:
        return instant(value)
    except Mistake:
        return None


def _section(document: Document, name: str) -> dict[str, Any]:
    section = document.root.get(name)
    return section if isinstance(section, dict) else {}


def _entries(document: Document, name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    section = document.root.get(name)
    for index, entry in enumerate(section) if isinstance(section, list) else ():
        if isinstance(entry, dict):
            yield (name, index), entry


def check_cases(layers: Sequence[Layer], document: Document) -> list[Problem]:
    """The references of the tests in *document*, a test file beside *layers*."""
    return list(_tests(document, _Known.of(layer.document for layer in layers)))
