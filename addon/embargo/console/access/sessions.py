"""Sessions: kept here, not in the cookie, so that one can be ended from elsewhere.

The cookie carries a random id, signed; the database its SHA-256 alone, so that who reads the file cannot sign in. An
id is new at each log-in. A session ends by itself after a time without a request, and after a longer one in any case.
"""

import secrets
import sqlite3
from dataclasses import dataclass
from hashlib import sha256

from embargo.console.access.accounts import Account, account_of
from embargo.console.access.database import Database

_GRAIN = 30  # seconds: `seen` is written no oftener, so that reading pages writes little
_MOST = 20  # sessions of an account; the oldest ends for a newer one
_LONGEST_AGENT = 256  # characters kept of a User-Agent


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that is signed in."""

    public: str  # names it on pages; of no use as a key
    account: Account
    created: float  # seconds since 1970
    seen: float
    address: str
    agent: str


class Sessions:
    """The sessions of a database, with the times after which one ends, in seconds."""

    def __init__(self, database: Database, *, idle: int, absolute: int) -> None:
        self.database = database
        self._idle = idle
        self._absolute = absolute

    def begin(self, account: Account, *, address: str, agent: str, now: float) -> str:
        """A new session of *account*; its id, for the cookie."""
        key = secrets.token_urlsafe(32)
        with self.database.change() as rows:
            rows.execute("DELETE FROM sessions WHERE seen < ? OR created < ?", (now - self._idle, now - self._absolute))
            rows.execute(
                "DELETE FROM sessions WHERE account = ? AND hash NOT IN "
                "(SELECT hash FROM sessions WHERE account = ? ORDER BY seen DESC LIMIT ?)",
                (account.id, account.id, _MOST - 1),
            )
            rows.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (hashed(key), secrets.token_hex(8), account.id, now, now, address, agent[:_LONGEST_AGENT]),
            )
        return key

    def find(self, key: str, now: float, *, seen: bool = True) -> Session | None:
        """The session of that id, if it has not ended; it counts as *seen* now."""
        with self.database.read() as rows:
            row = rows.execute(
                "SELECT accounts.*, sessions.public, sessions.created AS begun, seen, address, agent "
                "FROM sessions JOIN accounts ON accounts.id = sessions.account WHERE hash = ? AND NOT disabled",
                (hashed(key),),
            ).fetchone()
        if row is None or now - row["seen"] > self._idle or now - row["begun"] > self._absolute:
            return None
        if seen and now - row["seen"] > _GRAIN:
            self.database.note("UPDATE sessions SET seen = ? WHERE hash = ?", (now, hashed(key)))
        return _session(row)

    def of(self, account: Account | None, now: float) -> tuple[Session, ...]:
        """The sessions that have not ended, of *account* or of all; the one seen last comes first."""
        with self.database.read() as rows:
            found = rows.execute(
                "SELECT accounts.*, sessions.public, sessions.created AS begun, seen, address, agent "
                "FROM sessions JOIN accounts ON accounts.id = sessions.account "
                "WHERE seen >= ? AND sessions.created >= ? AND (? IS NULL OR account = ?) ORDER BY seen DESC",
                (
                    now - self._idle,
                    now - self._absolute,
                    account and account.id,
                    account and account.id,
                ),
            ).fetchall()
        return tuple(map(_session, found))

    def end(self, key: str) -> None:
        """End the session of that id, if there is one."""
        with self.database.change() as rows:
            rows.execute("DELETE FROM sessions WHERE hash = ?", (hashed(key),))

    def end_named(self, public: str, account: Account | None) -> bool:
        """End the session that pages call *public*, of *account* where one is given; whether there was one."""
        with self.database.change() as rows:
            gone = rows.execute(
                "DELETE FROM sessions WHERE public = ? AND (? IS NULL OR account = ?)",
                (public, account and account.id, account and account.id),
            )
            return gone.rowcount > 0

    def end_all(self, account: Account, but: str | None = None) -> None:
        """End every session of *account*, save the one with the id *but*."""
        with self.database.change() as rows:
            rows.execute(
                "DELETE FROM sessions WHERE account = ? AND hash != ?", (account.id, hashed(but) if but else "")
            )


def hashed(secret: str) -> str:
    """SHA-256, hex: enough for what is random and long."""
    return sha256(secret.encode()).hexdigest()


def _session(row: sqlite3.Row) -> Session:
    return Session(
        public=row["public"],
        account=account_of(row),
        created=row["begun"],
        seen=row["seen"],
        address=row["address"],
        agent=row["agent"],
    )
