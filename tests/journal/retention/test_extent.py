"""What a rotated file holds."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard

from embargo.journal.retention.extent import begun, extent, found_in
from journal.retention.graveyard import NOW, Chain, line


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_extent(compressed: bool, tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.rotated(20)
    file = chain.rotated(10, 5, compressed=compressed)
    held = extent(file)
    began = NOW - timedelta(days=10, minutes=60)
    assert (held.first, held.last, held.records) == (4, 8, 5)
    assert held.seal == chain.seal.decode()
    assert (held.since, held.until) == (began, began + timedelta(minutes=4))
    assert begun(file) == began


DAMAGED = {  # case: (what the file holds, first, last, seal is known)
    "empty": (b"", 1, None, False),
    "no records": (b"rubbish\nmore\n", 1, None, False),
    "its last line is torn": (line(1, NOW) + line(2, NOW) + b'{"@timest', 1, 2, False),
    "its first line is none": (b"rubbish\n" + line(7, NOW), 1, 7, False),
}


@pytest.mark.parametrize(("data", "first", "last", "sealed"), DAMAGED.values(), ids=DAMAGED)
def test_damage(data: bytes, first: int, last: int | None, sealed: bool, tmp_path: Path) -> None:
    file = Chain(tmp_path).rotated(10, compressed=False)
    file.path.write_bytes(data)
    held = extent(file)
    assert (held.first, held.last, held.seal is not None) == (first, last, sealed)


def test_a_compressed_file_that_was_cut_tells_what_it_can(tmp_path: Path) -> None:
    file = Chain(tmp_path).rotated(10, 20_000)
    file.path.write_bytes(file.path.read_bytes()[:-5000])
    held = extent(file)
    assert held.first == 1
    assert held.last is None or held.last <= 20_000
    assert begun(file) is not None
    file.path.write_bytes(zstandard.compress(b"x")[:3])
    assert (extent(file).last, begun(file)) == (None, None)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_found_in(compressed: bool, tmp_path: Path) -> None:
    """Also what lies across two blocks of reading."""
    file = Chain(tmp_path).rotated(10, compressed=False)
    needles = {b"a" * 64, b"b" * 64, b"c" * 64}
    data = b"x" * ((1 << 20) - 30) + b"a" * 64 + b"y" * 5000 + b"b" * 64 + b"\n"
    path = file.path.with_name(f"{file.path.name}.zst") if compressed else file.path
    path.write_bytes(zstandard.compress(data) if compressed else data)
    assert found_in(replace(file, path=path, compressed=compressed), needles) == {b"a" * 64, b"b" * 64}


def test_a_file_that_cannot_be_read_to_its_end_is_not_searched(tmp_path: Path) -> None:
    file = Chain(tmp_path).rotated(10, compressed=False)
    file.path.write_bytes(file.path.read_bytes()[:-3])
    with pytest.raises(OSError, match="cut short"):
        found_in(file, {b"a"})
