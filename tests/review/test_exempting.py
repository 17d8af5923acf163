"""An exception is granted whole or not at all, and nothing takes effect that the log does not say."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from embargo.core.rules import Action, Basis
from embargo.journal import audit
from embargo.journal.event import Change
from embargo.journal.reader import Reader
from embargo.policy.layers import exceptions_file
from embargo.policy.load import load
from embargo.policy.problem import PolicyError
from embargo.policy.replacement import NotWritten, locked
from embargo.review.exceptions import UnknownException
from embargo.review.exempting import NotGranted, Plan, Wish, end, grant, make
from embargo.review.selection import Unselectable
from recorded import records_in

NOW = datetime(2026, 11, 29, 12, 0, 0, 250_000, UTC)
POLICY = """\
version: 1
settings: {bound_by: [order]}
authorities:
  order: {timeline: {2020-01-01: in-force, 2027-06-01: revoked}}
  coming: {timeline: {2026-12-01: in-force}}
apps:
  qq: {endpoints: [qq.test, {host: one.test}, {domain: shared.test, shared: true}]}
  pay: {named_in: [order], endpoints: [pay.test]}
  closed: {endpoints: [closed.test]}
  logged: {endpoints: [logged.test]}
groups: {lab: {clients: [10.1.0.0/16], users: [bob]}}
rules:
  - {id: shut, apps: closed, action: block, final: true}
  - {id: cdn, apps: all, shared: true, action: log}
  - {id: open, apps: logged, action: log}
  - {id: banned, apps: all, action: block}
