"""A place in a chain survives rotation, compression, crashes and restarts; what retention took is counted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embargo.journal.files import rotated_name
from embargo.journal.rotation import compress
from embargo.journal.spool import ChainSpool, Place, Spool, sequence_of, time_of

CHAIN = ("decisions", 1)
START = datetime(2026, 11, 24, tzinfo=UTC)


def line(sequence: int, text: str = "") -> bytes:
    time = (START + timedelta(seconds=sequence)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f'{{"@timestamp":"{time}","event":{{"sequence":{sequence},"id":"{sequence}"'
    return f'{head}}},"embargo":{{"text":"{text}"}}}}\n'.encode()


class Writer:
    """Writes a chain as the journal does: append, rotate, compress, delete."""

    def __init__(self, directory: Path, name: str = "decisions.jsonl") -> None:
        self.live = directory / name
        self.next = self.first = 1
        self.rotated: list[Path] = []

    def write(self, count: int) -> None:
        with self.live.open("ab") as target:
            for _ in range(count):
                target.write(line(self.next))
                self.next += 1

    def rotate(self) -> None:
        if self.next == self.first:
            return
        name = rotated_name(self.live.name, START + timedelta(seconds=self.next), self.first)
        self.rotated.append(self.live.rename(self.live.with_name(name)))
        self.live.touch()
        self.first = self.next

    def compress(self) -> None:
        for path in self.rotated:
            if path.exists():
                compress(path)

    def delete_oldest(self) -> None:
        if self.rotated:
            path = self.rotated.pop(0)
            path.unlink(missing_ok=True)
            path.with_name(path.name + ".zst").unlink(missing_ok=True)


def sequences(lines: list) -> list[int | None]:
    return [sequence_of(line.raw) for line in lines]


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


def test_grows_and_goes_on_where_it_was(tmp_path: Path, writer: Writer) -> None:
    writer.write(3)
    spool = ChainSpool(tmp_path, CHAIN)
    assert sequences(spool.read(2)) == [1, 2]
    found = spool.read(10)
    assert sequences(found) == [3]
    assert spool.read(10) == []
    writer.write(2)
    assert sequences(spool.read(10)) == [4, 5]
    assert sequences(ChainSpool(tmp_path, CHAIN, found[0].place).read(10)) == [4, 5]


def test_a_line_is_whole_or_not_there(tmp_path: Path, writer: Writer) -> None:
    writer.write(1)
    with writer.live.open("ab") as target:
        target.write(line(2)[:20])
    spool = ChainSpool(tmp_path, CHAIN)
    assert sequences(spool.read(10)) == [1]
    with writer.live.open("ab") as target:
        target.write(line(2)[20:])
    assert sequences(spool.read(10)) == [2]


def test_over_a_rotation_while_it_reads(tmp_path: Path, writer: Writer) -> None:
    writer.write(3)
    spool = ChainSpool(tmp_path, CHAIN)
    assert sequences(spool.read(1)) == [1]
    writer.rotate()
    writer.write(2)
    writer.compress()
    writer.rotate()
    writer.write(1)
    assert sequences(spool.read(100)) == [2, 3, 4, 5, 6]
    assert spool.missing == 0


def test_inside_a_file_that_was_rotated_and_compressed_meanwhile(tmp_path: Path, writer: Writer) -> None:
    writer.write(5)
    place = ChainSpool(tmp_path, CHAIN).read(2)[-1].place
    writer.rotate()
    writer.write(1)
    assert sequences(ChainSpool(tmp_path, CHAIN, place).read(10)) == [3, 4, 5, 6]
    writer.compress()
    assert sequences(ChainSpool(tmp_path, CHAIN, place).read(10)) == [3, 4, 5, 6]


def test_what_retention_took_is_counted(tmp_path: Path, writer: Writer) -> None:
    writer.write(5)
    place = ChainSpool(tmp_path, CHAIN).read(2)[-1].place
    writer.rotate()
    writer.write(4)
    writer.delete_oldest()
    spool = ChainSpool(tmp_path, CHAIN, place)
    assert sequences(spool.read(10)) == [6, 7, 8, 9]
    assert spool.missing == 3


def test_a_log_begun_anew_is_read_from_its_beginning(tmp_path: Path, writer: Writer) -> None:
    writer.write(5)
    place = ChainSpool(tmp_path, CHAIN).read(5)[-1].place
    writer.live.unlink()
    again = Writer(tmp_path)
    again.write(2)
    # the same first sequence in a shorter file: the offset lies behind its end
    assert sequences(ChainSpool(tmp_path, CHAIN, place).read(10)) == [1, 2]


def test_a_chain_that_comes_later(tmp_path: Path, writer: Writer) -> None:
    spool = Spool(tmp_path / "later", {})
    assert spool.read(10) == []
    (tmp_path / "later").mkdir()
    other = Writer(tmp_path / "later", "decisions.2.jsonl")
    other.write(2)
    assert [(found.chain, sequence_of(found.raw)) for found in spool.read(10)] == [
        (("decisions", 2), 1),
        (("decisions", 2), 2),
    ]


def test_chains_are_merged_by_time(tmp_path: Path, writer: Writer) -> None:
    audit = Writer(tmp_path, "audit.jsonl")
    writer.write(2)
    audit.next = audit.first = 2
    audit.write(2)
    assert [(found.chain[0], time_of(found.raw)[17:19]) for found in Spool(tmp_path, {}).read(10)] == [
        ("decisions", b"01"),
        ("audit", b"02"),
        ("decisions", b"02"),
        ("audit", b"03"),
    ]


def test_a_text_cannot_pose_as_a_sequence() -> None:
    assert sequence_of(line(7, '\\"sequence\\":9')) == 7
    assert sequence_of(b"no record") is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["write", "write", "rotate", "compress", "read", "resume", "lose"]), max_size=25))
def test_law_every_record_once_in_order(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """Whatever happens between reads: each record is read once and in order; only what was deleted is missing."""
    directory = tmp_path_factory.mktemp("log")
    writer, place, missing = Writer(directory), None, 0
    spool, read = ChainSpool(directory, CHAIN), []
    for step in [*steps, "write", "read"]:  # what is missing shows with the next record
        match step:
            case "write":
                writer.write(3)
            case "rotate":
                writer.rotate()
            case "compress":
                writer.compress()
            case "lose":
                writer.delete_oldest()
            case "read":
                for found in spool.read(1_000_000):
                    read.append(sequence_of(found.raw))
                    place = found.place
            case "resume":
                missing += spool.missing
                spool.close()
                spool = ChainSpool(directory, CHAIN, place)
    spool.close()
    assert read == sorted(set(read))
    begun = read[0] if read else writer.next
    assert len(read) + missing + spool.missing == writer.next - begun if read else True


def test_places_are_values() -> None:
    assert Place(first=1, offset=2, sequence=3) == Place(first=1, offset=2, sequence=3)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_a_clock_that_is_set_back_between_rotations(tmp_path: Path, writer: Writer, compressed: bool) -> None:
    """The order of a chain's files is that of their records, whatever their names say of the time."""
    writer.write(3)
    place = ChainSpool(tmp_path, CHAIN).read(2)[-1].place
    for hours, first in ((2, 1), (1, 4)):
        writer.live.rename(tmp_path / rotated_name("decisions.jsonl", START + timedelta(hours=hours), first))
        writer.write(3)
    if compressed:
        for path in list(tmp_path.glob("decisions-*")):
            compress(path)
    for begin, expected in ((None, [*range(1, 10)]), (place, [*range(3, 10)])):
        spool = ChainSpool(tmp_path, CHAIN, begin)
        assert (sequences(spool.read(10)), spool.missing) == (expected, 0)


@pytest.mark.parametrize("begun", [False, True], ids=["from its beginning", "from behind the damage"])
@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_file_holds_up_nothing(tmp_path: Path, writer: Writer, damage: str, begun: bool) -> None:
    writer.write(2000)
    place = ChainSpool(tmp_path, CHAIN).read(1900)[-1].place if begun else Place(first=1, offset=0, sequence=0)
    writer.rotate()
    writer.compress()
    writer.write(2)
    (path,) = tmp_path.glob("*.zst")
    data = bytearray(path.read_bytes())
    data = data[: len(data) // 2] if damage == "cut" else data[:20] + b"\0" * 400 + data[420:]
    path.write_bytes(data)
    spool = ChainSpool(tmp_path, CHAIN, place)
    found = [sequence for sequence in sequences(spool.read(10_000)) if sequence is not None]
    assert found[-2:] == [2001, 2002]
    assert len(found) + spool.missing == 2002 - place.sequence
