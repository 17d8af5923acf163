"""Saved views: a filter with its columns under a name, for one account alone. They lie in the console's database."""

from dataclasses import dataclass

from embargo.console.access.accounts import Account
from embargo.console.access.database import Database

LONGEST_NAME = 60  # characters
MOST = 50  # of one account
_LONGEST_QUERY = 8_000  # characters


class NotSaved(ValueError):
    """A view cannot be kept: says why."""


@dataclass(frozen=True, slots=True)
class View:
    """One of them."""

    name: str
    query: str  # of the log's page


def views(database: Database, account: Account) -> tuple[View, ...]:
    """Those of *account*, by name."""
    with database.read() as rows:
        found = rows.execute("SELECT name, query FROM views WHERE account = ? ORDER BY name", (account.id,)).fetchall()
    return tuple(View(name, query) for name, query in found)


def save(database: Database, account: Account, name: str, query: str) -> None:
    """Keep *query* under *name*, in place of what had that name. Raises NotSaved."""
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise NotSaved(f"a view's name has 1 to {LONGEST_NAME} printable characters")
    if len(query) > _LONGEST_QUERY:
        raise NotSaved("this filter is too long to be kept")
    with database.change() as rows:
        (count,) = rows.execute(
            "SELECT count(*) FROM views WHERE account = ? AND name <> ?", (account.id, name)
        ).fetchone()
        if count >= MOST:
            raise NotSaved(f"you have {MOST} views, which is as many as one may have: remove one first")
        rows.execute("INSERT OR REPLACE INTO views VALUES (?, ?, ?)", (account.id, name, query))


def remove(database: Database, account: Account, name: str) -> bool:
    """Forget the view of that name; whether there was one."""
    with database.change() as rows:
        return rows.execute("DELETE FROM views WHERE account = ? AND name = ?", (account.id, name)).rowcount > 0
