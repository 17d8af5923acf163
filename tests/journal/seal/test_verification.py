"""Each way of tampering with a log on real files, by the word that `verify` has for it and the line that it names."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embargo.core.rules import CheckpointSettings
from embargo.journal.reader import Reader
from embargo.journal.record import Encoder
from embargo.journal.seal import keys
from embargo.journal.seal.chain import START, seal_of, sealed
from embargo.journal.seal.finding import Kind
from embargo.journal.seal.verification import Verifier, verify
from embargo.journal.seal.walk import Head
from recorded import OBSERVER, TIME, judged
from sealed_log import DIGEST, Process, edit, resealed, said, usual, verified

A = "decisions-20261124T101512Z-1.jsonl.zst"  # records 1 to 16
B = "decisions-20261124T101524Z-17.jsonl"  # records 17 to 32
LIVE = "decisions.jsonl"  # from 33 on
LATER = "decisions.jsonl"

type Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = tmp_path_factory.mktemp("master") / "log"
    usual(log)
    return log


@pytest.fixture
def log(master: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(master, tmp_path / "log"))


def lines(change: Callable[[list[bytes]], list[bytes]], name: str = B) -> Spoil:
    return lambda log: edit(log / name, change)


def other(line: bytes) -> bytes:
    """The line as somebody would have liked it."""
    assert b'"user":{"name":"alice"}' in line
    return line.replace(b'"user":{"name":"alice"}', b'"user":{"name":"bobby"}')


def forged(sequence: int) -> bytes:
    return Encoder(OBSERVER).line(judged(id=f"forged-{sequence}", policy=DIGEST), sequence=sequence)


def behind(found: list[bytes], place: int) -> bytes:
    """A forged record that is sealed as the next one behind line *place*."""
    previous, sequence = seal_of(found[place - 1]), 17 + place
    assert previous is not None
    return sealed([forged(sequence)], previous)[0]


def rewritten_compressed(change: Callable[[list[bytes]], list[bytes]]) -> Spoil:
    def spoil(log: Path) -> None:
        plain = zstandard.ZstdDecompressor().stream_reader((log / A).read_bytes(), read_across_frames=True).read()
        content = b"".join(change(plain.splitlines(keepends=True)))
        (log / A).write_bytes(zstandard.compress(content))

    return spoil


def copied(log: Path) -> None:
    shutil.copy(log / B, log / "decisions-20261124T101525Z-17.jsonl")


TAMPERED: dict[str, tuple[Spoil, list[tuple[str, str]]]] = {  # case: (what is done, what is found: word, place)
    "nothing": (lambda log: None, []),
    # changed
    "a line changed": (lines(lambda found: [*found[:3], other(found[3]), *found[4:]]), [("changed", f"{B}:4")]),
    "the first line of a file": (lines(lambda found: [other(found[0]), *found[1:]]), [("changed", f"{B}:1")]),
    "the last line of a file": (
        lines(lambda found: [*found[:-1], found[-1].replace(b"seal-checkpoint", b"seal-chockpoint")]),
        [("changed", f"{B}:16")],
    ),
    "the first line of all": (rewritten_compressed(lambda found: [other(found[0]), *found[1:]]), [("changed", f"{A}:1")]),
    "two lines in a row": (
        lines(lambda found: [*found[:3], other(found[3]), other(found[4]), *found[5:]]),
        [("changed", f"{B}:4")],
    ),
    "two lines apart": (
        lines(lambda found: [*found[:1], other(found[1]), *found[2:6], other(found[6]), *found[7:]]),
        [("changed", f"{B}:2"), ("changed", f"{B}:7")],
    ),
    "a seal": (
        lines(lambda found: [*found[:3], found[3][:-10] + (b"00000" if found[3][-10:-5] != b"00000" else b"11111")
                             + found[3][-5:], *found[4:]]),
        [("changed", f"{B}:4")],
    ),
    "a line made garbage": (
        lines(lambda found: [*found[:3], b"#" * (len(found[3]) - 1) + b"\n", *found[4:]]),
        [("changed", f"{B}:4")],
    ),
    "a line, and its seal computed anew": (
        lines(lambda found: [*found[:3], sealed([other(found[3])[:-76] + b"}}\n"], seal_of(found[2]) or b"")[0],
                             *found[4:]]),
        [("changed", f"{B}:4")],
    ),
    "a line, and the chain computed anew to the end of the file": (
        lines(lambda found: resealed([*found[:3], other(found[3]), *found[4:]], 3)),
        [("rewritten", f"{B}:5"), ("rewritten", f"{B}:11"), ("rewritten", f"{B}:16"), ("changed", f"{LIVE}:1")],
    ),
    "the line feed of the last line": (
        lambda log: (log / LIVE).write_bytes((log / LIVE).read_bytes()[:-1] + b"x"),
        [("changed", f"{LIVE}:19")],
    ),
    # removed
    "a line removed": (lines(lambda found: [*found[:3], *found[4:]]), [("removed", f"{B}:4")]),
    "three lines removed": (lines(lambda found: [*found[:3], *found[6:]]), [("removed", f"{B}:4")]),
    "the first line of a file removed": (lines(lambda found: found[1:]), [("removed", f"{B}:1")]),
    "two lines apart removed": (
        lines(lambda found: [*found[:2], *found[3:7], *found[8:]]),
        [("removed", f"{B}:3"), ("removed", f"{B}:7")],
    ),
    "the first line of all removed": (rewritten_compressed(lambda found: found[1:]), [("removed", f"{A}:1")]),
    # inserted
    "a line from elsewhere inserted": (
        lambda log: edit(log / B, lambda found: [*found[:3], (log / LIVE).read_bytes().splitlines(True)[4], *found[3:]]),
        [("reordered", f"{B}:4")],
    ),
    "a line written twice": (lines(lambda found: [*found[:4], found[3], *found[4:]]), [("duplicate", f"{B}:5")]),
    "an unsealed line inserted": (
        lines(lambda found: [*found[:3], forged(20), *found[3:]]),
        [("unsealed", f"{B}:4")],
    ),
    "garbage inserted": (lines(lambda found: [*found[:3], b"garbage\n", *found[3:]]), [("inserted", f"{B}:4")]),
    "an empty line inserted": (lines(lambda found: [*found[:3], b"\n", *found[3:]]), [("inserted", f"{B}:4")]),
    "a sealed line inserted, the rest as it was": (
        lines(lambda found: [*found[:3], behind(found, 3), *found[3:]]),
        [("inserted", f"{B}:4")],
    ),
    "a line inserted, and the chain computed anew": (
        lines(lambda found: resealed([*found[:3], forged(20), *found[3:]], 3)),
        [("rewritten", f"{B}:6"), ("rewritten", f"{B}:12"), ("rewritten", f"{B}:17"), ("inserted", f"{B}:17")],
    ),
    "an unsealed line at the end": (
        lambda log: (log / LIVE).open("ab").write(forged(52)),
        [("unsealed", f"{LIVE}:20")],
    ),
    # reordered
    "two lines swapped": (
        lines(lambda found: [*found[:3], found[4], found[3], *found[5:]]),
        [("reordered", f"{B}:4")],
    ),
    "two lines apart swapped": (
        lines(lambda found: [*found[:3], found[8], *found[4:8], found[3], *found[9:]]),
        [("reordered", f"{B}:4"), ("reordered", f"{B}:5")],
    ),
    "a line moved down": (
        lines(lambda found: [*found[:3], *found[4:9], found[3], *found[9:]]),
        [("reordered", f"{B}:4")],
    ),
    "a line moved up": (
        lines(lambda found: [*found[:3], found[9], *found[3:9], *found[10:]]),
        [("reordered", f"{B}:4")],
    ),
    "a line moved to another file": (
        lambda log: (
            moved := (log / B).read_bytes().splitlines(True)[3],
            edit(log / B, lambda found: [*found[:3], *found[4:]]),
            edit(log / LIVE, lambda found: [*found[:4], moved, *found[4:]]),
        ),
        [("reordered", f"{B}:4")],
    ),
    # truncated, missing
    "the end of a rotated file cut": (lines(lambda found: found[:12]), [("truncated", f"{LIVE}:1")]),
    "the end of a rotated file cut in a line": (
        lambda log: (log / B).write_bytes((log / B).read_bytes()[:-100]),
        [("truncated", f"{LIVE}:1")],
    ),
    "a file removed": (lambda log: (log / B).unlink(), [("file-missing", f"{LIVE}:1")]),
    "the first file removed": (lambda log: (log / A).unlink(), [("file-missing", f"{B}:1")]),
    "a file emptied": (lambda log: (log / B).write_bytes(b""), [("truncated", f"{LIVE}:1")]),
    "a compressed file damaged": (
        lambda log: (log / A).write_bytes((log / A).read_bytes()[:-200]),
        [("file-damaged", f"{A}:1"), ("file-missing", f"{B}:1")],
    ),
    "a compressed file that is none": (
        lambda log: (log / A).write_bytes(b"no zstd"),
        [("file-damaged", f"{A}:1"), ("file-missing", f"{B}:1")],
    ),
    # duplicates
    "a file under a second name": (copied, [("duplicate", "decisions-20261124T101525Z-17.jsonl:1")]),
    "a chain under a second name": (
        lambda log: shutil.copy(log / "decisions.2.jsonl", log / "decisions.3.jsonl"),
        [("duplicate", "decisions.3.jsonl:2"), ("duplicate", "decisions.3.jsonl:6"), ("duplicate", "decisions.3.jsonl")],
    ),
    "another chain in its place": (
        lambda log: shutil.copy(log / "decisions.2.jsonl", log / "audit.jsonl"),
        [("duplicate", "audit.jsonl:2"), ("duplicate", "audit.jsonl:6"), ("duplicate", "decisions.2.jsonl")],
    ),
    "a chain of unsealed lines beside": (
        lambda log: (log / "decisions.7.jsonl").write_bytes(forged(1) + forged(2)),
        [("unsealed", "decisions.7.jsonl:1")],
    ),
    # signatures
    "a checkpoint's signature": (
        lines(lambda found: resealed([*found[:4], found[4].replace(b'"signature":"', b'"signature":"AAAA'),
                                      *found[5:]], 4)),
        [("signature", f"{B}:5"), ("rewritten", f"{B}:11"), ("rewritten", f"{B}:16"), ("changed", f"{LIVE}:1")],
    ),
    "another key in the log": (
        lambda log: shutil.rmtree(log / "seal") or keys.signing_key(log),
        [("unknown-key", f"{A}:2"), ("unknown-key", "audit.jsonl:2"), ("unknown-key", "decisions.2.jsonl:2")],
    ),
    # policies
    "a policy's text changed": (
        lambda log: (log / "policies" / DIGEST).write_bytes(b"version: 2\n"),
        [("policy-changed", f"{A}:1")],
    ),
    "a policy's text removed": (lambda log: (log / "policies" / DIGEST).unlink(), [("policy-missing", f"{A}:1")]),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "expected"), TAMPERED.values(), ids=TAMPERED)
def test_tampering_is_named(spoil: Spoil, expected: list[tuple[str, str]], log: Path) -> None:
    spoil(log)
    result = verified(log)
    assert sorted(said(result.findings)) == sorted(expected), [str(finding) for finding in result.findings]
    assert result.whole is not bool(expected)
