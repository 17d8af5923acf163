"""A proposed catalogue put in place: whole or not at all, recorded, and with the one before beside it."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from docs.pages import ROOT
from embargo.policy.load import load
from embargo.policy.replacement import NotWritten, locked
from embargo.review.catalogue_install import install
from embargo.review.catalogue_update import Proposal, previous, propose_previous, propose_update
from nobody import as_nobody, public_directory
from recorded import records_in
from sample import NOW

OLD = """\
version: 1
released: 2026-01-01
apps: {a: {endpoints: [old.test]}}
rules: [{id: ban, apps: all, action: block}]
"""
NEW = OLD.replace("2026-01-01", "2026-02-01").replace("[old.test]", "[old.test, new.test]")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc/domains.yaml"
    file.write_text(OLD, encoding="utf-8")
    (tmp_path / "new.yaml").write_text(NEW, encoding="utf-8")
    return file


def proposed(target: Path) -> Proposal:
    return propose_update([target], target.parents[1] / "new.yaml", NOW)


def put(proposal: Proposal, log: Path) -> str | None:
    return install(
        proposal,
        log,
        action="catalogue-updated",
        user="alice",
        holder="alice",
        now=lambda: datetime.now(UTC),
        reason="r",
    )


def records(log: Path) -> list[dict[str, object]]:
    file = log / "audit.jsonl"
    return records_in(file)


def test_written_kept_and_recorded(target: Path, tmp_path: Path) -> None:
    target.chmod(0o640)
    proposal = proposed(target)
    assert put(proposal, tmp_path / "log") is None
    assert target.read_bytes() == proposal.new
    assert target.stat().st_mode & 0o777 == 0o640
    assert previous(target).read_text() == OLD
    before, after = records(tmp_path / "log")
    assert [each["event"]["outcome"] for each in (before, after)] == ["unknown", "success"]  # type: ignore[index]
    assert after["user"] == {"name": "alice"}
    told = after["embargo"]["catalogue"]  # type: ignore[index]
    assert (told["released"], told["replaced"], told["added"], told["on_trial"]) == ("2026-02-01", "2026-01-01", 1, 1)
    assert told["stricter"] == ["a domain:new.test: pass to log"]
    assert told["new"] == load([target]).digest


def test_what_excludes_and_rules_open_is_on_record(target: Path, tmp_path: Path) -> None:
    text = NEW.replace("new.test]", "new.test], exclude: [x.old.test]").replace(
        "rules: [", "groups: {g: {users: [u]}}\nrules: [{id: g, apps: a, groups: g, action: allow}, "
    )
    (tmp_path / "new.yaml").write_text(text, encoding="utf-8")
    assert put(proposed(target), tmp_path / "log") is None
    milder = records(tmp_path / "log")[1]["embargo"]["catalogue"]["milder"]  # type: ignore[index]
    assert milder[0].startswith("a for g goes from block to allow, ")
    assert milder[1:] == ["a domain:x.old.test: block to pass"]


def test_back_and_forth(target: Path, tmp_path: Path) -> None:
    new = proposed(target).new
    put(proposed(target), tmp_path / "log")
    for expected, kept in ((OLD.encode(), new), (new, OLD.encode())):
        put(propose_previous([target], NOW), tmp_path / "log")
        assert (target.read_bytes(), previous(target).read_bytes()) == (expected, kept)


def unchanged(target: Path) -> None:
    assert target.read_text() == OLD
    assert sorted(path.name for path in target.parent.iterdir() if not path.name.endswith(".lock")) == ["domains.yaml"]


def test_an_edit_meanwhile_is_not_lost(target: Path, tmp_path: Path) -> None:
    proposal = proposed(target)
    target.write_text(OLD + "# mine\n", encoding="utf-8")
    with pytest.raises(NotWritten, match="changed it meanwhile"):
        put(proposal, tmp_path / "log")
    assert target.read_text() == OLD + "# mine\n"
    assert records(tmp_path / "log") == []


def test_what_cannot_be_recorded_is_not_done(target: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file where the directory should be", encoding="utf-8")
    with pytest.raises(NotWritten, match="cannot be recorded"):
        put(proposed(target), tmp_path / "log")
    unchanged(target)


def test_a_directory_that_is_read_only() -> None:
    with public_directory() as public:
        (public / "etc").mkdir()
        target = public / "etc/domains.yaml"
        target.write_text(OLD, encoding="utf-8")
        (public / "new.yaml").write_text(NEW, encoding="utf-8")
        (public / "log").mkdir()
        (public / "log").chmod(0o777)
        (public / "etc").chmod(0o555)
        assert as_nobody(lambda: put(proposed(target), public / "log")).startswith("refused: ")
        unchanged(target)
        assert records(public / "log") == []


@pytest.mark.parametrize("name", [".domains.yaml.{}.new", ".domains.yaml.previous.{}.new"])
def test_a_place_where_nothing_can_be_written(target: Path, tmp_path: Path, name: str) -> None:
    (target.parent / name.format(os.getpid())).mkdir()
    with pytest.raises(NotWritten):
        put(proposed(target), tmp_path / "log")
    assert target.read_text() == OLD
    assert not previous(target).exists()
    assert records(tmp_path / "log") == []


def test_a_link_to_the_catalogue_stays_one(target: Path, tmp_path: Path) -> None:
    link = tmp_path / "domains.yaml"
    link.symlink_to(target)
    proposal = propose_update([link], tmp_path / "new.yaml", NOW)
    put(proposal, tmp_path / "log")
    assert link.is_symlink()
    assert target.read_bytes() == proposal.new
    assert (tmp_path / "etc/domains.yaml.previous").read_text() == OLD


def test_a_planted_link_is_not_followed(target: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    previous(target).symlink_to(victim)
    with pytest.raises(NotWritten, match="symbolic link"):
        put(proposed(target), tmp_path / "log")
    assert victim.read_text() == "mine"
    assert target.read_text() == OLD


def test_two_at_once_take_turns_and_the_later_one_is_refused(target: Path, tmp_path: Path) -> None:
    proposal = proposed(target)
    waiting = threading.Event()
    failures: list[str] = []

    def second() -> None:
        try:
            install(
                proposal, tmp_path / "log", action="catalogue-updated", user="bob", holder="bob",
                now=lambda: datetime.now(UTC), waiting=lambda other: waiting.set(),
            )  # fmt: skip
        except NotWritten as refused:
            failures.append(str(refused))

    with locked(target, "alice", like=target) as file:
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(30)
        file.read()
        file.stage(OLD.encode() + b"# alice was here\n")
        file.replace()
    thread.join(30)
    assert len(failures) == 1
    assert "changed it meanwhile" in failures[0]
    assert target.read_text() == OLD + "# alice was here\n"


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from embargo.journal import audit
from embargo.policy import replacement
from embargo.review.catalogue_install import install
from embargo.review.catalogue_update import propose_update

step, target, new, log = sys.argv[1:]
def die(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)
replace, record, calls = replacement.LockedFile.replace, audit.record, []
def counted_replace(self):
    calls.append(self)
    if step == f"before replacing {len(calls)}":
        die()
    replace(self)
replacement.LockedFile.replace = counted_replace
def counted_record(*arguments, **options):
    if step == "before recording" and not calls:
        die()
    record(*arguments, **options)
    if step == "after recording" and not calls:
        die()
audit.record = counted_record
install(propose_update([Path(target)], Path(new), datetime.now(UTC)), Path(log), action="catalogue-updated",
        user="alice", holder="alice", now=lambda: datetime.now(UTC))
"""


