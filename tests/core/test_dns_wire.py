"""Names and the pointers in them; `test_dns_message.py` has the forms that they come in."""

import struct
import time

import pytest

from dns_writing import TXT, query, record, wire
from embargo.core.dns_message import parse
from embargo.core.dns_wire import MalformedMessage, Names


def pointer(position: int) -> bytes:
    return struct.pack("!H", 0xC000 | position)


COMPRESSED = {  # case: (octets, where a name stands, its text, where what follows begins)
    "a name": (wire("a.test"), 0, "a.test", 8),
    "a pointer": (wire("a.test") + pointer(0), 8, "a.test", 10),
    "a label before one": (wire("a.test") + b"\1b" + pointer(2), 8, "b.test", 12),
    "a pointer to one": (wire("a.test") + pointer(2) + pointer(8), 10, "test", 12),
    "forwards": (pointer(2) + wire("a.test"), 0, "a.test", 2),
    "to the root": (wire("a.test") + b"\1b" + pointer(7), 8, "b", 12),
}


@pytest.mark.parametrize(("data", "position", "text", "after"), COMPRESSED.values(), ids=COMPRESSED)
def test_names_are_the_same_when_read_again(data: bytes, position: int, text: str, after: int) -> None:
    names = Names(data)
    for _ in range(2):
        name, behind = names.at(position)
        assert (name.text, name.wire, behind) == (text, wire(text), after)


def test_bounds_hold_for_what_is_known() -> None:
    """A name is no longer, and has no more pointers, for its end having been read before."""
    chain = b"".join(pointer(max(0, 6 + 2 * number)) for number in range(1, 128))
    names = Names(wire("a.test") + pointer(0) + chain)
    for number in range(127):
        assert names.at(8 + 2 * number)[0].text == "a.test"
    with pytest.raises(MalformedMessage, match="points to itself"):
        names.at(8 + 2 * 127)
    long = wire(".".join(["a" * 60] * 4))
    names = Names(long + b"\x0a" + b"b" * 10 + pointer(0) + b"\x09" + b"b" * 9 + pointer(0))
    assert len(names.at(len(long) + 13)[0].wire) == 255
    with pytest.raises(MalformedMessage, match="255 octets"):
        names.at(len(long))


def test_names_that_share_a_long_tail_are_read_once() -> None:
    """A message of 64 KiB whose names each have over a hundred pointers holds nobody up."""
    message = bytearray(query("asked.test", flags=0x8180))
    begin, cells, last = len(message) + 11, b"", 12
    for number in range(118):
        cells += b"\1a" + pointer(last)
        last = begin + 4 * number
    names = [b"\3%03x" % number + pointer(last) for number in range(4000)]
    message[6:8] = (len(names) + 1).to_bytes(2)
    started = time.process_time()
    read = parse(bytes(message) + record(b"\0", TXT, cells) + b"".join(record(name, TXT, b"") for name in names))
    assert time.process_time() - started < 0.5  # 0.03 s, and 1.4 s where each is read anew
    assert (len(read.answers), read.answers[-1].owner) == (4001, "f9f." + "a." * 118 + "asked.test")
