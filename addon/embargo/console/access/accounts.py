"""Accounts: who there is, with which role, and where the account comes from."""

import sqlite3
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from embargo.console.access.database import Database
from embargo.console.access.rights import RIGHTS, Right, Role

LONGEST_NAME = 128  # characters


class Source(StrEnum):
    """Who vouches for a user."""

    LOCAL = "local"  # a password, here
    OIDC = "oidc"  # an OpenID Connect provider
    PROXY = "proxy"  # a reverse proxy's header


class Refused(ValueError):
    """An account cannot be as it was asked for: says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Someone who can use the console."""

    id: str
    name: str
    role: Role
    source: Source
    disabled: bool = False
    created: float = 0.0  # seconds since 1970
    password: bool = False  # whether one is set
    totp: bool = False  # whether a second factor is asked for
    scopes: frozenset[Right] | None = field(default=None)  # of the token that it came with; None: it came without

    @property
    def rights(self) -> frozenset[Right]:
        """What it may do now: a token's scopes never add to the role."""
        if self.disabled:
            return frozenset({Right.ANYONE})
        rights = RIGHTS[self.role]
        return rights if self.scopes is None else rights & (self.scopes | {Right.ANYONE})


class Accounts:
    """The accounts of a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def all(self) -> tuple[Account, ...]:
        """Every account, by name."""
        with self.database.read() as rows:
            return tuple(map(account_of, rows.execute("SELECT * FROM accounts ORDER BY name COLLATE NOCASE")))

    def named(self, name: str) -> Account | None:
        """The account of that name, whatever its case."""
        return self._one("SELECT * FROM accounts WHERE name = ?", (canonical(name),))

    def of(self, identifier: str) -> Account | None:
        """The account of that id."""
        return self._one("SELECT * FROM accounts WHERE id = ?", (identifier,))

    def add(self, name: str, role: Role, source: Source, created: float, subject: str | None = None) -> Account:
        """A new account. Raises Refused where the name is taken or is none."""
        name = checked(name)
        with self.database.change() as rows:
            if rows.execute("SELECT 1 FROM accounts WHERE name = ?", (name,)).fetchone():
                raise Refused(f"there is an account {name!r} already")
            return insert(rows, name, role, source, created, subject)

    def set_role(self, account: Account, role: Role) -> None:
        """Give *account* another role. Raises Refused where nobody would be left who could give it back."""
        with self.database.change() as rows:
            if role is not Role.ADMIN:
                _keep_an_admin(rows, account)
            rows.execute("UPDATE accounts SET role = ? WHERE id = ?", (role.value, account.id))

    def disable(self, account: Account, *, disabled: bool = True) -> None:
        """Shut *account* out, its sessions and tokens too, or let it in again. Raises Refused as `set_role`."""
        with self.database.change() as rows:
            if disabled:
                _keep_an_admin(rows, account)
                rows.execute("DELETE FROM sessions WHERE account = ?", (account.id,))
                rows.execute("DELETE FROM links WHERE account = ?", (account.id,))
                rows.execute("DELETE FROM tokens WHERE account = ?", (account.id,))
            rows.execute("UPDATE accounts SET disabled = ? WHERE id = ?", (int(disabled), account.id))

    def vouched(self, source: Source, subject: str, name: str, role: Role, now: float) -> Account:
        """The account of a user for whom *source* vouches as *subject*: found, renamed, or made.

        Raises Refused where its name is another's: whoever chooses his name at the provider must not become
        somebody else in the records.
        """
        name = checked(name)
        with self.database.change() as rows:
            taken = rows.execute("SELECT * FROM accounts WHERE name = ?", (name,)).fetchone()
            found = rows.execute(
                "SELECT * FROM accounts WHERE source = ? AND subject = ?", (source.value, subject)
            ).fetchone()
            if taken is not None and (found is None or taken["id"] != found["id"]):
                raise Refused(f"the name {name!r} belongs to another account")
            if found is None:
                return insert(rows, name, role, source, now, subject)
            if (found["name"], found["role"]) != (name, role.value):
                rows.execute("UPDATE accounts SET name = ?, role = ? WHERE id = ?", (name, role.value, found["id"]))
            return account_of(rows.execute("SELECT * FROM accounts WHERE id = ?", (found["id"],)).fetchone())

    def any_admin(self) -> bool:
        """Whether somebody can give out accounts."""
        with self.database.read() as rows:
            found = rows.execute("SELECT 1 FROM accounts WHERE role = ? AND NOT disabled", (Role.ADMIN.value,))
            return found.fetchone() is not None

    def _one(self, query: str, values: Iterable[str]) -> Account | None:
        with self.database.read() as rows:
            row = rows.execute(query, tuple(values)).fetchone()
        return None if row is None else account_of(row)


def canonical(name: str) -> str:
    """*name* as it is stored and compared: NFKC, without blanks around it."""
    return unicodedata.normalize("NFKC", name).strip()


def folded(name: str) -> str:
    """*name* for whoever takes no notice of case, as reverse proxies and the directories behind them do."""
    return canonical(name).casefold()


def checked(name: str) -> str:
    """*name* in canonical form. Raises Refused where it is no name."""
    name = canonical(name)
    if not name or len(name) > LONGEST_NAME:
        raise Refused(f"a name has 1 to {LONGEST_NAME} characters")
    if not name.isprintable():
        raise Refused("a name has no control characters")
    return name


def insert(
    rows: sqlite3.Connection, name: str, role: Role, source: Source, created: float, subject: str | None = None
) -> Account:
    """A new account within a transaction; *name* is checked and free."""
    account = Account(id=uuid.uuid4().hex, name=name, role=role, source=source, created=created)
    rows.execute(
        "INSERT INTO accounts (id, name, role, source, subject, created) VALUES (?, ?, ?, ?, ?, ?)",
        (account.id, name, role.value, source.value, subject, created),
    )
    return account


def account_of(row: sqlite3.Row) -> Account:
    """The account that *row* of the table holds."""
    return Account(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        source=Source(row["source"]),
        disabled=bool(row["disabled"]),
        created=row["created"],
        password=row["password"] is not None,
        totp=row["totp"] is not None,
    )


def _keep_an_admin(rows: sqlite3.Connection, account: Account) -> None:
    others = rows.execute(
        "SELECT 1 FROM accounts WHERE role = ? AND NOT disabled AND id != ?", (Role.ADMIN.value, account.id)
    ).fetchone()
    if account.role is Role.ADMIN and others is None:
        raise Refused(f"{account.name!r} is the only admin: make another first")
