"""API tokens: random, kept as hashes, for some rights of an account, until a day.

A token starts with `embargo_`, so that scanners for leaked secrets know it.
"""

import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

from embargo.console.access.accounts import Account, account_of
from embargo.console.access.database import Database
from embargo.console.access.rights import Right
from embargo.console.access.sessions import hashed

PREFIX = "embargo_"
LONGEST = 366  # days that a token may last
MOST = 50  # tokens of an account
_GRAIN = 60  # seconds: `used` is written no oftener
NEVER = frozenset({Right.ANYONE, Right.OWN, Right.USERS_MANAGE, Right.SIGN_OFF, Right.UNMASK})  # what a person does


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An API token, without its secret."""

    id: str
    name: str  # what its owner calls it
    account: str  # whose: a name
    scopes: tuple[Right, ...]
    created: float  # seconds since 1970
    expires: float
    used: float | None  # last


class Tokens:
    """The tokens of a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, account: Account, name: str, scopes: Iterable[Right], *, now: float, days: int) -> str:
        """A new token of *account*; its text, which is kept nowhere. Raises ValueError where it cannot be."""
        name, wanted = name.strip(), frozenset(scopes)
        if not 1 <= len(name) <= 64 or not name.isprintable():
            raise ValueError("a token's name has 1 to 64 characters")
        if not 1 <= days <= LONGEST:
            raise ValueError(f"a token lasts 1 to {LONGEST} days")
        if not wanted or wanted - grantable(account):
            raise ValueError("a token has at least one right, and none that its owner lacks")
        text = PREFIX + secrets.token_urlsafe(32)
        with self.database.change() as rows:
            rows.execute("DELETE FROM tokens WHERE expires < ?", (now,))
            (count,) = rows.execute("SELECT count(*) FROM tokens WHERE account = ?", (account.id,)).fetchone()
            if count >= MOST:
                raise ValueError(f"an account has at most {MOST} tokens: revoke one first")
            rows.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    secrets.token_hex(8),
                    hashed(text),
                    account.id,
                    name,
                    " ".join(sorted(right.value for right in wanted)),
                    now,
                    now + days * 86_400,
                ),
            )
        return text

    def made(self, text: str) -> Token:
        """The token that `add` has just made."""
        with self.database.read() as rows:
            return _token(
                rows.execute(
                    "SELECT tokens.*, accounts.name AS owner FROM tokens "
                    "JOIN accounts ON accounts.id = tokens.account WHERE tokens.hash = ?",
                    (hashed(text),),
                ).fetchone()
            )

    def find(self, text: str, now: float) -> Account | None:
        """The account behind the token *text*, with its scopes; None where it is unknown, over, or shut out."""
        with self.database.read() as rows:
            row = rows.execute(
                "SELECT accounts.*, tokens.id AS token, scopes, used FROM tokens "
                "JOIN accounts ON accounts.id = tokens.account "
                "WHERE tokens.hash = ? AND expires > ? AND NOT disabled",
                (hashed(text), now),
            ).fetchone()
        if row is None:
            return None
        if row["used"] is None or now - row["used"] > _GRAIN:
            self.database.note("UPDATE tokens SET used = ? WHERE id = ?", (now, row["token"]))
        return replace(account_of(row), scopes=frozenset(map(Right, row["scopes"].split())))

    def of(self, account: Account | None, now: float) -> tuple[Token, ...]:
        """The tokens that are not over, of *account* or of all, the newest first."""
        with self.database.read() as rows:
            return tuple(
                map(
                    _token,
                    rows.execute(
                        "SELECT tokens.*, accounts.name AS owner FROM tokens "
                        "JOIN accounts ON accounts.id = tokens.account "
                        "WHERE expires > ? AND (? IS NULL OR account = ?) ORDER BY tokens.created DESC",
                        (now, account and account.id, account and account.id),
                    ),
                )
            )

    def revoke(self, identifier: str, account: Account | None) -> Token | None:
        """Take the token of that id away, of *account* where one is given; what it was, or None."""
        found = next((token for token in self.of(account, 0.0) if token.id == identifier), None)
        if found is not None:
            with self.database.change() as rows:
                rows.execute("DELETE FROM tokens WHERE id = ?", (identifier,))
        return found


def grantable(account: Account) -> frozenset[Right]:
    """The rights that a token of *account* can have."""
    return account.rights - NEVER


def _token(row: sqlite3.Row) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        account=row["owner"],
        scopes=tuple(map(Right, row["scopes"].split())),
        created=row["created"],
        expires=row["expires"],
        used=row["used"],
    )
