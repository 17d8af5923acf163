"""What an anchor has: read from whatever a receiver made of it, and believed only as far as it is signed."""

import json
import os
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from embargo.core.rules import CheckpointSettings
from embargo.journal.event import SealCheckpoint
from embargo.journal.record import Encoder, Observer
from embargo.journal.seal.anchored import Anchored, Source, checkpoints_in, read_anchors
from embargo.journal.seal.checkpoint import checkpoint
from embargo.journal.seal.keys import Introduction, introduction_message, key_id, raw, sign
from embargo.journal.seal.trust import Trust
from journal.retention.graveyard import NOW

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
OBSERVER = Observer(hostname="proxy1", version="0.1.0", pid=1)


def signed(
    sequence: int, seal: str = "ab" * 32, key: Ed25519PrivateKey = KEY, chain: str = "decisions"
) -> SealCheckpoint:
    return checkpoint(
        key, time=NOW, chain=chain, sequence=sequence, seal=seal, settings=CheckpointSettings(), cause="records"
    )


def line(found: SealCheckpoint) -> str:
    return Encoder(OBSERVER).line(found, sequence=found.sequence + 1, identifier="id").decode().rstrip("\n")


ONE, TWO = signed(10), signed(20)
FILES = {  # case: (what the file holds, numbers of the checkpoints in it)
    "as they are": (f"{line(ONE)}\n{line(TWO)}\n", [10, 20]),
    "without the last line feed": (f"{line(ONE)}\n{line(TWO)}", [10, 20]),
    "among others": (f'{{"event":{{"action":"block"}}}}\nrubbish {{\n{line(TWO)}\n', [20]),
    "syslog, RFC 5424": (f'<109>1 2026-11-24T10:15:00Z proxy1 embargo 7 - [x@1 a="{{"] \ufeff{line(ONE)}\n', [10]),
    "syslog, as rsyslog writes it": (f"Nov 24 10:15:00 proxy1 embargo[7] {line(ONE)}\n", [10]),
    "inside a text of another object": (json.dumps({"host": "siem", "message": f"<109> {line(ONE)}"}) + "\n", [10]),
    "inside an object of another": (f'{{"_source":{line(ONE)}}}\n', [10]),
    "two in a line": (f"{line(ONE)} {line(TWO)}\n", [10, 20]),
    "a torn line": (f"{line(ONE)}\n{line(TWO)[:-30]}\n", [10]),
    "a record that only speaks of one": ('{"event":{"action":"log","reason":"seal-checkpoint"},"embargo":{}}\n', []),
    "no seal": (line(ONE).replace("ab" * 32, "zz") + "\n", []),
    "deep": ('{"a":' * 100_000 + '"seal-checkpoint"\n', []),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("text", "numbers"), FILES.values(), ids=FILES)
def test_reading(text: str, numbers: list[int], tmp_path: Path) -> None:
    path = tmp_path / "anchor"
    path.write_text(text, "utf-8")
    assert [found.sequence for found in checkpoints_in(path)] == numbers


def test_reading_what_was_compressed(tmp_path: Path) -> None:
    path = tmp_path / "anchor.zst"
    path.write_bytes(zstandard.compress(f"{line(ONE)}\n".encode()))
    assert [found.sequence for found in checkpoints_in(path)] == [10]
    path.write_bytes(path.read_bytes()[:-9] + b"rubbish!!")
    with pytest.raises(OSError, match="damaged"):
        list(checkpoints_in(path))


def taken(*found: SealCheckpoint) -> Anchored:
    anchored = Anchored()
    anchored.take(found, Trust([KEY.public_key()]), "anchor.jsonl")
    return anchored


def test_the_newest_counts() -> None:
    anchored = taken(TWO, ONE, signed(5, chain="audit"))
    newest = anchored.newest("decisions")
    assert newest is not None
    assert (newest.sequence, newest.seal) == (20, "ab" * 32)
    assert anchored.newest("decisions.2") is None
    assert {(head.chain, head.sequence) for head in anchored.heads} == {
        ("decisions", 20),
        ("decisions", 10),
        ("audit", 5),
    }
    assert anchored.heads[0].source == "the anchor anchor.jsonl (2026-11-24 10:00:00 UTC)"


def test_only_what_is_signed_counts() -> None:
    forged = SealCheckpoint(**{name: getattr(ONE, name) for name in SealCheckpoint.__slots__} | {"sequence": 11})
    anchored = taken(forged, signed(12, key=OTHER), ONE)
    assert anchored.sources["anchor.jsonl"] == Source(genuine=1, foreign=1, forged=1)
    assert list(anchored.claims["decisions"]) == [10]


def test_two_that_contradict_each_other_are_told() -> None:
    """Somebody with the key wrote the log anew after the first had been anchored."""
    anchored = taken(ONE, ONE, signed(10, "cd" * 32))
    ((chain, before, after),) = anchored.contradictions
    assert (chain, before.seal, after.seal) == ("decisions", "ab" * 32, "cd" * 32)


def test_a_new_key_is_believed_where_the_old_one_introduces_it() -> None:
    public = raw(OTHER.public_key())
    said = Introduction(public, key_id(KEY.public_key()), sign(KEY, introduction_message(public)))
    new = checkpoint(
        OTHER,
        time=NOW,
        chain="decisions",
        sequence=30,
        seal="ab" * 32,
        settings=CheckpointSettings(),
        cause="start",
        introduce=True,
        introduction=said,
    )
    anchored = taken(ONE, new, signed(40, key=OTHER))
    assert sorted(anchored.claims["decisions"]) == [10, 30, 40]
    assert anchored.sources["anchor.jsonl"].foreign == 0


def test_several_anchors(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(line(ONE) + "\n")
    (tmp_path / "b").write_text(line(TWO) + "\n" + line(ONE) + "\n")
    anchored = read_anchors([tmp_path / "a", tmp_path / "b"], Trust([KEY.public_key()]))
    assert [(claim.sequence, claim.source) for claim in anchored.claims["decisions"].values()] == [(10, "a"), (20, "b")]
    with pytest.raises(FileNotFoundError):
        read_anchors([tmp_path / "c"], Trust([KEY.public_key()]))


def test_an_anchor_may_come_through_a_pipe() -> None:
    """As a shell makes one: `--anchor <(zcat …)`."""
    reading, writing = os.pipe()
    os.write(writing, line(ONE).encode() + b"\n")
    os.close(writing)
    try:
        assert [found.sequence for found in checkpoints_in(Path(f"/dev/fd/{reading}"))] == [10]
    finally:
        os.close(reading)
