"""`embargo apps import`: a list of somebody else's to a layer, with all that was left out told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.policy.load import load

POLICY = """\
version: 1
apps: {known: {endpoints: [known.test]}, other: {endpoints: [other.test]}}
rules: [{id: ban, apps: [known, other], action: block}]
"""
LIST = """\
# Title: Theirs
x.test
full:y.test @ads
a.known.test
sub.other.test
keyword:chat
com.cn
x.test
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("domains.yaml").write_text(POLICY, encoding="utf-8")
    Path("list").write_text(LIST, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["apps", "import", *arguments])


def test_an_app_that_is_there_is_extended_on_trial() -> None:
    result = run("list", "--id", "known")
    assert (result.exit_code, result.stdout) == (0, "")
    told = result.stderr
    for words in (
        "list: v2fly, 7 entries",
        "list:7:1: public-suffix: 'com.cn' is a public suffix",
        "refused: 1 line",
        "not said by a policy: keyword, 1 time",
        "  list:6:1: chat",
        "left out, twice in the lists: 1",
        "left out, the app has them: 1",
        "warning: domain:sub.other.test taken out of other domain:other.test",
        "3 endpoints on trial, 0 excludes",
        "written: apps/known.yaml",
    ):
        assert words in told, told
    app = load([Path("domains.yaml"), Path("apps/known.yaml")]).policy.apps["known"]
    assert [f"{each} {each.shadow}" for each in app.endpoints] == [
        "domain:known.test False",
        "domain:x.test True",
        "host:y.test True",
        "domain:sub.other.test True",
    ]
    assert app.endpoints[1].evidence[0].startswith("Theirs, ")


def test_a_new_app_gets_a_rule() -> None:
    assert run("list", "--id", "new", "--name", "New", "--enforce").exit_code == 0
    policy = load([Path("domains.yaml"), Path("apps/new.yaml")]).policy
    assert (policy.apps["new"].name, policy.rules[-1].id, policy.trials) == ("New", "block-new", None)


def test_the_setting_says_whether_on_trial() -> None:
    Path("domains.yaml").write_text(POLICY + "settings: {new_endpoints: enforce}\n", encoding="utf-8")
    assert run("list", "--id", "new").exit_code == 0
    assert load([Path("domains.yaml"), Path("apps/new.yaml")]).policy.trials is None
    assert run("list", "--id", "new", "--shadow", "--force").exit_code == 0
    assert load([Path("domains.yaml"), Path("apps/new.yaml")]).policy.trials is not None


def test_strict_takes_no_broken_line() -> None:
    result = run("list", "--id", "new", "--strict")
    assert result.exit_code == 1
    assert "1 line refused (--strict); nothing was written" in result.stderr
    assert not Path("apps").exists()


def test_json() -> None:
    found = json.loads(run("list", "--id", "known", "--json").stdout)
    assert (found["file"], found["written"], found["duplicates"]) == ("apps/known.yaml", True, 1)
    assert found["endpoints"] == ["domain:x.test", "host:y.test", "domain:sub.other.test"]
    assert found["overlaps"] == [
        {"endpoint": "domain:sub.other.test", "how": "below", "app": "other", "other": "domain:other.test"}
    ]
    assert found["unsaid"] == {"keyword": 1}
    assert [problem["code"] for problem in found["problems"]] == ["public-suffix"]


def test_several_files_make_one_app() -> None:
    Path("hosts").write_text("0.0.0.0 h.test\n", encoding="utf-8")
    assert run("list", "hosts", "--id", "new", "--out", "-").stdout.count("- {") >= 5


SERVICES = (
    '{"blocked_services":[{"id":"a","name":"A","rules":["||a.test^"]},{"id":"b","name":"B","rules":["||b.test^"]}]}'
)


def test_the_service_of_the_apps_id_or_the_one_that_is_named() -> None:
    Path("all.json").write_text(SERVICES, encoding="utf-8")
    assert "{domain: b.test" in run("all.json", "--id", "b", "--out", "-").stdout
    assert "{domain: a.test" in run("all.json", "--id", "new", "--service", "a", "--out", "-").stdout
    result = run("all.json", "--id", "new")
    assert result.exit_code == 2
    assert "it holds 2 services; name one by --service: a, b" in result.stderr


REFUSED = {  # case: (arguments, exit, told)
    "no id": (["list"], 2, "say which app it is by --id"),
    "no file": (["nowhere", "--id", "x"], 2, "nowhere: there is no such file"),
    "a directory": ([".", "--id", "x"], 2, "this is a directory"),
    "nothing that is new": (["old", "--id", "known"], 1, "no endpoint is left; nothing was written"),
    "no text": (["binary", "--id", "x"], 2, "NUL byte"),
}


@pytest.mark.parametrize(("arguments", "code", "told"), REFUSED.values(), ids=REFUSED)
def test_refused(arguments: list[str], code: int, told: str) -> None:
    Path("old").write_text("known.test\n", encoding="utf-8")
    Path("binary").write_bytes(b"a\0b")
    result = run(*arguments)
    assert (result.exit_code, told in result.output) == (code, True), result.output


def test_a_name_that_would_drive_the_terminal_is_not_printed() -> None:
    Path("evil").write_text("keyword:\x1b[2Jx\nx.test\nb\x1bad..name\n", encoding="utf-8")
    assert "\x1b" not in run("evil", "--id", "new", "--format", "v2fly").output
