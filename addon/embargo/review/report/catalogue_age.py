"""How old what the policy knows is: the catalogue's release, and the day on which each order was last checked."""

from dataclasses import dataclass
from datetime import date, datetime

from embargo.core.rules import Policy
from embargo.review.catalogue import accounts

STALE = 180  # days after which `embargo check` warns of an order's review, and this report says so too


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueAge:
    """As of the end of the period."""

    released: date | None
    days: int | None  # since then
    apps: int
    endpoints: int  # store listings not counted
    without_evidence: int  # endpoints, lists apart
    unreviewed: tuple[str, ...]  # ids of orders whose entry was never checked, or long ago


def catalogue_age(policy: Policy, at: datetime) -> CatalogueAge:
    """The age of what *policy* knows at *at* (aware)."""
    released = policy.released
    found = accounts(policy, at)
    own = [entry for each in found for entry in each.entries if entry.source is None]
    return CatalogueAge(
        released=released,
        days=(at.date() - released).days if released is not None else None,
        apps=len(policy.apps),
        endpoints=sum(each.endpoints for each in found),
        without_evidence=sum(not entry.endpoint.evidence for entry in own),
        unreviewed=tuple(
            authority.id
            for authority in policy.authorities.values()
            if authority.reviewed is None or (at.date() - authority.reviewed).days > STALE
        ),
    )
