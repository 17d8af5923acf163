"""What the last term of a search box may become: keys, then values that are known beforehand. Pure.

Hosts, clients and users are not among them: there are too many, and what one may see of them is another question.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from embargo.core.catalogue import Role
from embargo.core.request import Surface
from embargo.core.rules import Policy
from embargo.journal.query import KEYS
from embargo.journal.verdict_class import CLASSES

MOST = 12
_STARTS = (
    "class:blocked",
    "class:would-block",
    "class:shared",
    "since:7d",
    "app:",
    "client:",
    "user:",
    "host:",
    "rule:",
    "authority:",
)  # where nothing has been typed
_FIXED: Mapping[str, Sequence[str]] = {
    "class": CLASSES,
    "verdict": ("block", "log", "allow"),
    "would": ("block", "log", "allow"),
    "surface": tuple(surface.value for surface in Surface),
    "role": tuple(role.value for role in Role),
    "category": ("network", "web", "configuration", "process"),
    "outcome": ("success", "failure", "unknown"),
    "since": ("1h", "24h", "7d", "30d"),
    "until": ("1h", "24h", "7d"),
    "action": (
        "policy-load",
        "exception-added",
        "exception-ended",
        "break-glass-started",
        "break-glass-ended",
        "log-loss",
        "start",
        "stop",
        "died",
        "heartbeat",
        "record-marked",
        "exception-asked",
        "export",
    ),
}


def known(policy: Policy | None) -> dict[str, tuple[str, ...]]:
    """The values of each key; those of *policy*, where one loads."""
    found = {key: tuple(values) for key, values in _FIXED.items()}
    if policy is not None:
        found["app"] = tuple(sorted(policy.apps))
        found["rule"] = tuple(dict.fromkeys((*(rule.id for rule in policy.rules), "default")))
        found["authority"] = tuple(sorted(policy.authorities))
    return found


def completions(text: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """Whole texts of the box in which *text*'s last term is completed; at most `MOST`."""
    before, last = _split(text)
    sign = "-" if last.startswith("-") else ""
    key, colon, begun = last.removeprefix("-").partition(":")
    if not last:
        found: Iterable[str] = _STARTS
    elif colon:
        found = (f"{sign}{key}:{value}" for value in _ranked(begun, values.get(key, ())))
    else:
        found = (f"{sign}{name}:" for name in _ranked(key, KEYS))
    return [before + term for term in found if term != last][:MOST]


def _split(text: str) -> tuple[str, str]:
    matched = re.search(r"\S*\Z", text)
    assert matched is not None, "it may be empty"
    return text[: matched.start()], matched[0]


def _ranked(begun: str, names: Iterable[str]) -> list[str]:
    wanted = begun.casefold()
    matching = [name for name in names if wanted in name.casefold() and not re.search(r"\s", name)]
    return sorted(matching, key=lambda name: not name.casefold().startswith(wanted))
