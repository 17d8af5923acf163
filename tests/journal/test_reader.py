from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from embargo.journal.reader import Reader
from embargo.journal.record import Encoder, Record
from recorded import OBSERVER, TIME, judged

ENCODER = Encoder(OBSERVER)


def line(second: int) -> bytes:
    """A record *second* seconds after the first; its id is that number."""
    event = judged(id=str(second), time=TIME + timedelta(seconds=second), user="odd" if second % 2 else "even")
    return ENCODER.line(event, sequence=second + 1)


def lines(seconds: Iterable[int]) -> bytes:
    return b"".join(map(line, seconds))


def fill(directory: Path) -> None:
    """Two chains over rotated, compressed and live files, and what is no record."""
    (directory / "decisions-20261124T101510Z-1.jsonl.zst").write_bytes(zstandard.compress(lines([0, 2, 4])))
    (directory / "decisions-20261124T101520Z-4.jsonl").write_bytes(lines([12, 14]))
    (directory / "decisions.jsonl").write_bytes(lines([22, 24]) + line(26)[:-30])
    (directory / "decisions.2-20261124T101512Z-1.jsonl.zst").write_bytes(
        zstandard.compress(lines([1])) + zstandard.compress(lines([3, 11]))
    )
    (directory / "decisions.2.jsonl").write_bytes(lines([13, 23]))
    (directory / "decisions-20261124T101520Z-4.jsonl.zst.part").write_bytes(b"half")
    (directory / "audit-20261124T101506Z-1.jsonl").write_bytes(lines([5]))
    (directory / "audit.jsonl").write_bytes(lines([15]))
    (directory / "census.jsonl").write_bytes(lines([99]))


def ids(entries: Iterable[object]) -> list[int]:
    return [int(entry.record.id) for entry in entries]  # type: ignore[attr-defined]


ALL = [0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 22, 23, 24]


def test_everything_by_time(tmp_path: Path) -> None:
    fill(tmp_path)
    reader = Reader(tmp_path)
    entries = list(reader.entries())
    assert ids(entries) == ALL
    assert reader.broken.count == 0, "a line still being written is not broken"
    assert entries[0].raw + b"\n" == line(0)


def odd(record: Record) -> bool:
    return record.user == "odd"


NEWEST = {  # case: (count, predicate, seconds of `since`, ids)
    "none": (0, None, None, []),
    "one": (1, None, None, [24]),
    "over files and chains": (7, None, None, [12, 13, 14, 15, 22, 23, 24]),
    "all": (14, None, None, ALL),
    "more than there are": (99, None, None, ALL),
    "that match": (3, odd, None, [13, 15, 23]),
    "that match, into compressed files": (9, odd, None, [1, 3, 5, 11, 13, 15, 23]),
    "since": (99, None, 22, [22, 23, 24]),
}


@pytest.mark.parametrize(("count", "matches", "since", "expected"), NEWEST.values(), ids=NEWEST)
def test_newest(count: int, matches: object, since: int | None, expected: list[int], tmp_path: Path) -> None:
    fill(tmp_path)
    instant = TIME.replace(microsecond=0) + timedelta(seconds=since) if since is not None else None
    found = Reader(tmp_path).newest(count, matches, instant)  # type: ignore[arg-type]
    assert [number for number in ids(found) if since is None or number >= since] == expected


def test_a_file_rotated_within_the_second_is_opened(tmp_path: Path) -> None:
    (tmp_path / "decisions-20261124T101522Z-1.jsonl").write_bytes(lines([22]))
    assert ids(Reader(tmp_path).entries(since=TIME.replace(microsecond=100_000) + timedelta(seconds=22))) == [22]


def test_files_before_since_are_not_opened(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "decisions-20261124T101510Z-1.jsonl.zst").write_bytes(b"never read")
    reader = Reader(tmp_path)
    found = ids(reader.entries(since=TIME + timedelta(seconds=13)))
    assert found == [12, 13, 14, 15, 22, 23, 24]
    assert reader.broken.count == 0


DAMAGE = {  # case: (file, its content, lines reported, ids that are still read)
    "a broken line": ("decisions.jsonl", lines([1]) + b"garbage\n" + lines([2]), 1, [1, 2]),
    "another's record": ("decisions.jsonl", lines([1]) + b'{"message":"hello"}\n' + lines([2]), 1, [1, 2]),
    "blank lines": ("decisions.jsonl", lines([1]) + b"\n \n" + lines([2]), 0, [1, 2]),
    "no zstd": ("decisions-20261124T101510Z-1.jsonl.zst", b"garbage", 1, []),
    "zstd cut short": ("decisions-20261124T101510Z-1.jsonl.zst", zstandard.compress(lines([1]))[:-9], 0, []),
    "an empty file": ("decisions.jsonl", b"", 0, []),
    "a directory": ("decisions-20261124T101510Z-1.jsonl/x", b"", 1, []),
}


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize(("name", "content", "count", "expected"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_counted_and_never_fatal(
    name: str, content: bytes, count: int, expected: list[int], backwards: bool, tmp_path: Path
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    reader = Reader(tmp_path)
    assert ids(reader.newest(99) if backwards else reader.entries()) == expected
    assert (reader.broken.count, len(reader.broken.places)) == (count, count)


def test_a_rotation_while_reading_loses_nothing(tmp_path: Path) -> None:
    """The live file is rotated, compressed and followed by another while the first record is being read."""
    (tmp_path / "decisions-20261124T101510Z-1.jsonl").write_bytes(lines([0, 1]))
    live = tmp_path / "decisions.jsonl"
    live.write_bytes(lines([2, 3]))
    entries = Reader(tmp_path).entries()
    first = next(entries)
    aside = tmp_path / "decisions-20261124T101520Z-3.jsonl"
    live.rename(aside)
    (tmp_path / f"{aside.name}.zst").write_bytes(zstandard.compress(aside.read_bytes()))
    aside.unlink()
    live.write_bytes(lines([4]))
    assert ids([first, *entries]) == [0, 1, 2, 3]


def test_a_file_compressed_since_it_was_listed_is_found(tmp_path: Path) -> None:
    names = ["decisions-20261124T101510Z-1.jsonl", "decisions-20261124T101520Z-3.jsonl"]
    for name, numbers in zip(names, ([0, 1], [2, 3]), strict=True):
        (tmp_path / name).write_bytes(lines(numbers))
    entries = Reader(tmp_path).entries()
    first = next(entries)
    (tmp_path / f"{names[1]}.zst").write_bytes(zstandard.compress(lines([2, 3])))
    (tmp_path / names[1]).unlink()
    assert ids([first, *entries]) == [0, 1, 2, 3]


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(Reader(tmp_path / "none").entries())


@given(st.lists(st.lists(st.integers(0, 1000), max_size=8), max_size=5), st.integers(0, 50))
def test_newest_is_the_end_of_everything(chains: list[list[int]], count: int) -> None:
    """Reading from the end finds what reading everything finds, whatever the chains hold."""
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        for number, seconds in enumerate(chains, 1):
            name = "decisions.jsonl" if number == 1 else f"decisions.{number}.jsonl"
            (Path(directory) / name).write_bytes(lines(sorted(seconds)))
        everything = ids(Reader(Path(directory)).entries())
        assert everything == sorted(everything)
        newest = ids(Reader(Path(directory)).newest(count))
        assert newest == everything[max(0, len(everything) - count) :]
