"""The file is replaced whole or not at all, by one writer at a time, and stays what it was but for its text."""

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embargo.policy.layers import exceptions_file
from embargo.policy.replacement import LockedFile, NotWritten, locked
from nobody import as_nobody, in_child, public_directory

OLD, NEW = b"version: 1\n", b"version: 1\nrules: []\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_bytes(OLD)
    return exceptions_file([Path("elsewhere.yaml"), tmp_path / "policy.yaml"])


def replace(path: Path, data: bytes = NEW, **options: object) -> None:
    with locked(path, "tester", like=path.with_name("policy.yaml"), **options) as file:  # type: ignore[arg-type]
        file.read()
        file.stage(data)
        file.replace()


def others(path: Path) -> list[str]:
    """What lies beside the file and the policy."""
    return sorted(each.name for each in path.parent.iterdir() if each.name not in ("policy.yaml", path.name))


def test_it_stands_beside_the_last_file(path: Path, tmp_path: Path) -> None:
    assert path == tmp_path / "exceptions.yaml"


def test_a_file_is_made_and_replaced(path: Path) -> None:
    replace(path, OLD)
    assert path.read_bytes() == OLD
    replace(path)
    assert path.read_bytes() == NEW
    assert others(path) == [".exceptions.yaml.lock"]


def test_a_new_one_is_readable_for_whoever_reads_the_policy(path: Path) -> None:
    path.with_name("policy.yaml").chmod(0o640)
    replace(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_mode_and_attributes_stay(path: Path) -> None:
    path.write_bytes(OLD)
    path.chmod(0o604)
    try:
        os.setxattr(path, "user.note", b"kept")
    except OSError:
        pytest.skip("the file system has no extended attributes")
    replace(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert os.getxattr(path, "user.note") == b"kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(path: Path) -> None:
    path.write_bytes(OLD)
    os.chown(path, 1234, 2345)
    replace(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    target = tmp_path / "kept" / "real.yaml"
    target.write_bytes(OLD)
    path.symlink_to(Path("kept") / "real.yaml")
    replace(path)
    assert path.is_symlink()
    assert target.read_bytes() == NEW


def test_who_has_it_open_keeps_the_old_text(path: Path) -> None:
    """An editor reads on in what it opened; it never sees a file that is half of each."""
    path.write_bytes(OLD * 1000)
    with path.open("rb") as reader:
        head = reader.read(10)
        replace(path)
        assert head + reader.read() == OLD * 1000
    assert path.read_bytes() == NEW


def test_a_change_meanwhile_is_not_written_over(path: Path) -> None:
    path.write_bytes(OLD)
    with locked(path, "tester", like=path) as file:
        file.read()
        file.stage(NEW)
        path.write_bytes(b"version: 1\n# by hand\n")
        with pytest.raises(NotWritten, match="meanwhile"):
            file.replace()
    assert path.read_bytes() == b"version: 1\n# by hand\n"
    assert others(path) == [".exceptions.yaml.lock"]


def test_one_that_appears_meanwhile_is_not_written_over(path: Path) -> None:
    with locked(path, "tester", like=path.with_name("policy.yaml")) as file:
        assert file.read() is None
        file.stage(NEW)
        path.write_bytes(OLD)
        with pytest.raises(NotWritten, match="meanwhile"):
            file.replace()
    assert path.read_bytes() == OLD


def test_an_editor_is_noticed(path: Path) -> None:
    with locked(path, "tester", like=path.with_name("policy.yaml")) as file:
        assert file.open_elsewhere() is None
        swap = path.with_name(".exceptions.yaml.swp")
        swap.touch()
        assert file.open_elsewhere() == swap


def test_the_second_writer_hears_who_has_it(path: Path) -> None:
    told: list[str] = []
    with (
        locked(path, "alice (process 7)", like=path),
        pytest.raises(NotWritten, match=r"alice \(process 7\) is changing"),
        locked(path, "bob", like=path, patience=0.1, waiting=told.append),
    ):
        pytest.fail("both have it")
    assert told == ["alice (process 7)"]
    replace(path, patience=0.0)


def test_what_a_lock_file_says_is_no_terminal_command(path: Path) -> None:
    with (
        locked(path, "\x1b[31mred\n" + "x" * 1000, like=path),
        pytest.raises(NotWritten) as refused,
        locked(path, "bob", like=path, patience=0.0),
    ):
        pytest.fail("both have it")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 700


def test_a_link_in_place_of_the_lock_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(OLD)
    (tmp_path / ".exceptions.yaml.lock").symlink_to("precious")
    with pytest.raises(NotWritten, match="cannot be locked"):
        replace(path)
    assert (tmp_path / "precious").read_bytes() == OLD


UNREADABLE: dict[str, Callable[[Path], None]] = {
    "a directory": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("make", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_file_is_refused(make: Callable[[Path], None], path: Path) -> None:
    make(path)
    with locked(path, "tester", like=path.with_name("policy.yaml")) as file, pytest.raises(NotWritten):
        file.read()


def test_what_a_killed_writer_left_is_removed(path: Path) -> None:
    left = path.with_name(".exceptions.yaml.99999.new")
    left.write_bytes(b"half")
    replace(path)
    assert others(path) == [".exceptions.yaml.lock"]


# --- what needs another process: a full disk, another user


def test_a_full_disk_changes_nothing(path: Path) -> None:
    path.write_bytes(OLD)

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        replace(path, b"# much\n" * 1000)

    assert in_child(fill).startswith("refused: ")
    assert path.read_bytes() == OLD
    assert others(path) == [".exceptions.yaml.lock"]


@pytest.fixture
def public() -> Iterator[Path]:
    """In a directory that other users may enter."""
    with public_directory() as directory:
        (directory / "policy.yaml").write_bytes(OLD)
        yield directory / "exceptions.yaml"


def test_a_directory_that_cannot_be_written_changes_nothing(public: Path) -> None:
    public.parent.chmod(0o555)
    assert as_nobody(lambda: replace(public)).startswith("refused: ")
    public.parent.chmod(0o755)
    assert not public.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_a_file_of_somebody_else_stays_theirs(public: Path) -> None:
    public.write_bytes(OLD)
    public.parent.chmod(0o777)
    said = as_nobody(lambda: replace(public))
    assert "only its owner (uid 0) or root can keep whose it is" in said
    assert public.read_bytes() == OLD


WAIT_AND_ADD = """
import sys
from pathlib import Path
from embargo.policy.replacement import locked
path, number = Path(sys.argv[1]), sys.argv[2]
sys.stdin.read()  # all begin at once
with locked(path, number, like=path.with_name("policy.yaml")) as file:
    data = file.read() or b""
    file.stage(data + number.encode() + b"\\n")
    file.replace()
"""


def test_writers_take_turns(path: Path) -> None:
    """Twelve processes begin at once: each adds its line to what the ones before wrote."""
    command = [sys.executable, "-c", WAIT_AND_ADD, str(path)]
    writers = [subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE) for number in range(12)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    assert [writer.wait(60) for writer in writers] == [0] * 12
    assert sorted(map(int, path.read_text().split())) == list(range(12))


def test_the_file_lies_on_the_disk_before_it_takes_the_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        steps.append("sync directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def noted_rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    replace(path)
    assert steps == ["sync file", "rename", "sync directory"]


def test_what_is_not_replaced_is_taken_away(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(path, "tester", like=path.with_name("policy.yaml")) as file:
        assert isinstance(file, LockedFile)
        file.read()
        file.stage(NEW)
        raise ZeroDivisionError
    assert others(path) == [".exceptions.yaml.lock"]
    replace(path, patience=0.0)
