"""Which policies were in force: told from the log, their texts from the store beside it."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from embargo.journal.event import Outcome, PolicyChanged
from embargo.journal.livefile import LiveFile
from embargo.journal.record import Encoder
from embargo.review.history import NoSuchPolicy, stored_text, versions
from recorded import OBSERVER
from recorded import TIME as PRECISE

TIME = PRECISE.replace(microsecond=PRECISE.microsecond // 1000 * 1000)  # a record has milliseconds

ONE, TWO = b"one", b"two"


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def kept(log: Path, *texts: bytes) -> None:
    (log / "policies").mkdir(parents=True, exist_ok=True)
    for text in texts:
        (log / "policies" / digest(text)).write_bytes(text)


def log_of(log: Path, *loads: PolicyChanged) -> None:
    log.mkdir(exist_ok=True)
    file = LiveFile.open(log)
    encoder = Encoder(OBSERVER)
    file.append([encoder.line(each, sequence=at, identifier=f"id-{at}") for at, each in enumerate(loads, 1)])
    file.close()


def load(text: bytes, hours: int, outcome: Outcome = Outcome.SUCCESS, stricter: int = 0) -> PolicyChanged:
    return PolicyChanged(
        time=TIME + timedelta(hours=hours),
        outcome=outcome,
        old=None,
        new=digest(text),
        files=("site.yaml",),
        stricter=tuple(f"line {number}" for number in range(stricter)),
    )


def test_the_newest_first_and_each_stretch_once(tmp_path: Path) -> None:
    kept(tmp_path, ONE)
    log_of(
        tmp_path,
        load(ONE, 0),
        load(ONE, 0),  # another worker
        load(TWO, 1, stricter=3),
        load(b"bad", 2, Outcome.FAILURE),
        load(ONE, 3),
    )
    found = versions(tmp_path)
    assert [(each.digest, each.since, each.stored) for each in found] == [
        (digest(ONE), TIME + timedelta(hours=3), True),
        (digest(TWO), TIME + timedelta(hours=1), False),
        (digest(ONE), TIME, True),
    ]
    assert (found[1].stricter, found[1].milder, found[1].files) == (3, 0, ("site.yaml",))


def test_the_text(tmp_path: Path) -> None:
    kept(tmp_path, ONE, TWO)
    assert stored_text(tmp_path, digest(ONE)[:8]) == ONE
    assert stored_text(tmp_path, digest(TWO)) == TWO


REFUSED = {
    "none begins so": ("0000", "no policy stored"),
    "too short": ("ab", "is no digest"),
    "no digest": ("../../etc/passwd", "is no digest"),
    "capitals": ("ABCD", "is no digest"),
}


@pytest.mark.parametrize(("asked", "why"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path: Path, asked: str, why: str) -> None:
    kept(tmp_path, ONE)
    with pytest.raises(NoSuchPolicy, match=why):
        stored_text(tmp_path, asked)


def test_several_begin_so(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    for last in "ab":
        (tmp_path / "policies" / f"12345{last}").touch()
    with pytest.raises(NoSuchPolicy, match="2 stored policies begin with 12345"):
        stored_text(tmp_path, "12345")


def test_a_text_that_was_changed(tmp_path: Path) -> None:
    kept(tmp_path, ONE)
    (tmp_path / "policies" / digest(ONE)).write_bytes(TWO)
    with pytest.raises(NoSuchPolicy, match="was changed"):
        stored_text(tmp_path, digest(ONE))
