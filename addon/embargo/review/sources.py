"""Sources of past requests: what a file is, told by its content, and read as `Seen` and `Unread`.

To add one: a module of `embargo.traffic` with `read(source)`, a `Format`, and a row in `STREAMS` (or `DIRECTORIES`).
"""

import contextlib
import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, cast

from embargo.core.seen import Seen, Unread
from embargo.journal.files import STEM, log_files
from embargo.journal.reader import Reader
from embargo.review.recorded import read_lines, recorded
from embargo.traffic import capture_file, census
from embargo.traffic.compressed import ByteSource, Uncompressed, uncompressed
from embargo.traffic.squid_access import is_line
from embargo.traffic.text_lines import numbered_lines

STDIN = "-"
_HEAD = 1 << 16  # bytes by which a format is told
_MARK = b"\xef\xbb\xbf"  # UTF-8's byte order mark
_FLOW = re.compile(rb"[1-9][0-9]{0,11}:[0-9]{1,2}:[a-z_]{1,20}[;,]")  # a flow begins with its first member's name
_HAR = re.compile(rb'\s*\{\s*"log"\s*:\s*\{')

type Items = Iterator[Seen | Unread]


class Format(StrEnum):
    """What a source may be."""

    LOG = "log"  # our decision log, its directory or a file of it
    CENSUS = "census"  # our census of hosts that pass, likewise
    FLOWS = "flows"  # mitmproxy's flow file
    HAR = "har"
    SQUID = "squid"  # access.log: squid, common, combined
    PCAP = "pcap"  # or pcapng
    LIST = "list"  # URLs, hosts or addresses, one a line


class UnreadableSource(ValueError):
    """A source that cannot be opened, or is of no known format."""


class UnknownFormat(UnreadableSource):
    """A source whose content does not show what it is."""


# --- what is a stream of bytes


def _lines_of_log(source: ByteSource) -> Items:
    return read_lines(numbered_lines(source))


def _flows(source: ByteSource) -> Items:
    from embargo.traffic.flow_file import read

    return read(source)


def _har(source: ByteSource) -> Items:
    from embargo.traffic.har import read  # not at the top: others need no JSON parser

    return read(source)


def _squid(source: ByteSource) -> Items:
    from embargo.traffic.squid_access import read

    return read(source)


def _capture(source: ByteSource) -> Items:
    from embargo.traffic.packet_capture import read  # brings dpkt and aioquic: a quarter of a second

    return read(source)


def _list(source: ByteSource) -> Items:
    from embargo.traffic.url_list import read

    return read(source)


