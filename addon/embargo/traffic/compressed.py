"""Files read through their compression (gzip, Zstandard, bzip2, xz), whatever their name says.

What cannot be decompressed, or is cut, ends the reading as the end of the file would; `Uncompressed.cut` says so.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Buffer, Callable
from typing import Any, Protocol

import zstandard

# octets taken at a time: even of a file made to burst, they give no more than some 30 MB
_PIECE = 1024
_MOST_MEMORY = 256 * 1024 * 1024  # bytes that an xz file may ask for
_MAGIC: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(wbits=31),
    zstandard.FRAME_HEADER: lambda: zstandard.ZstdDecompressor().decompressobj(),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lambda: lzma.LZMADecompressor(memlimit=_MOST_MEMORY),
}
LONGEST_MAGIC = max(map(len, _MAGIC))
_REFUSALS = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, ValueError, EOFError)


class ByteSource(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to *size* bytes; none at the end."""
        ...


class Uncompressed(io.RawIOBase):
    """What a compressed file holds, member after member."""

    def __init__(self, source: ByteSource, decoder: Callable[[], Any]) -> None:
        super().__init__()
        self.cut: str | None = None  # why reading ended before the end; None: it did not
        self._source = source
        self._new = decoder
        self._decoder = decoder()
        self._ready = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill *buffer* as far as something is there; 0 at the end."""
        while not self._ready and not self._ended:
            self._ready = memoryview(self._more())
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._ready))
        target[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _more(self) -> bytes:
        """The next bytes, perhaps none; sets `_ended`."""
        data: bytes = self._decoder.unused_data if self._decoder.eof else b""
        data = data or self._source.read(_PIECE)
        if not data:
            self._ended = True
            if not self._decoder.eof:
                self.cut = "the compressed file is cut at its end"
            return b""
        if self._decoder.eof:
            self._decoder = self._new()
        try:
            found: bytes = self._decoder.decompress(data)
        except _REFUSALS as refused:
            self._ended = True
            self.cut = f"what follows cannot be decompressed: {refused}"
            return b""
        return found


def uncompressed(source: io.BufferedReader) -> Uncompressed | None:
    """What *source* holds, where it is compressed; None where it is not. Reads nothing of it yet."""
    head = source.peek(LONGEST_MAGIC)
    return next((Uncompressed(source, new) for magic, new in _MAGIC.items() if head.startswith(magic)), None)
