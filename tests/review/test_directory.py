"""mitmproxy's directory: a CA put in place whole, its key for us alone, a former one kept."""

import os
import stat
from pathlib import Path

import pytest
from mitmproxy.certs import CertStore

from certificates import limits, sign
from embargo.review.certificate import CertificateError
from embargo.review.directory import install, installed, read_bounded, write_private
from embargo.review.installation import prepare
from sample import NOW

ROOT = sign("root")
PROXY = sign("proxy", ROOT, constraints=limits(["banned.test"]), days=3650)
PREPARED = prepare(PROXY.pem + ROOT.pem, PROXY.key_pem, NOW)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_mitmproxy_signs_with_what_is_installed(tmp_path: Path) -> None:
    assert install(tmp_path / "conf", PREPARED) == []
    store = CertStore.from_store(tmp_path / "conf", "mitmproxy", 2048)
    assert store.default_ca.to_cryptography() == PROXY.certificate
    assert [each.to_cryptography() for each in store.default_chain_certs] == [PROXY.certificate, ROOT.certificate]
    assert installed(tmp_path / "conf") == PREPARED.ca


def test_only_the_certificate_is_for_others(tmp_path: Path) -> None:
    install(tmp_path / "conf", PREPARED)
    assert mode(tmp_path / "conf") == 0o700
    assert {path.name: mode(path) for path in (tmp_path / "conf").iterdir()} == {
        "mitmproxy-ca.pem": 0o600,
        "mitmproxy-ca-cert.pem": 0o644,
        "mitmproxy-ca-cert.cer": 0o644,
        "mitmproxy-ca-cert.p12": 0o644,
    }
    assert b"PRIVATE" not in (tmp_path / "conf" / "mitmproxy-ca-cert.pem").read_bytes()


def test_a_former_ca_is_kept(tmp_path: Path) -> None:
    CertStore.create_store(tmp_path, "mitmproxy", 2048)
    former = (tmp_path / "mitmproxy-ca.pem").read_bytes()
    print_ = installed(tmp_path).fingerprint[:12]
    kept = install(tmp_path, PREPARED)
    assert [path.name for path in kept] == [f"mitmproxy-ca-former-{print_}.pem", f"mitmproxy-ca-former-{print_}.p12"]
    assert kept[0].read_bytes() == former
    assert {mode(path) for path in kept} == {0o600}
    assert not (tmp_path / "mitmproxy-ca.p12").exists(), "it would hold the former key under the new name"
    assert install(tmp_path, PREPARED) == [], "the same again replaces nothing"


def test_a_failure_leaves_the_former_ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CertStore.create_store(tmp_path, "mitmproxy", 2048)
    before = (tmp_path / "mitmproxy-ca.pem").read_bytes()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        install(tmp_path, PREPARED)
    assert (tmp_path / "mitmproxy-ca.pem").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_directory_without_a_ca(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        installed(tmp_path)
    (tmp_path / "mitmproxy-ca.pem").write_bytes(b"x")
    with pytest.raises(CertificateError):
        installed(tmp_path)


def test_a_fresh_file_replaces_nothing_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "key", b"secret", fresh=True)
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (4 * 1024 * 1024 + 1))
    with pytest.raises(OSError, match="too large"):
        read_bounded(tmp_path / "large")


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """By name, whom files and directories were given to by root."""
    given: dict[str, tuple[int, int]] = {}

    def chown(path: Path, user: int, group: int, *, follow_symlinks: bool) -> None:
        given[path.name] = (user, group)

    def fchown(file: int, user: int, group: int) -> None:
        given[Path(f"/proc/self/fd/{file}").readlink().name.split(".")[1]] = (user, group)

    monkeypatch.setattr("os.chown", chown)
    monkeypatch.setattr("os.fchown", fchown)
    return given


@pytest.mark.parametrize("root", [True, False], ids=["root", "somebody"])
def test_what_root_writes_is_the_directorys_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owned: dict[str, tuple[int, int]], root: bool
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    install(tmp_path / "state" / "conf", PREPARED)
    write_private(tmp_path / "key", b"secret", fresh=True)
    found = tmp_path.stat()
    names = {"state", "conf", "mitmproxy-ca", "mitmproxy-ca-cert", "key"} if root else set()
    assert owned == dict.fromkeys(names, (found.st_uid, found.st_gid))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_files_to_another(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1235)
    install(tmp_path / "conf", PREPARED)
    assert {
        (path.stat().st_uid, path.stat().st_gid) for path in (tmp_path / "conf", *(tmp_path / "conf").iterdir())
    } == {(1234, 1235)}
    assert mode(tmp_path / "conf" / "mitmproxy-ca.pem") == 0o600
