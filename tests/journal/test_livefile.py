import errno
import fcntl
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from embargo.journal.backwards import lines_backwards, whole_lines_end
from embargo.journal.livefile import LiveFile, PartlyWritten

NOW = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)


def line(sequence: int, padding: int = 0) -> bytes:
    record = {
        "@timestamp": "2026-11-24T10:15:00.000Z",
        "event": {"sequence": sequence, "id": f"id-{sequence}", "action": "block"},
        "padding": "x" * padding,
    }
    return json.dumps(record).encode() + b"\n"


def test_made_for_us_alone(tmp_path: Path) -> None:
    file = LiveFile.open(tmp_path / "log" / "deep")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    file.close()


LEFT = {  # case: (what a process left in the file, what is kept, sequence to go on after, bytes cut)
    "nothing": (b"", b"", 0, 0),
    "whole lines": (line(1) + line(2), line(1) + line(2), 2, 0),
    "a torn line": (line(1) + line(2)[:-20], line(1), 1, len(line(2)) - 20),
    "a torn first line": (line(1)[:10], b"", 0, 10),
    "a torn line without its feed": (line(1) + line(2)[:-1], line(1), 1, len(line(2)) - 1),
    "zeros after a power failure": (line(1) + b"\0" * 5000, line(1), 1, 5000),
    "a broken line at the end": (line(1) + b"garbage\n", line(1) + b"garbage\n", 1, 0),
    "garbage alone": (b"garbage\n", b"garbage\n", 0, 0),
    "lines longer than a block": (line(1, 600_000) + line(2, 600_000), line(1, 600_000) + line(2, 600_000), 2, 0),
}


