"""A CA's certificates, read: who it is, how long it lasts, what it may sign for (X.509, RFC 5280)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from embargo.core.address import Network
from embargo.core.ca_findings import expiry_findings
from embargo.core.catalogue import DomainList
from embargo.core.hostname import Host
from embargo.core.name_constraints import NameConstraints, permits
from embargo.core.opening import Opening, lists_inside, openings
from embargo.core.rules import Policy


class CertificateError(ValueError):
    """What is no usable certificate, and why, in words for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaFacts:
    """A CA as people need to see it: the certificate that signs, and what it and those above it permit."""

    subject: str  # RFC 4514
    issuer: str
    fingerprint: str  # SHA-256 of the DER, lower-case hex
    not_before: datetime  # aware, UTC
    not_after: datetime
    certificates: int  # in the chain, the one that signs included
    constraints: tuple[NameConstraints, ...]  # of those in the chain that have any

    @property
    def constrained(self) -> bool:
        """Whether there is a name that it cannot sign for."""
        return any(each.limits_names for each in self.constraints)

    def permits(self, host: Host) -> bool:
        """Whether it may sign for *host*."""
        return permits(self.constraints, host)

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires at *now*; negative once it has."""
        return (self.not_after - now).days

    def findings(self, now: datetime) -> list[str]:
        """What an operator has to look into at *now*."""
        return expiry_findings(self.days_left(now), self.not_before, now)

    def document(self, now: datetime) -> dict[str, object]:
        """As JSON has it."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "fingerprint": self.fingerprint,
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "days_left": self.days_left(now),
            "certificates": self.certificates,
            "constrained": self.constrained,
        }


def read_chain(pem: bytes) -> list[x509.Certificate]:
    """The certificates in *pem*, in its order; keys in it are passed over. Raises CertificateError."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as broken:
        raise CertificateError(f"no certificates in PEM form: {broken}") from broken


def facts(chain: Sequence[x509.Certificate]) -> CaFacts:
    """The facts of the CA *chain*, whose first certificate is the one that signs. Raises CertificateError."""
    if not chain:
        raise CertificateError("no certificate")
    first = chain[0]
    return CaFacts(
        subject=first.subject.rfc4514_string(),
        issuer=first.issuer.rfc4514_string(),
        fingerprint=fingerprint(first),
        not_before=first.not_valid_before_utc,
        not_after=first.not_valid_after_utc,
        certificates=len(chain),
        constraints=constraints_of(chain),
    )


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the whole certificate, lower-case hex: what openssl and browsers show with colons."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def constraints_of(chain: Sequence[x509.Certificate]) -> tuple[NameConstraints, ...]:
    """The name constraints of those in *chain* that have any. Raises CertificateError for ones that cannot be read."""
    found = []
    for certificate in chain:
        try:
            extension = certificate.extensions.get_extension_for_class(x509.NameConstraints)
        except x509.ExtensionNotFound:
            continue
        except ValueError as broken:
            raise CertificateError(f"{certificate.subject.rfc4514_string()}: {broken}") from broken
        found.append(_constraints(extension.value))
    return tuple(found)


def unpermitted(policy: Policy, ca: CaFacts, now: datetime) -> tuple[Opening, ...]:
    """What *policy* needs opened and *ca* may not sign for."""
    return tuple(opening for opening in openings(policy, now) if not ca.permits(Host(opening.name)))


def missing_names(missing: Iterable[Opening]) -> tuple[str, ...]:
    """The names of *missing* whose verdict depends on what is inside, each once."""
    return tuple(dict.fromkeys(each.name for each in missing if each.why.decides))


def missing_lists(policy: Policy, ca: CaFacts, now: datetime) -> tuple[DomainList, ...]:
    """The lists whose verdicts depend on what is inside, where *ca* signs for certain names alone."""
    return lists_inside(policy, now) if any(each.names_few for each in ca.constraints) else ()


def _constraints(value: x509.NameConstraints) -> NameConstraints:
    permitted, excluded = list(value.permitted_subtrees or ()), list(value.excluded_subtrees or ())
    names, networks = _names(permitted), _networks(permitted)
    return NameConstraints(
        permitted_names=names or None,
        excluded_names=_names(excluded),
        permitted_networks=networks or None,
        excluded_networks=_networks(excluded),
        # mitmproxy's certificates have a subject of their own, which no directory name of a company covers
        unmet="it permits only certain directory names, which the proxy's certificates do not have"
        if any(isinstance(each, x509.DirectoryName) for each in permitted)
        else None,
    )


def _names(subtrees: list[x509.GeneralName]) -> frozenset[str]:
    return frozenset(each.value.lower().rstrip(".") for each in subtrees if isinstance(each, x509.DNSName))


def _networks(subtrees: list[x509.GeneralName]) -> tuple[Network, ...]:
    return tuple(ip_network(str(each.value)) for each in subtrees if isinstance(each, x509.IPAddress))
