"""What the report says of the seal: never more than its verification did."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from embargo.journal import audit
from embargo.journal.record import Encoder
from embargo.journal.seal.chain import START as START_OF_CHAIN
from embargo.journal.seal.chain import sealed
from embargo.journal.seal.keys import signing_key
from embargo.review.report.proof import Proof, prove
from recorded import EXCEPTION, OBSERVER

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    directory = tmp_path / "log"
    directory.mkdir(mode=0o700)
    signing_key(directory)
    for _ in range(3):
        audit.record(directory, EXCEPTION)
    return directory


def proof(log: Path, key: Path | None = None) -> Proof:
    return prove(log, START, END, key)


def test_a_whole_log(log: Path) -> None:
    found = proof(log)
    assert (found.whole, found.word) == (True, "whole")
    assert found.summary.startswith("The log is whole, as far as its seal shows: ")
    assert any(line.startswith("chain audit: ") for line in found.transcript)
    assert any("cannot be known" in line for line in found.warnings)  # no anchor
    assert any("taken from beside the log" in line for line in found.warnings)


def test_a_changed_log(log: Path) -> None:
    path = log / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b"press review", b"press revieW", 1))
    found = proof(log)
    assert found.whole is False
    assert "audit.jsonl:1: changed" in found.summary
    assert any(line.startswith("  audit.jsonl:1: changed") for line in found.transcript)


def test_a_key_kept_elsewhere(log: Path, tmp_path: Path) -> None:
    kept = tmp_path / "public.pem"
    kept.write_bytes((log / "seal" / "public.pem").read_bytes())
    assert not any("taken from beside" in line for line in proof(log, kept).warnings)


def test_another_key(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    key = Ed25519PrivateKey.generate().public_key()
    other.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert proof(log, other).whole is False


def test_a_log_that_nothing_signs(tmp_path: Path) -> None:
    signing_key(tmp_path)
    line = Encoder(OBSERVER).line(EXCEPTION, sequence=1, identifier=str(UUID(int=1)))
    (tmp_path / "audit.jsonl").write_bytes(b"".join(sealed([line], START_OF_CHAIN)))
    found = proof(tmp_path)
    assert (found.whole, found.word) == (True, "not signed")
    assert "could have made them anew" in found.summary


def test_no_key(log: Path) -> None:
    (log / "seal" / "public.pem").unlink()
    found = proof(log)
    assert (found.whole, found.transcript) == (None, ())
    assert "its public key cannot be read" in found.summary


def test_a_key_that_is_none(log: Path, tmp_path: Path) -> None:
    (tmp_path / "k.pem").write_text("hello")
    with pytest.raises(ValueError, match="key"):
        proof(log, tmp_path / "k.pem")


def test_no_records(tmp_path: Path) -> None:
    signing_key(tmp_path)
    found = proof(tmp_path)  # the key was made when the log was begun, and its records are gone
    assert found.whole is False
    assert "not one record" in found.summary
