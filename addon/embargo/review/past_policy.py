"""A policy that was in force, from the text stored beside the log: what it said of a rule, an endpoint, an order.

It is loaded from copies as it was, and taken for that policy only where its digest says so; where this release refuses
the text, the rule can still be read in it.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embargo.core.rules import Policy, Rule
from embargo.policy.bundle import BrokenBundle, unbundle
from embargo.policy.document import Document, parse
from embargo.policy.layers import EXCEPTIONS
from embargo.policy.load import load
from embargo.policy.problem import PolicyError
from embargo.policy.reading import Source
from embargo.review.history import NoSuchPolicy, stored_text

_LONGEST = 200  # lines of a rule that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """A rule as it stands in a file."""

    file: str  # as the stored text names it
    line: int  # of its first line, from 1
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPolicy:
    """A stored policy."""

    digest: str
    documents: tuple[Document, ...]  # its layers, the earliest first
    policy: Policy | None  # None where it does not load as it was
    trouble: str | None = None  # why it does not

    def rule(self, identifier: str) -> Rule | None:
        """The rule of that id, where the policy loads."""
        rules = self.policy.rules if self.policy is not None else ()
        return next((rule for rule in rules if rule.id == identifier), None)

    def rule_text(self, identifier: str) -> RuleText | None:
        """The text of the rule of that id, in the last layer that has one; None for `default` and unknown ones."""
        for document in reversed(self.documents):
            rules = document.root.get("rules")
            for index, rule in enumerate(rules if isinstance(rules, list) else ()):
                if isinstance(rule, dict) and rule.get("id") == identifier:
                    return _text(document, index)
        return None

    def evidence(self, app: str, endpoint: str) -> tuple[str, ...]:
        """What the catalogue of then says `KIND:PATTERN` of *app* is known by; empty where it says nothing."""
        found = self.policy.apps.get(app) if self.policy is not None else None
        for each in found.endpoints if found is not None else ():
            if str(each) == endpoint:
                return each.evidence
        return ()


def past_policy(log: Path, digest: str) -> PastPolicy:
    """The policy of *digest* from beside the log in the directory *log*. Raises NoSuchPolicy, OSError."""
    data = stored_text(log, digest)
    try:
        files = unbundle(data)
    except BrokenBundle as broken:
        raise NoSuchPolicy(f"the stored text of {digest[:12]} is none of ours: {broken}") from broken
    for name, _ in files:
        if not name or "\0" in name or Path(name).is_absolute() or name != os.path.normpath(name):
            raise NoSuchPolicy(f"the stored text of {digest[:12]} is none of ours: it has a file {name!r}")
    documents = tuple(parse(Source(name, Path(name), text)) for name, text in files if _is_layer(text))
    policy, trouble = None, None
    try:
        policy = _loaded(files, [document.name for document in documents])
    except PolicyError as refused:
        trouble = f"this release refuses it: {refused.problems[0].message}"
    if policy is not None and policy.digest != digest:
        policy, trouble = None, "it cannot be loaded as it was, as where it includes a file by an absolute path"
    return PastPolicy(digest=digest, documents=documents, policy=policy, trouble=trouble)


def _is_layer(text: bytes) -> bool:
    """Whether a stored file is a policy file, in which `version` is a key of its own, and no plain list."""
    return any(line.replace(b" ", b"").startswith((b"version:", b"{")) for line in text.splitlines())


def _loaded(files: list[tuple[str, bytes]], layers: list[str]) -> Policy:
    climbs = max((Path(name).parts.count(os.pardir) for name, _ in files), default=0)
    with tempfile.TemporaryDirectory(prefix="embargo-then-") as directory:
        base = Path(directory, *["below"] * climbs)
        base.mkdir(parents=True, exist_ok=True)
        for name, text in files:
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_bytes(text)
        named = [name for name in layers if name != EXCEPTIONS]
        # the last one named lies in the directory that names are relative to
        return load([base / name for name in named] or [base / EXCEPTIONS]).policy


def _text(document: Document, index: int) -> RuleText:
    first, _ = document.position(("rules", index))
    lines = document.source.data.decode("utf-8", "replace").splitlines()
    shown = list(_block(lines, first - 1))
    return RuleText(file=document.name, line=first, text="\n".join(shown))


def _block(lines: list[str], start: int) -> Iterator[str]:
    """The lines of the list item that begins at index *start*: those that are empty or set deeper than its dash."""
    indent = _indent(lines[start])
    pending: list[str] = []
    for number, line in enumerate(lines[start : start + _LONGEST]):
        if number and line.strip() and _indent(line) <= indent:
            return
        if line.strip():
            yield from pending
            pending = []
            yield line
        else:
            pending.append(line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
