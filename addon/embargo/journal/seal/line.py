"""A line of the log as verification takes it: its place, its number, its claim. Nothing of it is believed."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from embargo.journal.seal.chain import content_of, seal_after, seal_of

_MOST = 10**18  # records of a chain; a number beyond is none


@dataclass(frozen=True)
class Line:
    """A whole line, at its place."""

    raw: bytes  # with its line feed
    file: str  # name
    number: int  # from 1

    @cached_property
    def claimed(self) -> bytes | None:
        """The seal that it claims; None where it is not sealed."""
        return seal_of(self.raw)

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """It as JSON; None where it is no JSON object."""
        try:
            found = msgspec.json.decode(self.raw)
        except (ValueError, RecursionError):  # msgspec's own is a ValueError
            return None
        return found if isinstance(found, dict) else None

    @cached_property
    def sequence(self) -> int | None:
        """Its number in the chain; None where it says none."""
        try:
            found = self.document["event"]["sequence"] if self.document is not None else None
        except (KeyError, TypeError):
            return None
        return found if type(found) is int and abs(found) < _MOST else None

    @cached_property
    def action(self) -> str | None:
        """What the record says happened."""
        try:
            found = self.document["event"]["action"] if self.document is not None else None
        except (KeyError, TypeError):
            return None
        return found if type(found) is str else None

    @cached_property
    def stamp(self) -> str:
        """Its time as it stands there; empty where it says none."""
        found = self.document.get("@timestamp") if self.document is not None else None
        return found if type(found) is str else ""

    def after(self, seal: bytes | None) -> bool:
        """Whether it is the line that was sealed behind *seal*, unchanged."""
        return seal is not None and self.claimed is not None and seal_after(seal, content_of(self.raw)) == self.claimed
