"""Lines of a plain file from its end, so that the newest records cost what they are, not what the file is."""

import os
from collections.abc import Iterator

_BLOCK = 1 << 18  # bytes


def lines_backwards(descriptor: int, end: int) -> Iterator[bytes]:
    """The whole lines before byte *end* of an open file, last first, each with its line feed.

    Bytes behind the last line feed are no line and are left out. Raises OSError.
    """
    held = b""  # the beginning of what is not yet known to be a whole line
    seen_end = False
    while end > 0:
        begin = max(0, end - _BLOCK)
        block = os.pread(descriptor, end - begin, begin)
        if not block:
            return
        end = begin
        pieces = (block + held).split(b"\n")
        held = pieces[0]
        for piece in reversed(pieces[1:]):
            if seen_end:
                yield piece + b"\n"
            seen_end = True  # the first piece lies behind the last line feed
    if seen_end:
        yield held + b"\n"


def whole_lines_end(descriptor: int, size: int) -> int:
    """The offset behind the last line feed of a file of *size* bytes; 0 where there is none. Raises OSError."""
    while size > 0:
        begin = max(0, size - _BLOCK)
        block = os.pread(descriptor, size - begin, begin)
        if not block:
            return 0
        found = block.rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        size = begin
    return 0
