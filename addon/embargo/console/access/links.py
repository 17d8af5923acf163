"""One-time links: the first makes the first admin, the others let the owner of an account choose a password.

No account has a password that somebody else chose, and none has one by default.
"""

import secrets
import sqlite3
from dataclasses import dataclass

from embargo.console.access.accounts import Account, account_of
from embargo.console.access.database import Database
from embargo.console.access.rights import Role
from embargo.console.access.sessions import hashed

LIFETIME = 86_400.0  # seconds
FIRST_LIFETIME = 3_600.0  # of the link that makes an admin


@dataclass(frozen=True, slots=True)
class Link:
    """A link that still holds."""

    account: Account | None  # None: it makes the first admin


class Links:
    """The links of a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def make(self, account: Account | None, now: float) -> str:
        """The secret of a new link; those made before for the same end."""
        text = secrets.token_urlsafe(32)
        lifetime = FIRST_LIFETIME if account is None else LIFETIME
        with self.database.change() as rows:
            rows.execute("DELETE FROM links WHERE account IS ? OR expires < ?", (account and account.id, now))
            rows.execute("INSERT INTO links VALUES (?, ?, ?)", (hashed(text), account and account.id, now + lifetime))
        return text

    def find(self, text: str, now: float) -> Link | None:
        """The link of that secret, if it holds."""
        with self.database.read() as rows:
            return _link(rows, text, now)

    def spend(self, text: str, now: float) -> Link | None:
        """Use it up: it is found once."""
        with self.database.change() as rows:
            found = _link(rows, text, now)
            rows.execute("DELETE FROM links WHERE hash = ?", (hashed(text),))
            return found


def _link(rows: sqlite3.Connection, text: str, now: float) -> Link | None:
    row = rows.execute("SELECT account FROM links WHERE hash = ? AND expires > ?", (hashed(text), now)).fetchone()
    if row is None:
        return None
    if row["account"] is not None:
        found = rows.execute("SELECT * FROM accounts WHERE id = ? AND NOT disabled", (row["account"],)).fetchone()
        return None if found is None else Link(account_of(found))
    admins = rows.execute("SELECT 1 FROM accounts WHERE role = ? AND NOT disabled", (Role.ADMIN.value,)).fetchone()
    return None if admins is not None else Link(None)  # there is one already, made some other way
