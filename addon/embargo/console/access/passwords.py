"""Passwords of local accounts: argon2id. A name that nobody has costs as much time as a wrong password.

The hash's parameters are argon2-cffi's (RFC 9106, the low-memory profile: 64 MiB, three passes); a hash of older ones
is made anew at the next log-in.
"""

import unicodedata
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from embargo.console.access.accounts import Account, Refused
from embargo.console.access.database import Database

LONGEST = 1_024  # characters
_AT_ONCE = 2  # hashes: each takes 64 MiB, and who is not signed in can ask for one
_hasher = PasswordHasher()
_room = BoundedSemaphore(_AT_ONCE)
_DUMMY = _hasher.hash("of nobody: what an unknown name's password is compared with")


def checked(password: str, name: str, least: int) -> str:
    """*password* in canonical form. Raises Refused where it is too weak (NIST SP 800-63B: length, and no rules)."""
    password = _canonical(password)
    if len(password) < least:
        raise Refused(f"a password has at least {least} characters")
    if len(password) > LONGEST:
        raise Refused(f"a password has at most {LONGEST} characters")
    folded = password.casefold()
    rest = folded.replace(name.casefold(), "").replace("embargo", "").replace("password", "")
    if len(set(folded)) < 5 or len(rest) < least // 2:
        raise Refused("the password is too easily guessed: it repeats itself, or is made of the name")
    return password


def set_password(database: Database, account: Account, password: str) -> None:
    """Make *password*, checked, that of *account*; links that were made for that end."""
    hashed = _hash(password)
    with database.change() as rows:
        rows.execute("UPDATE accounts SET password = ? WHERE id = ?", (hashed, account.id))
        rows.execute("DELETE FROM links WHERE account = ?", (account.id,))


def is_right(database: Database, account: Account | None, password: str) -> bool:
    """Whether *password* is that of *account*; as slow where there is none."""
    stored = None
    if account is not None and not account.disabled:
        with database.read() as rows:
            found = rows.execute("SELECT password FROM accounts WHERE id = ?", (account.id,)).fetchone()
        stored = found["password"] if found is not None else None
    right = _verify(stored or _DUMMY, _canonical(password[: LONGEST + 1]))
    if stored is None or not right or account is None:
        return False
    if _hasher.check_needs_rehash(stored):
        again = _hash(_canonical(password))
        with database.change() as rows:
            rows.execute("UPDATE accounts SET password = ? WHERE id = ? AND password = ?", (again, account.id, stored))
    return True


def _hash(password: str) -> str:
    with _room:
        return _hasher.hash(password)


def _verify(stored: str, password: str) -> bool:
    with _room:
        try:
            return _hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _canonical(password: str) -> str:
    return unicodedata.normalize("NFKC", password)  # RFC 8265 wants NFC; keyboards differ in more than that
