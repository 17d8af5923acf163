"""Who may see whose requests: for roles without that right, clients and users stand under names that say nothing.

The same client has the same name on every page, and another one on another console: it is keyed. What would tell it
by another way (ports, paths, user agents, the ids of records and connections) is left out, and a filter that asks for a
client or a user is refused, since its counts would answer.
"""

import hashlib
import hmac
from dataclasses import replace

from flask import current_app

from embargo.console.access.rights import Right
from embargo.console.context import may
from embargo.console.selection import Selection
from embargo.journal.query import BadTerm
from embargo.journal.record import Record

_DIGITS = 8


def masked() -> bool:
    """Whether who is asking sees no clients and users."""
    return not may(Right.ROWS)


def pseudonym(kind: str, name: str) -> str:
    """What stands for the *kind* (`client`, `user`) of that *name*."""
    key = str(current_app.config["SECRET_KEY"]).encode()
    return f"{kind}-{hmac.new(key, f'{kind}\0{name}'.encode(), hashlib.sha256).hexdigest()[:_DIGITS]}"


def mask(record: Record) -> Record:
    """*record* for those who see no clients and users."""
    return replace(
        record,
        client=pseudonym("client", record.client) if record.client is not None else None,
        user=pseudonym("user", record.user) if record.user is not None else None,
        client_port=None,
        groups=(),
        url=None,
        path=None,
        user_agent=None,
        connection=None,
        document={},
    )


def refuse_names(selection: Selection) -> None:
    """Raises BadTerm where *selection* asks for whom who is asking may not see."""
    if masked() and selection.names_people():
        raise BadTerm("your role sees no clients and users, so it cannot filter for them")
