"""`embargo privacy`: the annex of the policy that is named."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main

POLICY = """\
version: 1
settings: {organization: "Example\\u001b[2J Corp", decrypt: needed}
apps: {bad: {endpoints: [banned.test]}}
rules: [{id: ban, apps: bad, action: block, until: 2027-01-01}]
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "domains.yaml").write_text(POLICY)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["privacy", *arguments])


def test_markdown() -> None:
    result = run("--at", "2026-11-24")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "# What the proxy opens and records at Example\ufffd[2J Corp"
    assert "as of 2026-11-24, made by" in lines[2]
    assert "- banned.test and all below it (bad, rule ban)" in lines


def test_the_day_counts() -> None:
    assert "banned.test" not in run("--at", "2027-01-01").output


def test_json() -> None:
    document = json.loads(run("--json", "--at", "2026-11-24").output)
    assert document["time"] == "2026-11-24T00:00:00+00:00"
    assert document["policy"]["files"] == ["domains.yaml"]
    assert [each["name"] for each in document["opened"]["names"]] == ["banned.test"]


def test_a_policy_that_does_not_load() -> None:
    result = run("--policy", "none.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "none.yaml" in result.stderr
