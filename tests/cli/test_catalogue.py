"""`embargo catalogue`: what is shown, what is asked, what is written, and what is refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from recorded import records_in

OLD = """\
# the catalogue
version: 1
released: 2026-01-01
apps:
  chat: {endpoints: [chat.test]}
  drop: {endpoints: [drop.test]}
rules:
  - {id: ban, apps: all, action: block}
"""
NEW = OLD.replace("2026-01-01", "2026-02-01").replace("[chat.test]", "[chat.test, chat-new.test]")
LOSS = NEW.replace("  drop: {endpoints: [drop.test]}\n", "")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOGS_DIRECTORY", str(tmp_path / "log"))
    monkeypatch.chdir(tmp_path)
    Path("domains.yaml").write_text(OLD, encoding="utf-8")
    Path("new.yaml").write_text(NEW, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["catalogue", *arguments])


def actions(directory: Path) -> list[str]:
    file = directory / "log/audit.jsonl"
    return [f"{each['event']['action']} {each['event']['outcome']}" for each in records_in(file)]


SHOWN = """\
domains.yaml: released 2026-01-01, becomes 2026-02-01
stricter: 1 endpoint
  chat  domain:chat-new.test  pass to log (block once enforced)  new, on trial
1 endpoint on trial: recorded, not enforced, until `embargo catalogue enforce`
"""


def test_an_update_is_shown_and_written(directory: Path) -> None:
    result = run("update", "new.yaml", "--yes", "--reason", "monthly")
    assert (result.exit_code, result.stderr) == (0, "")
    kept = directory / "domains.yaml.previous"
    assert result.stdout == f"{SHOWN}written: domains.yaml; the one before is {kept}\n"
    assert "[chat.test, {domain: chat-new.test, shadow: true}]" in Path("domains.yaml").read_text()
    assert kept.read_text() == OLD
    assert actions(directory) == ["catalogue-updated unknown", "catalogue-updated success"]


def test_what_is_kept_and_what_rules_and_excludes_change_is_shown(directory: Path) -> None:
    new = NEW.replace("[chat.test, chat-new.test]", "[chat.test]").replace("drop: {endpoints: [drop.test]}", (
        "drop: {endpoints: [test2.test], exclude: [free.test2.test]}\ngroups: {g: {users: [u]}}"
    )).replace("rules:\n", "rules:\n  - {id: g, apps: chat, groups: g, action: allow}\n")  # fmt: skip
    Path("domains.yaml").write_text(OLD.replace("drop.test", "free.test2.test, drop.test2.test"), encoding="utf-8")
    Path("new.yaml").write_text(new, encoding="utf-8")
    result = run("update", "new.yaml", "--dry-run")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "kept meanwhile: drop domain:drop.test2.test, a part of domain:test2.test" in lines
    assert "drop domain:free.test2.test block to pass by an exclude" in lines
    assert [line.partition(": ")[2] for line in lines if "for g" in line] == ["chat for g goes from block to allow"]
    found = json.loads(run("update", "new.yaml", "--dry-run", "--json").stdout)
    assert found["kept"] == [{"app": "drop", "endpoint": "domain:drop.test2.test", "for": "domain:test2.test"}]
    assert [(each["endpoint"], each["after"]) for each in found["by_excludes"]] == [("domain:free.test2.test", "pass")]
    assert [change["who"] for period in found["by_rules"] for change in period["changes"]] == ["g"]


UNDONE = {  # case: (arguments, exit, last words)
    "a dry run": (["--dry-run"], 0, "nothing was written: a dry run"),
    "nobody to ask": ([], 1, "error: it was not confirmed; --yes installs it without asking; nothing was written"),
}


@pytest.mark.parametrize(("arguments", "code", "words"), UNDONE.values(), ids=UNDONE)
def test_not_written(directory: Path, arguments: list[str], code: int, words: str) -> None:
    result = run("update", "new.yaml", *arguments)
    assert result.exit_code == code
    assert result.stdout.startswith(SHOWN)
    assert result.output.splitlines()[-1] == words
    assert Path("domains.yaml").read_text() == OLD
    assert actions(directory) == []


def test_losing_an_app_takes_more_than_yes(directory: Path) -> None:
    Path("new.yaml").write_text(LOSS, encoding="utf-8")
    result = run("update", "new.yaml", "--yes")
    assert result.exit_code == 1
    assert "WARNING: drop was blocked and would no longer be blocked anywhere and leaves the catalogue" in result.stdout
    assert "--accept-loss drop takes that in" in result.stderr
    assert Path("domains.yaml").read_text() == OLD
    assert run("update", "new.yaml", "--yes", "--accept-loss", "chat").exit_code == 1
    assert run("update", "new.yaml", "--yes", "--accept-loss", "drop").exit_code == 0
    assert "drop" not in Path("domains.yaml").read_text()


REFUSED = {  # case: (text of the new one, exit, told)
    "older": (NEW.replace("2026-02-01", "2025-02-01"), 1, "--force-older installs it all the same"),
    "broken": ("version: [", 1, "new.yaml:1:11: yaml-syntax"),
    "tests fail": (NEW + "tests: [{request: drop.test, expect: pass}]\n", 1, "failed-test"),
    "not there": (None, 2, "new.yaml:1:1: missing-file"),
}


@pytest.mark.parametrize(("text", "code", "told"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("as_json", [False, True], ids=["people", "json"])
def test_refused(directory: Path, text: str | None, code: int, told: str, as_json: bool) -> None:
    if text is None:
        Path("new.yaml").unlink()
    else:
        Path("new.yaml").write_text(text, encoding="utf-8")
    result = run("update", "new.yaml", "--yes", *(["--json"] if as_json else []))
    assert result.exit_code == code
    if as_json and result.stdout:
        assert json.loads(result.stdout)["written"] is False
    elif not as_json:
        assert told in result.output
    assert Path("domains.yaml").read_text() == OLD


def test_older_by_force(directory: Path) -> None:
    Path("new.yaml").write_text(NEW.replace("2026-02-01", "2025-02-01"), encoding="utf-8")
    assert run("update", "new.yaml", "--yes", "--force-older").exit_code == 0


def test_json_of_an_update(directory: Path) -> None:
    found = json.loads(run("update", "new.yaml", "--yes", "--json").stdout)
    assert (found["written"], found["refused"], found["lost"]) == (True, None, [])
    assert found["released"] == {"old": "2026-01-01", "new": "2026-02-01"}
    assert found["on_trial"] == [{"app": "chat", "endpoint": "domain:chat-new.test"}]
    assert found["endpoints"] == [
        {
            "app": "chat", "endpoint": "domain:chat-new.test", "change": "added", "before": "pass", "after": "log",
            "would": "block", "on_trial": True,
        }
    ]  # fmt: skip


def test_json_asks_nobody(directory: Path) -> None:
    result = run("update", "new.yaml", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["refused"].startswith("it was not confirmed")


def test_nothing_to_do(directory: Path) -> None:
    run("update", "new.yaml", "--yes")
    result = run("update", "new.yaml", "--yes")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "nothing to do: the file stays as it is")


def test_enforce_and_restore(directory: Path) -> None:
    run("update", "new.yaml", "--yes")
    tried = Path("domains.yaml").read_text()
    result = run("enforce", "chat", "--yes")
    assert result.exit_code == 0
    assert "chat  domain:chat-new.test  0    0        -" in result.stdout
    assert "chat  domain:chat-new.test  log to block  enforced now" in result.stdout
    assert "[chat.test, {domain: chat-new.test}]" in Path("domains.yaml").read_text()
    assert run("restore", "--yes").exit_code == 0
    assert Path("domains.yaml").read_text() == tried
    assert actions(directory)[2::2] == ["trials-ended unknown", "catalogue-restored unknown"]


def test_nothing_to_enforce(directory: Path) -> None:
    assert run("enforce").stdout == "nothing is on trial\n"
    result = run("enforce", "nope")
    assert result.exit_code == 1
    assert "no app 'nope'" in result.stderr


def test_show(directory: Path) -> None:
    assert run("show").stdout.splitlines() == [
        "domains.yaml, released 2026-01-01: 2 apps",
        "new endpoints: shadow",
        "the one before: none",
        "on trial: 0 endpoints",
    ]
    run("update", "new.yaml", "--yes")
    found = json.loads(run("show", "--json").stdout)
    assert (found["released"], found["previous"]) == ("2026-02-01", str(directory / "domains.yaml.previous"))
    assert [each["endpoint"] for each in found["trials"]] == ["domain:chat-new.test"]


def test_a_log_that_cannot_be_written(directory: Path) -> None:
    (directory / "log").write_text("no directory", encoding="utf-8")
    result = run("update", "new.yaml", "--yes")
    assert result.exit_code == 2
    assert "cannot be recorded" in result.stderr
    assert Path("domains.yaml").read_text() == OLD


HELPS = {
    "update": "embargo catalogue update",
    "restore": "embargo catalogue restore",
    "enforce": "catalogue enforce alipay",
    "show": "catalogue show",
}


@pytest.mark.parametrize(("word", "example"), HELPS.items(), ids=HELPS)
def test_help_shows_an_example(word: str, example: str) -> None:
    assert example in " ".join(run(word, "--help").stdout.split())
