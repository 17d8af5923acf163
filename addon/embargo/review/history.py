"""Which policies were in force, and the text of each: what the decision log and the store beside it know (DESIGN 7)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from embargo.journal.reader import Reader
from embargo.journal.record import Record

_LOADED = "policy-load"  # event.action of the record that a policy took effect, or was refused
_SHORTEST = 4  # digits of a digest that name a policy


class NoSuchPolicy(LookupError):
    """No stored policy is meant, or more than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A policy that took effect."""

    digest: str  # SHA-256 of its text, hex
    since: datetime  # when it last took effect
    files: tuple[str, ...]  # its layers, the earliest first
    stricter: int  # apps' endpoints that it treats more strictly than the one before
    milder: int
    stored: bool  # whether its text is kept


def versions(log: Path) -> list[Version]:
    """The policies that took effect, the newest first, as the log in the directory *log* tells.

    Several workers take up one policy together: it counts once. Raises OSError.
    """
    entries = Reader(log).entries(lambda record: record.action == _LOADED and record.outcome == "success")
    found: list[Version] = []
    for version in _told((entry.record for entry in entries), log):
        if not found or found[-1].digest != version.digest:
            found.append(version)
    return found[::-1]


def _told(records: Iterable[Record], log: Path) -> Iterable[Version]:
    for record in records:
        policy = record.document.get("embargo", {}).get("policy", {})
        digest = policy.get("new") if isinstance(policy, dict) else None
        if not isinstance(digest, str):
            continue
        yield Version(
            digest=digest,
            since=record.time,
            files=tuple(map(str, policy.get("files", ()))),
            stricter=_count(policy, "stricter"),
            milder=_count(policy, "milder"),
            stored=(log / "policies" / digest).is_file(),
        )


def _count(policy: dict[str, object], member: str) -> int:
    """How many there were: a record names the first ones, and says how many where there were more."""
    total, named = policy.get(f"{member}_count"), policy.get(member)
    if isinstance(total, int):
        return total
    return len(named) if isinstance(named, list) else 0


def stored_text(log: Path, digest: str) -> bytes:
    """The stored text of the policy whose digest begins with *digest*.

    Raises NoSuchPolicy where there is none, where several begin so, or where the text is no longer what it was;
    OSError where it cannot be read.
    """
    if len(digest) < _SHORTEST or any(letter not in "0123456789abcdef" for letter in digest):
        raise NoSuchPolicy(f"{digest!r} is no digest: {_SHORTEST} or more of its digits 0-9 and a-f")
    store = log / "policies"
    named = sorted(path.name for path in store.iterdir()) if store.is_dir() else []
    found = [name for name in named if name.startswith(digest)]
    if len(found) != 1:
        several = f"{len(found)} stored policies begin" if found else f"no policy stored in {store} begins"
        raise NoSuchPolicy(f"{several} with {digest}")
    data = (store / found[0]).read_bytes()
    if hashlib.sha256(data).hexdigest() != found[0]:
        raise NoSuchPolicy(f"{store / found[0]} was changed: its text has another digest than its name")
    return data
