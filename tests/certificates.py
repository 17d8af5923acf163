"""X.509 for tests: a CA and what it signs, short to write."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from sample import NOW

type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Signed:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@cache
def rsa_key(which: str) -> rsa.RSAPrivateKey:
    """A key by any name; the same name gives the same key, since each takes a while to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def limits(permitted: Iterable[str] = (), excluded: Iterable[str] = ()) -> x509.NameConstraints:
    """Name constraints of DNS names, and of networks where a text has a slash."""
    forms = [[_subtree(text) for text in texts] or None for texts in (permitted, excluded)]
    return x509.NameConstraints(permitted_subtrees=forms[0], excluded_subtrees=forms[1])


def _subtree(text: str) -> x509.GeneralName:
    if text.startswith("CN="):
        return x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[3:])]))
    return x509.IPAddress(ip_network(text)) if "/" in text else x509.DNSName(text)


def sign(
    name: str,
    issuer: Signed | None = None,
    *,
    key: PrivateKey | None = None,
    ca: bool | None = True,
    usage: bool = True,
    constraints: x509.NameConstraints | None = None,
    critical: bool = True,
    start: datetime = NOW - timedelta(days=1),
    days: int = 365,
) -> Signed:
    """A certificate for *name* by *issuer*, or by itself; *ca* None leaves basicConstraints out."""
    own = key or rsa_key(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if not usage:
        builder = builder.add_extension(
            x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True
        )
    if constraints is not None:
        builder = builder.add_extension(constraints, critical=critical)
    return Signed(builder.sign(issuer.key if issuer is not None else own, hashes.SHA256()), own)
