"""The CA in use: what it permits, the certificates it makes, what the operator hears."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.test import taddons
from mitmproxy.test.tflow import tclient_conn, tserver_conn

from certificates import Signed, limits, sign
from embargo.core.catalogue import DomainList
from embargo.core.hostname import canonical
from embargo.core.request import Surface
from embargo.core.rules import Action, Decrypt
from embargo.enforce.tls import ca as ca_module
from embargo.enforce.tls.ca import SigningCa
from embargo.enforce.tls.decrypt import must_open
from embargo.review.certificate import facts, missing_names, unpermitted
from embargo.review.directory import install
from embargo.review.installation import prepare
from sample import NOW, app, endpoint, policy, request, rule

ROOT = sign("root", days=3650)
LIMITS = limits(["banned.test", "pages.test"], ["0.0.0.0/0", "::/0"])
CONSTRAINED = sign("constrained", ROOT, constraints=LIMITS)
FREE = sign("free", ROOT)
POLICY = policy(
    [app("a", "banned.test", endpoint("url:pages.test/bad"), endpoint("url:later.test/bad"))],
    [rule("block", "block")],
    decrypt=Decrypt.ALL,
)
LISTED = replace(
    policy([app("a")], [rule("http", "block", surfaces=frozenset({Surface.HTTP}))], decrypt=Decrypt.NEEDED),
    lists=(DomainList("a", "lists/a.txt", 1200),),
)


def tls(*hosts: str) -> Any:
    return request(*hosts, surface=Surface.TLS)


@pytest.fixture
def config(tmp_path: Path) -> Iterator[TlsConfig]:
    addon = TlsConfig()
    with taddons.context(addon) as context:
        context.options.confdir = str(tmp_path)
        yield addon


def use(config: TlsConfig, signed: Signed) -> SigningCa:
    """The CA after mitmproxy has loaded *signed*."""
    from mitmproxy import ctx

    directory = Path(ctx.options.confdir)
    install(directory, prepare(signed.pem + ROOT.pem, signed.key_pem, NOW))
    config.configure({"confdir"})
    return SigningCa()


def test_without_a_proxy_nothing_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("mitmproxy.ctx.master", raising=False)  # of a test before
    assert SigningCa().permits(canonical("bank.test"))
    assert SigningCa().describe(NOW) is None


MAY = {  # case: (names of CONNECT, SNI; whether it may be opened)
    "permitted": (("banned.test", "www.banned.test"), True),
    "another": (("bank.test", "bank.test"), False),
    "the server name counts, not the tunnel": (("bank.test", "pages.test"), True),
    "nor the other way round": (("pages.test", "bank.test"), False),
    "no server name": (("pages.test",), True),
    "an address": (("192.0.2.1",), False),
    "what is no host": (("pages.test", "a b"), False),
}


@pytest.mark.parametrize(("names", "may"), MAY.values(), ids=MAY)
def test_may_open(config: TlsConfig, names: tuple[str, ...], may: bool) -> None:
    assert use(config, CONSTRAINED).may_open(tls(*names)) is may


def test_a_ca_without_constraints_permits_all(config: TlsConfig) -> None:
    ca = use(config, FREE)
    assert ca.may_open(tls("bank.test"))
    assert ca.permits(None)
    assert ca.opens(POLICY, tls("bank.test"), True)
    assert config.get_cert.__self__ is config, "mitmproxy chooses the names as ever"


def test_another_ca_is_taken_up_once_mitmproxy_has_it(config: TlsConfig) -> None:
    ca = use(config, FREE)
    assert ca.permits(canonical("bank.test"))
    use(config, CONSTRAINED)
    assert not ca.permits(canonical("bank.test"))


def test_what_is_left_closed_is_counted_and_told_once(config: TlsConfig, caplog: pytest.LogCaptureFixture) -> None:
    ca = use(config, CONSTRAINED)
    for _ in range(3):
        for host in ("innocent.test", "later.test"):
            assert not ca.opens(POLICY, tls(host), must_open(POLICY, tls(host)))
    assert ca.opens(POLICY, tls("pages.test"), True)
    assert not ca.opens(POLICY, tls("innocent.test"), False)
    assert ca.left_closed == 6
    assert [record.getMessage() for record in caplog.records if "not opened" in record.getMessage()] == [
        "embargo: later.test is not opened, since the CA does not permit it: what is banned inside passes"
    ]
    told = ca.describe(NOW)
    assert told is not None
    assert (told["not_opened"], told["not_permitted"]) == (6, []), "no innocent is named"
    asyncio.run(ca.check_policy(POLICY, NOW))
    assert ca.describe(NOW) == {**told, "not_permitted": ["later.test"]}


def test_what_cannot_be_opened_is_not_cut(config: TlsConfig) -> None:
    ca = use(config, CONSTRAINED)
    assert ca.can_stay_closed(POLICY, tls("later.test"))
    assert not ca.can_stay_closed(POLICY, tls("pages.test"))


def test_the_operator_hears_at_the_start(config: TlsConfig, caplog: pytest.LogCaptureFixture) -> None:
    ending = sign("ending", ROOT, constraints=LIMITS, days=20)
    with caplog.at_level(logging.INFO):
        ca = use(config, ending)
        ca.check(NOW)
        asyncio.run(ca.check_policy(POLICY, NOW))
    said = [record.getMessage() for record in caplog.records if record.name == "embargo"]
    assert said[0].startswith("embargo: the CA expires in 19 days (SHA-256 ")
    assert said[1:] == [
        "embargo: the CA does not permit later.test: what the policy bans inside it passes",
        "embargo: decrypt is all, but the CA does not permit every name: other TLS stays closed",
    ]


def test_many_names_are_not_all_told(config: TlsConfig, caplog: pytest.LogCaptureFixture) -> None:
    many = policy(
        [app("a", *(endpoint(f"url:n{number}.test/bad") for number in range(25)))],
        default=Action.BLOCK,
        decrypt=Decrypt.NEEDED,
    )
    asyncio.run(use(config, CONSTRAINED).check_policy(many, NOW))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 11
    assert said[-1] == "embargo: and 15 names more; `embargo ca show` lists them"
    assert len(missing_names(unpermitted(many, facts([CONSTRAINED.certificate]), NOW))) == 25


@pytest.mark.parametrize(("signed", "looked"), [(CONSTRAINED, 1), (FREE, 0)], ids=["constrained", "free"])
def test_a_policy_is_looked_through_aside_and_only_where_names_may_lack(
    config: TlsConfig, monkeypatch: pytest.MonkeyPatch, signed: Signed, looked: int
) -> None:
    threads: list[threading.Thread] = []

    def seen(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return unpermitted(*given)

    monkeypatch.setattr(ca_module, "unpermitted", seen)
    ca = use(config, signed)
    ca.not_permitted = ("of.another.ca.test",)
    asyncio.run(ca.check_policy(POLICY, NOW))
    assert len(threads) == looked
    assert threading.main_thread() not in threads
    assert ca.not_permitted == (("later.test",) if looked else ())


def test_lists_beyond_a_certificate_are_told(config: TlsConfig, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(use(config, CONSTRAINED).check_policy(LISTED, NOW))
    assert "embargo: 1200 names of lists/a.txt need to be opened for what is inside" in caplog.text


def test_constraints_that_cannot_be_read_close_everything(config: TlsConfig, caplog: pytest.LogCaptureFixture) -> None:
    ca = use(config, CONSTRAINED)
    broken = x509.load_der_x509_certificate(_with_broken_constraints())
    config.certstore.default_chain_certs = [SimpleNamespace(to_cryptography=lambda: broken)]  # type: ignore[list-item]
    assert not ca.permits(canonical("banned.test"))
    ca.check(NOW)
    assert "nothing is opened, since the CA cannot be read" in caplog.text
    told = ca.describe(NOW)
    assert told is not None
    assert set(told) == {"error"}


def _with_broken_constraints() -> bytes:
    """A certificate whose constraints are no ASN.1."""
    other = x509.UnrecognizedExtension(x509.NameConstraints.oid, b"\x30\x05broke")
    return sign("broken", ROOT, constraints=other).certificate.public_bytes(Encoding.DER)  # type: ignore[arg-type]


LEAVES = {  # case: (server name, address, the names in the certificate)
    "the server name alone": ("pages.test", "198.51.100.7", [x509.DNSName("pages.test")]),
    "in another spelling": ("PAGES.test", "198.51.100.7", [x509.DNSName("pages.test")]),
    "the tunnel's name where there is none": (None, "pages.test", [x509.DNSName("pages.test")]),
}


@pytest.mark.parametrize(("sni", "address", "names"), LEAVES.values(), ids=LEAVES)
def test_leaves_carry_the_asked_name_alone(
    config: TlsConfig, sni: str | None, address: str, names: list[x509.GeneralName]
) -> None:
    use(config, CONSTRAINED).permits(canonical("pages.test"))
    client, server = tclient_conn(), tserver_conn()
    client.sni, server.address = sni, (address, 443)
    upstream = sign("origin", ROOT, ca=False).certificate
    server.certificate_list = [SimpleNamespace(cn="bank.test", altnames=[], organization="X", to=upstream)]  # type: ignore[list-item]
    entry = config.get_cert(SimpleNamespace(client=client, server=server))  # type: ignore[arg-type]
    leaf = entry.cert.to_cryptography()
    assert list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == names
    assert leaf.issuer == CONSTRAINED.certificate.subject
