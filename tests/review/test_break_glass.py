"""Beginning and ending break-glass: what is on record, in which order, and what happens where it cannot be."""

import errno
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from embargo.core.break_glass import BreakGlass, End
from embargo.journal.break_glass import ended
from embargo.journal.event import ConfigurationChanged, Outcome
from embargo.journal.status import Liveness, Status
from embargo.policy.break_glass import FILE, clocks, in_force, last
from embargo.review import break_glass
from embargo.review.break_glass import AlreadyInForce, Logs, begin, end, logs_of, uptake
from recorded import records_in


class Kept:
    """Keeps what is to be recorded; after *room* records the disk is full."""

    def __init__(self, room: int = 99) -> None:
        self.events: list[ConfigurationChanged] = []
        self._room = room

    def __call__(self, event: ConfigurationChanged) -> None:
        if len(self.events) >= self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.events.append(event)

    def end(self, glass: BreakGlass, how: End, noted: datetime | None, *, policy: str | None) -> End:
        known = [event.details["end"] for event in self.events if event.details.get("end")]
        ids = [event.details["id"] for event in self.events if event.details.get("end")]
        if glass.id in ids:
            return End(str(known[ids.index(glass.id)]))
        if noted is None:
            self(ended(glass, how, glass.until, policy=policy))
        return how

    @property
    def story(self) -> list[tuple[str, Any]]:
        return [(event.action, event.details.get("end")) for event in self.events]


def order(directory: Path, kept: Kept, **changed: Any) -> BreakGlass:
    usual: dict[str, Any] = {"seconds": 600.0, "reason": "payroll", "author": "alice", "ticket": None, "policy": None}
    return begin(directory, kept, **usual | changed)


def test_begun_and_ended(tmp_path: Path) -> None:
    state, kept = tmp_path / "state", Kept()
    glass = order(state, kept)
    assert state.stat().st_mode & 0o777 == 0o700
    assert in_force(state, clocks()) == glass
    over = end(state, kept, by="bob", reason="mended", policy=None)
    assert over.glass == glass
    assert in_force(state, clocks()) is None
    assert kept.story == [("break-glass-started", None), ("break-glass-ended", "ended")]
    assert (kept.events[-1].user, kept.events[-1].reason) == ("bob", "it was ended: mended")
    again = end(state, kept, by="bob", reason=None, policy=None)
    assert (again.glass, len(kept.events)) == (None, 2)


def test_a_second(tmp_path: Path) -> None:
    kept = Kept()
    first = order(tmp_path, kept)
    with pytest.raises(AlreadyInForce) as refused:
        order(tmp_path, kept, author="bob")
    assert refused.value.glass == first
    second = order(tmp_path, kept, author="bob", replace=True)
    assert in_force(tmp_path, clocks()) == second
    assert [event.details.get("replaces") for event in kept.events] == [None, first.id, None]
    assert kept.story[-1] == ("break-glass-ended", "replaced")


def test_none_begins_that_is_not_on_record(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        order(tmp_path, Kept(room=0))
    assert in_force(tmp_path, clocks()) is None
    assert last(tmp_path) is None


def test_one_that_cannot_be_written_is_on_record_as_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_directory: Path, _glass: BreakGlass) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(break_glass, "write", full)
    kept = Kept()
    with pytest.raises(OSError, match="No space"):
        order(tmp_path, kept)
    assert [event.outcome for event in kept.events] == [Outcome.SUCCESS, Outcome.FAILURE]


def test_an_end_that_cannot_be_recorded_is_an_end(tmp_path: Path) -> None:
    """And the proxy records it later."""
    kept = Kept(room=1)
    glass = order(tmp_path, kept)
    over = end(tmp_path, kept, by="bob", reason=None, policy=None)
    assert (over.glass, over.unrecorded) == (glass, "[Errno 28] No space left on device")
    assert in_force(tmp_path, clocks()) is None
    newest = last(tmp_path)
    assert newest is not None
    assert newest.end is None


def test_a_damaged_file(tmp_path: Path) -> None:
    """The end takes it away; a beginning takes its place."""
    kept = Kept()
    order(tmp_path, kept)
    (tmp_path / FILE).write_text("{}")
    over = end(tmp_path, kept, by="bob", reason=None, policy=None)
    assert over.glass is None
    assert over.removed is not None
    assert not (tmp_path / FILE).exists()
    assert kept.story[-1] == ("break-glass-ended", End.DAMAGED.value)
    (tmp_path / FILE).symlink_to("/etc/passwd")
    glass = order(tmp_path, kept)
    assert in_force(tmp_path, clocks()) == glass


def test_no_state_directory(tmp_path: Path) -> None:
    assert end(tmp_path / "none", Kept(), by="bob", reason=None, policy=None).glass is None
    assert not (tmp_path / "none").exists()


def test_each_log_has_it(tmp_path: Path) -> None:
    logs = Logs([tmp_path / "a", tmp_path / "b"])
    glass = order(tmp_path, logs)
    last_of_it = (tmp_path / "break-glass.last.json").read_bytes()
    end(tmp_path, logs, by="bob", reason=None, policy=None)
    (tmp_path / "break-glass.last.json").write_bytes(last_of_it)  # as if it had been killed before it noted the end
    order(tmp_path, logs, author="carol")
    for name in ("a", "b"):
        told = records_in(tmp_path / name / "audit.jsonl")
        actions = ["break-glass-started", "break-glass-ended", "break-glass-started"]
        assert [each["event"]["action"] for each in told] == actions
        assert told[1]["embargo"]["break_glass"]["id"] == glass.id


# -- who has taken it up


def answering(path: str, **answer: Any) -> Status:
    return Status(path=path, liveness=Liveness.RUNNING, answer=answer)


HERE = "/var/lib/embargo"
GLASS = {"id": "id-1"}
LATE: dict[str, tuple[Status, str | None, str | None]] = {  # case: (what it says, what is wanted, why it is late)
    "it follows": (answering("1.sock", break_glass=GLASS, state_directory=HERE), "id-1", None),
    "it has ended there": (answering("1.sock", break_glass=None, state_directory=HERE), None, None),
    "not yet": (answering("1.sock", break_glass=None, state_directory=HERE), "id-1", "has not followed yet"),
    "not ended yet": (answering("1.sock", break_glass=GLASS, state_directory=HERE), None, "has not followed yet"),
    "elsewhere": (answering("1.sock", break_glass=None, state_directory="/x"), "id-1", "looks in /x, not in"),
    "it ignores the file": (
        answering("1.sock", break_glass={"error": "a symbolic link"}, state_directory=HERE),
        "id-1",
        "ignores the file: a symbolic link",
    ),
    "an older version": (answering("1.sock"), "id-1", "is of a version that knows no break-glass"),
    "silent": (Status(path="1.sock", liveness=Liveness.SILENT, error="no answer within 1 s"), "id-1", "no answer"),
}


@pytest.mark.parametrize(("said", "wanted", "why"), LATE.values(), ids=LATE)
def test_uptake(said: Status, wanted: str | None, why: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = Status(path="2.sock", liveness=Liveness.STALE)
    monkeypatch.setattr(break_glass, "running", lambda _directory, _patience: [said, stale])
    (found,) = uptake(Path("/run"), wanted, Path(HERE), 0.1)
    assert found.late is None if why is None else why in (found.late or "")


def test_logs_of() -> None:
    said = [answering("1.sock", log={"directory": "/a"}), answering("2.sock", log={"directory": "/a"})]
    assert logs_of([*said, answering("3.sock", log=None)]) == [Path("/a")]