@pytest.mark.parametrize("step", ["before recording", "after recording", "before replacing 1", "before replacing 2"])
def test_killed_in_the_middle(target: Path, tmp_path: Path, step: str) -> None:
    """Whatever the moment, the catalogue is the old one, whole, and the next update goes through."""
    arguments = [step, str(target), str(tmp_path / "new.yaml"), str(tmp_path / "log")]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], env={**os.environ, "PYTHONPATH": str(ROOT / "addon")}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert target.read_text() == OLD
    proposal = proposed(target)
    assert put(proposal, tmp_path / "log") is None
    assert target.read_bytes() == proposal.new
    assert previous(target).read_text() == OLD
    left = {path.name for path in target.parent.iterdir()}
    assert left == {"domains.yaml", "domains.yaml.previous", ".domains.yaml.lock"}


def test_nothing_changes_where_another_layer_did(target: Path, tmp_path: Path) -> None:
    site = target.with_name("site.yaml")
    site.write_text("version: 1\ninclude: [domains.yaml]\n", encoding="utf-8")
    proposal = propose_update([site], tmp_path / "new.yaml", NOW)
    site.write_text("version: 1\ninclude: [domains.yaml]\nsettings: {default: block}\n", encoding="utf-8")
    with pytest.raises(NotWritten, match="another file of the policy changed"):
        put(proposal, tmp_path / "log")
    assert target.read_text() == OLD