def _first_line(head: bytes) -> str:
    lines = (line.strip() for line in head.decode("utf-8", "replace").splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def _is_list(head: bytes) -> bool:
    return b"\0" not in head and not _first_line(head).startswith(("{", "[{", "<"))


@dataclass(frozen=True, slots=True)
class _Stream:
    """A format that is read from a stream."""

    format: Format
    recognizes: Callable[[bytes], bool]  # by the first bytes, uncompressed
    read: Callable[[ByteSource], Items]


STREAMS = (  # asked in this order: a list is what is nothing else
    _Stream(Format.PCAP, lambda head: head[:4] in capture_file.MAGICS, _capture),
    _Stream(Format.FLOWS, lambda head: _FLOW.match(head) is not None, _flows),
    _Stream(Format.HAR, lambda head: _HAR.match(head) is not None, _har),
    _Stream(Format.LOG, lambda head: head[:1] == b"{" and b'"@timestamp"' in head.partition(b"\n")[0], _lines_of_log),
    _Stream(Format.CENSUS, lambda head: head.startswith(b'{"census":'), census.read_text),
    _Stream(Format.SQUID, lambda head: is_line(_first_line(head)), _squid),
    _Stream(Format.LIST, _is_list, _list),
)


# --- what is a directory, or opens its file itself


def _log_directory(directory: Path) -> Items:
    reader = Reader(directory, stems=(STEM,))
    for entry in reader.entries():
        if (found := recorded(entry.record)) is not None:
            yield found
    for place in reader.broken.places:
        where, _, why = place.partition(": ")
        yield Unread(where, why)
    for _ in range(reader.broken.count - len(reader.broken.places)):
        yield Unread(directory.name, "a broken line, more of which were not noted")


@dataclass(frozen=True, slots=True)
class _Directory:
    """A format that is read from a path."""

    format: Format
    recognizes: Callable[[Path], bool]
    read: Callable[[Path], Items]


DIRECTORIES = (
    _Directory(Format.LOG, lambda path: path.is_dir() and bool(log_files(path)), _log_directory),
    _Directory(Format.CENSUS, lambda path: (path.is_dir() or path.is_file()) and census.is_census(path), census.read),
)


@dataclass(slots=True)
class Source:
    """A source that is open: iterate over it once. `done` of `total` bytes have been read."""

    name: str
    format: Format
    total: int | None = None  # bytes; None: not known
    _items: Items = field(default_factory=lambda: iter(()))
    _raw: io.RawIOBase | None = None
    _compressed: Uncompressed | None = None

    @property
    def done(self) -> int | None:
        """The bytes that were read so far, as the disk holds them; None where it is not known."""
        if self._raw is None or self._raw.closed:
            return None if self._raw is None else self.total
        return self._raw.tell()

    def __iter__(self) -> Items:
        """What it holds; at its end it is closed."""
        try:
            yield from self._items
            if self._compressed is not None and self._compressed.cut is not None:
                yield Unread("the end", self._compressed.cut)
        except (OSError, census.NoCensus) as failure:
            yield Unread("from here on", getattr(failure, "strerror", None) or str(failure))
        finally:
            if self._raw is not None:
                self._raw.close()


def open_source(name: str, wanted: Format | None = None, stdin: BinaryIO | None = None) -> Source:
    """*name*, a file, a directory or `-` (*stdin*), as *wanted*, or as what its content shows it to be.

    Raises UnreadableSource.
    """
    if name == STDIN:
        assert stdin is not None, "whoever takes `-` gives it"
        return _of_stream(name, io.BufferedReader(cast(io.RawIOBase, stdin), _HEAD), None, wanted)
    path = Path(name)
    try:
        path.stat()
        for kind in DIRECTORIES:
            fits = wanted is kind.format and (path.is_dir() or kind.format is Format.CENSUS)
            if fits or (wanted is None and kind.recognizes(path)):
                return Source(name, kind.format, _items=kind.read(path))
        if path.is_dir():
            raise UnreadableSource(f"{name}: a directory that holds neither a decision log nor a census")
        raw = path.open("rb", buffering=0)
    except OSError as failure:
        raise UnreadableSource(f"{name}: {failure.strerror or failure}") from failure
    return _of_stream(name, io.BufferedReader(raw, _HEAD), raw, wanted)


def _of_stream(name: str, plain: io.BufferedReader, raw: io.FileIO | None, wanted: Format | None) -> Source:
    try:
        compressed = uncompressed(plain)
        source = io.BufferedReader(compressed, _HEAD) if compressed is not None else plain
        head = source.peek(_HEAD)
        if head.startswith(_MARK):
            head = head[source.readinto(bytearray(len(_MARK))) :]
    except OSError as failure:
        raise UnreadableSource(f"{name}: {failure.strerror or failure}") from failure
    total = None
    if raw is not None:
        with contextlib.suppress(OSError):
            status = os.fstat(raw.fileno())
            total = status.st_size if stat.S_ISREG(status.st_mode) else None
    for kind in STREAMS:
        if kind.format is wanted or (wanted is None and kind.recognizes(head)):
            return Source(name, kind.format, total, kind.read(source), raw if total is not None else None, compressed)
    if raw is not None:
        raw.close()
    if wanted is not None:
        raise UnreadableSource(f"{name}: {wanted} is read from a file or directory of its own, not from here")
    raise UnknownFormat(f"{name}: of no format that is known, which are {', '.join(Format)}")
