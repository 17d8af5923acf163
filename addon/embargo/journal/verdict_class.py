"""The classes in which decisions are counted: apart from one another, and never added up. Pure.

A would-be block is no block, and a hit of shared infrastructure is no use of an app.
"""

from enum import StrEnum


class VerdictClass(StrEnum):
    """What a decision counts as, strictest first."""

    BLOCKED = "blocked"
    WOULD_BLOCK = "would-block"  # let through by monitor, break-glass, a shadow rule or a trial
    LOGGED = "logged"
    ALLOWED = "allowed"
    SHARED = "shared"  # an endpoint that also serves others, whatever its verdict, unless it was blocked


CLASSES = tuple(str(each) for each in VerdictClass)


def verdict_class(verdict: str | None, would: str | None, shared: bool | None) -> VerdictClass | None:
    """The class of a record with these members; None where it is no decision."""
    if verdict is None:
        return None
    if verdict == "block":
        return VerdictClass.BLOCKED
    if shared:
        return VerdictClass.SHARED
    if would == "block":
        return VerdictClass.WOULD_BLOCK
    return VerdictClass.ALLOWED if verdict == "allow" else VerdictClass.LOGGED
