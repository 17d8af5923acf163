"""A message that arrives in pieces, in any order, as QUIC's CRYPTO frames and DTLS handshakes do."""

LONGEST = 65_536  # bytes of a message that are put together; a ClientHello is a hundredth of that


class Fragments:
    """Bytes at offsets, until they are whole."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._pieces: list[tuple[int, int]] = []  # disjoint, in order: (start, end)

    def add(self, offset: int, data: bytes) -> None:
        """Take the bytes at *offset*.

        Raises ValueError where they lie beyond `LONGEST`, or differ from what was there: a server may keep either.
        """
        end = offset + len(data)
        if end > LONGEST:
            raise ValueError("a message that is too long")
        if not data:
            return
        for start, stop in self._pieces:
            low, high = max(start, offset), min(stop, end)
            if low < high and self._content[low:high] != data[low - offset : high - offset]:
                raise ValueError("pieces that contradict each other")
        if end > len(self._content):
            self._content.extend(bytes(end - len(self._content)))
        self._content[offset:end] = data
        self._pieces = _joined([*self._pieces, (offset, end)])

    @property
    def end(self) -> int:
        """Where the last byte that is there ends."""
        return len(self._content)

    def whole(self) -> bytes:
        """What is there from the start without a gap."""
        if not self._pieces or self._pieces[0][0] != 0:
            return b""
        return bytes(self._content[: self._pieces[0][1]])


def _joined(pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(pieces):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
