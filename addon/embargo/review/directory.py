"""The directory in which mitmproxy keeps its CA: read, and put in place whole or not at all.

mitmproxy reads `mitmproxy-ca.pem` at its start: a key, the certificate that signs, and those above it. The other files
are for clients. A former CA is kept beside the new one, since clients may still trust it.
"""

import os
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from embargo.review.certificate import CaFacts, facts, fingerprint, read_chain
from embargo.review.installation import Installation

SIGNING = "mitmproxy-ca.pem"
DEFAULT = Path("~/.mitmproxy")
_WITH_KEY = "mitmproxy-ca.p12"  # of mitmproxy's own CA, for people; nothing reads it
_LARGEST = 4 * 1024 * 1024  # bytes; no chain is that long


def installed(directory: Path) -> CaFacts:
    """The CA in *directory*. Raises OSError, and CertificateError where what is there is none."""
    return facts(read_chain(read_bounded(directory / SIGNING)))


def read_bounded(path: Path) -> bytes:
    """The content of *path*. Raises OSError, also for a file that is too large to be a certificate or key."""
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(None, "is too large for a certificate", str(path))
    return content


def install(directory: Path, installation: Installation) -> list[Path]:
    """Put *installation* into *directory*, each file by rename; returns the former files that were set aside.

    The key is never readable to others, not for an instant. Raises OSError; what was there is in force until the last
    step, and after a failure still.
    """
    _make(directory)
    kept = _set_aside(directory, installation)
    certificate = x509.load_pem_x509_certificate(installation.certificate)
    archive = pkcs12.serialize_key_and_certificates(b"mitmproxy", None, certificate, None, serialization.NoEncryption())
    write_private(directory / "mitmproxy-ca-cert.pem", installation.certificate, 0o644)
    write_private(directory / "mitmproxy-ca-cert.cer", installation.certificate, 0o644)
    write_private(directory / "mitmproxy-ca-cert.p12", archive, 0o644)
    write_private(directory / SIGNING, installation.signing)
    return kept


def write_private(path: Path, content: bytes, mode: int = 0o600, *, fresh: bool = False) -> None:
    """Write *content* to *path* by rename, so that it is there whole or not at all.

    Written by root it belongs to whom its directory belongs to: the proxy, which is not root, has to read it.
    Raises OSError; FileExistsError where *fresh* and there is such a file, which is never replaced then.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            if (owner := _owner_of(path.parent)) is not None:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)  # whatever the umask
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            os.link(beside, path)  # fails where it exists, and follows no link
            beside.unlink()
        else:
            beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _make(directory: Path) -> None:
    """Make *directory*, and those above it that are missing: by root, each for whom the one above belongs to."""
    if directory.is_dir():
        return
    if not directory.parent.exists():
        _make(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    if (owner := _owner_of(directory.parent)) is not None:
        os.chown(directory, *owner, follow_symlinks=False)


def _owner_of(directory: Path) -> tuple[int, int] | None:
    """User and group to whom *directory* belongs, where we are root; else what we write is ours in any case."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    found = directory.stat()
    return found.st_uid, found.st_gid


def _set_aside(directory: Path, installation: Installation) -> list[Path]:
    """Keep copies of a former CA and its key under its fingerprint."""
    former = directory / SIGNING
    try:
        content = read_bounded(former)
    except FileNotFoundError:
        return []
    if content == installation.signing:
        return []
    try:
        name = fingerprint(read_chain(content)[0])[:12]
    except (ValueError, IndexError):
        name = "unreadable"
    kept = []
    for path, suffix in ((former, "pem"), (directory / _WITH_KEY, "p12")):
        copy = directory / f"mitmproxy-ca-former-{name}.{suffix}"
        if path.exists():
            write_private(copy, read_bounded(path))
            kept.append(copy)
    (directory / _WITH_KEY).unlink(missing_ok=True)  # it would be another CA's
    return kept
