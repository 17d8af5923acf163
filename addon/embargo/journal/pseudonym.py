"""Pseudonyms of clients: keyed, so that nobody without the key can tell whose one is by trying addresses.

A pseudonym is `cN-` and 16 letters of base32: the first 80 bits of HMAC-SHA256 of the address, under key number N. The
same client has the same one until a new key is made, on demand. Who holds the keys (`STATE/privacy/client-keys.json`,
mode 600) resolves one by trying addresses (`resolve`); once a key is forgotten, nobody can.
"""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from embargo.core.address import Address, Network, parse_address
from embargo.paths import private_directory

FORM = re.compile(r"c([1-9][0-9]{0,8})-[a-z2-7]{16}")
DIRECTORY = "privacy"
_FILE, _LOCK = "client-keys.json", "lock"
_LOOK = 5.0  # seconds between looks at whether there is another key
_MOST_KEPT = 65_536  # pseudonyms kept in memory


class UnusableKeys(Exception):
    """The file of keys is there and is none of ours, or cannot be read; says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """One secret, by which pseudonyms are made or were."""

    number: int  # from 1
    made: datetime  # aware, UTC
    secret: bytes  # 32

    def pseudonym(self, client: str) -> str:
        """What stands for *client*, a literal address; of what is none, for the text."""
        address = parse_address(client.lower())
        said = address.packed if address is not None else b"?" + client.encode("utf-8", "surrogatepass")
        digest = hmac.digest(self.secret, said, hashlib.sha256)
        return f"c{self.number}-{base64.b32encode(digest[:10]).decode().lower()}"


def read_keys(state: Path) -> tuple[Key, ...]:
    """The keys below the state directory, the newest last; none where none was made.

    Raises UnusableKeys.
    """
    file = state / DIRECTORY / _FILE
    try:
        with file.open("rb") as opened:
            if os.name != "nt" and os.fstat(opened.fileno()).st_mode & 0o077:
                raise UnusableKeys(
                    f"{file}: others can read it, and whoever has can tell clients by their pseudonyms: chmod 600, "
                    "then make a new key by `embargo privacy new-key`"
                )
            found = json.load(opened)["keys"]
        keys = [
            Key(int(each["number"]), datetime.fromisoformat(each["made"]), base64.b64decode(each["secret"]))
            for each in found
        ]
    except FileNotFoundError:
        return ()
    except OSError as failure:
        raise UnusableKeys(f"{file}: {failure.strerror or failure}") from failure
    except (ValueError, TypeError, KeyError) as broken:
        raise UnusableKeys(f"{file}: no keys of ours: {broken}") from broken
    if any(len(key.secret) < 32 for key in keys):
        raise UnusableKeys(f"{file}: a key is too short")
    return tuple(sorted(keys, key=lambda key: key.number))


def ensure_key(state: Path, now: datetime) -> Key:
    """The newest key; the first is made. Raises UnusableKeys, OSError."""
    if keys := read_keys(state):
        return keys[-1]
    with _locked(state) as lock:
        keys = read_keys(state) or (_new(_next_number(lock, ()), now),)
        _write(state, keys)
    return keys[-1]


def rotate(state: Path, now: datetime, *, forget: bool) -> Key:
    """Make a new key, by which clients have other pseudonyms from now on; with *forget*, drop the earlier ones.

    The next number is one that no key had. Raises UnusableKeys, OSError.
    """
    with _locked(state) as lock:
        keys = read_keys(state)
        new = _new(_next_number(lock, keys), now)
        _write(state, (new,) if forget else (*keys, new))
    return new


def resolve(pseudonym: str, keys: Iterable[Key], candidates: Iterable[Address]) -> Address | None:
    """The one of *candidates* whose pseudonym it is; None where it is none of theirs, or of no key in *keys*."""
    matched = FORM.fullmatch(pseudonym)
    key = next((key for key in keys if matched is not None and key.number == int(matched[1])), None)
    if key is None:
        return None
    return next((each for each in candidates if key.pseudonym(str(each)) == pseudonym), None)


def addresses(networks: Sequence[Network]) -> Iterator[Address]:
    """Every address of *networks*."""
    for network in networks:
        yield from network


class Pseudonyms:
    """Makes pseudonyms by the newest key, which is read anew when it changes. For one thread."""

    def __init__(self, state: Path, now: Callable[[], datetime], ticks: Callable[[], float] = time.monotonic) -> None:
        """*state*: the state directory. Touches no file before the first pseudonym is asked for."""
        self.error: str | None = None  # why there is none now
        self._state = state
        self._now = now
        self._ticks = ticks
        self._key: Key | None = None
        self._looked = -_LOOK
        self._known: dict[str, str] = {}

    def of(self, client: str) -> str | None:
        """What stands for *client*; None where no key can be used, and then nothing must."""
        if self._ticks() - self._looked >= _LOOK:
            self._look()
        if self._key is None:
            return None
        if (known := self._known.get(client)) is None:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            known = self._known[client] = self._key.pseudonym(client)
        return known

    def _look(self) -> None:
        self._looked = self._ticks()
        try:
            key = ensure_key(self._state, self._now())
        except (UnusableKeys, OSError) as failure:
            self.error = str(failure)  # the key that was in use stays so: the client has the same pseudonym
            return
        self.error = None
        if key != self._key:
            self._key, self._known = key, {}


def _next_number(lock: int, keys: Sequence[Key]) -> int:
    """One that no key had: the last stands in the file *lock* as well, since that of the keys may be lost."""
    last = os.pread(lock, 32, 0)
    number = max([int(last) if last.isdigit() else 0, *(key.number for key in keys)]) + 1
    os.pwrite(lock, b"%d" % number, 0)
    return number


def _new(number: int, now: datetime) -> Key:
    return Key(number, now, secrets.token_bytes(32))


@contextmanager
def _locked(state: Path) -> Iterator[int]:
    """Alone with the directory of keys; the descriptor of its lock."""
    directory = private_directory(private_directory(state) / DIRECTORY)
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _write(state: Path, keys: Sequence[Key]) -> None:
    """Replace the file whole, confirmed by the disk; *state* is locked."""
    directory = state / DIRECTORY
    beside = directory / f".{_FILE}.new"
    listed = [
        {"number": key.number, "made": key.made.isoformat(), "secret": base64.b64encode(key.secret).decode()}
        for key in keys
    ]
    with suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"keys": listed}, file)
        file.flush()
        os.fsync(file.fileno())
    owner = directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:  # made by root's command, read by the proxy's user
        os.chown(beside, owner.st_uid, owner.st_gid)
    beside.rename(directory / _FILE)
    listing = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(listing)
    finally:
        os.close(listing)
