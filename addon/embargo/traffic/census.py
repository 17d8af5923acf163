"""The census: which hosts passed, how often, for about how many clients. Its files, both ways.

A file covers an hour or a day and is JSON, an object a line, compressed with Zstandard. The first line says what it
covers and how many requests went to hosts that are not told; each other is one host, by name:

    {"census": 1, "from": "2026-11-24T10:00:00Z", "until": "2026-11-24T11:00:00Z", "others": 12}
    {"host": "www.example.com", "requests": 340, "clients": 41}
    {"below": "example.net", "requests": 17}

`below`: the hosts of a registered name together. `surface` is there for questions of DNS alone, `clients` only where
there were enough of them. No line says who, which path, or which minute; `enforce.census` says what is counted.
"""

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BufferedReader
from pathlib import Path
from typing import Any

import zstandard

from embargo.core.request import Surface
from embargo.core.seen import Seen, Unread
from embargo.traffic.compressed import ByteSource

DIRECTORY = "census"  # below the log directory
KEPT = timedelta(days=30)
MOST_BYTES = 256 * 1024 * 1024  # of all files of a directory, as the disk holds them
FEWEST_CLIENTS = 5  # in an hour, for a host to be told by its own name; see docs/explanation/privacy.md
_VERSION = 1
_LEVEL = 6  # of zstd: names a tenth of their length, 30 MB a second
_BLOCK = 512  # bytes: the unit of st_blocks (POSIX)
_LONGEST_LINE = 4096  # bytes; a name has at most 253
_PART = ".part"
_ABANDONED = timedelta(hours=1)  # a part is written within seconds
_NAME = re.compile(r"(?P<day>[0-9]{8})(?:T(?P<hour>[0-9]{2}))?Z-[0-9a-f]{8}\.jsonl(?:\.zst)?")
_MAGIC = zstandard.FRAME_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What a file covers: an hour or a day, in UTC."""

    begin: datetime  # aware, UTC
    length: timedelta

    @property
    def end(self) -> datetime:
        """The first instant after it."""
        return self.begin + self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCount:
    """A line: what one host, or all hosts below a registered name, had in the period."""

    host: str  # canonical
    below: bool = False  # the hosts of the registered name `host` together
    requests: int
    clients: int | None = None  # about so many; None: fewer than `FEWEST_CLIENTS` in each hour
    surface: Surface | None = None  # DNS for questions; None for all else


class NoCensus(ValueError):
    """A file that does not begin as a census does."""


def hour_of(time: datetime) -> Period:
    """The hour of *time* (aware, UTC)."""
    return Period(begin=time.replace(minute=0, second=0, microsecond=0), length=timedelta(hours=1))


def day_of(time: datetime) -> Period:
    """The day of *time* (aware, UTC)."""
    return Period(begin=time.replace(hour=0, minute=0, second=0, microsecond=0), length=timedelta(days=1))


def new_name(period: Period) -> str:
    """A name for a file of *period* that no other file has: each process has files of its own."""
    spelled = f"{period.begin:%Y%m%dT%H}Z" if period.length < timedelta(days=1) else f"{period.begin:%Y%m%d}Z"
    return f"{spelled}-{secrets.token_hex(4)}.jsonl.zst"


def write(path: Path, period: Period, counts: Iterable[HostCount], others: int) -> None:
    """Write *path* (mode 600) in one step, in place of what it held. Raises OSError; then *path* is as it was.

    *counts* are sorted by name, since their order would tell which host was asked for first.
    """
    ordered = sorted(counts, key=lambda count: (count.host, count.below, count.surface or ""))
    part = path.with_name(path.name + _PART)
    part.unlink(missing_ok=True)
    try:
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as plain:
            with zstandard.ZstdCompressor(level=_LEVEL).stream_writer(plain, closefd=False) as file:
                file.write(_line(_head(period, others)))
                for count in ordered:
                    file.write(_line(_members(count)))
            plain.flush()
            os.fsync(plain.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def read(path: Path) -> Iterator[Seen | Unread]:
    """What *path*, a file or a directory of files, holds, oldest first; in constant memory.

    Time is the beginning of the hour or day. Of several processes each has files of its own: requests add; of the
    numbers of clients the largest is a lower bound, since one client may have met several processes. Raises OSError,
    and NoCensus for a file that is none; in a directory such a file is `Unread`.
    """
    if not path.is_dir():
        yield from _read(path)
        return
    for file in files(path):
        try:
            yield from _read(file)
        except FileNotFoundError:
            continue  # it became too old just now
        except (OSError, NoCensus) as failure:
            yield Unread(file.name, str(failure))


def files(directory: Path) -> list[Path]:
    """The files of a census, oldest first. Raises OSError where *directory* cannot be listed."""
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name) and path.is_file())


def is_census(path: Path) -> bool:
    """Whether *path* is a file of a census, or a directory that holds one. Raises OSError."""
    if path.is_dir():
        return bool(files(path))
    if not path.is_file():
        return False  # what is taken from a pipe to look at it is gone
    with path.open("rb") as plain, contextlib.suppress(NoCensus, zstandard.ZstdError):
        _period(next(_lines(_uncompressed(plain)), b""))
        return True
    return False


def trim(directory: Path, now: datetime, *, kept: timedelta = KEPT, most_bytes: int = MOST_BYTES) -> None:
    """Delete files of the census that are older than *kept*, then the oldest until *most_bytes* are left.

    Raises OSError where *directory* cannot be listed.
    """
    for part in directory.glob(f"*{_PART}"):
        if (status := _status(part)) is not None and now.timestamp() - status.st_mtime > _ABANDONED.total_seconds():
            part.unlink(missing_ok=True)  # of a process that was killed
    total = 0
    for path in reversed(files(directory)):
        if (status := _status(path)) is None:
            continue
        total += status.st_blocks * _BLOCK
        if total > most_bytes or _end_of(path) <= now - kept:
            path.unlink(missing_ok=True)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None  # another process was quicker


def _end_of(path: Path) -> datetime:
    matched = _NAME.fullmatch(path.name)
    assert matched is not None, "files() lists no other"
    try:
        begin = datetime.strptime(f"{matched['day']}{matched['hour'] or '00'}", "%Y%m%d%H").replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)  # 20261399: nothing of ours
    return begin + timedelta(hours=1 if matched["hour"] else 24)


def _head(period: Period, others: int) -> dict[str, Any]:
    spelled = {"from": f"{period.begin:%Y-%m-%dT%H:%M:%SZ}", "until": f"{period.end:%Y-%m-%dT%H:%M:%SZ}"}
    return {"census": _VERSION, **spelled, "others": others}


def _members(count: HostCount) -> dict[str, Any]:
    members: dict[str, Any] = {"below" if count.below else "host": count.host, "requests": count.requests}
    if count.clients is not None:
        members["clients"] = count.clients
    if count.surface is not None:
        members["surface"] = count.surface.value
    return members


def _line(members: dict[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def read_text(source: ByteSource) -> Iterator[Seen | Unread]:
    """What *source* holds, the text of a census without its compression. Raises NoCensus for what is none."""
    begin: datetime | None = None
    number = 0
    for number, line in enumerate(_lines(source), 1):
        if begin is None:
            begin = _period(line)
            continue
        try:
            yield _seen(line, begin)
        except (ValueError, RecursionError) as broken:
            yield Unread(f"line {number}", str(broken)[:200])
    if begin is None:
        raise NoCensus("it is empty")


def _read(path: Path) -> Iterator[Seen | Unread]:
    whole = 0
    with path.open("rb") as plain:
        try:
            for each in read_text(_uncompressed(plain)):
                whole += 1
                yield replace(each, where=f"{path.name}, {each.where}") if isinstance(each, Unread) else each
        except zstandard.ZstdError as broken:
            if not whole:
                raise NoCensus(f"it cannot be decompressed: {broken}") from None
            yield Unread(f"{path.name}, behind {whole} hosts", str(broken))


def _uncompressed(plain: BufferedReader) -> ByteSource:
    if plain.peek(len(_MAGIC))[: len(_MAGIC)] == _MAGIC:
        return zstandard.ZstdDecompressor().stream_reader(plain, read_across_frames=True)
    return plain


def _lines(source: ByteSource) -> Iterator[bytes]:
    """The lines of *source*. Raises NoCensus for one that does not end, and what *source* raises."""
    held = b""
    while block := source.read(1 << 16):
        *lines, held = (held + block).split(b"\n")
        yield from lines
        if len(held) > _LONGEST_LINE:
            raise NoCensus(f"a line of more than {_LONGEST_LINE} bytes")
    if held:
        yield held


def _period(line: bytes) -> datetime:
    """The begin of what a file covers that begins with *line*. Raises NoCensus."""
    try:
        head = json.loads(line)
        if head["census"] != _VERSION:
            raise NoCensus(f"version {head['census']!r} of the census, of which this embargo reads {_VERSION}")
        begin = datetime.fromisoformat(head["from"])
        if begin.tzinfo is None:
            raise NoCensus("its `from` has no time zone")
        return begin.astimezone(UTC)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError) as other:
        if isinstance(other, NoCensus):
            raise
        raise NoCensus("it does not begin as a census does") from None


def _seen(line: bytes, begin: datetime) -> Seen:
    members = json.loads(line)
    if not isinstance(members, dict):
        raise ValueError("no object")
    host, requests, clients = members.get("host", members.get("below")), members.get("requests"), members.get("clients")
    if type(host) is not str or not host:
        raise ValueError("no host")
    if type(requests) is not int or requests < 1:
        raise ValueError(f"requests: {requests!r}")
    if clients is not None and (type(clients) is not int or clients < 1):
        raise ValueError(f"clients: {clients!r}")
    surface = members.get("surface")
    return Seen(
        request=f"[{host}]" if ":" in host else host,
        time=begin,
        surface=Surface(surface) if surface is not None else None,
        count=requests,
        clients=clients,
    )
