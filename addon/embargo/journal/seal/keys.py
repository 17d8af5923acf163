"""The key that signs the log's checkpoints: Ed25519, made at the first start, never sent anywhere.

Beside the log, in LOG/seal/ (mode 700), lie

    key.pem           the private key (PKCS 8, PEM, mode 600)
    public.pem        the public key: all that `embargo verify` needs. Keep a copy where this host cannot write
    previous.pem      an old key, put here by whoever changes keys: it introduces the new one by its signature
    introduction.json what it said, so that the old key can be destroyed

Several processes may start at once: who holds the lock on `.lock` makes the key, the others then find it. A key that
was there and is gone is not made anew unasked: whoever took it away would otherwise have the log signed by a key that
nobody knows. To begin with a new key, `public.pem` is moved away too.
"""

import base64
import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from embargo.journal.ownership import hand_over
from embargo.journal.regular import open_regular

DIRECTORY = "seal"  # below the log directory
KEY, PUBLIC, PREVIOUS, INTRODUCTION = "key.pem", "public.pem", "previous.pem", "introduction.json"
_LOCK = ".lock"
_PATIENCE = 5.0  # seconds to wait for another process that makes the key
_TURN = 0.01  # seconds between attempts at the lock
_MOST = 65_536  # bytes; a key of ours has some hundred


class KeyUnusable(Exception):
    """The key is lost, damaged, or not ours to read: what is recorded is sealed, and not signed."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """A key's word for the key that comes after it."""

    public: str  # the new key: its 32 raw bytes, base64
    by: str  # id of the old key
    signature: str  # the old key's, of `introduction_message`; base64


def signing_key(log: Path) -> Ed25519PrivateKey:
    """The key of the log directory *log*, made where there never was one.

    Raises KeyUnusable where there was one and it is gone, is damaged or cannot be read, or none can be written.
    """
    try:
        directory = _directory(log)
        with _locked(directory):
            if not (directory / KEY).exists() and not (directory / PUBLIC).exists():
                _make(directory, log)
            key = _private(directory / KEY)
            _publish(directory, log, key)
    except FileNotFoundError:
        raise KeyUnusable(
            f"{log / DIRECTORY / KEY} is gone; bring it back, or move {PUBLIC} away to begin with a new key"
        ) from None
    except OSError as failure:
        raise KeyUnusable(f"{failure.filename or log / DIRECTORY}: {failure.strerror or failure}") from failure
    return key


def public_key(log: Path) -> Ed25519PublicKey:
    """The public key beside the log directory *log*. Raises OSError where it cannot be read, ValueError."""
    return load_public_key(log / DIRECTORY / PUBLIC)


def known_keys(log: Path) -> list[Ed25519PublicKey]:
    """The public keys in LOG/seal/, `public*.pem`: that in use, and earlier ones; none where none can be read.

    Whoever can change the log can change them too.
    """
    found = []
    for path in sorted((log / DIRECTORY).glob("public*.pem")):
        with contextlib.suppress(OSError, ValueError):
            found.append(load_public_key(path))
    return found


def load_public_key(path: Path) -> Ed25519PublicKey:
    """The public key in a PEM file. Raises OSError, and ValueError where it holds no Ed25519 public key."""
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{path}: no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path}: the key is none of Ed25519")
    return key


def put_back(log: Path, key: Ed25519PrivateKey) -> None:
    """Writes *key* into a log directory that was removed and made anew under its process.

    Raises OSError. Where there is another key already, that one stays.
    """
    directory = _directory(log)
    with _locked(directory):
        if not (directory / KEY).exists() and not (directory / PUBLIC).exists():
            _write(directory / KEY, _pem(key), log)
            _publish(directory, log, key)


def introduction(log: Path, key: Ed25519PrivateKey) -> Introduction | None:
    """What an old key said of *key*, that of the log directory *log*; None where none did."""
    try:
        found = Introduction(**json.loads(_read(log / DIRECTORY / INTRODUCTION)))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.public == raw(key.public_key()) else None


def introduction_message(public: str) -> bytes:
    """What the old key signs: that the log goes on with the key *public* (raw, base64)."""
    return b"embargo seal key 1\n" + public.encode()


def key_id(key: Ed25519PublicKey) -> str:
    """By what records name the key: the first 16 hex digits of the SHA-256 of its 32 raw bytes."""
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def raw(key: Ed25519PublicKey) -> str:
    """The key's 32 raw bytes, base64."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def from_raw(text: str) -> Ed25519PublicKey:
    """The key of `raw`. Raises ValueError."""
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))


def sign(key: Ed25519PrivateKey, message: bytes) -> str:
    """The signature of *message*, base64."""
    return base64.b64encode(key.sign(message)).decode()


def verify(key: Ed25519PublicKey, signature: str, message: bytes) -> bool:
    """Whether *signature* (base64) is that of *message* by *key*."""
    try:
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _make(directory: Path, log: Path) -> None:
    key = Ed25519PrivateKey.generate()
    if (directory / PREVIOUS).exists():
        old = _private(directory / PREVIOUS)
        public = raw(key.public_key())
        said = Introduction(public, key_id(old.public_key()), sign(old, introduction_message(public)))
        _write(directory / INTRODUCTION, json.dumps(asdict(said)).encode() + b"\n", log)
    _write(directory / KEY, _pem(key), log)


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _publish(directory: Path, log: Path, key: Ed25519PrivateKey) -> None:
    """Has `public.pem` be the key's; one that is another key's is left, for it tells of what happened."""
    ours = key.public_key()
    try:
        published = load_public_key(directory / PUBLIC)
    except FileNotFoundError:
        _write(directory / PUBLIC, ours.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), log)
        return
    except ValueError as damaged:
        raise KeyUnusable(f"{damaged}; move it away to have it written anew") from None
    if published.public_bytes_raw() != ours.public_bytes_raw():
        raise KeyUnusable(
            f"{directory / KEY} is not the key that {PUBLIC} belongs to; bring the right one back, "
            f"or move {PUBLIC} away to go on with this one"
        )


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise KeyUnusable(f"{path}: damaged, no private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{path}: the key is none of Ed25519")
    return key


def _read(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(_MOST)


def _directory(log: Path) -> Path:
    directory = log / DIRECTORY
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            hand_over(descriptor, log)
        finally:
            os.close(descriptor)
    return directory


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """The right to make the key; held for as long as that takes, by a process that crashes no longer."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        hand_over(descriptor, directory)
        _lock(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise KeyUnusable(f"{directory / _LOCK}: another process has held it for {_PATIENCE:.0f} s") from None
            time.sleep(_TURN)
        else:
            return


def _write(path: Path, data: bytes, log: Path) -> None:
    """Writes *path* (mode 600), whole or not at all, confirmed by the disk."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            hand_over(descriptor, log)
            os.fsync(descriptor)
        beside.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
