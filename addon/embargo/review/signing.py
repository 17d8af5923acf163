"""A request for an intermediate CA that can sign for what the policy opens, and for nothing else.

With name constraints (RFC 5280, 4.2.1.10), critical, a company can trust the proxy with a CA that cannot
impersonate a bank. They stand on the intermediate: on roots, some clients have ignored them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from embargo.core.ca_findings import too_many
from embargo.core.catalogue import DomainList
from embargo.core.opening import Opening, Why, lists_inside, openings, spared, subtrees
from embargo.core.rules import Decrypt, Policy
from embargo.policy.suffix import suffixes

KEY_SIZES = (2048, 3072, 4096)  # bits of RSA; the key signs each handshake too, so 2048 as mitmproxy's own
# OpenSSL's clients refuse a chain above 100 KiB (SSL_MAX_CERT_LIST_DEFAULT), and the root and leaf come on top.
LARGEST = 90_000  # bytes of the constraints' encoding
_NO_ADDRESSES = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class NothingToSign(ValueError):
    """A policy that needs no CA, or more than a certificate holds; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an intermediate has to permit, and why."""

    permitted: tuple[str, ...]  # names, each with all below it
    excluded: tuple[str, ...]  # names below those which nothing needs, with all below them
    openings: tuple[Opening, ...]
    listed: int  # names of long lists, which are left out
    warnings: tuple[str, ...]

    def wide(self) -> tuple[tuple[str, str], ...]:
        """Permitted names that cover more than what is banned, each with the reason."""
        return _wide(self.openings, self.permitted)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """A new key and the request for its certificate."""

    key: bytes  # PEM, PKCS 8, not encrypted
    request: bytes  # PEM, PKCS 10


def scope(policy: Policy, now: datetime, *, pages: bool = True) -> Scope:
    """What *policy* needs signed from *now* on; without *pages* only what a verdict depends on.

    Raises NothingToSign.
    """
    if policy.settings.decrypt is Decrypt.NONE:
        raise NothingToSign("settings.decrypt is none: nothing is opened, so no CA is needed")
    found = tuple(each for each in openings(policy, now) if pages or each.why is not Why.PAGE)
    inside = lists_inside(policy, now)
    if not found and inside:
        raise NothingToSign("; ".join(map(too_many, inside)))
    if not found:
        raise NothingToSign("the policy blocks nothing that has to be opened, so no CA is needed")
    permitted = subtrees(found)
    excluded = spared(policy, permitted)
    size = len(_name_constraints(permitted, excluded).public_bytes())
    if size > LARGEST:
        hint = "; leave the block pages out" if pages else ""
        raise NothingToSign(
            f"{len(permitted)} names take {size} bytes, and clients refuse a chain above 100 KiB: move names into "
            f"`endpoints_from`, which are refused without a page{hint}"
        )
    return Scope(
        permitted=permitted,
        excluded=excluded,
        openings=found,
        listed=sum(names.count for names in policy.lists),
        warnings=tuple(_warnings(policy, inside)),
    )


def make_request(
    permitted: Sequence[str], excluded: Sequence[str], *, name: str, organization: str | None, bits: int = KEY_SIZES[0]
) -> SigningRequest:
    """A fresh RSA key of *bits*, and a request for a CA that may sign for *permitted* less *excluded*, no address."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:64]))  # RFC 5280, ub-organization
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name(attributes))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_name_constraints(permitted, excluded), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return SigningRequest(
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        request=request.public_bytes(serialization.Encoding.PEM),
    )


def _name_constraints(permitted: Sequence[str], excluded: Sequence[str]) -> x509.NameConstraints:
    return x509.NameConstraints(
        permitted_subtrees=[x509.DNSName(name) for name in permitted],
        excluded_subtrees=[
            *(x509.DNSName(name) for name in excluded),
            *(x509.IPAddress(network) for network in _NO_ADDRESSES),
        ],
    )


def _wide(found: Sequence[Opening], permitted: Sequence[str]) -> tuple[tuple[str, str], ...]:
    wide: dict[str, str] = {}
    for name in permitted:
        if name in suffixes():
            wide[name] = "a public suffix: strangers register below it"
    for opening in found:
        if opening.name not in permitted:
            continue  # a wider name covers it already
        if opening.why is Why.PATH:
            reason = f"the whole host is opened for everybody to see one path ({opening.endpoint}, rule {opening.rule})"
            wide.setdefault(opening.name, reason)
        elif opening.shared:
            wide.setdefault(opening.name, f"also serves others (shared, rule {opening.rule})")
    return tuple(sorted(wide.items()))


def _warnings(policy: Policy, inside: Sequence[DomainList]) -> list[str]:
    warnings = []
    if policy.settings.decrypt is Decrypt.ALL:
        warnings.append(
            "settings.decrypt is all: with this CA only the names above are opened, all other TLS stays closed; "
            "`needed` says the same"
        )
    warnings += map(too_many, inside)
    if count := sum(names.count for names in policy.lists if names not in inside):
        warnings.append(f"{count} names of lists (endpoints_from) are left out: they are refused without a page")
    return warnings
