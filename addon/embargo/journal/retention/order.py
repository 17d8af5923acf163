"""What the audit chain says of holds: each order, and each end. Pure."""

from dataclasses import dataclass

from embargo.journal.ecs import Document, timestamp
from embargo.journal.event import Outcome
from embargo.journal.retention.holds import ADDED, ENDED, SUBJECT, Hold

MARK = b'"action":"hold-'  # stands raw in their records and, since quotes are escaped, in no text of another


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A hold that was ordered, or ended."""

    id: str
    begin: str  # as records write times
    end: str | None
    ends: bool
    done: bool  # it is recorded that it was done, not alone that it was about to be

    def is_of(self, hold: Hold) -> bool:
        """Whether *hold* keeps what was ordered."""
        end = timestamp(hold.end) if hold.end is not None else None
        return (timestamp(hold.begin), end) == (self.begin, self.end)


def order_of(document: Document) -> Order | None:
    """The order in a record; None where it is none, or not in the form of ours."""
    try:
        event, told = document["event"], document["embargo"][SUBJECT]
        if event["action"] not in (ADDED, ENDED):
            return None
        return Order(
            id=str(told["id"]),
            begin=str(told["from"]),
            end=told.get("to"),
            ends=event["action"] == ENDED,
            done=event.get("outcome") == Outcome.SUCCESS,
        )
    except (KeyError, TypeError, AttributeError):
        return None
