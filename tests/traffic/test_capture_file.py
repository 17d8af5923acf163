"""Capture files: both formats, either byte order, and where they break."""

import io
import struct
from datetime import UTC, datetime, timedelta

import pytest

from embargo.core.seen import Unread
from embargo.traffic.capture_file import LARGEST, Frame, frames
from frames import BEGIN, block, enhanced, interface, pcap, pcapng, section

WHEN = datetime(2026, 11, 24, 12, tzinfo=UTC)
HALF = timedelta(milliseconds=500)
PAIR = [b"first frame", b"second"]


def read(data: bytes) -> list[Frame | Unread]:
    return list(frames(io.BytesIO(data)))


def told(data: bytes) -> list[tuple[int, bytes, datetime | None] | str]:
    return [item.why if isinstance(item, Unread) else (item.link, item.data, item.time) for item in read(data)]


BOTH = [(1, PAIR[0], WHEN + HALF), (1, PAIR[1], WHEN + HALF + timedelta(seconds=1))]
TICKS = BEGIN * 10**6
OPTIONS = {  # case: (options of the interface, ticks, time)
    "microseconds": (b"", TICKS, WHEN),
    "nanoseconds": (struct.pack("<HHBxxx", 9, 1, 9), BEGIN * 10**9 + 5 * 10**8, WHEN + HALF),
    "powers of two": (struct.pack("<HHBxxx", 9, 1, 0x80 | 10), BEGIN * 1024 + 512, WHEN + HALF),
    "an offset": (struct.pack("<HHq", 14, 8, BEGIN), 500_000, WHEN + HALF),
    "behind a comment": (struct.pack("<HH4sHHBxxx", 1, 3, b"abc", 9, 1, 9), BEGIN * 10**9, WHEN),
    "behind the end": (struct.pack("<HHHHBxxx", 0, 0, 9, 1, 9), TICKS, WHEN),
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcap(order: str, nanoseconds: bool) -> None:
    assert told(pcap(PAIR, order=order, nanoseconds=nanoseconds)) == BOTH


def test_the_link_type_without_what_is_above_it() -> None:
    assert [item.link for item in read(pcap(PAIR, link=0x24000001)) if isinstance(item, Frame)] == [1, 1]


@pytest.mark.parametrize("order", "<>")
def test_pcapng(order: str) -> None:
    data = section(order) + interface(1, order) + enhanced(b"abc", TICKS, order=order)
    assert told(data) == [(1, b"abc", WHEN)]


@pytest.mark.parametrize(("options", "ticks", "when"), OPTIONS.values(), ids=OPTIONS)
def test_the_clock_of_an_interface(options: bytes, ticks: int, when: datetime) -> None:
    assert told(section() + interface(options=options) + enhanced(b"abc", ticks)) == [(1, b"abc", when)]


def test_each_interface_has_its_own() -> None:
    data = section() + interface(1) + interface(101, options=struct.pack("<HHBxxx", 9, 1, 9))
    data += enhanced(b"x", TICKS, 0) + enhanced(b"y", BEGIN * 10**9, 1)
    assert told(data) == [(1, b"x", WHEN), (101, b"y", WHEN)]


def test_a_section_describes_its_own_interfaces() -> None:
    data = section() + interface(1) + enhanced(b"x") + section(">") + interface(101, ">") + enhanced(b"y", order=">")
    assert told(data) == [(1, b"x", WHEN), (101, b"y", WHEN)]


def test_other_blocks() -> None:
    names = block(4, bytes(8))
    simple = block(3, struct.pack("<I", 3) + b"abc")
    old = block(2, struct.pack("<HHIIII", 0, 0, TICKS >> 32, TICKS & 0xFFFFFFFF, 3, 3) + b"abc")
    assert told(section() + interface() + names + simple + old) == [(1, b"abc", None), (1, b"abc", WHEN)]


BROKEN: dict[str, tuple[bytes, list[str]]] = {
    "no capture": (b"rubbish", ["no pcap or pcapng file"]),
    "empty": (b"", ["no pcap or pcapng file"]),
    "pcap, cut in its header": (pcap([])[:-4], ["the file is cut within it"]),
    "pcap, cut in a packet's header": (pcap(PAIR)[:-15], ["the file is cut within its header"]),
    "pcap, cut in a packet": (pcap(PAIR)[:-1], ["the file is cut within it"]),
    "pcap, a size beyond all": (
        pcap([]) + struct.pack("<IIII", 0, 0, LARGEST + 1, 0),
        [f"{LARGEST + 1} bytes are claimed, so that nothing behind it can be read"],
    ),
    "pcapng, cut": (pcapng(PAIR)[:-1], ["the file is cut within a block"]),
    "pcapng, cut in a block's type": (pcapng(PAIR) + b"\6\0", ["the file is cut within a block"]),
    "pcapng, cut in a block's length": (pcapng(PAIR) + b"\6\0\0\0\0", ["the file is cut within a block"]),
    "pcapng, a block of no length": (pcapng(PAIR) + bytes(8), ["a block of 0 bytes"]),
    "pcapng, a block of an odd length": (pcapng(PAIR) + struct.pack("<II", 5, 33), ["a block of 33 bytes"]),
    "pcapng, a size beyond all": (pcapng([]) + struct.pack("<II", 6, 2**31), [f"a block of {2**31} bytes"]),
    "pcapng, no byte order": (section()[:8] + bytes(20), ["a section header that names no byte order"]),
    "pcapng, an unknown interface": (
        section() + enhanced(b"x") + interface() + enhanced(b"y"),
        ["interface 0, which the file does not describe"],
    ),
    "pcapng, less than it says": (
        pcapng([]) + block(6, struct.pack("<IIIII", 0, 0, 0, 90, 90) + b"abcd"),
        ["a block that holds less than it says"],
    ),
    "pcapng, too short a block": (pcapng([]) + block(6, bytes(8)), ["a block that is too short"]),
}


@pytest.mark.parametrize(("data", "why"), BROKEN.values(), ids=BROKEN)
def test_broken(data: bytes, why: list[str]) -> None:
    assert [item for item in told(data) if isinstance(item, str)] == why


def test_what_was_whole_before_the_break_is_read() -> None:
    assert told(pcap(PAIR)[:-1])[0] == BOTH[0]


@pytest.mark.parametrize("whole", [pcap(PAIR), pcapng(PAIR)], ids=["pcap", "pcapng"])
def test_cut_anywhere_it_ends(whole: bytes) -> None:
    for size in range(len(whole)):
        found = read(whole[:size])
        assert len(found) <= 3
        assert sum(isinstance(item, Unread) for item in found) <= 1
