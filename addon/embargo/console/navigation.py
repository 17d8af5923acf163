"""The pages that there are, in the order in which one reaches for them, for who is asking."""

from dataclasses import dataclass
from typing import Any

from flask import current_app, request, url_for
from werkzeug.routing import BuildError

from embargo.console.access.rights import Right, right_of
from embargo.console.context import may

_PAGES = (  # blueprint and name; those that are not registered do not show
    ("overview", "Overview"),
    ("log", "Log"),
    ("apps", "Apps"),
    ("devices", "Devices"),
    ("policy", "Policy"),
    ("health", "Health"),
    ("exceptions", "Exceptions"),
    ("reviews", "Reviews"),
    ("users", "Users"),
)
_PART_OF = {  # pages without an entry of their own
    "record": "log",
    "export": "log",
    "trying": "policy",
    "answering": "exceptions",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One page."""

    label: str
    url: str
    current: bool


def navigation() -> list[Entry]:
    """The pages that who is asking may see."""
    here = _PART_OF.get(request.blueprint or "", request.blueprint)
    found = []
    for name, label in _PAGES:
        endpoint = entry_of(name)
        if endpoint is not None and may(right_of(current_app.view_functions[endpoint]) or Right.USERS_MANAGE):
            found.append(Entry(label, url_for(endpoint), name == here))
    return found


def entry_of(blueprint: str) -> str | None:
    """The endpoint of the first page of *blueprint*: its shortest address without a variable; None: it has none."""
    rules = [
        rule
        for rule in current_app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] == blueprint
        and "." in rule.endpoint
        and not rule.arguments
        and "GET" in (rule.methods or ())
    ]
    return min(rules, key=lambda rule: (len(rule.rule), rule.rule)).endpoint if rules else None


def address(endpoint: str, **values: Any) -> str | None:
    """The address of *endpoint*; None where nothing is registered under that name."""
    try:
        return url_for(endpoint, **values)
    except BuildError:
        return None
