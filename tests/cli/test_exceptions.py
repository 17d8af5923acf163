"""`embargo except`, as it is typed: what it prints, what it writes, how it exits."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from embargo.cli.exception_output import span
from embargo.cli.main import main
from embargo.journal.audit import login_user
from embargo.paths import shipped
from embargo.policy.layers import exceptions_file
from embargo.policy.load import load
from embargo.policy.replacement import locked
from recorded import records_in

POLICY = """\
version: 1
settings: {bound_by: [order]}
authorities: {order: {timeline: {2020-01-01: in-force}}}
apps:
  qq: {endpoints: [qq.test, {host: one.test}, {domain: shared.test, shared: true}]}
  pay: {named_in: [order], endpoints: [pay.test]}
  closed: {endpoints: [closed.test]}
groups: {lab: {users: [bob]}}
rules:
  - {id: shut, apps: closed, action: block, final: true}
  - {id: cdn, apps: all, shared: true, action: log}
  - {id: banned, apps: all, action: block}
"""
WHOLE = ("--author", "ann", "--approved-by", "ben", "--ticket", "T-1", "--basis", "counsel")
ADD = ("--for", "1h", "--reason", "why")
ALICE = ("--user", "alice", *ADD)

type Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)

    def invoke(command: str, *arguments: str) -> Result:
        where = ["--policy", "policy.yaml", *(["--log", "log"] if command != "list" else [])]
        return CliRunner().invoke(main, ["except", command, *arguments, *where], catch_exceptions=False)

    return invoke


def written() -> list[dict[str, Any]]:
    if not os.path.lexists("exceptions.yaml"):
        return []
    return [{"id": rule.id} for rule in load([Path("policy.yaml")]).policy.rules if rule.exception]


def test_add_list_end(run: Run) -> None:
    added = run("add", "qq", *ALICE, "--author", "ann")
    assert added.exit_code == 0, added.stderr
    (identifier,) = [each["id"] for each in written()]
    day = f"{datetime.now(UTC):%Y%m%d}"
    assert identifier == f"except-{day}-qq"
    first, opens, *rest = added.stdout.splitlines()
    assert first.startswith(f"{identifier}: log qq for alice until ") and first.endswith("(1 h)")
    assert opens == "opens 2 endpoints:"
    assert "  qq  domain:qq.test  block to log" in rest
    assert "  qq domain:shared.test: log already, by rule cdn (policy.yaml:11)" in rest
    assert rest[-1] == f"{identifier} written to exceptions.yaml; a running proxy follows within two seconds"

    shown = run("list").stdout.splitlines()
    assert shown[0].split() == ["ID", "STATE", "LEFT", "APPS", "FOR", "ACTION", "UNTIL", "REASON"]
    assert shown[1].startswith(f"{identifier}  active  59 min 5")

    ended = run("end", "except", "--reason", "done")
    assert (ended.exit_code, len(written())) == (0, 1)
    assert run("list").stdout == "no exceptions hold or are to come; --all lists those that ended\n"
    assert " ended " in run("list", "--all").stdout
    again = run("end", "except")
    assert (again.exit_code, again.stderr) == (1, f"error: {identifier!r} is ended already; nothing was written\n")


def test_the_log_shows_who_did_what(run: Run) -> None:
    run("add", "qq", *ALICE, "--author", "ann")
    run("end", "except", "--author", "ben", "--reason", "done early")
    shown = CliRunner().invoke(main, ["log", "--log", "log", "category:configuration"]).stdout.splitlines()
    assert [line.split()[2:4] for line in shown[1:]] == [
        ["exception-added", "(attempt)"],
        ["exception-added", "qq"],
        ["exception-ended", "(attempt)"],
        ["exception-ended", "qq"],
    ]
    assert " ann " in shown[2] and shown[2].endswith("why")
    assert " ben " in shown[4] and shown[4].endswith("done early")


REFUSED = {  # case: (arguments, exit code, words on standard error)
    "nobody is named": (("qq", *ADD), 2, "nobody is named: add --client, --user or --group, or --everyone"),
    "everyone, by network": (("qq", "--client", "0.0.0.0/0", *ADD), 2, "0.0.0.0/0 is everyone"),
    "everyone, by halves": (
        ("qq", "--client", "0.0.0.0/1", "--client", "128.0.0.0/1", *ADD), 2, "0.0.0.0/0 is everyone",
    ),
    "everyone of IPv6, by halves, and somebody": (
        ("qq", "--client", "::/1", "--client", "10.0.0.1", "--client", "8000::/1", *ADD), 2, "::/0 is everyone",
    ),
    "everyone and somebody": (("qq", "--everyone", *ALICE), 2, "--everyone excludes"),
    "no reason": (("qq", "--user", "a", "--for", "1h"), 2, "Missing option '--reason'"),
    "an empty reason": (("qq", "--user", "a", "--for", "1h", "--reason", " "), 2, "it is empty"),
    "a reason with a bell": (("qq", "--user", "a", "--for", "1h", "--reason", "x\a"), 2, "control character"),
    "a long reason": (("qq", "--user", "a", "--for", "1h", "--reason", "x" * 1001), 2, "has 1001 characters"),
    "no end": (("qq", "--user", "a", "--reason", "x"), 2, "either --for or --until"),
    "two ends": (("qq", *ALICE, "--until", "2999-01-01"), 2, "either --for or --until"),
    "an end in the past": (("qq", "--user", "a", "--reason", "x", "--until", "2020-01-01"), 1, "before it begins"),
    "an end too far": (("qq", "--user", "a", "--reason", "x", "--for", "367d"), 1, "longer than 366 days"),
    "an end beyond the calendar": (("qq", "--user", "a", "--reason", "x", "--for", "9999999d"), 2, "calendar"),
    "no duration": (("qq", "--user", "a", "--reason", "x", "--for", "soon"), 2, "expected a number with one of"),
    "a beginning in the past": (("qq", *ALICE, "--from", "2020-01-01"), 2, "lies in the past"),
    "no client": (("qq", "--client", "10.0.0.1/8", *ADD), 2, "did you mean 10.0.0.0/8"),
    "an unknown app": (("qqq", *ALICE), 2, "did you mean 'qq'?"),
    "an unknown group": (("qq", "--group", "lba", *ADD), 1, "did you mean 'lab'?"),
    "a final rule": (("closed", *ALICE), 1, "it opens nothing: the final rule shut (policy.yaml:10) blocks it"),
    "an order": (
        ("pay", *ALICE),
        1,
        "order is in force and binds this organization, so this exception needs --approved-by NAME (another than the "
        "author), --basis license|counsel|agency-head, --ticket ID; nothing was written",
    ),
    "an order, approved by the author": (
        ("pay", *ALICE, *WHOLE, "--author", "BEN"), 1, "needs --approved-by NAME (another than the author); nothing",
    ),
    "an order, whatever --force says": (("pay", *ALICE, "--force"), 1, "order is in force"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(arguments: tuple[str, ...], code: int, words: str, run: Run) -> None:
    result = run("add", *arguments)
    assert words in " ".join(result.stderr.split())
    assert result.exit_code == code
    assert not Path("exceptions.yaml").exists()
    assert not Path("log").exists(), "what was refused changed nothing, so nothing is recorded"


def test_a_policy_that_the_proxy_refuses(run: Run) -> None:
    """Its tests fail by themselves, perhaps since a date passed: no reload takes effect until they are mended."""
    Path("policy.yaml").write_text(POLICY + "tests: [{request: qq.test, expect: allow}]\n")
    added = run("add", "qq", *ALICE)
    assert added.exit_code == 0
    assert (
        "warning: one of the policy's tests fails, so a running proxy refuses this until that is mended" in added.stderr
    )
    assert "policy.yaml:13:9: failed-test" in added.stderr
    assert added.stdout.endswith("written to exceptions.yaml\n")
    ended = run("end", "except", "--json")
    assert "so a running proxy refuses this" in ended.stderr
    assert len(json.loads(ended.stdout)["failed_tests"]) == 1


def test_what_it_opens_later(run: Run) -> None:
    first = run("add", "qq", *ALICE)
    later = run("add", "qq", "--user", "alice", "--for", "2h", "--reason", "why")
    until = json.loads(run("list", "--json").stdout.splitlines()[0])["until"]
    assert "block to log\n" in first.stdout
    assert f"block to log from {until} on\n" in later.stdout, "the first one opens it until then"


def test_an_order_and_all_that_it_asks_for(run: Run) -> None:
    result = run("add", "pay", *ALICE, *WHOLE, "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["against"], document["basis"], document["approved_by"]) == (["order"], "counsel", "ben")
    explained = CliRunner().invoke(
        main, ["explain", "pay.test", "--user", "alice", "--policy", "policy.yaml", "--json"]
    )
    assert json.loads(explained.stdout)["against"] == ["order"]


def test_what_opens_nothing_is_written_by_force(run: Run) -> None:
    assert run("add", "closed", *ALICE, "--force").exit_code == 0
    assert len(written()) == 1


def test_a_dry_run_writes_nothing(run: Run) -> None:
    result = run("add", "qq", *ALICE, "--dry-run")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "nothing was written: --dry-run")
    assert not Path("exceptions.yaml").exists()
    assert not Path("log").exists()


def test_json(run: Run) -> None:
    document = json.loads(run("add", "one.test", "--client", "10.1.2.3", *ADD, "--ticket", "T", "--json").stdout)
    assert document["opens"][0] | {"at": ""} == {
        "app": "qq", "endpoint": "host:one.test", "before": "block", "after": "log", "at": "",
    }  # fmt: skip
    assert (document["hosts"], document["clients"], document["written"]) == (["host:one.test"], ["10.1.2.3/32"], True)
    (listed,) = map(json.loads, run("list", "--json").stdout.splitlines())
    assert {key: document[key] for key in listed if key in document} == {
        key: value for key, value in listed.items() if key in document
    }
    assert (listed["state"], listed["void_for"]) == ("active", [])
    assert 3500 < listed["left_seconds"] <= 3600


def test_json_of_what_is_refused(run: Run) -> None:
    result = run("add", "closed", *ALICE, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["written"], document["opens"]) == (1, False, [])
    assert document["keeps"][0]["why"].startswith("the final rule shut")
    assert document["refused"].startswith("it opens nothing")


def test_an_upcoming_one(run: Run) -> None:
    begins = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    assert run("add", "qq", *ALICE, "--from", begins).exit_code == 0
    assert "  upcoming  " in run("list").stdout
    run("end", "except")
    assert "  disabled  " in run("list", "--all").stdout


def test_one_that_holds_nothing_is_told(run: Run) -> None:
    text = "version: 1\nrules: [{id: e, apps: pay, users: a, action: log, until: 2999-01-01, reason: r}]\n"
    Path("exceptions.yaml").write_text(text)
    assert "e does not hold for pay: order is in force" in run("list").stderr
    assert [each["app"] for each in json.loads(run("list", "--json").stdout)["void_for"]] == ["pay"]
    explained = CliRunner().invoke(main, ["explain", "pay.test", "--user", "a", "--policy", "policy.yaml"])
    assert explained.stdout.startswith("block")


def test_a_broken_file_is_left_alone(run: Run) -> None:
    broken = "version: 1\nrules:\n- id: x\n  aps: qq\n"
    Path("exceptions.yaml").write_text(broken)
    result = run("add", "qq", *ALICE)
    assert result.exit_code == 2
    assert "exceptions.yaml:4:3: unknown-key rules[0].aps" in result.stderr
    assert Path("exceptions.yaml").read_text() == broken
    assert run("end", "x").exit_code == 2
    assert run("list").exit_code == 2


def test_a_broken_policy_is_told(run: Run) -> None:
    Path("policy.yaml").write_text("version: 1\nruls: []\n")
    result = run("add", "qq", *ALICE)
    assert (result.exit_code, "policy.yaml:2:1: unknown-key ruls" in result.stderr) == (2, True)


def test_beside_the_shipped_policy_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    result = CliRunner().invoke(main, ["except", "add", "alipay", *ALICE, "--log", "log"])
    assert (result.exit_code, "is the shipped policy" in result.stderr) == (2, True)
    assert not exceptions_file([shipped("domains.yaml")]).exists()


def test_an_editor_that_has_it_open_is_told(run: Run) -> None:
    Path(".exceptions.yaml.swp").touch()
    result = run("add", "qq", *ALICE)
    assert (result.exit_code, "an editor has the file open" in result.stderr) == (0, True)


def test_the_log_that_cannot_be_written(run: Run) -> None:
    Path("log/audit.jsonl").mkdir(parents=True)
    result = run("add", "qq", *ALICE)
    assert (result.exit_code, "cannot be recorded" in result.stderr) == (2, True)
    assert not Path("exceptions.yaml").exists()


def test_who_holds_it_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked.__wrapped__, "__kwdefaults__", locked.__wrapped__.__kwdefaults__ | {"patience": 0.0})
    with locked(Path("exceptions.yaml"), "eve (process 7)", like=Path("policy.yaml")):
        result = run("add", "qq", *ALICE)
    assert (result.exit_code, "eve (process 7) is changing it" in result.stderr) == (2, True)


def test_who_did_it_is_the_login_user_unless_said(run: Run) -> None:
    run("add", "qq", *ALICE)
    run("add", "one.test", "--user", "zoe", *ADD, "--author", "somebody else")
    records = records_in(Path("log/audit.jsonl"))
    assert (records[0]["user"]["name"], "login" in records[0]["embargo"]["exception"]) == (login_user(), False)
    assert records[2]["user"]["name"] == "somebody else"
    assert records[2]["embargo"]["exception"]["login"] == login_user()


def test_all_the_words_reach_the_file(run: Run) -> None:
    reason = 'a: "b" # c\n- id: evil\n  é 🎉'
    assert run("add", "qq", "--user", "o'neil: x", "--for", "1h", "--reason", reason).exit_code == 0
    (rule,) = [rule for rule in load([Path("policy.yaml")]).policy.rules if rule.exception]
    assert (rule.reason, set(rule.users)) == (reason, {"o'neil: x"})
    assert "\n- id: evil" not in run("list").stdout


SPANS = {0: "0 s", 59: "59 s", 60: "1 min", 3661: "1 h 1 min", 86_400: "1 d", 100_000: "1 d 3 h", 366 * 86_400: "366 d"}


@pytest.mark.parametrize("seconds", SPANS)
def test_spans(seconds: int) -> None:
    assert span(seconds) == SPANS[seconds]
