"""The result of `embargo probe --json`, read from a file that somebody kept: what was asked for and got through."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LARGEST = 64 * 1024 * 1024  # bytes
_MOST = 1000  # findings that are told


class UnreadableProbe(ValueError):
    """A file that is no result of a probe; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An attempt that was not refused."""

    app: str
    endpoint: str
    way: str
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A probe's result."""

    file: str  # its name
    exit: int
    proxy: str
    mode: str | None
    policy: str  # digest of the policy whose endpoints were asked for
    enforced: tuple[str, ...]  # digests that the proxies said they enforce
    counts: Mapping[str, int]  # attempts by outcome
    findings: tuple[Finding, ...]
    unasked: int  # endpoints that could not be asked for

    @property
    def words(self) -> str:
        """What it came to, in a sentence."""
        if self.exit == 0:
            return "Everything that was asked for was refused."
        if self.exit == 1:
            number = len(self.findings)
            return f"{number:,} attempt was not refused." if number == 1 else f"{number:,} attempts were not refused."
        return "The probe proves nothing: nothing could be asked for, or innocent requests were refused too."


def read_probe(path: Path) -> Probed:
    """The result in the file *path*. Raises UnreadableProbe, OSError."""
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise UnreadableProbe(f"{path}: too large for the result of a probe")
    try:
        return _probed(path.name, json.loads(data))
    except (ValueError, RecursionError) as broken:
        raise UnreadableProbe(f"{path}: no JSON; `embargo probe --json > {path.name}` writes one") from broken
    except (KeyError, TypeError, AttributeError) as broken:
        raise UnreadableProbe(f"{path}: no result of `embargo probe --json`: {broken}") from broken


def _probed(name: str, found: dict[str, Any]) -> Probed:
    return Probed(
        file=name,
        exit=int(found["exit"]),
        proxy=str(found["proxy"]),
        mode=None if found.get("mode") is None else str(found["mode"]),
        policy=str(found.get("policy") or ""),
        enforced=tuple(map(str, found.get("enforced") or ())),
        counts={str(outcome): int(count) for outcome, count in found["counts"].items() if int(count)},
        findings=tuple(
            Finding(
                app=str(each["app"]),
                endpoint=str(each["endpoint"]),
                way=str(each["way"]),
                outcome=str(each["outcome"]),
                detail=str(each.get("detail", "")),
            )
            for each in found.get("findings", ())[:_MOST]
        ),
        unasked=sum(int(each.get("count", 1)) for each in found.get("unasked", ())),
    )
