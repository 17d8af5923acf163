import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from embargo.journal.seal import keys
from embargo.journal.seal.keys import KeyUnusable, signing_key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_made_once_for_us_alone(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    seal = tmp_path / "seal"
    assert (mode(seal), mode(seal / "key.pem"), mode(seal / "public.pem")) == (0o700, 0o600, 0o600)
    assert signing_key(tmp_path).private_bytes_raw() == key.private_bytes_raw()
    assert keys.public_key(tmp_path).public_bytes_raw() == key.public_key().public_bytes_raw()
    assert {path.name for path in seal.iterdir()} == {"key.pem", "public.pem", ".lock"}


def test_what_it_signs_is_its_own(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    signature = keys.sign(key, b"message")
    public = keys.from_raw(keys.raw(key.public_key()))
    assert keys.verify(public, signature, b"message")
    assert not keys.verify(public, signature, b"massage")
    assert not keys.verify(public, "no base64!", b"message")
    assert not keys.verify(Ed25519PrivateKey.generate().public_key(), signature, b"message")
    assert len(keys.key_id(public)) == 16


def test_several_processes_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from embargo.journal.seal.keys import key_id, signing_key\n"
        "sys.stdin.read(); print(key_id(signing_key(Path(sys.argv[1])).public_key()))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()  # all go at once
    found = {process.stdout.read() for process in started if process.stdout is not None}
    assert [process.wait(30) for process in started] == [0] * 4
    assert len(found) == 1


UNUSABLE = {  # case: (what happens to LOG/seal, what is said)
    "lost": (lambda seal: (seal / "key.pem").unlink(), "is gone"),
    "emptied": (lambda seal: (seal / "key.pem").write_bytes(b""), "damaged"),
    "damaged": (lambda seal: (seal / "key.pem").write_bytes((seal / "key.pem").read_bytes()[:60]), "damaged"),
    "of another kind": (lambda seal: (seal / "key.pem").write_bytes(pem(X25519PrivateKey.generate())), "Ed25519"),
    "another key": (
        lambda seal: (seal / "key.pem").write_bytes(pem(Ed25519PrivateKey.generate())),
        "is not the key that public.pem belongs to",
    ),
    "a pipe": (lambda seal: ((seal / "key.pem").unlink(), os.mkfifo(seal / "key.pem")), "no regular file"),
    "a directory": (lambda seal: ((seal / "key.pem").unlink(), (seal / "key.pem").mkdir()), "no regular file"),
    "the public key damaged": (lambda seal: (seal / "public.pem").write_bytes(b"no key"), "no public key"),
}


@pytest.mark.parametrize(("spoil", "said"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_key_that_cannot_be_used_is_not_replaced(spoil: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    signing_key(tmp_path)
    spoil(tmp_path / "seal")
    left = {path.name for path in (tmp_path / "seal").iterdir()}
    with pytest.raises(KeyUnusable, match=said):
        signing_key(tmp_path)
    assert {path.name for path in (tmp_path / "seal").iterdir()} == left


def test_where_it_cannot_be_made_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "seal").write_text("no directory")
    with pytest.raises(KeyUnusable, match="seal"):
        signing_key(tmp_path)


def test_a_public_key_that_was_removed_is_written_again(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    (tmp_path / "seal" / "public.pem").unlink()
    assert signing_key(tmp_path).private_bytes_raw() == key.private_bytes_raw()
    assert keys.public_key(tmp_path).public_bytes_raw() == key.public_key().public_bytes_raw()


def test_a_key_is_put_back_into_a_directory_made_anew(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    shutil.rmtree(tmp_path / "seal")
    keys.put_back(tmp_path, key)
    assert signing_key(tmp_path).private_bytes_raw() == key.private_bytes_raw()
    keys.put_back(tmp_path, Ed25519PrivateKey.generate())
    assert signing_key(tmp_path).private_bytes_raw() == key.private_bytes_raw(), "another one stays"


def test_an_old_key_introduces_the_new_one(tmp_path: Path) -> None:
    old = signing_key(tmp_path)
    seal = tmp_path / "seal"
    assert keys.introduction(tmp_path, old) is None
    (seal / "key.pem").rename(seal / "previous.pem")
    (seal / "public.pem").rename(tmp_path / "public-2026.pem")
    new = signing_key(tmp_path)
    said = keys.introduction(tmp_path, new)
    assert said is not None
    assert said.by == keys.key_id(old.public_key())
    assert keys.verify(old.public_key(), said.signature, keys.introduction_message(keys.raw(new.public_key())))
    (seal / "previous.pem").unlink()
    assert keys.introduction(tmp_path, signing_key(tmp_path)) == said, "the old key can be destroyed"
    assert keys.introduction(tmp_path, old) is None, "it is said of the new key alone"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_is_the_directory_owners(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 2345)
    signing_key(tmp_path)
    made = [tmp_path / "seal", *(tmp_path / "seal").iterdir()]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(1234, 2345)}
