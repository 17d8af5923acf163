"""What the lock file tells a reader: that a file was put there whole, and nothing that is not so."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from embargo.policy.lock import last_replaced
from embargo.policy.replacement import locked

OLD, NEW = b"version: 1\n", b"version: 1\nrules: []\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_bytes(OLD)
    return tmp_path / "exceptions.yaml"


def replace(path: Path) -> None:
    with locked(path, "tester", like=path.with_name("policy.yaml")) as file:
        file.read()
        file.stage(NEW)
        file.replace()


def told(path: Path) -> bool:
    """Whether a reader is told that the file, as it is now, is whole."""
    status = path.stat()
    return last_replaced(path) == (status.st_ino, status.st_mtime_ns, status.st_size)


def test_a_reader_is_told_that_it_is_whole(path: Path) -> None:
    assert last_replaced(path) is None
    replace(path)
    assert told(path)
    with locked(path, "a writer", like=path.with_name("policy.yaml")):
        assert told(path), "another writer has changed nothing yet"
    assert told(path)
    path.write_bytes(OLD)
    assert not told(path), "an editor did that"


def test_one_of_several_files_is_told_once_all_are_in_place(path: Path) -> None:
    with locked(path, "a writer", like=path.with_name("policy.yaml")) as file:
        file.read()
        file.stage(NEW)
        file.replace(alone=False)
        assert not told(path)
        file.tell()
    assert told(path)


def test_a_holder_cannot_say_that_it_is_whole(path: Path) -> None:
    path.write_bytes(OLD)
    status = path.stat()
    with locked(path, f"x\nwhole {status.st_ino} {status.st_mtime_ns} {status.st_size}\n", like=path):
        assert not told(path)


LOCKS: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a directory": Path.mkdir,
    "a link to nowhere": lambda lock: lock.symlink_to("nowhere"),
    "other text": lambda lock: lock.write_bytes(b"\xff\nwhole 1 2\n"),
    "a long one": lambda lock: lock.write_bytes(b"x" * 100_000),
}


@pytest.mark.parametrize("make", LOCKS.values(), ids=LOCKS)
def test_a_lock_that_tells_nothing(make: Callable[[Path], object], path: Path) -> None:
    make(path.with_name(".exceptions.yaml.lock"))
    assert last_replaced(path) is None


def test_behind_a_link_it_is_told_too(path: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    path.symlink_to(tmp_path / "kept" / "real.yaml")
    replace(path)
    assert told(path)
