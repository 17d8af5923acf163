import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embargo.journal.status import Liveness, Status, ask, running
from processes import HEALTHY, Answering


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short: the name of a Unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="e") as path:
        yield Path(path)


def test_every_process_is_asked(directory: Path) -> None:
    with Answering(directory, 300, HEALTHY | {"pid": 300}), Answering(directory, 20, HEALTHY | {"pid": 20}):
        (directory / "notes.txt").touch()
        answers = running(directory)
    assert [status.pid for status in answers] == [20, 300]
    assert all(status.liveness is Liveness.RUNNING for status in answers)
    assert answers[0].part("flows")["judged"] == 9


def test_no_directory_means_no_process(directory: Path) -> None:
    assert running(directory / "none") == []
    assert running(directory) == []


def test_a_dead_process_is_stale(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "7.sock"))
    status = ask(directory / "7.sock")
    assert (status.pid, status.liveness) == (7, Liveness.STALE)
    assert list(status.findings()) == []


def test_a_silent_process_is_given_up(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(directory / "7.sock"))
        silent.listen()
        status = ask(directory / "7.sock", patience=0.05)
    assert status.liveness is Liveness.SILENT
    assert list(status.findings()) == ["does not answer: no answer within 0.05 s"]


def test_a_slow_trickle_is_given_up(directory: Path) -> None:
    """Each byte alone comes in time; the whole does not."""
    stop = threading.Event()
    with socket.socket(socket.AF_UNIX) as slow:
        slow.bind(str(directory / "7.sock"))
        slow.listen()

        def trickle() -> None:
            connection, _ = slow.accept()
            with connection:
                while not stop.wait(0.01):
                    try:
                        connection.send(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        status = ask(directory / "7.sock", patience=0.1)
        stop.set()
        thread.join()
    assert status.liveness is Liveness.SILENT


BROKEN = {  # case: (what the process sends, what is said of it)
    "nothing": (b"", "its answer is no JSON"),
    "no JSON": (b"hello", "its answer is no JSON"),
    "no UTF-8": (b"\xff\xfe", "its answer is no JSON"),
    "a list": (b"[]", "its answer is no JSON object"),
    "half an object": (b'{"pid": 7', "its answer is no JSON"),
    "too much": (b" " * (4 * 1024 * 1024 + 1), "longer than"),
}


@pytest.mark.parametrize(("sent", "error"), BROKEN.values(), ids=BROKEN)
def test_an_answer_that_is_none(sent: bytes, error: str, directory: Path) -> None:
    with Answering(directory, 7, sent):
        status = ask(directory / "7.sock")
    assert status.liveness is Liveness.UNREADABLE
    assert error in str(status.error)


def test_what_is_no_socket(directory: Path) -> None:
    (directory / "7.sock").write_text("no socket")
    assert ask(directory / "7.sock").liveness is Liveness.STALE  # ECONNREFUSED, as of a dead one


def test_a_path_too_long_for_a_socket(directory: Path) -> None:
    status = ask(directory / ("x" * 200 + ".sock"))
    assert status.liveness is Liveness.UNREADABLE
    assert "too long" in str(status.error)


FINDINGS = {  # case: (changed members, findings)
    "all is well": ({}, []),
    "no policy": ({"policy": None}, ["enforces no policy: everything is refused"]),
    "a refused reload": (
        {"refused": {"time": "2026-11-24T10:00:00Z", "problems": ["a", "b"], "files": []}},
        ["refused the newest policy (2 problems); what was enforced stays"],
    ),
    "a refused map of identities": (
        {"identity": {"refused": {"time": "2026-11-24T10:00:00Z", "problems": ["a"]}}},
        ["refused the newest map of identities (1 problem); what it said before stays"],
    ),
    "break-glass": (
        {"break_glass": {"id": "x", "seconds_left": 1770.4, "author": "alice", "reason": "payroll"}},
        ["refuses nothing: break-glass for 29 min 30 s more, by alice: payroll"],
    ),
    "break-glass in the place of a policy": (
        {"break_glass": {"id": "x", "seconds_left": None, "author": "alice", "reason": "payroll"}, "policy": None},
        ["refuses nothing: break-glass for an unknown time more, by alice: payroll", "has no policy"],
    ),
    "a file of break-glass that counts for nothing": (
        {"break_glass": {"error": "break-glass.json: a symbolic link"}},
        ["ignores a file of break-glass: break-glass.json: a symbolic link"],
    ),
    "records lost": ({"log": HEALTHY["log"] | {"lost": 1}}, ["lost 1 record of the decision log"]),
    "a log that cannot be written": (
        {"log": HEALTHY["log"] | {"error": "No space left on device"}},
        ["cannot write the decision log: No space left on device"],
    ),
    "a log that is not signed": (
        {"log": HEALTHY["log"] | {"seal": {"key": None, "error": "/log/seal/key.pem is gone"}}},
        ["signs no record of the decision log: /log/seal/key.pem is gone"],
    ),
    "old files that cannot be deleted": (
        {"log": HEALTHY["log"] | {"retention": {"error": "nothing is deleted, since …", "held": 0, "deleted": 3}}},
        ["deletes no old files of the log: nothing is deleted, since …"],
    ),
    "an anchor that does not take": (
        {"anchors": [{"to": "/a", "error": None}, {"to": "https://x:443", "error": "no answer in time"}]},
        ["cannot hand checkpoints to the anchor https://x:443: no answer in time"],
    ),
    "members of other types": (
        {"log": [], "refused": "yes", "policy": 7, "identity": {"refused": 7}, "anchors": [7]},
        ["enforces no policy: everything is refused"],
    ),
}


@pytest.mark.parametrize(("changed", "findings"), FINDINGS.values(), ids=FINDINGS)
def test_findings(changed: dict[str, Any], findings: list[str]) -> None:
    status = Status(path="7.sock", liveness=Liveness.RUNNING, answer=json.loads(json.dumps(HEALTHY | changed)))
    assert list(status.findings()) == findings


def test_a_directory_that_cannot_be_listed(directory: Path) -> None:
    (directory / "file").touch()
    with pytest.raises(NotADirectoryError):
        running(directory / "file")
    assert [path.name for path in directory.iterdir()] == ["file"]
