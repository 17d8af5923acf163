"""A file for a shipper: whole lines, rotated by name, with the mode that the site gave it."""

import errno
import os
from pathlib import Path

import pytest

from embargo.core.sink import SinkFormat
from embargo.sinks.export_file import ExportFile
from embargo.sinks.message import Composer, Message
from embargo.sinks.receiver import Unreachable
from sinks.spooled import NOW, lines, sink


def messages(first: int, last: int) -> list[Message]:
    return Composer(sink("/x", format=SinkFormat.CEF), NOW).messages(lines(first, last))


def texts(first: int, last: int) -> list[str]:
    return [message.text for message in messages(first, last)]


def test_lines_are_appended_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "cef.log"
    made = ExportFile(sink(str(path)))
    made.deliver(messages(1, 2))
    made.deliver(messages(3, 3))
    assert path.read_text("utf-8").splitlines() == texts(1, 3)
    assert path.stat().st_mode & 0o777 == 0o600


def test_rotated_by_name_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "cef.log"
    path.touch(0o640)
    path.chmod(0o640)
    made = ExportFile(sink(str(path), rotate_size=1, rotate_keep=2))
    for number in range(1, 5):
        made.deliver(messages(number, number))
    found = {file.name: file.read_text("utf-8").splitlines() for file in tmp_path.iterdir()}
    assert found == {"cef.log": texts(4, 4), "cef.log.1": texts(3, 3), "cef.log.2": texts(2, 2)}
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_a_crash_tore_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "cef.log"
    path.write_text(texts(1, 1)[0] + "\nCEF:1|torn")
    ExportFile(sink(str(path))).deliver(messages(2, 2))
    assert path.read_text("utf-8").splitlines() == texts(1, 2)


def test_somebody_elses_rotation_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "cef.log"
    made = ExportFile(sink(str(path)))
    made.deliver(messages(1, 1))
    path.rename(tmp_path / "cef.log-20261129")
    made.deliver(messages(2, 2))
    assert path.read_text("utf-8").splitlines() == texts(2, 2)


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "cef.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unreachable):
        ExportFile(sink(str(tmp_path / "cef.log"))).deliver(messages(1, 1))
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_is_told() -> None:
    with pytest.raises(Unreachable, match="No space left"):
        ExportFile(sink("/dev/full")).deliver(messages(1, 1))


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ExportFile(sink(str(tmp_path / "cef.log")))
    made.deliver(messages(1, 1))
    write = os.write
    free = [100]

    def little(descriptor: int, data: bytes) -> int:
        if not free:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: free.pop()])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", little)
        with pytest.raises(Unreachable, match="No space left"):
            made.deliver(messages(2, 3))
    made.deliver(messages(2, 3))
    assert (tmp_path / "cef.log").read_text("utf-8").splitlines() == texts(1, 3)


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        ExportFile(sink(str(tmp_path / "none/cef.log"))).deliver(messages(1, 1))
    assert list(tmp_path.iterdir()) == []
