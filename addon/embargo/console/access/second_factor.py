"""The second factor of local accounts: time-based codes (RFC 6238), each taken once, and codes for when it is lost."""

import secrets

import pyotp
import segno

from embargo.console.access.accounts import Account
from embargo.console.access.database import Database
from embargo.console.access.sessions import hashed

STEP = 30  # seconds that a code lasts
_DRIFT = 1  # steps that a clock may be off either way
RECOVERY_CODES = 10
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is taken for another
_ISSUER = "embargo"


def new_key() -> str:
    """A key for an authenticator, base32."""
    return pyotp.random_base32()


def uri(key: str, account: Account) -> str:
    """The key as authenticators read it."""
    return pyotp.TOTP(key).provisioning_uri(name=account.name, issuer_name=_ISSUER)


def picture(key: str, account: Account) -> str:
    """The same as a QR code: the URL of an SVG, `data:…`."""
    return segno.make(uri(key, account), micro=False).svg_data_uri(scale=4, border=4, light="#fff", dark="#000")


def step_of(key: str, code: str, now: float) -> int | None:
    """Which step of *key* the *code* is of, about *now*; None: of none."""
    digits = "".join(code.split())
    if len(digits) != 6 or not digits.isascii() or not digits.isdigit():
        return None
    totp = pyotp.TOTP(key, interval=STEP)
    current = int(now // STEP)
    found = None
    for step in range(current - _DRIFT, current + _DRIFT + 1):  # all of them, whichever it is: the time tells nothing
        if secrets.compare_digest(totp.generate_otp(step), digits):
            found = step
    return found


def set_up(database: Database, account: Account, key: str, step: int) -> tuple[str, ...]:
    """Ask *account* for codes of *key* from now on, the one of *step* being used; its recovery codes, told once."""
    codes = tuple(_recovery_code() for _ in range(RECOVERY_CODES))
    with database.change() as rows:
        rows.execute("UPDATE accounts SET totp = ?, totp_step = ? WHERE id = ?", (key, step, account.id))
        rows.execute("DELETE FROM recovery WHERE account = ?", (account.id,))
        rows.executemany("INSERT INTO recovery VALUES (?, ?)", [(account.id, hashed(_bare(code))) for code in codes])
    return codes


def remove(database: Database, account: Account) -> None:
    """Ask *account* for no codes any more."""
    with database.change() as rows:
        rows.execute("UPDATE accounts SET totp = NULL, totp_step = 0 WHERE id = ?", (account.id,))
        rows.execute("DELETE FROM recovery WHERE account = ?", (account.id,))


def use(database: Database, account: Account, code: str, now: float) -> str | None:
    """Use *code* up: "code" or "recovery" where it is right, None where it is wrong or was used before."""
    with database.change() as rows:
        row = rows.execute("SELECT totp, totp_step FROM accounts WHERE id = ?", (account.id,)).fetchone()
        if row is None or row["totp"] is None:
            return None
        step = step_of(row["totp"], code, now)
        if step is not None:
            if step <= row["totp_step"]:
                return None
            rows.execute("UPDATE accounts SET totp_step = ? WHERE id = ?", (step, account.id))
            return "code"
        gone = rows.execute("DELETE FROM recovery WHERE account = ? AND hash = ?", (account.id, hashed(_bare(code))))
        return "recovery" if gone.rowcount else None


def left(database: Database, account: Account) -> int:
    """How many recovery codes are unused."""
    with database.read() as rows:
        (count,) = rows.execute("SELECT count(*) FROM recovery WHERE account = ?", (account.id,)).fetchone()
    return int(count)


def _recovery_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(16))  # 79 bits: a plain hash keeps it
    return "-".join(letters[start : start + 4] for start in range(0, 16, 4))


def _bare(code: str) -> str:
    return "".join(letter for letter in code.lower() if letter.isalnum())[:64]
