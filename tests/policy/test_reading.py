"""Files that cannot be read, or not whole: each named, none waited for."""

import os
import socket
from pathlib import Path

import pytest

from embargo.policy.problem import Mistake
from embargo.policy.reading import UNREADABLE, read


def code(path: Path) -> str:
    with pytest.raises(Mistake) as refused:
        read("f", path, pause=lambda seconds: None)
    return refused.value.code


def test_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 3_000_000)
    assert read("f", path).data == b"x" * 3_000_000


def test_missing(tmp_path: Path) -> None:
    assert code(tmp_path / "f") == "missing-file"
    (tmp_path / "file").touch()
    assert code(tmp_path / "file" / "below") == "missing-file"


def test_directory(tmp_path: Path) -> None:
    assert code(tmp_path) == "directory"


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")
    assert code(tmp_path / "f") == "not-a-file"


def test_device() -> None:
    assert code(Path("/dev/zero")) == "not-a-file"


def test_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        assert code(Path("s")) == "not-a-file"


def test_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert code(tmp_path / "a") == "unreadable-file"


def test_too_large(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 101)
    assert read("f", path, 101).data == b"x" * 101
    with pytest.raises(Mistake, match=r"0\.0 MiB") as refused:
        read("f", path, 100)
    assert refused.value.code == "too-large"


class WrittenMeanwhile:
    """`os.read`, with somebody who appends to the file each time until *times* are over."""

    def __init__(self, path: Path, times: int) -> None:
        self.path, self.times = path, times
        self._read = os.read

    def __call__(self, descriptor: int, count: int) -> bytes:
        data = self._read(descriptor, count)
        if self.times:
            self.times -= 1
            with self.path.open("ab") as file:
                file.write(b"y")
        return data


def test_file_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 1000)
    monkeypatch.setattr(os, "read", WrittenMeanwhile(path, times=1_000_000))
    assert code(path) == "unstable-file"


def test_file_that_is_finished_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 1000)
    monkeypatch.setattr(os, "read", WrittenMeanwhile(path, times=3))
    pauses: list[float] = []
    assert read("f", path, pause=pauses.append).data == b"x" * 1000 + b"y" * 3
    assert pauses


def test_file_cut_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 3_000_000)
    real = os.read

    def cut(descriptor: int, count: int) -> bytes:
        data = real(descriptor, count)
        if path.stat().st_size > 1_000_000:
            os.truncate(path, 1_000_000)
        return data

    monkeypatch.setattr(os, "read", cut)
    assert len(read("f", path, pause=lambda seconds: None).data) == 1_000_000


def test_codes_that_exit_with_2() -> None:
    assert {"missing-file", "unreadable-file", "directory", "not-a-file", "unstable-file"} == UNREADABLE
