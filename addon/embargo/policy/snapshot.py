"""A compiled policy on disk: written by the compiler's process, opened by the proxy without stalling it.

A snapshot is a directory named by the policy's digest, the format and the place of its files: `policy.bin`, a row of
small pickles (a pickle is loaded under the interpreter's lock, so a large one would stop traffic); `domains.marisa` and
`domains.lists`, the index of listed names, mapped and so shared by all workers; `text`, that of which the digest is;
`manifest.json`. It is written beside and renamed, never changed: a mapped file that shrinks kills its readers (SIGBUS).
"""

import hashlib
import io
import json
import mmap
import os
import pickle
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import marisa_trie

from embargo import __version__
from embargo.core.catalogue import App, Endpoint
from embargo.core.pattern import Pattern
from embargo.core.rules import Policy
from embargo.policy.index import Numbers, TrieDomains, build

FORMAT = f"4-{__version__}"  # another release may compile the same text to something else
KEPT = 8  # snapshots; a reverted edit finds its own again
_MAGIC = b"embargo policy 1\n"
_TEXT = "text"
_LENGTH = struct.Struct("<I")
_ABANDONED = 3600.0  # seconds after which nobody is still writing what lies beside
_ENDPOINTS = 200  # a pickle: 0.2 ms to load, 1 ms to build (measured)
_RULES = 50  # a pickle
_GOOD = "last-known-good"
_DERIVED = ("apps", "rules", "listed", "matcher", "rules_of")  # fields of Policy that the head leaves out
_STANDARD: dict[tuple[str, str], Any] = {
    (kind.__module__, kind.__qualname__): kind
    for kind in (date, datetime, timedelta, timezone, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ZoneInfo)
}
_ENDPOINT_FIELDS = tuple(field.name for field in fields(Endpoint) if field.name != "pattern")
_PATTERN_FIELDS = tuple(field.name for field in fields(Pattern))


class SnapshotError(Exception):
    """A snapshot that is damaged, incomplete, or of another release; compile anew."""


@dataclass(frozen=True, slots=True)
class Part:
    """One pickle of `policy.bin`."""

    kind: str  # head, rules, app, endpoints, exclude
    value: Any


# --- writing, by the compiler's process


def snapshot_directory(state: Path, digest: str, paths: Sequence[Path]) -> Path:
    """Where the snapshot of that policy, as *paths* make it, lies below the state directory; it need not exist.

    The same text elsewhere has the same digest, and names other files.
    """
    return state / "snapshots" / f"{digest}-{FORMAT}-{paths_key(paths)}"


def write_snapshot(policy: Policy, names: Sequence[Sequence[str]], directory: Path, text: Iterable[bytes] = ()) -> None:
    """Write *policy*, whose lists hold *names* and whose text is *text*, as the new *directory*, whole or not at all.

    Raises OSError.
    """
    beside = directory.with_name(f".{directory.name}.{os.getpid()}")
    beside.mkdir(mode=0o700, parents=True)
    try:
        combinations: tuple[Numbers, ...] = ()
        if names:
            built = build(names)
            combinations = built.combinations
            built.trie.save(str(beside / "domains.marisa"))
            (beside / "domains.lists").write_bytes(built.chosen.tobytes())
        with (beside / "policy.bin").open("wb") as file:
            file.write(_MAGIC)
            for part in _parts(policy, combinations):
                data = _dumps(part)
                file.write(_LENGTH.pack(len(data)))
                file.write(data)
        with (beside / _TEXT).open("wb") as file:
            file.writelines(text)
        sizes = {written.name: written.stat().st_size for written in beside.iterdir()}
        (beside / "manifest.json").write_text(json.dumps({"format": FORMAT, "sizes": sizes}))
        for written in beside.iterdir():
            _sync(written)
        try:
            beside.rename(directory)
        except OSError:
            if not is_whole(directory):  # what lies there was left by a crash
                remove(directory)
                beside.rename(directory)
    finally:
        remove(beside)


def _parts(policy: Policy, combinations: tuple[Numbers, ...]) -> Iterator[Part]:
    head = {
        field.name: getattr(policy, field.name) for field in fields(Policy) if field.init and field.name not in _DERIVED
    }
    yield Part("head", (head, combinations))
    for start in range(0, len(policy.rules), _RULES):
        yield Part("rules", policy.rules[start : start + _RULES])
    for app in policy.apps.values():
        bare = {field.name: getattr(app, field.name) for field in fields(App)} | {"endpoints": (), "exclude": ()}
        yield Part("app", bare)
        for kind, endpoints in (("endpoints", app.endpoints), ("exclude", app.exclude)):
            for start in range(0, len(endpoints), _ENDPOINTS):
                yield Part(kind, [_flat(endpoint) for endpoint in endpoints[start : start + _ENDPOINTS]])


def _flat(endpoint: Endpoint) -> tuple[Any, ...]:
    """The fields of *endpoint* and its pattern: twice as fast to load as the objects."""
    pattern = endpoint.pattern
    return (
        tuple(getattr(pattern, name) for name in _PATTERN_FIELDS),
        tuple(getattr(endpoint, name) for name in _ENDPOINT_FIELDS),
    )


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        # by themselves they ask for `getattr`, which an unpickler must not give
        return (ZoneInfo, (value.key,)) if isinstance(value, ZoneInfo) else NotImplemented


