"""What of a record is interned as one: its kind, who, and extra; as values, and as JSON in the store."""

import json
import re
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Any

from embargo.journal.verdict_class import CLASSES, VerdictClass, verdict_class

NO_CLASS = len(CLASSES)  # the number of what is no decision

_PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9_. -]*?)/[0-9A-Za-z.+_-]+|\([^()]*\)")
_BROWSERS = frozenset(
    [
        "mozilla",
        "applewebkit",
        "gecko",
        "firefox",
        "chrome",
        "safari",
        "version",
        "mobile",
        "edg",
        "edga",
        "edgios",
        "opr",
        "crios",
        "fxios",
        "chromium",
        "headlesschrome",
        "ubuntu",
        "samsungbrowser",
        "like_gecko",
        "khtml",
    ]
)


@dataclass(frozen=True, slots=True)
class Kind:
    """All of a record that its policy decides, under the names of `Record`, so that a term's test can be asked."""

    verdict: str | None
    would: str | None
    surface: str | None
    apps: tuple[str, ...]
    rule: str | None
    shadow_rule: str | None
    endpoint: str | None
    role: str | None
    shared: bool | None
    authorities: tuple[tuple[str, str | None], ...]
    categories: tuple[str, ...]
    action: str
    outcome: str | None
    trial: tuple[str, str] | None
    anonymous: bool
    mismatch: bool
    browser: bool | None  # whether the user agent is a browser's own; None where none was seen

    @property
    def verdict_class(self) -> VerdictClass | None:
        """What it counts as."""
        return verdict_class(self.verdict, self.would, self.shared)

    @property
    def class_number(self) -> int:
        """`verdict_class` as the store's number."""
        found = self.verdict_class
        return NO_CLASS if found is None else CLASSES.index(found)

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(astuple(self), separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> "Kind":
        """Of `text`."""
        members: list[Any] = [_frozen(value) for value in json.loads(text)]
        return cls(*members)


@dataclass(frozen=True, slots=True)
class Extra:
    """What is seldom asked for."""

    policy: str | None
    method: str | None
    status: int | None

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(astuple(self), separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> "Extra":
        """Of `text`."""
        return cls(*json.loads(text))


@dataclass(frozen=True, slots=True)
class Who:
    """Whose request it was."""

    client: str | None
    user: str | None


def class_of(number: int) -> VerdictClass | None:
    """The class of `Kind.class_number`."""
    return None if number == NO_CLASS else VerdictClass(CLASSES[number])


def _frozen(value: object) -> object:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


@lru_cache(maxsize=4096)
def is_browser(agent: str) -> bool:
    """Whether *agent* is the User-Agent of a browser, and not of an app that shows pages or calls an interface.

    All products that it names are those that browsers name; an app that embeds a browser adds its own.
    """
    if not agent.startswith("Mozilla/5.0 ("):
        return False
    if "; wv)" in agent:  # Android's WebView: a page inside an app
        return False
    rest = _PRODUCT.sub(lambda found: " " if found[1] is None or found[1].lower() in _BROWSERS else "?", agent)
    return not rest.replace("like Gecko", "").strip(" ,;")
