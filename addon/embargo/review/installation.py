"""A signed intermediate and its key, checked, as the file that mitmproxy signs with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from embargo.review.certificate import CaFacts, CertificateError, facts, read_chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is put into mitmproxy's directory."""

    signing: bytes  # PEM: the key, the certificate that signs, and those above it
    certificate: bytes  # PEM: the certificate that signs alone
    ca: CaFacts
    warnings: tuple[str, ...]


def prepare(chain: bytes, key: bytes, now: datetime) -> Installation:
    """The installation of *chain* (PEM, in any order, from the intermediate up) with its *key* (PEM) at *now*.

    Raises CertificateError: a key that is encrypted or belongs to no certificate in the chain, one that is no CA,
    is not valid now, or whose issuer is missing.
    """
    private = _private_key(key)
    public = _bytes_of(private.public_key())
    certificates = read_chain(chain)
    own = [each for each in certificates if _bytes_of(each.public_key()) == public]
    if not own:
        names = ", ".join(each.subject.rfc4514_string() for each in certificates)
        raise CertificateError(f"the key belongs to no certificate of the chain ({names})")
    ordered = _ordered(own[0], certificates)
    for each in ordered:
        _check(each, now)
    if len(ordered) == 1 and ordered[0].issuer != ordered[0].subject:
        raise CertificateError(
            f"the certificate of the issuer ({ordered[0].issuer.rfc4514_string()}) is not in the chain: clients that "
            "trust only the root could not find the way there; append it"
        )
    ca = facts(ordered)
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in ordered)
    kept = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return Installation(
        signing=kept + pem,
        certificate=ordered[0].public_bytes(serialization.Encoding.PEM),
        ca=ca,
        warnings=tuple(_warnings(ordered, ca, now)),
    )


def _private_key(key: bytes) -> RSAPrivateKey:
    try:
        private = serialization.load_pem_private_key(key, None)
    except TypeError as encrypted:
        raise CertificateError("the key is encrypted: decrypt it first (openssl pkey)") from encrypted
    except (ValueError, UnsupportedAlgorithm) as broken:
        raise CertificateError("no private key in PEM form") from broken
    if not isinstance(private, RSAPrivateKey):
        raise CertificateError("the key is not RSA, which is all that mitmproxy signs with")
    return private


def _bytes_of(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _ordered(first: x509.Certificate, certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """*first*, its issuer, that one's, and so on, as far as they are there."""
    ordered = [first]
    while ordered[-1].issuer != ordered[-1].subject:
        above = next((each for each in certificates if each not in ordered and _issued(ordered[-1], each)), None)
        if above is None:
            break
        ordered.append(above)
    return ordered


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check(certificate: x509.Certificate, now: datetime) -> None:
    name = certificate.subject.rfc4514_string()
    try:
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_ca = False
    except ValueError as broken:
        raise CertificateError(f"{name}: {broken}") from broken
    if not is_ca:
        raise CertificateError(f"{name} is no CA certificate (basicConstraints)")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.key_cert_sign:
        raise CertificateError(f"{name} may not sign certificates (keyUsage)")
    if now >= certificate.not_valid_after_utc:
        raise CertificateError(f"{name} expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if now < certificate.not_valid_before_utc:
        raise CertificateError(f"{name} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")


def _warnings(ordered: Sequence[x509.Certificate], ca: CaFacts, now: datetime) -> list[str]:
    warnings = ca.findings(now)
    if not ca.constrained:
        warnings.append("no name constraints: this CA can sign for every name. Was the extension left out on signing?")
    for each in ordered:
        try:
            extension = each.extensions.get_extension_for_class(x509.NameConstraints)
        except x509.ExtensionNotFound:
            continue
        if not extension.critical:
            warnings.append("the name constraints are not critical: a client that does not know them may ignore them")
    for limits in ca.constraints:
        if limits.unmet:
            warnings.append(f"nothing can be opened with this CA: {limits.unmet}")
        if limits.limits_names and limits.permitted_networks is None and not limits.excluded_networks:
            warnings.append("addresses are not constrained: this CA can sign for every address")
    return warnings
