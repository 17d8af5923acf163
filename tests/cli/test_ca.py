"""`embargo ca`: a key and a request, an intermediate put in place, what the proxy signs with."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certificates import Signed, limits, sign
from embargo.cli.main import main

POLICY = """\
version: 1
settings: {organization: Example Corp, decrypt: needed}
apps:
  bad:
    exclude: [open.banned.test]
    endpoints: [banned.test, {url: "apps.apple.com/*/id7", role: store}]
rules: [{id: ban, apps: bad, action: block}]
"""
NOW = datetime.now(UTC)
YESTERDAY = NOW - timedelta(days=1)
ROOT = sign("root", start=YESTERDAY)
PROXY = sign("proxy", ROOT, start=YESTERDAY, constraints=limits(["banned.test"], ["0.0.0.0/0", "::/0"]))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "domains.yaml").write_text(POLICY)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["ca", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def given(signed: Signed = PROXY, *above: Signed) -> None:
    Path("chain.pem").write_bytes(b"".join(each.pem for each in (signed, *(above or (ROOT,)))))
    Path("embargo-ca.key").write_bytes(signed.key_pem)


def test_request(place: Path) -> None:
    result = run("request")
    assert result.exit_code == 0
    assert stat.S_IMODE((place / "embargo-ca.key").stat().st_mode) == 0o600
    request = x509.load_pem_x509_csr((place / "embargo-ca.csr").read_bytes())
    constraints = request.extensions.get_extension_for_class(x509.NameConstraints)
    assert [each.value for each in constraints.value.permitted_subtrees or ()] == ["apps.apple.com", "banned.test"]
    assert result.output.splitlines() == [
        "page          1: banned: its block page is shown inside",
        "              banned.test",
        "path          1: a path there is banned, which is seen inside alone",
        "              apps.apple.com",
        "permitted     2 names, each with all below it (X.509 knows no name alone)",
        "excluded      1: below these nothing is opened; nor is any address",
        "              open.banned.test",
        "wide          apps.apple.com: the whole host is opened for everybody to see one path "
        "(url:apps.apple.com/*/id7, rule ban)",
        "",
        "key           embargo-ca.key (mode 600; it never leaves the proxy)",
        "request       embargo-ca.csr; next: have it signed with its extensions, then `embargo ca install`",
    ]


def test_request_json() -> None:
    document = json.loads(run("request", "--json", "--no-pages", "--name", "proxy 7").output)
    assert document["permitted"] == ["apps.apple.com"]
    assert document["openings"] == [
        {
            "name": "apps.apple.com",
            "below": False,
            "why": "path",
            "app": "bad",
            "endpoint": "url:apps.apple.com/*/id7",
            "rule": "ban",
        }
    ]
    subject = x509.load_pem_x509_csr(Path(document["request"]).read_bytes()).subject
    assert subject.rfc4514_string() == "O=Example Corp,CN=proxy 7"


REFUSED = {  # case: (what is there, arguments, exit, error)
    "the key is there": ("embargo-ca.key", [], 2, "error: embargo-ca.key: exists; move it away, or name another"),
    "the request is there": ("embargo-ca.csr", [], 2, "error: embargo-ca.csr: exists"),
    "no such directory": ("", ["--key", "none/ca.key"], 2, "No such file or directory"),
    "one file for both": ("", ["--out", "embargo-ca.key"], 2, "name the same file"),
    "a name too long": ("", ["--name", "x" * 65], 2, "1 to 64 characters"),
    "a key size": ("", ["--key-size", "1024"], 2, "'1024' is not one of"),
    "no policy": ("", ["--policy", "none.yaml"], 2, "none.yaml"),
}


@pytest.mark.parametrize(("there", "arguments", "exit_code", "error"), REFUSED.values(), ids=REFUSED)
def test_request_refused(there: str, arguments: list[str], exit_code: int, error: str) -> None:
    if there:
        Path(there).write_text("precious")
    result = run("request", *arguments)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert error in result.stderr
    assert not there or Path(there).read_text() == "precious"
    assert sorted(path.name for path in Path().iterdir()) == sorted({"domains.yaml", there} - {""})


def test_nothing_to_sign() -> None:
    Path("domains.yaml").write_text(POLICY.replace("needed", "none"))
    result = run("request")
    assert result.exit_code == 1
    assert result.stderr == "no request: settings.decrypt is none: nothing is opened, so no CA is needed\n"


def test_install_and_show() -> None:
    given()
    result = run("install", "chain.pem", "--confdir", "conf")
    assert result.exit_code == 0
    fingerprint = PROXY.certificate.fingerprint(hashes.SHA256())
    shown = ":".join(f"{byte:02X}" for byte in fingerprint)
    until = f"{PROXY.certificate.not_valid_after_utc:%Y-%m-%d} (363 days left)"
    described = [
        "subject       CN=proxy",
        "issuer        CN=root",
        f"SHA-256       {shown}",
        f"valid until   {until}",
        "may sign for  1: names, each with all below it",
        "              banned.test",
        "never for     2: names and networks",
        "              0.0.0.0/0",
        "              ::/0",
    ]
    assert result.output.splitlines() == [
        *described,
        "file          conf/mitmproxy-ca.pem, taken at the proxy's next start",
    ]
    result = run("show", "--confdir", "conf")
    assert result.exit_code == 1
    finding = "finding       the CA does not permit apps.apple.com: what the policy bans inside it passes"
    assert result.output.splitlines() == [*described, finding]


def test_show_json() -> None:
    given()
    run("install", "chain.pem", "--confdir", "conf")
    result = run("show", "--confdir", "conf", "--json")
    assert result.exit_code == 1
    document = json.loads(result.output)
    assert document["permitted"] == ["banned.test"]
    assert document["excluded"] == ["0.0.0.0/0", "::/0"]
    assert [each["name"] for each in document["not_permitted"]] == ["apps.apple.com"]
    assert document["findings"] == ["the CA does not permit apps.apple.com: what the policy bans inside it passes"]


def test_a_ca_that_permits_all_the_policy_needs() -> None:
    whole = sign(
        "whole", ROOT, start=YESTERDAY, constraints=limits(["banned.test", "apple.com"], ["0.0.0.0/0", "::/0"])
    )
    given(whole)
    document = json.loads(run("install", "chain.pem", "--json").output)
    assert document["file"] == str(Path("home/.mitmproxy/mitmproxy-ca.pem").absolute())
    assert document["warnings"] == []
    assert run("show").exit_code == 0


def test_an_unconstrained_ca_is_told() -> None:
    given(sign("free", ROOT, start=YESTERDAY))
    result = run("install", "chain.pem", "--confdir", "conf")
    assert result.exit_code == 0
    assert "may sign for  every name" in result.output
    assert "warning       no name constraints: this CA can sign for every name." in result.output


def test_a_former_ca_is_kept_and_told() -> None:
    given()
    run("install", "chain.pem", "--confdir", "conf")
    given(sign("next", ROOT, start=YESTERDAY))
    result = run("install", "chain.pem", "--confdir", "conf")
    assert "former        conf/mitmproxy-ca-former-" in result.output


NOT_INSTALLED = {  # case: (what is wrong, error)
    "no chain": (lambda: Path("chain.pem").unlink(), "error: chain.pem: No such file or directory"),
    "no key": (lambda: Path("embargo-ca.key").unlink(), "error: embargo-ca.key: No such file or directory"),
    "no certificate": (lambda: Path("chain.pem").write_text("x"), "error: chain.pem: no certificates in PEM form"),
    "another's key": (
        lambda: Path("embargo-ca.key").write_bytes(sign("other").key_pem),
        "error: chain.pem: the key belongs to no certificate of the chain",
    ),
    "no CA": (lambda: given(sign("leaf", ROOT, ca=False, start=YESTERDAY)), "CN=leaf is no CA certificate"),
    "a directory in the way": (lambda: Path("conf").touch(), "conf"),
}


@pytest.mark.parametrize(("spoil", "error"), NOT_INSTALLED.values(), ids=NOT_INSTALLED)
def test_install_refused(spoil: object, error: str) -> None:
    given()
    spoil()  # type: ignore[operator]
    result = run("install", "chain.pem", "--confdir", "conf")
    assert (result.exit_code, result.stdout) == (2, "")
    assert error in result.stderr
    assert not Path("conf/mitmproxy-ca.pem").exists()


def test_there_is_no_ca_yet() -> None:
    result = run("show", "--confdir", "conf")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is none; the proxy makes one at its first start" in result.stderr
