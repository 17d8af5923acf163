"""What people are told of a CA: when it ends, what it does not permit, how its fingerprint is spelled."""

from datetime import datetime

from embargo.core.catalogue import DomainList

FEW_DAYS = 30  # below so many days the operator is warned: signing a new one takes a company weeks


def expiry_findings(days_left: int, not_before: datetime | None, now: datetime) -> list[str]:
    """What is wrong with the time in which a CA is valid; nothing where all is well."""
    if not_before is not None and now < not_before:
        return [f"the CA is not valid before {not_before:%Y-%m-%d}"]
    if days_left < 0:
        return ["the CA has expired: no client takes its certificates"]
    if days_left < FEW_DAYS:
        return [f"the CA expires in {days_left} day{'' if days_left == 1 else 's'}"]
    return []


def not_permitted(name: str) -> str:
    """That a verdict depends on what is inside *name*, for which the CA may not sign."""
    return f"the CA does not permit {name}: what the policy bans inside it passes"


def too_many(names: DomainList) -> str:
    """That verdicts depend on what is inside the names of a list."""
    return (
        f"{names.count} names of {names.source} need to be opened for what is inside; a CA cannot hold them, and what "
        "is banned inside passes"
    )


def colons(fingerprint: str) -> str:
    """A fingerprint as openssl and browsers show it."""
    return ":".join(fingerprint[start : start + 2] for start in range(0, len(fingerprint), 2)).upper()
