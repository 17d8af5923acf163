"""The census's files: both ways, what is broken in them, what is deleted."""

import json
import os
import resource
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from embargo.core.request import Surface
from embargo.core.seen import Seen, Unread
from embargo.traffic import census
from embargo.traffic.census import HostCount, NoCensus, day_of, hour_of, is_census, new_name, read, trim, write

NOW = datetime(2026, 11, 24, 10, 20, 30, tzinfo=UTC)
HOUR, DAY = hour_of(NOW), day_of(NOW)
COUNTS = [
    HostCount(host="www.example.com", requests=340, clients=41),
    HostCount(host="example.net", below=True, requests=17),
    HostCount(host="2001:db8::1", requests=9, clients=6),
    HostCount(host="www.example.com", requests=3, clients=5, surface=Surface.DNS),
]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / new_name(HOUR)
    write(path, HOUR, COUNTS, 12)
    assert list(read(path)) == [
        Seen(request="[2001:db8::1]", time=HOUR.begin, count=9, clients=6),
        Seen(request="example.net", time=HOUR.begin, count=17),
        Seen(request="www.example.com", time=HOUR.begin, count=340, clients=41),
        Seen(request="www.example.com", time=HOUR.begin, count=3, clients=5, surface=Surface.DNS),
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [path.name], "nothing is left beside it"


def test_the_text_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / new_name(HOUR)
    write(path, HOUR, COUNTS[:2], 12)
    with path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file).read().decode()
    assert text.splitlines() == [
        '{"census":1,"from":"2026-11-24T10:00:00Z","until":"2026-11-24T11:00:00Z","others":12}',
        '{"below":"example.net","requests":17}',
        '{"host":"www.example.com","requests":340,"clients":41}',
    ]
    plain = tmp_path / "census.txt"
    plain.write_text(text)
    assert list(read(plain)) == list(read(path)), "as zstdcat prints it"


def test_a_directory_is_read_oldest_first(tmp_path: Path) -> None:
    for days in (2, 0, 1):
        period = hour_of(NOW - timedelta(days=days))
        write(tmp_path / new_name(period), period, COUNTS[:1], 0)
    write(tmp_path / new_name(DAY), DAY, COUNTS[1:2], 0)
    (tmp_path / "notes.txt").write_text("no census")
    (tmp_path / "20261124T09Z-0000beef.jsonl").write_text("no census either\n")
    assert is_census(tmp_path)
    found = list(read(tmp_path))
    assert [each.time for each in found if isinstance(each, Seen)] == [
        datetime(2026, 11, 22, 10, tzinfo=UTC),
        datetime(2026, 11, 23, 10, tzinfo=UTC),
        datetime(2026, 11, 24, 10, tzinfo=UTC),
        datetime(2026, 11, 24, tzinfo=UTC),
    ]
    assert [each for each in found if isinstance(each, Unread)] == [
        Unread("20261124T09Z-0000beef.jsonl", "it does not begin as a census does")
    ]


HEAD = '{"census":1,"from":"2026-11-24T10:00:00Z","until":"2026-11-24T11:00:00Z","others":0}'
BROKEN = {  # case: (a line, what is said of it)
    "no JSON": ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    "no object": ("[]", "no object"),
    "no host": ('{"requests":1}', "no host"),
    "a host that is no text": ('{"host":5,"requests":1}', "no host"),
    "no requests": ('{"host":"a.example"}', "requests: None"),
    "requests in words": ('{"host":"a.example","requests":"many"}', "requests: 'many'"),
    "fewer than one": ('{"host":"a.example","requests":0}', "requests: 0"),
    "clients in words": ('{"host":"a.example","requests":1,"clients":"all"}', "clients: 'all'"),
    "an unknown surface": ('{"host":"a.example","requests":1,"surface":"sea"}', "'sea' is not a valid Surface"),
    "brackets without end": ("[" * 2000, None),
}


