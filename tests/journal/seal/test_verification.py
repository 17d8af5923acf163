"""Each way of tampering with a log on real files, by the word that `verify` has for it and the line that it names."""

import base64
import json
import os
import re
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embargo.journal.files import LogFile
from embargo.journal.reader import Reader
from embargo.journal.record import Encoder
from embargo.journal.seal import keys
from embargo.journal.seal.chain import MARK, seal_of, sealed
from embargo.journal.seal.finding import Kind
from embargo.journal.seal.tally import Head
from embargo.journal.seal.verification import Verifier, verify
from recorded import OBSERVER, TIME, judged
from sealed_log import DIGEST, Process, edit, resealed, said, usual, verified

A = "decisions-20261124T101512Z-1.jsonl.zst"  # records 1 to 16
B = "decisions-20261124T101524Z-17.jsonl"  # records 17 to 31
LIVE = "decisions.jsonl"  # records 32 to 51

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
    time = TIME + timedelta(seconds=99)
    return Encoder(OBSERVER).line(judged(id=f"forged-{sequence}", time=time, policy=DIGEST), sequence=sequence)


def numbered(found: list[bytes]) -> list[bytes]:
    """Lines with the numbers from 1 on, not sealed anew."""
    return [
        re.sub(rb'"sequence":[0-9]+', b'"sequence":%d' % number, line, count=1) for number, line in enumerate(found, 1)
    ]


def renumbered(found: list[bytes], start: int) -> list[bytes]:
    """Lines from *start* on with a number more, not sealed anew."""
    return found[:start] + [
        re.sub(rb'"sequence":([0-9]+)', lambda number: b'"sequence":%d' % (int(number[1]) + 1), line, count=1)
        for line in found[start:]
    ]


def behind(found: list[bytes], place: int) -> bytes:
    """A forged record that is sealed as the next one behind line *place*."""
    previous, sequence = seal_of(found[place - 1]), 17 + place
    assert previous is not None
    return sealed([forged(sequence)], previous)[0]


def last(log: Path) -> bytes:
    seal = seal_of((log / LIVE).read_bytes().splitlines(keepends=True)[-1])
    assert seal is not None
    return seal


