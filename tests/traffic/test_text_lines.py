"""Lines of a text file, whatever is in it."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.traffic.text_lines import LONGEST, numbered_lines

LINES: dict[str, tuple[bytes, list[tuple[int, str | None]]]] = {
    "two": (b"a\nb\n", [(1, "a"), (2, "b")]),
    "no line feed at the end": (b"a\nb", [(1, "a"), (2, "b")]),
    "blank ones count": (b"\n\na\n", [(1, ""), (2, ""), (3, "a")]),
    "a byte order mark": (b"\xef\xbb\xbfa\nb", [(1, "a"), (2, "b")]),
    "a byte order mark alone": (b"\xef\xbb\xbfa", [(1, "a")]),
    "no UTF-8": (b"a\xff\nb", [(1, "a\ufffd"), (2, "b")]),
    "nothing": (b"", []),
    "too long": (b"a\n" + b"x" * (LONGEST * 4) + b"\nb\n", [(1, "a"), (2, None), (3, "b")]),
    "too long, and the last": (b"a\n" + b"x" * (LONGEST * 4), [(1, "a"), (2, None)]),
}


@pytest.mark.parametrize(("data", "lines"), LINES.values(), ids=LINES)
def test_lines(data: bytes, lines: list[tuple[int, str | None]]) -> None:
    assert list(numbered_lines(io.BytesIO(data))) == lines


class Dripping:
    """Gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, size: int) -> None:
        self._source, self._size = io.BytesIO(data), size

    def read(self, size: int = -1, /) -> bytes:
        return self._source.read(self._size)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\ufeff"), max_size=20)), st.integers(1, 50))
def test_however_it_is_cut_the_lines_are_the_same(lines: list[str], size: int) -> None:
    """Pieces of any size, even within a letter, give the lines that were written."""
    data = "".join(line + "\n" for line in lines).encode()
    assert [line for _, line in numbered_lines(Dripping(data, size))] == lines