@pytest.mark.parametrize(("line", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_told_and_the_next_is_read(tmp_path: Path, line: str, why: str | None) -> None:
    path = tmp_path / "census.txt"
    path.write_text(f'{HEAD}\n{line}\n{{"host":"a.example","requests":2}}\n')
    broken, whole = read(path)
    assert isinstance(broken, Unread)
    assert broken.where == "census.txt, line 2"
    assert why is None or broken.why == why
    assert isinstance(whole, Seen)
    assert whole.count == 2


NONE = {
    "empty": b"",
    "another text": b"127.0.0.1 a.example\n",
    "JSON of another kind": b'{"@timestamp":"2026-11-24T10:00:00Z"}\n',
    "a list": b"[1]\n",
    "a number": b"5\n",
    "a later version": b'{"census":2,"from":"2026-11-24T10:00:00Z"}\n',
    "a time without zone": b'{"census":1,"from":"2026-11-24T10:00:00"}\n',
    "a time before the calendar": b'{"census":1,"from":"0001-01-01T00:00:00+14:00"}\n',
    "not compressed, though it says so": zstandard.FRAME_HEADER + b"no, it is not",
    "one endless line": b"a" * 1_000_000,
    "one endless line, compressed": zstandard.compress(b"a" * 10_000_000),
}


@pytest.mark.parametrize("content", NONE.values(), ids=NONE)
def test_what_is_no_census(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "20261124T10Z-0000beef.jsonl"
    path.write_bytes(content)
    with pytest.raises(NoCensus):
        list(read(path))
    assert not is_census(path)


def test_a_file_cut_short_gives_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / new_name(HOUR)
    write(path, HOUR, [HostCount(host=f"h{os.urandom(8).hex()}.example", requests=1) for _ in range(50_000)], 0)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    found = list(read(path))
    assert 1000 < sum(isinstance(each, Seen) for each in found) < 50_000
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    path.write_bytes(flipped)
    list(read(path))  # raises nothing


def test_reading_takes_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "census.txt"
    with path.open("w") as file:
        file.write(HEAD + "\n")
        for number in range(100_000):
            file.write(f'{{"host":"host{number}.example.com","requests":1}}\n')
    sum(1 for _ in read(path))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(each.count for each in read(path) if isinstance(each, Seen)) == 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096  # KiB


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / new_name(HOUR)
    write(path, HOUR, COUNTS[:1], 0)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(census.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, HOUR, COUNTS, 0)
    assert len(list(read(path))) == 1
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_old_files_are_deleted(tmp_path: Path) -> None:
    periods = [hour_of(NOW - timedelta(days=days)) for days in (0, 29, 30, 31)] + [day_of(NOW - timedelta(days=31))]
    paths = [tmp_path / new_name(period) for period in periods]
    for path, period in zip(paths, periods, strict=True):
        write(path, period, COUNTS, 0)
    odd = tmp_path / "20261399T10Z-0000beef.jsonl.zst"
    odd.touch()
    part, fresh = tmp_path / "a.part", tmp_path / "b.part"
    part.touch()
    fresh.touch()
    os.utime(part, (0, 0))
    os.utime(fresh, (NOW.timestamp(), NOW.timestamp()))
    other = tmp_path / "notes.txt"
    other.touch()
    trim(tmp_path, NOW)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in (*paths[:3], fresh, other)}


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    """Neither waited for, as a FIFO would be, nor in the way of what is old."""
    path = tmp_path / new_name(HOUR)
    write(path, HOUR, COUNTS[:1], 0)
    os.mkfifo(tmp_path / "20200101Z-00000000.jsonl.zst")
    (tmp_path / "20200102Z-00000000.jsonl.zst").mkdir()
    (tmp_path / "20200103Z-00000000.jsonl.zst").symlink_to("nowhere")
    assert len(list(read(tmp_path))) == 1
    trim(tmp_path, NOW + timedelta(days=40))
    assert not path.exists()


def test_the_oldest_make_room(tmp_path: Path) -> None:
    periods = [hour_of(NOW - timedelta(hours=hours)) for hours in range(5)]
    paths = [tmp_path / new_name(period) for period in periods]
    for path, period in zip(paths, periods, strict=True):
        write(path, period, COUNTS, 0)
    each = paths[0].stat().st_blocks * 512
    trim(tmp_path, NOW, most_bytes=3 * each)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths[:3]}


def test_no_two_files_have_one_name() -> None:
    assert len({new_name(HOUR) for _ in range(100)}) == 100
    assert json.loads(HEAD)["census"] == 1