def without_the_second(log: Path) -> None:
    processes = [Process(log) for _ in range(3)]
    processes[2].write(2).close()
    for process in processes[:2]:
        process.crash()
    (log / "decisions.2.jsonl").unlink()


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
        [("changed", f"{B}:15")],
    ),
    "the first line of all": (
        rewritten_compressed(lambda found: [other(found[0]), *found[1:]]),
        [("changed", f"{A}:1")],
    ),
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
        lines(lambda found: [*found[:3], sealed([other(found[3])[:-77] + b"}}\n"], seal_of(found[2]) or b"")[0],
                             *found[4:]]),
        [("changed", f"{B}:5")],
    ),
    "a line, and the chain computed anew to the end of the file": (
        lines(lambda found: resealed([*found[:3], other(found[3]), *found[4:]], 3)),
        [("rewritten", f"{B}:6"), ("rewritten", f"{B}:12"), ("rewritten", f"{B}:15"), ("changed", f"{LIVE}:1")],
    ),
    "the line feed of the last line": (
        lambda log: (log / LIVE).write_bytes((log / LIVE).read_bytes()[:-1] + b"x"),
        [("changed", f"{LIVE}:20")],
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
        lambda log: edit(
            log / B, lambda found: [*found[:3], (log / LIVE).read_bytes().splitlines(True)[4], *found[3:]]
        ),
        [("reordered", f"{B}:4"), ("duplicate", f"{LIVE}:5")],
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
        lines(lambda found: resealed([*found[:3], forged(20), *renumbered(found[3:], 0)], 3)),
        [("rewritten", f"{B}:7"), ("rewritten", f"{B}:13"), ("rewritten", f"{B}:16"), ("inserted", f"{LIVE}:1")],
    ),
    "the same to the end, without its checkpoints": (
        lambda log: edit(
            log / "decisions.2.jsonl",
            lambda found: resealed(
                numbered([found[0], forged(2), *[line for line in found if MARK not in line][1:]]), 1
            ),
        ),
        [("unsigned", "decisions.2.jsonl")],
    ),
    "an unsealed line at the end": (
        lambda log: (log / LIVE).open("ab").write(forged(52)),
        [("unsealed", f"{LIVE}:21")],
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
    "a chain removed, not the last": (without_the_second, [("file-missing", "decisions.3.jsonl")]),
    # names
    "an old file made young": (
        lambda log: (log / A).rename(log / A.replace("2026", "2031")),
        [("renamed", A.replace("2026", "2031"))],
    ),
    "a young file made old": (
        lambda log: (log / B).rename(log / B.replace("2026", "2021")),
        [("renamed", B.replace("2026", "2021"))],
    ),
    "a file with another number": (
        lambda log: (log / B).rename(log / B.replace("-17", "-18")),
        [("renamed", B.replace("-17", "-18"))],
    ),
    # what is no file
    "a pipe instead of a file": (
        lambda log: ((log / B).unlink(), os.mkfifo(log / B)),
        [("truncated", f"{LIVE}:1"), ("unreadable", B)],
    ),
    "a pipe instead of the audit chain": (
        lambda log: ((log / "audit.jsonl").unlink(), os.mkfifo(log / "audit.jsonl")),
        [("unreadable", "audit.jsonl")],
    ),
    # what is read by others in another way
    "two frames, a record in the second": (
        lambda log: (log / A).write_bytes((log / A).read_bytes() + zstandard.compress(forged(17))),
        [("unsealed", f"{A}:17")],
    ),
    "garbage behind the compressed data": (
        lambda log: (log / A).write_bytes((log / A).read_bytes() + b"garbage!"),
        [("file-damaged", f"{A}:17")],
    ),
    "a byte order mark": (
        lambda log: (log / B).write_bytes(b"\xef\xbb\xbf" + (log / B).read_bytes()),
        [("changed", f"{B}:1")],
    ),
    "line feeds of another system": (
        lines(lambda found: [*found[:3], found[3][:-1] + b"\r\n", *found[4:]]),
        [("changed", f"{B}:4")],
    ),
    "zeros, as of a hole in the file": (
        lambda log: (log / LIVE).open("ab").write(b"\0" * 4096 + b"\n"),
        [("inserted", f"{LIVE}:21")],
    ),
    "a member twice": (
        lines(lambda found: [*found[:3], found[3].replace(b'"event":{', b'"event":{"sequence":20,', 1), *found[4:]]),
        [("changed", f"{B}:4")],
    ),
    "a seal twice": (
        lines(lambda found: [*found[:3], found[3].replace(b'"embargo":{', b'"embargo":{"seal":"x",', 1), *found[4:]]),
        [("changed", f"{B}:4")],
    ),
    "a number beyond all": (
        lambda log: (log / LIVE).open("ab").write(
            sealed([forged(52).replace(b":52,", b":%s," % (b"9" * 400), 1)], last(log))[0]
        ),
        [("inserted", f"{LIVE}:21")],
    ),
    "a chain that begins with nothing": (
        lambda log: (log / "decisions.3.jsonl").write_bytes(sealed([forged(0)], b"0" * 64)[0]),
        [("unsigned", "decisions.3.jsonl")],
    ),
    # duplicates
    "a file under a second name": (copied, [("duplicate", "decisions-20261124T101525Z-17.jsonl:1")]),
    "a chain under a second name": (
        lambda log: shutil.copy(log / "decisions.2.jsonl", log / "decisions.3.jsonl"),
        [("duplicate", "decisions.3.jsonl:2"), ("duplicate", "decisions.3.jsonl")],
    ),
    "another chain in its place": (
        lambda log: shutil.copy(log / "decisions.2.jsonl", log / "audit.jsonl"),
        [("duplicate", "audit.jsonl:2"), ("duplicate", "decisions.2.jsonl")],
    ),
    "a chain of unsealed lines beside": (
        lambda log: (log / "decisions.7.jsonl").write_bytes(forged(1) + forged(2)),
        [("unsealed", "decisions.7.jsonl:1")],
    ),
    # signatures
    "a checkpoint's signature": (
        lines(lambda found: resealed([*found[:5], found[5].replace(b'"signature":"', b'"signature":"AAAA'),
                                      *found[6:]], 5)),
        [("signature", f"{B}:6"), ("rewritten", f"{B}:12"), ("rewritten", f"{B}:15"), ("changed", f"{LIVE}:1")],
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


def test_a_file_and_a_public_key_are_all_that_it_takes(log: Path, tmp_path: Path) -> None:
    kept = tmp_path / "auditor.pem"
    shutil.copy(log / "seal" / "public.pem", kept)
    shutil.rmtree(log / "seal")
    for path in log.rglob("*"):
        path.chmod(0o500 if path.is_dir() else 0o400)
    result = verify(log, [keys.load_public_key(kept)])
    assert result.whole
    assert [(chain.chain, chain.last, chain.chained) for chain in result.chains] == [
        ("audit", 4, 0),
        ("decisions", 51, 0),
        ("decisions.2", 6, 0),
    ]
    (proven,) = {chain.proven for chain in result.chains if chain.chain == "decisions"}
    assert proven is not None
    assert (proven.sequence, proven.time) == (50, "2026-11-24T10:15:49.123Z")


def crashed_in_a_line(log: Path) -> None:
    Process(log).write(7).crash(b'{"@timestamp":"2026-11-24T10:15:08.123Z","eve')
    Process(log).write(2).close()


def crashed_last(log: Path) -> None:
    Process(log).write(8).crash(forged(9)[:200])


def crashed_and_rotated_by_another(log: Path) -> None:
    Process(log).write(8).crash(b'{"@timest')
    (log / LIVE).rename(log / A.removesuffix(".zst"))
    Process(log).write(2).close()


def upgraded(log: Path) -> None:
    log.mkdir()
    (log / LIVE).write_bytes(forged(1) + forged(2) + forged(3))
    Process(log).write(2).close()


def other_keys(log: Path) -> None:
    Process(log).write(3).close()
    (log / "seal" / "key.pem").rename(log / "seal" / "previous.pem")
    (log / "seal" / "public.pem").rename(log.parent / "auditor.pem")
    Process(log).write(3).close()
    (log / "seal" / "public.pem").rename(log / "seal" / "public-new.pem")
    (log.parent / "auditor.pem").rename(log / "seal" / "public.pem")


def many(log: Path) -> None:
    processes = [Process(log) for _ in range(3)]
    for process in processes * 3:
        process.write(4)
    processes[1].rotate(zst=True).write(3)
    for process in processes:
        process.close()
    Process(log).write(2).close()


def cut_by_a_clock(log: Path) -> None:
    process = Process(log).write(3)
    process.time -= timedelta(hours=1)
    process.write(3).close()


UNTOUCHED: dict[str, tuple[Spoil, set[str]]] = {  # case: (what happened, notes)
    "one process that ended": (lambda log: Process(log).write(3).close(), set()),
    "one that still writes": (lambda log: Process(log).write(8), {"unproven"}),
    "one that has just begun": (lambda log: Process(log).write(1), set()),
    "one that crashed": (lambda log: Process(log).write(8).crash(), {"unproven"}),
    "one that crashed in a line": (crashed_last, {"torn", "unproven"}),
    "a restart after a crash": (crashed_in_a_line, {"signed-late"}),
    "a crash, and the file rotated by another": (crashed_and_rotated_by_another, {"torn", "signed-late"}),
    "rotations": (lambda log: Process(log).write(9).rotate().write(9).rotate(zst=True).write(1).close(), set()),
    "a rotation last": (lambda log: Process(log).write(9).rotate().close(), set()),
    "several processes": (many, set()),
    "records of before sealing": (upgraded, {"before-sealing", "clock"}),
    "a key changed, the old one known": (other_keys, {"key-changed"}),
    "a clock set back": (cut_by_a_clock, {"clock"}),
    "nothing": (lambda log: log.mkdir(), set()),
    "an empty file": (lambda log: Process(log).crash(), set()),
}


@pytest.mark.parametrize(("happened", "notes"), UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_nobody_touched_passes(happened: Spoil, notes: set[str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    happened(log)
    known = [keys.public_key(log)] if (log / "seal" / "public.pem").exists() else []
    result = verify(log, known)
    assert result.whole, [str(finding) for finding in result.findings]
    assert {str(note.kind) for note in result.notes} == notes, [str(note) for note in result.notes]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = tmp_path_factory.mktemp("small") / "log"
    Process(log).write(6).rotate().write(6).close()
    return log


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(data=st.data())
def test_any_byte_changed_in_the_log_is_found(data: st.DataObject, small: Path) -> None:
    """Law: of the files of a log that is closed no byte can be another and `verify` still find it whole."""
    path = data.draw(st.sampled_from(sorted(small.glob("decisions*.jsonl"))))
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != before[place]))
    path.write_bytes(before[:place] + bytes([byte]) + before[place + 1 :])
    try:
        result = verified(small)
        assert not result.whole
        line = before[:place].count(b"\n") + 1
        assert result.findings[0].file == path.name or line == before.count(b"\n")
        assert any(abs((finding.line or 0) - line) <= 1 for finding in result.findings if finding.file == path.name)
    finally:
        path.write_bytes(before)
    assert verified(small).whole


def sealable(found: list[bytes], start: int) -> bool:
    return start > 0 and seal_of(found[start - 1]) is not None and all(line.endswith(b"}}\n") for line in found[start:])


OPERATIONS: dict[str, Callable[[list[bytes], int, int], list[bytes]]] = {
    "delete": lambda found, one, _: found[:one] + found[one + 1 :],
    "cut": lambda found, one, _: found[:one],
    "repeat": lambda found, one, two: [*found[:two], found[one], *found[two:]],
    "move": lambda found, one, two: [*(rest := found[:one] + found[one + 1 :])[:two], found[one], *rest[two:]],
    "change": lambda found, one, _: [*found[:one], found[one].replace(b"a", b"e", 1), *found[one + 1 :]],
    "unseal": lambda found, one, _: [*found[:one], found[one][:-77] + b"}}\n", *found[one + 1 :]],
    "insert garbage": lambda found, one, _: [*found[:one], b"{}\n", *found[one:]],
    "insert": lambda found, one, _: [*found[:one], forged(17 + one), *found[one:]],
    "seal anew": lambda found, one, _: resealed(found, one) if sealable(found, one) else found,
    "join": lambda found, one, _: [*found[:one], found[one][:-1], *found[one + 1 :]],
    "reverse": lambda found, one, two: found[:one] + found[one:two][::-1] + found[two:],
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_whatever_is_done_to_the_lines_of_a_file_is_found(data: st.DataObject, master: Path) -> None:
    """Law: a file between two others whose lines are not those that were written, in their order, is not whole."""
    path = master / B
    before = path.read_bytes()
    found = before.splitlines(keepends=True)
    for name in data.draw(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=1, max_size=4)):
        if len(found) > 1:
            places = st.integers(0, len(found) - 1)
            found = OPERATIONS[name](found, data.draw(places), data.draw(places))
    path.write_bytes(b"".join(found))
    try:
        assert verified(master).whole is (b"".join(found) == before)
    finally:
        path.write_bytes(before)


def test_every_byte_of_a_policy_counts(log: Path) -> None:
    text = log / "policies" / DIGEST
    text.write_bytes(text.read_bytes()[:-1] + b"!")
    assert said(verified(log).findings) == [("policy-changed", f"{A}:1")]


def test_the_manuals_own_check_agrees(log: Path) -> None:
    """What docs/how-to/verify-the-log.md has for who does without us: it passes over a chain, and stops at a change."""
    page = (Path(__file__).parents[3] / "docs/how-to/verify-the-log.md").read_text()
    program = page.partition("```python\n")[2].partition("```")[0]
    plain = zstandard.ZstdDecompressor().stream_reader((log / A).read_bytes(), read_across_frames=True).read()
    chain = plain + (log / B).read_bytes() + (log / LIVE).read_bytes()
    assert subprocess.run([sys.executable, "-c", program], input=chain).returncode == 0
    spoiled = subprocess.run([sys.executable, "-c", program], input=other(chain), capture_output=True)
    assert b"AssertionError" in spoiled.stderr


def test_openssl_agrees(log: Path, tmp_path: Path) -> None:
    """A checkpoint's signature, of the text that the manual gives, by another's code."""
    line = next(line for line in (log / LIVE).read_bytes().splitlines() if MARK in line)
    said = json.loads(line)["embargo"]["checkpoint"]
    text = f"embargo seal checkpoint 1\n{said['chain']}\n{said['sequence']}\n{said['seal']}\n5 60\n"
    (tmp_path / "text").write_text(text)
    (tmp_path / "signature").write_bytes(base64.b64decode(said["signature"]))
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(log / "seal" / "public.pem"), "-rawin",
         "-in", str(tmp_path / "text"), "-sigfile", str(tmp_path / "signature")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Signature Verified Successfully" in done.stdout, done.stderr


# --- the end


def test_a_cut_end_is_known_from_elsewhere_alone(log: Path) -> None:
    before = verified(log)
    anchors = [
        Head(chain.chain, chain.last, chain.seal, "an anchor") for chain in before.chains if chain.seal is not None
    ]
    edit(log / LIVE, lambda found: found[:8])
    blind = verified(log)
    assert (blind.whole, blind.anchors) == (True, 0), "a cut behind a checkpoint cannot be seen"
    result = verified(log, heads=anchors)
    assert said(result.findings) == [("truncated", LIVE)]
    assert result.findings[0].text == "the end was cut off: records 40 to 51 missing, known from an anchor"
    assert verified(log, heads=[Head("decisions", 20, "0" * 64, "an anchor")]).findings[0].kind is Kind.REWRITTEN
    assert verified(log, heads=[anchors[0], anchors[2]]).whole


def test_a_whole_log_of_somebody_without_the_key_is_not_believed(log: Path, tmp_path: Path) -> None:
    key = keys.load_public_key(log / "seal" / "public.pem")
    other_log = tmp_path / "other"
    usual(other_log)
    shutil.copytree(log / "policies", other_log / "policies", dirs_exist_ok=True)
    assert {str(finding.kind) for finding in verify(other_log, [key]).findings} == {"unknown-key"}


def test_a_key_that_nobody_introduces(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Process(log).write(3).close()
    old = keys.public_key(log)
    (log / "seal" / "key.pem").unlink()
    (log / "seal" / "public.pem").unlink()
    Process(log).write(3).close()
    result = verify(log, [old])
    assert said(result.findings) == [("unknown-key", f"{LIVE}:7")]
    assert result.chains[0].proven is not None
    assert result.chains[0].proven.sequence == 4
    assert verify(log, [old, keys.public_key(log)]).whole


PLANTED: dict[str, tuple[Spoil, tuple[str, str]]] = {  # case: (what somebody puts there, what is found)
    "a pipe as a live file": (lambda log: os.mkfifo(log / "decisions.9.jsonl"), ("unreadable", "decisions.9.jsonl")),
    "a device": (lambda log: (log / "decisions.9.jsonl").symlink_to("/dev/zero"), ("unreadable", "decisions.9.jsonl")),
    "a directory": (lambda log: (log / "decisions.9.jsonl").mkdir(), ("unreadable", "decisions.9.jsonl")),
    "a pipe as a rotated file": (
        lambda log: os.mkfifo(log / "decisions.9-20261124T101512Z-1.jsonl"),
        ("unreadable", "decisions.9-20261124T101512Z-1.jsonl"),
    ),
    "a pipe as a policy": (
        lambda log: ((log / "policies" / DIGEST).unlink(), os.mkfifo(log / "policies" / DIGEST)),
        ("policy-missing", f"{A}:1"),
    ),
    "a line without end": (
        lambda log: (log / "decisions.9.jsonl").write_bytes(b"x" * (20 << 20) + b"\n"),
        ("inserted", "decisions.9.jsonl:1"),
    ),
}


@pytest.mark.parametrize(("plant", "expected"), PLANTED.values(), ids=PLANTED)
def test_what_is_planted_holds_up_nothing(plant: Spoil, expected: tuple[str, str], log: Path) -> None:
    plant(log)
    assert expected in said(verified(log).findings)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400) | st.just(-1),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
ACTIONS = ("seal-checkpoint", "log-deleted", "seal-unsigned", "policy-load")
MEMBERS = ("chain", "sequence", "seal", "records", "age", "cause", "key", "signature", "public", "introduced_by",
           "introduction", "first", "last", "file", "accounted", "since", "until")  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(data=st.data())
def test_whatever_stands_in_a_record_verify_says_something(data: st.DataObject, small: Path) -> None:
    """Law: a line with any members, sealed by whoever has no key, ends no verification."""
    path = small / LIVE
    before = path.read_bytes()
    key = keys.key_id(keys.public_key(small))
    details = {name: data.draw(VALUES) for name in data.draw(st.sets(st.sampled_from(MEMBERS)))}
    if data.draw(st.booleans()):
        details |= {"chain": "decisions", "sequence": 1, "seal": "0" * 64, "records": 1, "age": 1, "cause": "age",
                    "key": key, "signature": "AAAA"} | details  # fmt: skip
    members: dict[str, object] = {
        "@timestamp": "2026-11-24T10:16:00.000Z",
        "event": {"action": data.draw(st.sampled_from(ACTIONS)), "sequence": data.draw(st.just(17) | VALUES)},
        "rule": data.draw(VALUES),
        "embargo": data.draw(st.just({"checkpoint": details}) | st.just({"tombstone": details}) | VALUES),
    }
    for name in data.draw(st.sets(st.sampled_from(sorted(members)), max_size=1)):
        members[name] = data.draw(VALUES)
    line = json.dumps(members | {"embargo": members.pop("embargo")}, separators=(",", ":")).encode() + b"\n"
    last = seal_of(before.splitlines(keepends=True)[-1])
    assert last is not None
    path.write_bytes(before + (sealed([line], last)[0] if line.endswith(b"}}\n") else line))
    try:
        assert json.dumps(dict(verified(small).document()))
    finally:
        path.write_bytes(before)


# --- again and again


def test_what_is_new_alone_is_read_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = Process(log).write(12)
    verifier = Verifier(log, [keys.public_key(log)])
    first = verifier.run()
    again = verifier.run()
    assert first.whole and again.whole
    assert again.chains == first.chains
    process.write(4).rotate(zst=True).write(3).rotate().write(7)
    other_process = Process(log).write(2)
    read: list[tuple[int, int]] = []
    later = verifier.run(lambda done, total: read.append((done, total)))
    assert later.whole, [str(finding) for finding in later.findings]
    assert later.chains == verified(log).chains
    for each in (process, other_process):
        each.close()
    assert verifier.run().chains == verified(log).chains
    edit(log / LIVE, lambda found: [*found[:-1], forged(99)])
    assert not verifier.run().whole


@pytest.mark.parametrize("rotations", [1, 2])
@pytest.mark.parametrize("zst", [False, True], ids=["plain", "compressed"])
def test_a_rotation_while_the_files_are_looked_for(rotations: int, zst: bool, tmp_path: Path) -> None:
    """The live file is open when its directory is listed: there it is, too, under another name, and more behind it."""
    log = tmp_path / "log"
    process = Process(log).write(7)
    verifier = Verifier(log, [keys.public_key(log)])
    listed, looks = verifier._listed, 0

    def listed_late() -> list[LogFile]:
        nonlocal looks
        looks += 1
        for _ in range(rotations if looks == 2 else 0):
            process.write(2).rotate(zst=zst).write(3)
        return listed()

    verifier._listed = listed_late  # type: ignore[method-assign]
    assert verifier.run().whole
    result = verifier.run()
    assert result.whole
    assert result.chains == verified(log).chains


SPOILED_BETWEEN: dict[str, Spoil] = {
    "the end cut": lambda log: edit(log / LIVE, lambda found: found[:-2]),
    "the last line changed": lambda log: edit(log / LIVE, lambda found: [*found[:-1], found[-1].replace(b"a", b"e")]),
    "what follows does not": lambda log: (log / LIVE).open("ab").write(forged(99)),
    "the chain removed": lambda log: (log / LIVE).unlink(),
    "a file put in its place": lambda log: ((log / LIVE).unlink(), (log / LIVE).write_bytes(forged(1))),
}


@pytest.mark.parametrize("spoil", SPOILED_BETWEEN.values(), ids=SPOILED_BETWEEN)
def test_a_verifier_that_is_kept_sees_what_happens_to_the_end(spoil: Spoil, tmp_path: Path) -> None:
    log = tmp_path / "log"
    Process(log).write(12).close()
    verifier = Verifier(log, [keys.public_key(log)])
    assert verifier.run().whole
    spoil(log)
    assert not verifier.run().whole


def test_a_part_of_the_time(log: Path) -> None:
    since = verified(log, since=TIME + timedelta(seconds=14))
    assert (since.whole, since.limited) == (True, True)
    assert [chain.tally.files for chain in since.chains] == [1, 2, 1]
    until = verified(log, until=TIME + timedelta(seconds=5))
    assert [chain.tally.files for chain in until.chains] == [1, 1, 1]
    assert until.whole


def test_a_part_that_is_not_signed_yet(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Process(log).write(12).rotate().write(2)
    result = verified(log, since=TIME + timedelta(seconds=60))
    assert result.whole, [str(finding) for finding in result.findings]
    assert result.chains[0].chained == 2


# --- a real writer, killed

KILLED = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from embargo.core.rules import CheckpointSettings, LogSettings
    from embargo.journal.identifier import uuid7
    from embargo.journal.writer import Journal
    from recorded import OBSERVER, judged
    from sealed_log import DIGEST

    journal = Journal(
        Path(sys.argv[1]),
        LogSettings(flush=0.01, rotate_size=300_000, checkpoint=CheckpointSettings(records=100)),
        observer=OBSERVER,
    )
    journal.start()
    count = 0
    while True:
        if journal.offer(judged(id=uuid7(), policy=DIGEST)):
            count += 1
            if count % 1000 == 0:
                print(count, flush=True)
    """
)


def test_writers_that_are_killed_under_load_leave_a_log_that_passes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Process(log).crash()
    for _ in range(2):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", KILLED, str(log)],
                stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
            for _ in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            for _ in range(4):
                assert writer.stdout.readline()
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()
    result = verified(log)
    assert result.whole, [str(finding) for finding in result.findings]
    assert sum(chain.tally.records for chain in result.chains) > 300
    assert len(list(Reader(log).entries())) < sum(chain.tally.records for chain in result.chains)
    with (log / LIVE).open("ab") as file:
        file.write(forged(10**6))
    assert not verified(log).whole
