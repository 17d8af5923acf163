"""What a line of somebody else's list says: a pattern, something that a policy has no word for, or nothing readable."""

from dataclasses import dataclass

from embargo.core.catalogue import Role
from embargo.core.pattern import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it stands."""

    file: str  # as it was named
    line: int  # from 1
    column: int  # from 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A pattern."""

    kind: Kind  # DOMAIN, HOST or CIDR
    text: str  # as it came, not yet canonical
    place: Place
    excluded: bool = False  # the list takes it out again
    role: Role | None = None  # where the format itself says what it is for
    attributes: tuple[str, ...] = ()  # of v2fly, without `@`
    note: str = ""  # how it was read, where formats disagree; told once


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsaid:
    """Something that the format can say and a policy cannot."""

    what: str  # the word for it, such as `keyword`
    text: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A line that the format does not have."""

    why: str
    place: Place


type Item = Listed | Unsaid | Broken
