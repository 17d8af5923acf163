"""`embargo user`: accounts by command, with what it refuses, and the record of each change."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main


@pytest.fixture(autouse=True)
def directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("LOGS_DIRECTORY", str(tmp_path / "log"))


def user(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["user", *arguments])


def done(*arguments: str) -> str:
    result = user(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_an_account_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    assert "/link/" in done("add", "alice", "--role", "auditor")
    done("add", "root", "--role", "admin")
    done("role", "ALICE", "viewer")
    done("disable", "alice")
    listed = [json.loads(line) for line in done("list", "--json").splitlines()]
    assert [(each["name"], each["role"], each["disabled"]) for each in listed] == [
        ("alice", "viewer", True),
        ("root", "admin", False),
    ]
    done("enable", "alice")
    assert "no password yet" in done("list")
    records = map(json.loads, (tmp_path / "log" / "audit.jsonl").read_text().splitlines())
    actions = [each["event"]["action"] for each in records if each["event"]["category"] == ["iam"]]
    assert actions == ["account-added", "link-made", "account-added", "link-made", *["account-changed"] * 3]


REFUSED = {  # case: (arguments, part of the message)
    "a name twice": (["add", "ROOT", "--role", "viewer"], "there is an account"),
    "no name": (["add", " ", "--role", "viewer"], "1 to 128 characters"),
    "a control character": (["add", "a\x1bb", "--role", "viewer"], "control characters"),
    "an unknown role": (["add", "eve", "--role", "king"], "'king' is not one of"),
    "an unknown account": (["disable", "eve"], "there is no account"),
    "the only admin, shut out": (["disable", "root"], "the only admin"),
    "the only admin, made less": (["role", "root", "viewer"], "the only admin"),
    "a first link where there is an admin": (["link"], "there is an admin already"),
    "a link for who signs in elsewhere": (["link", "bob"], "a local account"),
}


@pytest.mark.parametrize(("arguments", "told"), REFUSED.values(), ids=REFUSED)
def test_is_refused(arguments: list[str], told: str) -> None:
    done("add", "root", "--role", "admin")
    done("add", "bob", "--role", "viewer", "--proxy")
    result = user(*arguments)
    assert result.exit_code == 2
    assert told in result.output


def test_a_link_for_the_first_admin() -> None:
    assert "makes the first admin" in done("link")


def test_a_change_that_is_refused_is_recorded_as_a_failure(tmp_path: Path) -> None:
    done("add", "root", "--role", "admin")
    assert user("role", "root", "viewer").exit_code == 2
    assert user("disable", "root").exit_code == 2
    records = map(json.loads, (tmp_path / "log" / "audit.jsonl").read_text().splitlines())
    changes = [each["event"] for each in records if each["event"]["action"] == "account-changed"]
    assert [each["outcome"] for each in changes] == ["success", "failure"] * 2
    assert "only admin" in changes[1]["reason"]


def test_no_accounts() -> None:
    assert "no accounts" in done("list")


def test_where_it_cannot_be_recorded_nothing_changes(tmp_path: Path) -> None:
    done("add", "root", "--role", "admin")
    (tmp_path / "log").rename(tmp_path / "moved")
    (tmp_path / "log").write_text("in the way")
    assert user("add", "eve", "--role", "admin").exit_code == 2
    (tmp_path / "log").unlink()
    assert "eve" not in done("list")
