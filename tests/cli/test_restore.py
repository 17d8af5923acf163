"""`embargo restore`: what there was, going back to it, and what is said and recorded of that."""

import errno
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.journal.event import ConfigurationChanged, Outcome, PolicyChanged
from embargo.journal.livefile import LiveFile
from embargo.journal.reader import Reader
from embargo.journal.record import Encoder
from embargo.policy.load import load
from recorded import OBSERVER, TIME

TEXT = "version: 1\napps: {a: {endpoints: [a.example]}}\nrules: [{id: r, apps: a, action: %s}]\n"


class Site:
    """A policy that was in force as `block`, then as `log`."""

    def __init__(self, directory: Path, log: Path | None = None, actions: Sequence[str] = ("block", "log")) -> None:
        self.file, self.log = directory / f"{directory.name}.yaml", log or directory / "log"
        directory.mkdir(exist_ok=True)
        (self.log / "policies").mkdir(parents=True, exist_ok=True)
        self.digests = [self.edit(action) for action in actions]
        self.log_of(*self.digests)

    def log_of(self, *digests: str) -> None:
        """Record that these took effect."""
        file = LiveFile.open(self.log)
        encoder = Encoder(OBSERVER)
        for digest in digests:
            change = PolicyChanged(time=TIME, outcome=Outcome.SUCCESS, old=None, new=digest, files=("site.yaml",))
            file.append([encoder.line(change, sequence=file.sequence + 1, identifier=f"id-{file.sequence}")])
        file.close()

    def edit(self, action: str) -> str:
        self.file.write_text(TEXT % action)
        loaded = load([self.file])
        (self.log / "policies" / loaded.digest).write_bytes(b"".join(loaded.bundle()))
        return loaded.digest

    def run(self, *words: str) -> Result:
        where = ["--policy", str(self.file), "--log", str(self.log)]
        return CliRunner().invoke(main, ["restore", *words, *where])

    def recorded(self) -> list[tuple[str, str | None]]:
        return [(entry.record.action, entry.record.outcome) for entry in Reader(self.log, ["audit"]).entries()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_there_was(site: Site) -> None:
    result = site.run()
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].split() == ["in", "force", "from", "policy", "stricter", "milder", "files"]
    assert [line.split()[1] for line in lines[1:]] == [digest[:12] for digest in reversed(site.digests)]
    documents = [json.loads(line) for line in site.run("--json").output.splitlines()]
    assert [document["digest"] for document in documents] == site.digests[::-1]


WORDS = {"by its digest": lambda site: site.digests[0][:12], "by its place": lambda site: "previous"}


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_back(site: Site, word) -> None:
    result = site.run(word(site), "--yes", "--reason", "too mild")
    assert result.exit_code == 0, result.output
    assert re.search(r"log +block", result.output), "what changes in effect"
    assert site.file.read_text() == TEXT % "block"
    assert site.recorded() == [("policy-restored", "unknown"), ("policy-restored", "success")]


EXCEPTION = "version: 1\nrules: [{id: e, apps: a, users: eve, action: log, until: 2027-01-01, reason: why}]\n"


def test_previous_looks_past_exceptions_that_were_granted_since(site: Site) -> None:
    site.file.with_name("exceptions.yaml").write_text(EXCEPTION)
    site.log_of(site.edit("log"))
    assert site.run("previous", "--yes").exit_code == 0
    assert site.file.read_text() == TEXT % "block"
    assert site.file.with_name("exceptions.yaml").read_text() == EXCEPTION


def test_previous_to_an_edit_that_was_refused(site: Site) -> None:
    site.file.write_text("version: 1\nrulez: []\n")
    assert site.run("previous", "--yes").exit_code == 0
    assert site.file.read_text() == TEXT % "log", "what is in force, and not what was before it"


def test_previous_is_of_these_files(site: Site, tmp_path: Path) -> None:
    other = Site(tmp_path / "other", site.log)
    other.log_of(*other.digests)
    assert site.run("previous", "--yes").exit_code == 0
    assert site.file.read_text() == TEXT % "block"


def test_no_previous(site: Site) -> None:
    site.file.write_text(TEXT % "block")
    (site.log / "policies" / site.digests[1]).unlink()
    result = site.run("previous", "--yes")
    assert (result.exit_code, f"the text of {site.digests[1][:12]}" in result.output) == (1, True)
    site.edit("log")
    site.log_of(site.digests[1])
    assert site.run("previous", "--yes").exit_code == 0
    alone = Site(site.file.parent / "alone", actions=["block"])
    result = alone.run("previous", "--yes")
    assert (result.exit_code, "no policy that these files are not now" in result.output) == (1, True)


def test_who_and_why(site: Site) -> None:
    assert site.run("previous", "--yes", "--author", "ann", "--reason", "the bank").exit_code == 0
    records = [entry.record for entry in Reader(site.log, ["audit"]).entries()]
    assert [record.user for record in records] == ["ann", "ann"]
    assert [record.document["event"]["reason"] for record in records] == ["the bank", "the bank"]
    assert all(record.document["embargo"]["restored"]["login"] for record in records)


WRONG = {"blank": " ", "a control character": "\x1b[2J", "no UTF-8": "\udcff", "too long": "x" * 1001}


@pytest.mark.parametrize("reason", WRONG.values(), ids=WRONG)
def test_a_reason_that_cannot_be_kept(site: Site, reason: str) -> None:
    assert site.run("previous", "--yes", "--reason", reason).exit_code == 2
    assert site.file.read_text() == TEXT % "log"


def test_what_came_of_it_cannot_be_recorded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def once(log: Path, event: ConfigurationChanged, settings: object) -> None:
        if event.outcome is not Outcome.UNKNOWN:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("embargo.cli.restore.record", once)
    result = site.run("previous", "--yes")
    assert (result.exit_code, "what came of it could not be recorded" in result.output) == (0, True)
    assert site.file.read_text() == TEXT % "block"


def test_json(site: Site) -> None:
    found = json.loads(site.run("previous", "--yes", "--json").output)
    assert (found["digest"], found["files"]) == (site.digests[0], [str(site.file)])
    assert found["difference"]["verdicts"]


def test_there_already(site: Site) -> None:
    result = site.run(site.digests[1])
    assert (result.exit_code, result.output) == (0, "the files are that policy already\n")
    assert site.recorded() == []


def test_nobody_to_ask(site: Site) -> None:
    result = site.run("previous")
    assert (result.exit_code, "say --yes" in result.output) == (2, True)
    assert site.file.read_text() == TEXT % "log"


def test_what_cannot_be_recorded_is_not_done(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("embargo.cli.restore.record", full)
    result = site.run("previous", "--yes")
    assert result.exit_code == 1
    assert "cannot be recorded, so it was not made" in result.output
    assert site.file.read_text() == TEXT % "log"


def test_a_policy_that_no_release_takes(site: Site) -> None:
    result = site.run("0123456789", "--yes")
    assert (result.exit_code, "no policy stored" in result.output) == (1, True)


def test_no_log(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["restore", "--log", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert "none" in result.output
