"""The compiler's process, asked as the proxy asks it."""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import embargo
from embargo.core.decide import decide
from embargo.core.decision import Verdict
from embargo.policy.snapshot import open_snapshot
from policy_files import write
from sample import request

POLICY = """\
version: 1
apps: {a: {endpoints: [a.example], endpoints_from: [list.txt]}}
rules: [{id: r, apps: a, action: block}]
tests: [{request: a.example, expect: block}]
"""
FILES = {"policy.yaml": POLICY, "list.txt": "l.example\n"}


def compiled(directory: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    process = subprocess.run(
        [sys.executable, "-m", "embargo.policy.compile", "--state", "state", *arguments, "policy.yaml"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(embargo.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == code, process.stderr
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


def test_a_policy_is_compiled_and_found_again(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    first = compiled(tmp_path)
    assert (first["ok"], first["reused"], first["problems"], first["failed_tests"]) == (True, False, [], [])
    names = ["policy.yaml", "list.txt", "exceptions.yaml"]
    assert sorted(first["watch"]) == sorted(str(tmp_path / name) for name in names)
    policy = open_snapshot(tmp_path / first["snapshot"])
    assert policy.digest == first["digest"]
    for host in ("x.a.example", "x.l.example"):
        assert decide(policy, request(host)).verdict is Verdict.BLOCK
    again = compiled(tmp_path)
    assert again["reused"]
    assert {key: again[key] for key in ("digest", "snapshot", "watch")} == {
        key: first[key] for key in ("digest", "snapshot", "watch")
    }


def test_the_same_text_elsewhere_names_its_own_files(tmp_path: Path) -> None:
    """Status, records and `embargo probe` tell where the policy in force lies."""
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        write(tmp_path / place, FILES)
    policies = []
    for place in ("here", "there"):
        path = str(tmp_path / place / "policy.yaml")
        command = [sys.executable, "-m", "embargo.policy.compile", "--state", str(tmp_path / "state"), path]
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": str(Path(embargo.__file__).parent.parent)},
            capture_output=True,
            check=True,
        )
        policies.append(open_snapshot(Path(json.loads(done.stdout)["snapshot"])))
    assert policies[0].digest == policies[1].digest
    assert [policy.files[0] for policy in policies] == [
        str(tmp_path / place / "policy.yaml") for place in ("here", "there")
    ]
    assert {rule.layer for rule in policies[1].rules} == {policies[1].files[0]}


def test_of_several_at_once_one_compiles(tmp_path: Path) -> None:
    """As the workers of one proxy do after an edit: the others find what it made."""
    write(tmp_path, FILES)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: compiled(tmp_path), range(4)))
    assert sorted(answer["reused"] for answer in answers) == [False, True, True, True]
    assert len({answer["snapshot"] for answer in answers}) == 1


def test_another_policy_does_not_wait(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    compiled(tmp_path)
    (held,) = (tmp_path / "state" / "snapshots").glob(".compiling-*")
    (tmp_path / "other.yaml").write_text(POLICY)
    with held.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert compiled(tmp_path, "other.yaml")["ok"]


def changed(directory: Path, name: str, text: str) -> None:
    (directory / name).write_text(text)


CHANGES = {  # case: (file, its new text)
    "a layer": ("policy.yaml", POLICY.replace("[a.example]", "[b.example]").replace("request: a", "request: b")),
    "a list": ("list.txt", "m.example\n"),
    "exceptions that were not there": ("exceptions.yaml", "version: 1\n"),
}


@pytest.mark.parametrize(("name", "text"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_any_file_is_seen(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, FILES)
    first = compiled(tmp_path)
    changed(tmp_path, name, text)
    second = compiled(tmp_path)
    assert not second["reused"]
    assert second["digest"] != first["digest"]


def test_a_revert_finds_its_snapshot(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    first = compiled(tmp_path)
    changed(tmp_path, "list.txt", "m.example\n")
    compiled(tmp_path)
    write(tmp_path, FILES)
    assert compiled(tmp_path)["snapshot"] == first["snapshot"]


def test_a_damaged_snapshot_is_made_anew(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    path = tmp_path / compiled(tmp_path)["snapshot"]
    (path / "policy.bin").unlink()
    assert not compiled(tmp_path)["reused"]
    assert open_snapshot(path).rules


def test_a_policy_with_problems(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "policy.yaml": POLICY.replace("block}]\ntests", "blok}]\ntests")})
    answer = compiled(tmp_path, code=1)
    assert (answer["ok"], answer["snapshot"], answer["digest"]) == (False, None, None)
    assert len(answer["problems"]) == 1
    assert answer["problems"][0].startswith("policy.yaml:3:34: unknown-action rules[0].action: found 'blok'")
    assert answer["details"][0]["line"] == 3
    assert str(tmp_path / "list.txt") in answer["watch"], "a change of any of its files may mend it"


def test_failed_tests_are_told_and_do_not_keep_it_from_compiling(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "policy.yaml": POLICY.replace("expect: block", "expect: pass")})
    for _ in range(2):
        answer = compiled(tmp_path)
        assert answer["failed_tests"] == [
            "policy.yaml:4:9: failed-test tests[0]: a.example: expect: expected pass, got block; by rule r"
        ]
        assert answer["snapshot"]


def test_tests_that_a_date_may_change_are_run_again(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "policy.yaml": POLICY.replace("action: block", "action: block, until: 2999-01-01")})
    compiled(tmp_path)
    memory = next((tmp_path / "state" / "snapshots").glob(".files-*.json"))
    kept = json.loads(memory.read_text())
    assert kept["until"].startswith("2999-01-01")
    memory.write_text(json.dumps({**kept, "until": "2020-01-01T00:00:00+00:00"}))
    answer = compiled(tmp_path)
    assert not answer["reused"]


def test_the_text_is_stored_under_its_digest(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    for _ in range(2):
        answer = compiled(tmp_path, "--store", "log/policies")
        stored = tmp_path / "log" / "policies" / answer["digest"]
        assert hashlib.sha256(stored.read_bytes()).hexdigest() == answer["digest"]
        assert stored.stat().st_mode & 0o777 == 0o600
        stored.unlink()  # a policy found again is stored too, where its text is not there
    assert b"l.example" not in answer["snapshot"].encode()


def test_a_text_that_is_there_is_needed_again(tmp_path: Path) -> None:
    """So that retention, which goes by when it was needed last, leaves it."""
    write(tmp_path, FILES)
    stored = tmp_path / "log" / "policies" / compiled(tmp_path, "--store", "log/policies")["digest"]
    os.utime(stored, (1_000_000_000, 1_000_000_000))
    compiled(tmp_path, "--store", "log/policies")
    assert stored.stat().st_mtime > 1_000_000_000


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "log": "a file\n"})
    answer = compiled(tmp_path, "--store", "log/policies")
    assert answer["ok"]
    assert len(answer["warnings"]) == 1
    assert "could not be stored" in answer["warnings"][0]


def test_a_state_directory_that_cannot_be_written(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "state": "a file\n"})
    process = subprocess.run(
        [sys.executable, "-m", "embargo.policy.compile", "--state", "state", "policy.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(embargo.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stdout) == (2, "")
    assert "cannot be written" in process.stderr
    assert "Traceback" not in process.stderr
