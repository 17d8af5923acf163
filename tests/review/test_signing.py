"""The request for an intermediate: what it permits, what it excludes, what is told of it."""

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from embargo.core.catalogue import DomainList
from embargo.core.request import Surface
from embargo.core.rules import Decrypt, Policy, Settings
from embargo.review import signing
from embargo.review.signing import NothingToSign, make_request, scope
from sample import NOW, app, endpoint, pattern, policy, rule

BLOCK = rule("block", "block")
APPS = [
    app("a", "a.test", "host:one.test", endpoint("url:apps.apple.com/*/id7"), exclude=["open.a.test"]),
    app("s", endpoint("cdn.test", shared=True), "com.de"),
]
POLICY = policy(APPS, [BLOCK], decrypt=Decrypt.NEEDED, never_decrypt=(pattern("private.a.test"),))


def test_scope() -> None:
    wanted = scope(POLICY, NOW)
    assert wanted.permitted == ("a.test", "apps.apple.com", "cdn.test", "com.de", "one.test")
    assert wanted.excluded == ("open.a.test", "private.a.test")
    assert wanted.warnings == ()
    assert dict(wanted.wide()) == {
        "apps.apple.com": "the whole host is opened for everybody to see one path "
        "(url:apps.apple.com/*/id7, rule block)",
        "cdn.test": "also serves others (shared, rule block)",
        "com.de": "a public suffix: strangers register below it",
    }
    assert scope(POLICY, NOW, pages=False).permitted == ("apps.apple.com",)


NOTHING = {  # case: (policy, why)
    "nothing is opened": (policy(APPS, [BLOCK], decrypt=Decrypt.NONE), "settings.decrypt is none"),
    "nothing is blocked": (policy(APPS, [rule("log", "log")]), "blocks nothing"),
    "pages left out, and nothing else": (policy([app("a", "a.test")], [BLOCK]), "blocks nothing"),
}


@pytest.mark.parametrize(("judged", "why"), NOTHING.values(), ids=NOTHING)
def test_nothing_to_sign(judged: Policy, why: str) -> None:
    with pytest.raises(NothingToSign, match=why):
        scope(judged, NOW, pages=False)


def test_more_than_a_chain_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number:050}.test" for number in range(1700)]
    with pytest.raises(NothingToSign, match=r"1700 names take .* bytes.*leave the block pages out"):
        scope(policy([app("a", *names)], [BLOCK]), NOW)
    monkeypatch.setattr(signing, "LARGEST", 10**6)
    assert len(scope(policy([app("a", *names)], [BLOCK]), NOW).permitted) == 1700


def test_warnings() -> None:
    listed = DomainList("a", "lists/a.txt", 1200)
    judged = Policy(settings=Settings(decrypt=Decrypt.ALL), apps={"a": APPS[0]}, rules=(BLOCK,), lists=(listed,))
    wanted = scope(judged, NOW)
    assert wanted.listed == 1200
    all_closed, left_out = wanted.warnings
    assert "all other TLS stays closed" in all_closed
    assert left_out.startswith("1200 names of lists")


def test_names_of_a_list_that_a_verdict_depends_on_are_told() -> None:
    inside = rule("http", "block", surfaces=frozenset({Surface.HTTP}))
    judged = replace(policy(APPS, [inside], decrypt=Decrypt.NEEDED), lists=(DomainList("a", "lists/a.txt", 1200),))
    (told,) = scope(judged, NOW).warnings
    assert told.startswith("1200 names of lists/a.txt need to be opened for what is inside")
    with pytest.raises(NothingToSign, match="1200 names of lists/a"):
        scope(replace(policy([app("a")], [inside], decrypt=Decrypt.NEEDED), lists=judged.lists), NOW)


def test_the_request() -> None:
    made = make_request(["a.test", "b.test"], ["open.a.test"], name="proxy", organization="Example Corp", bits=2048)
    key = serialization.load_pem_private_key(made.key, None)
    request = x509.load_pem_x509_csr(made.request)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
    assert request.public_key() == key.public_key()
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "O=Example Corp,CN=proxy"
    extensions = request.extensions
    constraints = extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert [each.value for each in constraints.value.permitted_subtrees or ()] == ["a.test", "b.test"]
    assert [str(each.value) for each in constraints.value.excluded_subtrees or ()] == [
        "open.a.test",
        "0.0.0.0/0",
        "::/0",
    ]
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (True, True, False)
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_each_request_has_a_key_of_its_own() -> None:
    first, second = (make_request(["a.test"], [], name="proxy", organization=None) for _ in range(2))
    assert first.key != second.key
