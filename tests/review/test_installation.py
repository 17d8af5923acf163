"""A signed intermediate and its key, checked before anything is put in place."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_pem_x509_certificates

from certificates import Signed, limits, rsa_key, sign
from embargo.review.certificate import CertificateError
from embargo.review.installation import prepare
from sample import NOW

ROOT = sign("root")
POLICY = sign("policy CA", ROOT)
LIMITS = limits(["banned.test"], ["0.0.0.0/0", "::/0"])
PROXY = sign("proxy", POLICY, constraints=LIMITS)
CHAIN = PROXY.pem + POLICY.pem + ROOT.pem


def test_the_file_that_mitmproxy_signs_with() -> None:
    made = prepare(CHAIN, PROXY.key_pem, NOW)
    assert load_pem_x509_certificates(made.signing) == [PROXY.certificate, POLICY.certificate, ROOT.certificate]
    assert serialization.load_pem_private_key(made.signing, None).public_key() == PROXY.key.public_key()
    assert made.certificate == PROXY.pem
    assert made.ca.certificates == 3
    assert made.warnings == ()


ORDERS = {
    "from the root down": ROOT.pem + POLICY.pem + PROXY.pem,
    "with a stranger among them": PROXY.pem + sign("stranger").pem + ROOT.pem + POLICY.pem,
    "without the root, which clients have": PROXY.pem + POLICY.pem,
    "with text around, as openssl writes it": b"subject=CN=proxy\n" + CHAIN,
}


@pytest.mark.parametrize("chain", ORDERS.values(), ids=ORDERS)
def test_the_chain_is_put_in_order(chain: bytes) -> None:
    made = prepare(chain, PROXY.key_pem, NOW)
    expected = [PROXY.certificate, POLICY.certificate, ROOT.certificate][: made.ca.certificates]
    assert load_pem_x509_certificates(made.signing) == expected
    assert made.ca.certificates >= 2


def _encrypted(signed: Signed) -> bytes:
    return signed.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )


ELLIPTIC = sign("elliptic", ROOT, key=ec.generate_private_key(ec.SECP256R1()))
REFUSED = {  # case: (chain, key, error)
    "no certificate": (b"x", PROXY.key_pem, "no certificates in PEM form"),
    "no key": (CHAIN, b"x", "no private key in PEM form"),
    "an encrypted key": (CHAIN, _encrypted(PROXY), "the key is encrypted"),
    "a key of another": (CHAIN, sign("other").key_pem, r"belongs to no certificate of the chain \(CN=proxy, CN=policy"),
    "an elliptic key": (ELLIPTIC.pem + ROOT.pem, ELLIPTIC.key_pem, "the key is not RSA"),
    "no CA": (sign("leaf", ROOT, ca=False).pem + ROOT.pem, sign("leaf").key_pem, "CN=leaf is no CA certificate"),
    "no basicConstraints": (sign("v1", ROOT, ca=None).pem + ROOT.pem, sign("v1").key_pem, "CN=v1 is no CA"),
    "may not sign": (sign("k", ROOT, usage=False).pem + ROOT.pem, sign("k").key_pem, "CN=k may not sign"),
    "expired": (
        sign("old", ROOT, start=NOW - timedelta(days=9), days=8).pem + ROOT.pem,
        sign("old").key_pem,
        "CN=old expired on 2026-11-23",
    ),
    "an expired issuer": (
        sign("p", sign("oldroot", start=NOW - timedelta(days=9), days=8)).pem
        + sign("oldroot", start=NOW - timedelta(days=9), days=8).pem,
        sign("p").key_pem,
        "CN=oldroot expired",
    ),
    "not yet valid": (
        sign("new", ROOT, start=NOW + timedelta(days=1)).pem + ROOT.pem,
        sign("new").key_pem,
        "CN=new is not valid before 2026-11-25",
    ),
    "no issuer": (PROXY.pem, PROXY.key_pem, r"the issuer \(CN=policy CA\) is not in the chain"),
    "an issuer of the same name, with another key": (
        PROXY.pem + sign("policy CA", ROOT, key=rsa_key("impostor")).pem,
        PROXY.key_pem,
        "is not in the chain",
    ),
}


@pytest.mark.parametrize(("chain", "key", "error"), REFUSED.values(), ids=REFUSED)
def test_refused(chain: bytes, key: bytes, error: str) -> None:
    with pytest.raises(CertificateError, match=error):
        prepare(chain, key, NOW)


WARNED = {  # case: (certificate, warning)
    "no constraints": (sign("w1", ROOT), "no name constraints: this CA can sign for every name"),
    "not critical": (sign("w2", ROOT, constraints=LIMITS, critical=False), "are not critical"),
    "addresses": (sign("w3", ROOT, constraints=limits(["banned.test"])), "addresses are not constrained"),
    "soon over": (sign("w4", ROOT, constraints=LIMITS, days=20), "the CA expires in 19 days"),
    "nothing fits": (sign("w5", ROOT, constraints=limits(["CN=Corp"])), "nothing can be opened with this CA"),
}


@pytest.mark.parametrize(("signed", "warning"), WARNED.values(), ids=WARNED)
def test_warned(signed: Signed, warning: str) -> None:
    assert any(warning in each for each in prepare(signed.pem + ROOT.pem, signed.key_pem, NOW).warnings)


def test_a_root_of_its_own_needs_no_issuer() -> None:
    assert prepare(ROOT.pem, ROOT.key_pem, NOW).ca.certificates == 1