"""


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return [tmp_path / "policy.yaml"]


def wish(*names: str, **members: Any) -> Wish:
    usual = {
        "names": names,
        "since": NOW.replace(microsecond=0),
        "until": NOW + timedelta(hours=4),
        "reason": "why",
        "author": "alice",
        "users": ("carol",),
    }
    return Wish(**(usual | members))


def opened(plan: Plan) -> list[str]:
    return [f"{each.app} {each.endpoint} {each.before} {each.after}" for each in plan.opened]


GRANTED: dict[str, tuple[Wish, list[str]]] = {
    "an app": (wish("qq"), ["qq domain:qq.test block log", "qq host:one.test block log"]),
    "an endpoint": (wish("domain:qq.test"), ["qq domain:qq.test block log"]),
    "a name below one": (wish("www.qq.test"), ["qq domain:www.qq.test block log"]),
    "for a network": (wish("one.test", users=(), clients=(ip_network("10.0.0.0/8"),)), ["qq host:one.test block log"]),
    "for a group": (wish("one.test", users=(), groups=("lab",)), ["qq host:one.test block log"]),
    "allowed": (wish("one.test", action=Action.ALLOW), ["qq host:one.test block allow"]),
    "what passes already": (wish("logged"), []),
    "what a final rule closes": (wish("closed"), []),
    "an app that an order names, without what that needs": (wish("pay"), []),
    "an app that an order names, with all": (
        wish("pay", approved_by="bob", ticket="T", basis=Basis.COUNSEL),
        ["pay domain:pay.test block log"],
    ),
}


@pytest.mark.parametrize(("asked", "expected"), GRANTED.values(), ids=GRANTED)
def test_what_it_opens(asked: Wish, expected: list[str], paths: list[Path]) -> None:
    plan = grant(paths, None, asked, NOW)
    assert opened(plan) == expected
    assert [rule.id for rule in load(paths, plan.data).policy.rules][:2] == ["shut", plan.rule.id]
    assert not exceptions_file(paths).exists(), "a plan writes nothing"


def test_against_whom_it_stands(paths: list[Path]) -> None:
    assert grant(paths, None, wish("pay"), NOW).against == ("order",)
    assert grant(paths, None, wish("qq"), NOW).against == ()
    late = wish("pay", since=datetime(2027, 7, 1, tzinfo=UTC), until=datetime(2027, 8, 1, tzinfo=UTC))
    assert grant(paths, None, late, NOW).against == ()


def test_an_order_that_comes_into_force_meanwhile(paths: list[Path]) -> None:
    paths[0].write_text(POLICY.replace("[order]", "[order, coming]", 1).replace("qq: {", "qq: {named_in: [coming], "))
    assert grant(paths, None, wish("qq"), NOW).against == ()
    assert grant(paths, None, wish("qq", until=NOW + timedelta(days=7)), NOW).against == ("coming",)


REFUSED = {
    "longer than a year": (wish("qq", until=NOW + timedelta(days=367)), NotGranted, "366 days"),
    "over already": (wish("qq", until=NOW - timedelta(seconds=1)), NotGranted, "before it begins"),
    "an app that is not there": (wish("qqq"), Unselectable, "did you mean 'qq'"),
    "a place of no app": (wish("example.org"), Unselectable, "no app has an endpoint"),
    "a whole suffix": (wish("co.uk"), Unselectable, "public suffix"),
    "an app and a place": (wish("qq", "one.test"), Unselectable, "one after the other"),
    "all and one": (wish("all", "qq"), Unselectable, "every app"),
    "a group that is not there": (wish("qq", groups=("labs",)), NotGranted, "did you mean 'lab'"),
}


@pytest.mark.parametrize(("asked", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(asked: Wish, error: type[ValueError], message: str, paths: list[Path]) -> None:
    with pytest.raises(error, match=message):
        grant(paths, None, asked, NOW)


def test_a_broken_file_is_refused_with_its_place(paths: list[Path]) -> None:
    with pytest.raises(PolicyError) as refused:
        grant(paths, b"version: 1\nrules:\n- id: x\n  aps: qq\n", wish("qq"), NOW)
    assert "exceptions.yaml:4:3: unknown-key" in str(refused.value)


def test_ids_are_never_given_twice(paths: list[Path]) -> None:
    data = None
    found = []
    for _ in range(3):
        plan = grant(paths, data, wish("qq"), NOW)
        data = plan.data
        found.append(plan.rule.id)
    assert found == ["except-20261129-qq", "except-20261129-qq-2", "except-20261129-qq-3"]


# --- ending


def test_ending(paths: list[Path]) -> None:
    data = grant(paths, None, wish("qq"), NOW).data
    later = NOW + timedelta(hours=1)
    plan = end(paths, data, "except-20261129-qq", later)
    assert plan.change is Change.CHANGE
    assert plan.rule.until == later.replace(microsecond=0)
    with pytest.raises(NotGranted, match="ended already"):
        end(paths, plan.data, "except-20261129-qq", later)


def test_ending_within_the_second_of_the_beginning(paths: list[Path]) -> None:
    data = grant(paths, None, wish("qq"), NOW).data
    plan = end(paths, data, "except", NOW)
    assert plan.rule.until == NOW
    began_now = grant(paths, None, wish("qq"), NOW.replace(microsecond=0)).data
    assert end(paths, began_now, "except", NOW.replace(microsecond=0)).rule.until == NOW.replace(microsecond=1000)


def test_one_that_has_not_begun_is_disabled(paths: list[Path]) -> None:
    data = grant(paths, None, wish("qq", since=NOW + timedelta(hours=1)), NOW).data
    plan = end(paths, data, "except", NOW)
    assert not plan.rule.enabled
    with pytest.raises(NotGranted, match="disabled already"):
        end(paths, plan.data, "except", NOW)


def test_which_one(paths: list[Path]) -> None:
    data = None
    for _ in range(2):
        data = grant(paths, data, wish("qq"), NOW).data
    with pytest.raises(UnknownException, match="write more"):
        end(paths, data, "except-20261129-q", NOW)
    assert end(paths, data, "except-20261129-qq", NOW).rule.id == "except-20261129-qq"
    with pytest.raises(UnknownException, match="no exception"):
        end(paths, data, "banned", NOW)
    with pytest.raises(UnknownException, match="did you mean"):
        end(paths, data, "exept-20261129-qq", NOW)


# --- making it, with its record


def records(log: Path) -> list[dict[str, Any]]:
    return records_in(log / "audit.jsonl")


def carried_out(paths: list[Path], log: Path, asked: Wish) -> Plan:
    path = exceptions_file(paths)
    with locked(path, "tester", like=paths[-1]) as file:
        plan = grant(paths, file.read(), asked, NOW)
        assert make(file, plan, log, author=asked.author, login="root", now=lambda: NOW) is None
    return plan


def test_the_record(paths: list[Path], tmp_path: Path) -> None:
    asked = wish("pay", approved_by="bob", ticket="T-1", basis=Basis.COUNSEL)
    plan = carried_out(paths, tmp_path / "log", asked)
    attempt, success = records(tmp_path / "log")
    assert (attempt["event"]["outcome"], success["event"]["outcome"]) == ("unknown", "success")
    assert attempt["embargo"].pop("seal") != success["embargo"].pop("seal")
    assert attempt["embargo"] == success["embargo"]
    assert success["event"]["category"] == ["configuration"]
    assert success["event"]["type"] == ["creation"]
    assert success["event"]["action"] == "exception-added"
    assert success["user"]["name"] == "alice"
    assert success["rule"] == {"id": plan.rule.id, "name": plan.rule.id, "ruleset": load(paths).digest}
    said = success["embargo"]["exception"]
    assert said == {
        "id": "except-20261129-pay",
        "apps": ["pay"],
        "users": ["carol"],
        "action": "log",
        "from": "2026-11-29T12:00:00.000Z",
        "until": "2026-11-29T16:00:00.250Z",
        "reason": "why",
        "ticket": "T-1",
        "approved_by": "bob",
        "basis": "counsel",
        "against": ["order"],
        "file": str(exceptions_file(paths)),
        "login": "root",
    }


def test_what_cannot_be_recorded_is_not_made(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "log").touch()  # no directory
    with pytest.raises(NotWritten, match="cannot be recorded"):
        carried_out(paths, tmp_path / "log", wish("qq"))
    assert not exceptions_file(paths).exists()


def test_what_was_not_made_says_so(paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if target.name == "exceptions.yaml":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(NotWritten, match="No space left"):
        carried_out(paths, tmp_path / "log", wish("qq"))
    assert [record["event"]["outcome"] for record in records(tmp_path / "log")] == ["unknown", "failure"]
    assert "No space left" in records(tmp_path / "log")[1]["error"]["message"]
    assert not exceptions_file(paths).exists()


def test_what_is_made_and_not_confirmed_is_told(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, calls = audit.record, []

    def once(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        record(*arguments)

    monkeypatch.setattr(audit, "record", once)
    with locked(exceptions_file(paths), "tester", like=paths[-1]) as file:
        plan = grant(paths, file.read(), wish("qq"), NOW)
        told = make(file, plan, tmp_path / "log", author="alice", login="alice", now=lambda: NOW)
    assert told is not None and "could not be recorded" in told
    assert exceptions_file(paths).read_bytes() == plan.data


KILLED_AT = """
import os, signal, sys
from pathlib import Path
step = sys.argv.pop(1)
write, fsync, rename = os.write, os.fsync, Path.rename
records = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dying_write(descriptor, data):
    global records
    text = bytes(data)
    half = False
    if text.startswith(b'{"@timestamp"'):
        records += 1
        half = step == "in the middle of the record" or (step == "in the middle of the second record" and records == 2)
        if step == "before the record":
            die()
    elif b"version: 1" in text:
        half = step == "in the middle of the new text"
    if half:
        write(descriptor, text[: len(text) // 2])
        die()
    return write(descriptor, data)

def dying_fsync(descriptor):
    if step == "before the new text is confirmed":
        die()
    fsync(descriptor)

def dying_rename(self, target):
    if target.name != "exceptions.yaml":
        return rename(self, target)
    if step == "before it takes the name":
        die()
    rename(self, target)
    if step == "when it has the name":
        die()

os.write, os.fsync, Path.rename = dying_write, dying_fsync, dying_rename
from embargo.cli.main import main
main()
"""
STEPS = {  # step at which the process is killed: (whether the exception is there, outcomes that are recorded)
    "in the middle of the new text": (False, []),
    "before the new text is confirmed": (False, []),
    "before the record": (False, []),
    "in the middle of the record": (False, []),
    "before it takes the name": (False, ["unknown"]),
    "when it has the name": (True, ["unknown"]),
    "in the middle of the second record": (True, ["unknown"]),
    "never": (True, ["unknown", "success"]),
}


def command(paths: list[Path], log: Path, app: str, user: str) -> list[str]:
    said = ["except", "add", app, "--user", user, "--for", "1h", "--reason", f"for {user}"]
    return [*said, "--policy", str(paths[-1]), "--log", str(log)]


@pytest.mark.parametrize("step", STEPS)
def test_killed(step: str, paths: list[Path], tmp_path: Path) -> None:
    """SIGKILL at each step leaves the old file or the new one, whole; a torn record is cut and told by the next."""
    path, log = exceptions_file(paths), tmp_path / "log"
    before = (
        "version: 1\n# kept\nrules:\n- {id: old, apps: qq, users: eve, action: log, until: 2099-01-01, reason: r}\n"
    )
    path.write_text(before)
    there, outcomes = STEPS[step]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT, step, *command(paths, log, "qq", "carol")], capture_output=True, text=True
    )
    assert killed.returncode == (0 if step == "never" else -signal.SIGKILL), killed.stderr
    assert path.read_text().startswith(before)
    ids = [rule.id for rule in load(paths).policy.rules if rule.exception]
    assert [identifier.startswith("except-") for identifier in ids] == [False, *[True] * there]
    following = subprocess.run(
        [sys.executable, "-c", "from embargo.cli.main import main; main()", *command(paths, log, "qq", "dave")],
        capture_output=True,
        text=True,
    )
    assert following.returncode == 0, following.stderr
    assert len([rule for rule in load(paths).policy.rules if rule.exception]) == 2 + there
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        ".exceptions.yaml.lock", "exceptions.yaml", "log", "policy.yaml",
    ]  # fmt: skip
    written = records(log)
    every = [entry.record.sequence for entry in Reader(tmp_path / "log", checkpoints=True).entries()]
    assert every == list(range(1, len(every) + 1))
    torn = ["log-loss"] if "record" in step and "middle" in step else []
    assert [record["event"]["action"] for record in written] == [
        *["exception-added"] * len(outcomes), *torn, "exception-added", "exception-added",
    ]  # fmt: skip
    assert [record["event"].get("outcome") for record in written[: len(outcomes)]] == outcomes


def test_many_at_once(paths: list[Path], tmp_path: Path) -> None:
    """Eight commands at once: all eight exceptions are in the file, each with its own id and its two records."""
    log = tmp_path / "log"
    begun = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from embargo.cli.main import main; main()",
                *command(paths, log, "qq", f"user{number}"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for number in range(8)
    ]
    errors = [process.communicate(timeout=120)[1].decode() for process in begun]
    assert [process.returncode for process in begun] == [0] * 8, errors
    exceptions = [rule for rule in load(paths).policy.rules if rule.exception]
    assert {user for rule in exceptions for user in rule.users} == {f"user{number}" for number in range(8)}
    assert len({rule.id for rule in exceptions}) == 8
    assert len(records(log)) == 16
    assert not os.path.lexists(log / "audit.2.jsonl"), "they take turns at one chain"