def _dumps(part: Part) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, 5).dump((part.kind, part.value))
    return buffer.getvalue()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(directory: Path) -> None:
    """Delete a snapshot's directory, if it is there."""
    if directory.is_dir():
        for file in directory.iterdir():
            file.unlink(missing_ok=True)
        directory.rmdir()


def prune(state: Path) -> None:
    """Delete all snapshots but the newest `KEPT` and those that are last known good, and what crashes left.

    Other workers may do the same at the same time.
    """
    good = {_pointed(state, pointer) for pointer in state.glob(f"{_GOOD}-*")}
    ages: list[tuple[float, Path]] = []
    for path in (state / "snapshots").iterdir():
        with suppress(FileNotFoundError):
            if path.is_dir():
                ages.append((path.stat().st_mtime, path))
    ages.sort(reverse=True)
    whole = [path for _, path in ages if not path.name.startswith(".")]
    newest = ages[0][0] if ages else 0.0
    left = [path for age, path in ages if path.name.startswith(".") and newest - age > _ABANDONED]
    for path in [*whole[KEPT:], *left]:
        if path not in good:
            with suppress(FileNotFoundError):
                remove(path)


# --- reading, by the proxy


def is_whole(directory: Path) -> bool:
    """Whether *directory* is a complete snapshot of this format."""
    try:
        manifest = json.loads((directory / "manifest.json").read_text())
        sizes = {name: (directory / name).stat().st_size for name in manifest["sizes"]}
        return bool(manifest["format"] == FORMAT and sizes == manifest["sizes"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def open_snapshot(path: Path) -> Policy:
    """The policy in the snapshot at *path*. For a thread: other threads run between its small steps.

    Raises SnapshotError.
    """
    if not is_whole(path):
        raise SnapshotError(f"{path} is no whole snapshot of format {FORMAT}")
    try:
        return _open(path)
    except (OSError, RuntimeError, pickle.UnpicklingError, struct.error, EOFError) as damaged:
        raise SnapshotError(f"{path} is damaged: {damaged}") from damaged
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, ZoneInfoNotFoundError) as foreign:
        raise SnapshotError(f"{path} does not fit this release: {foreign}") from foreign


def text_of(path: Path) -> Iterator[bytes]:
    """The text of the policy in the snapshot at *path*, in pieces. Raises OSError."""
    with (path / _TEXT).open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def _open(path: Path) -> Policy:
    parts = _read_parts(path / "policy.bin")
    head, combinations = next(parts).value
    rules: list[Any] = []
    apps: list[dict[str, Any]] = []
    for part in parts:
        match part.kind:
            case "rules":
                rules += part.value
            case "app":
                apps.append(part.value)
            case kind:
                built = tuple(Endpoint(Pattern(*pattern), *rest) for pattern, rest in part.value)
                apps[-1][kind] += built
        time.sleep(0)  # lets a waiting event loop have the lock
    listed = _listed(path, combinations) if combinations else None
    catalogue = {app["id"]: App(**app) for app in apps}
    return Policy(apps=catalogue, rules=tuple(rules), listed=listed, **head)


def _listed(path: Path, combinations: tuple[Numbers, ...]) -> TrieDomains:
    trie = marisa_trie.Trie()
    trie.mmap(str(path / "domains.marisa"))
    chosen: Sequence[int] = ()
    if len(combinations) > 1:
        with (path / "domains.lists").open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        chosen = memoryview(mapped).cast("I")
    return TrieDomains(trie, combinations, chosen)


def _read_parts(path: Path) -> Iterator[Part]:
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise SnapshotError(f"{path} is no compiled policy")
        while length := file.read(_LENGTH.size):
            data = file.read(_LENGTH.unpack(length)[0])
            yield Part(*_Unpickler(io.BytesIO(data)).load())


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Classes of the core, and the few of the standard library that it holds; nothing that could do harm."""
        if (standard := _STANDARD.get((module, name))) is not None:
            return standard
        if module.startswith("embargo.core.") and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a policy")


# --- the newest policy that took effect


def mark_good(state: Path, paths: Sequence[Path], snapshot: Path) -> None:
    """Note that the policy of *paths* in *snapshot* took effect. Raises OSError."""
    pointer = state / f"{_GOOD}-{paths_key(paths)}"
    beside = pointer.with_name(f".{pointer.name}.{os.getpid()}")
    beside.write_text(snapshot.name)
    beside.replace(pointer)


def last_known_good(state: Path, paths: Sequence[Path]) -> Path | None:
    """The snapshot of the newest policy of *paths* that took effect; where they have none, of any; else None."""
    own = _pointed(state, state / f"{_GOOD}-{paths_key(paths)}")
    if own is not None and is_whole(own):
        return own
    pointers = sorted(state.glob(f"{_GOOD}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    found = (_pointed(state, pointer) for pointer in pointers)
    return next((path for path in found if path is not None and is_whole(path)), None)


def _pointed(state: Path, pointer: Path) -> Path | None:
    try:
        name = pointer.read_text().strip()
    except (OSError, ValueError):
        return None
    return state / "snapshots" / name if name and "/" not in name else None


def paths_key(paths: Sequence[Path]) -> str:
    """A name for the policy that *paths* make, whatever it holds."""
    return hashlib.sha256("\0".join(str(path.absolute()) for path in paths).encode()).hexdigest()[:16]
