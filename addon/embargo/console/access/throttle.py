"""How often a log-in may fail: by account and address together, by account alone, by address alone.

An account is never shut for its owner by a stranger's guesses from one address: the count of both together is full
long before that of the account alone. Counts stand in the database, so that a restart forgives nothing.
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from embargo.console.access.accounts import folded
from embargo.console.access.database import Database

WINDOW = 900.0  # seconds
_IPV6_SITE = 64  # bits: whoever has one IPv6 address has these many


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failures in a window."""

    kind: str
    most: int


BOTH = Limit("both", 5)
ACCOUNT = Limit("account", 30)
ADDRESS = Limit("address", 30)  # a site's people may share one


class Throttle:
    """The failures of a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def admit(self, name: str, address: str, now: float) -> float:
        """Count a try of *name* from *address* as a failure, which `succeeded` takes back; 0 where it may be made.

        Else the seconds until one may be, and nothing is counted. Looking and counting are one step, before the
        password is looked at: of many tries at once no more get through than of one after another.
        """
        with self.database.change() as rows:
            longest = 0.0
            keys = _keys(name, address)
            for limit, key in keys:
                times = rows.execute(
                    "SELECT time FROM attempts WHERE key = ? AND time > ? ORDER BY time DESC LIMIT ?",
                    (key, now - WINDOW, limit.most),
                ).fetchall()
                if len(times) == limit.most:
                    longest = max(longest, times[-1]["time"] + WINDOW - now)
            if longest <= 0:
                rows.execute("DELETE FROM attempts WHERE time < ?", (now - WINDOW,))
                rows.executemany("INSERT INTO attempts VALUES (?, ?)", [(key, now) for _, key in keys])
        return max(longest, 0.0)

    def succeeded(self, name: str, address: str) -> None:
        """Forgive what *name* failed from *address*; what others failed there stays counted, but for this try."""
        with self.database.change() as rows:
            for limit, key in _keys(name, address):
                if limit is BOTH:
                    rows.execute("DELETE FROM attempts WHERE key = ?", (key,))
                else:
                    rows.execute(
                        "DELETE FROM attempts WHERE rowid IN "
                        "(SELECT rowid FROM attempts WHERE key = ? ORDER BY time DESC LIMIT 1)",
                        (key,),
                    )


def _keys(name: str, address: str) -> list[tuple[Limit, str]]:
    name, address = folded(name)[:256], _site(address)
    return [(BOTH, f"both:{address} {name}"), (ACCOUNT, f"account:{name}"), (ADDRESS, f"address:{address}")]


def _site(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((found, _IPV6_SITE), strict=False))
