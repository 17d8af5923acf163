"""The lines of a text file, however long the file is and whatever one of them holds."""

from collections.abc import Iterator

from embargo.traffic.compressed import ByteSource

LONGEST = 65_536  # bytes of a line; a longer one is told and skipped
_BLOCK = 1 << 16
_MARK = "\ufeff"  # of the byte order, which some editors put before the text


def numbered_lines(source: ByteSource) -> Iterator[tuple[int, str | None]]:
    """Each line with its number, from 1, without its line feed; None for one of more than `LONGEST` bytes.

    UTF-8; an octet that is none becomes a replacement character, since the rest of the line may be worth reading.
    """
    held, number, skipping = b"", 0, False
    while block := source.read(_BLOCK):
        last = block.rfind(b"\n")
        if last < 0:
            held += block
            skipping = skipping or len(held) > LONGEST
            held = b"" if skipping else held
            continue
        whole, held = held + block[:last], block[last + 1 :]
        lines = whole.decode("utf-8", "replace").split("\n")
        if not number:
            lines[0] = lines[0].removeprefix(_MARK)
        start = number + 1
        if skipping:
            skipping = False
            yield start, None
            del lines[0]
            start += 1
        yield from enumerate(lines, start)
        number = start + len(lines) - 1
    if skipping:
        yield number + 1, None
    elif held:
        text = held.decode("utf-8", "replace")
        yield number + 1, text if number else text.removeprefix(_MARK)
