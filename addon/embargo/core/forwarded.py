"""Whom a front proxy names: the user in its header, and the client's address in X-Forwarded-For. Pure.

Both are text that anybody can send; whether the sender is to be believed is decided elsewhere.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from embargo.core.address import Address, parse_address

LONGEST_USER = 256  # characters
_NOBODY = frozenset({"", "-"})  # what Squid writes where it knows no user
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?|([^:]*):[0-9]{1,5}")
_MOST_HOPS = 32  # proxies in a row; a longer list is read no further


@dataclass(frozen=True, slots=True)
class Said:
    """What a front proxy says of a request, or of a tunnel."""

    user: str | None = None
    forwarded: bool = False  # it says something of the client's address
    client: Address | None = None  # None where what it says is that it does not know


def said(users: Sequence[str], hops: Sequence[str], believed: Callable[[Address], bool]) -> Said:
    """What *users* and *hops*, the values of both headers, say; see `user_named` and `client_named`."""
    return Said(user_named(users), bool(hops), client_named(hops, believed))


def user_named(values: Sequence[str]) -> str | None:
    """The user that a header with these *values*, one a header line, names; None for none.

    Lines that differ name nobody: one of them may be the client's own, which the front proxy let through.
    """
    named = {value.strip() for value in values}
    if len(named) != 1:
        return None
    (user,) = named
    return user if is_user(user) and user not in _NOBODY else None


def is_user(text: str) -> bool:
    """Whether *text* can be a user's name: printable, and not endless."""
    return 0 < len(text) <= LONGEST_USER and text.isprintable() and "\ufffd" not in text


def client_named(values: Sequence[str], believed: Callable[[Address], bool]) -> Address | None:
    """The client's address in X-Forwarded-For with these *values*, one a header line; None where it is unknown.

    Each proxy adds its peer at the end, so the last entry that is no *believed* proxy itself is the client; what
    stands before that, the client may have sent. Where all are believed, it is the first.
    """
    hops = [hop.strip() for value in values for hop in value.split(",")]
    found: Address | None = None
    for hop in reversed(hops[-_MOST_HOPS:]):
        address = _address(hop)
        if address is None:
            return None  # "unknown", or what is no address: whoever stands before it cannot be relied on
        found = address
        if not believed(address):
            return found
    return found


def _address(text: str) -> Address | None:
    matched = _WITH_PORT.fullmatch(text)
    if matched is not None:
        text = matched[1] or matched[2] or ""
    return parse_address(text.lower())
