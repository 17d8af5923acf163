"""A CA's certificates, read: facts, days left, constraints, and what a policy lacks of them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes

from certificates import Signed, limits, sign
from embargo.core.ca_findings import expiry_findings
from embargo.core.catalogue import DomainList
from embargo.core.hostname import canonical
from embargo.core.request import Surface
from embargo.core.rules import Decrypt
from embargo.review.certificate import CertificateError, facts, missing_lists, missing_names, read_chain, unpermitted
from sample import NOW, app, endpoint, policy, rule

ROOT = sign("Example Corp Root")
INTERMEDIATE = sign("proxy", ROOT, constraints=limits(["Banned.test"], ["0.0.0.0/0", "::/0"]), days=41)


def test_facts() -> None:
    known = facts([INTERMEDIATE.certificate, ROOT.certificate])
    assert (known.subject, known.issuer) == ("CN=proxy", "CN=Example Corp Root")
    assert bytes.fromhex(known.fingerprint) == INTERMEDIATE.certificate.fingerprint(hashes.SHA256())
    assert known.days_left(NOW) == 40
    assert known.document(NOW) == {
        "subject": "CN=proxy",
        "issuer": "CN=Example Corp Root",
        "fingerprint": known.fingerprint,
        "not_before": (NOW - timedelta(days=1)).isoformat(),
        "not_after": (NOW + timedelta(days=40)).isoformat(),
        "days_left": 40,
        "certificates": 2,
        "constrained": True,
    }


@pytest.mark.parametrize("days", [40, 30, 29, 1, 0, -1])
def test_expiry(days: int) -> None:
    known = facts([INTERMEDIATE.certificate])
    now = known.not_after - timedelta(days=days)
    assert known.findings(now) == expiry_findings(days, None, now)


def test_not_yet_valid() -> None:
    known = facts([INTERMEDIATE.certificate])
    assert known.findings(NOW - timedelta(days=9)) == ["the CA is not valid before 2026-11-23"]


PERMITTED = {  # case: (chain, host, permitted)
    "constrained: the name": ([INTERMEDIATE], "banned.test", True),
    "constrained: below it": ([INTERMEDIATE], "www.banned.test", True),
    "constrained: another": ([INTERMEDIATE], "bank.test", False),
    "constrained: an address": ([INTERMEDIATE], "192.0.2.1", False),
    "unconstrained": ([ROOT], "bank.test", True),
    "constrained above": ([sign("leaf", INTERMEDIATE), INTERMEDIATE, ROOT], "bank.test", False),
    "directory names": (
        [sign("d", ROOT, constraints=limits(["CN=Example Corp", "banned.test"]))],
        "banned.test",
        False,
    ),
    "only excluded": ([sign("e", ROOT, constraints=limits((), ["bank.test"]))], "www.bank.test", False),
    "only excluded: another": ([sign("e", ROOT, constraints=limits((), ["bank.test"]))], "innocent.test", True),
}


@pytest.mark.parametrize(("chain", "host", "permitted"), PERMITTED.values(), ids=PERMITTED)
def test_permits(chain: list[object], host: str, permitted: bool) -> None:
    assert facts([each.certificate for each in chain]).permits(canonical(host)) is permitted  # type: ignore[attr-defined]


BROKEN = {"nothing": b"", "no PEM": b"hello", "cut": ROOT.pem[:200] + b"\n-----END CERTIFICATE-----\n"}


@pytest.mark.parametrize("pem", BROKEN.values(), ids=BROKEN)
def test_what_is_no_certificate(pem: bytes) -> None:
    with pytest.raises(CertificateError, match="no certificate"):
        read_chain(pem)


def test_a_key_among_certificates_is_passed_over() -> None:
    assert read_chain(ROOT.key_pem + INTERMEDIATE.pem + ROOT.pem) == [INTERMEDIATE.certificate, ROOT.certificate]


def test_unpermitted() -> None:
    judged = policy(
        [app("a", "banned.test", "other.test", endpoint("url:pages.test/x"))],
        [rule("block", "block")],
        decrypt=Decrypt.NEEDED,
    )
    missing = unpermitted(judged, facts([INTERMEDIATE.certificate]), NOW)
    assert [(each.name, each.why.value) for each in missing] == [("other.test", "page"), ("pages.test", "path")]
    assert missing_names(missing) == ("pages.test",)
    assert unpermitted(judged, facts([ROOT.certificate]), NOW) == ()


LISTS = {  # case: (CA, whether it lacks the names of a list)
    "certain names alone": (INTERMEDIATE, True),
    "every name": (ROOT, False),
    "every name but one": (sign("e", ROOT, constraints=limits((), ["bank.test"])), False),
    "nothing": (sign("d", ROOT, constraints=limits(["CN=Example Corp"])), True),
}


@pytest.mark.parametrize(("signed", "lacks"), LISTS.values(), ids=LISTS)
def test_missing_lists(signed: Signed, lacks: bool) -> None:
    names = DomainList("a", "lists/a.txt", 1200)
    inside = rule("http", "block", surfaces=frozenset({Surface.HTTP}))
    judged = replace(policy([app("a")], [inside], decrypt=Decrypt.NEEDED), lists=(names,))
    assert missing_lists(judged, facts([signed.certificate]), NOW) == ((names,) if lacks else ())
