"""Past requests, as sources of traffic give them: what `replay`, `diff` and `suggest` judge.

A source is a file of ours or of another program: each yields `Seen` for what it holds and `Unread` for what it
could not make out, so that a broken line is counted and shown, and never ends the reading.
"""

from dataclasses import dataclass
from datetime import datetime

from embargo.core.address import Address
from embargo.core.request import Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request of the past, or several alike that a source counted together."""

    request: str  # a URL, or HOST[:PORT], as `Inquiry.request`
    time: datetime | None = None  # aware, UTC; None where the source has none
    client: Address | None = None
    user: str | None = None
    user_agent: str | None = None
    surface: Surface | None = None  # where it was seen; None: wherever a regular proxy judges it
    names: tuple[str, ...] = ()  # what else it was called: an SNI, a Host or a CONNECT target that differs
    certificate_names: tuple[str, ...] = ()  # those of the server's certificate, as it has them: `*.example.com` too
    count: int = 1  # requests it stands for
    clients: int | None = None  # distinct clients, estimated, where a source counts them and names none


@dataclass(frozen=True, slots=True)
class Unread:
    """A piece of a source that could not be made out."""

    where: str  # `line 12`, `packet 7`
    why: str