@pytest.mark.parametrize(("left", "kept", "sequence", "cut"), LEFT.values(), ids=LEFT)
def test_opening_what_was_left(left: bytes, kept: bytes, sequence: int, cut: int, tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(left)
    file = LiveFile.open(tmp_path)
    assert (file.path.read_bytes(), file.sequence, file.cut) == (kept, sequence, cut)
    file.append([line(sequence + 1)])
    assert file.path.read_bytes() == kept + line(sequence + 1)
    file.close()


def test_the_next_process_takes_the_next_name(tmp_path: Path) -> None:
    files = [LiveFile.open(tmp_path) for _ in range(3)]
    assert [file.path.name for file in files] == ["decisions.jsonl", "decisions.2.jsonl", "decisions.3.jsonl"]
    files[1].close()
    again = LiveFile.open(tmp_path)
    assert again.path.name == "decisions.2.jsonl"
    for file in (files[0], files[2], again):
        file.close()


def test_a_lock_of_anybody_else_counts(tmp_path: Path) -> None:
    with (tmp_path / "decisions.jsonl").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        file = LiveFile.open(tmp_path)
        assert file.path.name == "decisions.2.jsonl"
        file.close()


REFUSED = {  # case: what stands in the file's place
    "a directory": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a symbolic link": lambda path: path.symlink_to("/dev/null"),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_only_a_regular_file_is_written(make: object, tmp_path: Path) -> None:
    make(tmp_path / "decisions.jsonl")  # type: ignore[operator]
    with pytest.raises(OSError):
        LiveFile.open(tmp_path)


TAKEN = {  # case: (bytes that the disk takes before it is full, lines then whole)
    "nothing": (0, 0),
    "half the first line": (10, 0),
    "the first line without its feed": (len(line(1)) - 1, 0),
    "the first line": (len(line(1)), 1),
    "one and a half": (len(line(1)) + 10, 1),
    "all but a byte": (len(line(1) + line(2) + line(3)) - 1, 2),
}


@pytest.mark.parametrize(("room", "whole"), TAKEN.values(), ids=TAKEN)
def test_a_full_disk_leaves_no_torn_line(
    room: int, whole: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LiveFile.open(tmp_path)
    file.append([line(0)])
    write = os.write

    def full(descriptor: int, data: memoryview) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = write(descriptor, data[: min(room, 7)])
        room -= taken
        return taken

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(PartlyWritten, match="No space left") as caught:
            file.append([line(1), line(2), line(3)])
    assert caught.value.whole == whole
    assert caught.value.errno == errno.ENOSPC
    rest = [line(number) for number in range(whole + 1, 4)]
    file.append(rest)
    assert file.path.read_bytes() == line(0) + line(1) + line(2) + line(3)
    assert file.current()
    file.close()


MISLAID = {  # case: what happens to the file under its writer
    "removed": lambda path: path.unlink(),
    "renamed": lambda path: path.rename(path.with_name("aside")),
    "emptied": lambda path: path.write_bytes(b""),
    "replaced": lambda path: (path.unlink(), path.write_bytes(b"")),
    "its directory moved": lambda path: path.parent.rename(path.parent.with_name("moved")),
}


@pytest.mark.parametrize("mislay", MISLAID.values(), ids=MISLAID)
def test_a_file_that_is_gone_is_noticed(mislay: object, tmp_path: Path) -> None:
    file = LiveFile.open(tmp_path / "log")
    file.append([line(1)])
    assert file.current()
    mislay(file.path)  # type: ignore[operator]
    assert not file.current()
    file.close()


def test_rotation_leaves_the_name_taken(tmp_path: Path) -> None:
    file = LiveFile.open(tmp_path)
    file.append([line(1), line(2)])
    fresh = file.rotated(NOW)
    assert {path.name for path in tmp_path.iterdir()} == {"decisions.jsonl", "decisions-20261124T101500Z-1.jsonl"}
    assert (fresh.size, fresh.sequence, fresh.first) == (0, 2, 3)
    assert LiveFile.open(tmp_path).path.name == "decisions.2.jsonl"
    fresh.append([line(3)])
    assert (tmp_path / "decisions.jsonl").read_bytes() == line(3)
    fresh.close()


def test_rotation_that_fails_changes_nothing(tmp_path: Path) -> None:
    file = LiveFile.open(tmp_path)
    file.append([line(1)])
    (tmp_path / "decisions-20261124T101500Z-1.jsonl").write_bytes(b"in the way")
    with pytest.raises(FileExistsError):
        file.rotated(NOW)
    file.append([line(2)])
    assert file.current()
    assert file.path.read_bytes() == line(1) + line(2)
    assert not list(tmp_path.glob(".*"))
    file.close()


LINKS = {  # case: what the file system says of a second name
    "has links": None,
    "has no links": errno.EPERM,
}


@pytest.mark.parametrize("refusal", LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
def test_rotation_with_and_without_links(
    refusal: int | None, fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LiveFile.open(tmp_path)
    file.append([line(1)])
    rename = Path.rename

    def refuse_link(*_names: object, **_options: object) -> None:
        raise OSError(refusal, "no links here")

    def refuse_rename(path: Path, target: Path) -> Path:
        if path.name.endswith(".new"):
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, target)

    with monkeypatch.context() as patched:
        if refusal is not None:
            patched.setattr(os, "link", refuse_link)
        if fails:
            patched.setattr(Path, "rename", refuse_rename)
            with pytest.raises(OSError, match="Input/output error"):
                file.rotated(NOW)
        else:
            file = file.rotated(NOW)
    file.append([line(2)])
    assert file.current()
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    if fails:
        assert kept == {"decisions.jsonl": line(1) + line(2)}
    else:
        assert kept == {"decisions.jsonl": line(2), "decisions-20261124T101500Z-1.jsonl": line(1)}
    file.close()


def test_a_crash_in_the_middle_of_a_rotation(tmp_path: Path) -> None:
    """Both names lead to one file: the second goes, so that no record is counted twice."""
    live = tmp_path / "decisions.jsonl"
    live.write_bytes(line(1) + line(2))
    aside = tmp_path / "decisions-20261124T101500Z-1.jsonl"
    aside.hardlink_to(live)
    file = LiveFile.open(tmp_path)
    assert not aside.exists()
    assert (file.sequence, file.first) == (2, 1)
    file.close()


ROTATED = {  # case: (rotated files of the chain, sequence to go on after)
    "plain": ({"decisions-20261124T101500Z-5.jsonl": line(5) + line(6)}, 6),
    "compressed": ({"decisions-20261124T101500Z-5.jsonl.zst": zstandard.compress(line(5) + line(6))}, 6),
    "the newest counts": (
        {
            "decisions-20261124T101500Z-5.jsonl.zst": zstandard.compress(line(5)),
            "decisions-20261125T101500Z-6.jsonl": line(6) + line(7),
        },
        7,
    ),
    "another chain does not": ({"decisions.2-20261124T101500Z-5.jsonl": line(5)}, 0),
    "damaged": ({"decisions-20261124T101500Z-5.jsonl.zst": b"no zstd"}, 5),
}


@pytest.mark.parametrize(("files", "sequence"), ROTATED.values(), ids=ROTATED)
def test_the_sequence_goes_on_from_rotated_files(files: dict[str, bytes], sequence: int, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    file = LiveFile.open(tmp_path)
    assert file.sequence == sequence
    file.close()


BACKWARDS = {  # case: (bytes, whole lines)
    "empty": (b"", []),
    "no feed": (b"abc", []),
    "one line": (b"abc\n", [b"abc\n"]),
    "a tail": (b"a\nb\nc", [b"b\n", b"a\n"]),
    "empty lines": (b"\n\na\n", [b"a\n", b"\n", b"\n"]),
    "long lines": (b"a" * 300_000 + b"\n" + b"b" * 600_000 + b"\n", [b"b" * 600_000 + b"\n", b"a" * 300_000 + b"\n"]),
}


@pytest.mark.parametrize(("content", "lines"), BACKWARDS.values(), ids=BACKWARDS)
def test_lines_backwards(content: bytes, lines: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with path.open("rb") as opened:
        assert list(lines_backwards(opened.fileno(), len(content))) == lines
        assert whole_lines_end(opened.fileno(), len(content)) == sum(map(len, lines))
