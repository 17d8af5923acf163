"""`embargo privacy`: the annex of the policy that is named."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.journal.pseudonym import ensure_key

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


@pytest.fixture
def pseudonym(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of 10.20.3.4."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("LOGS_DIRECTORY", str(tmp_path / "log"))
    return ensure_key(tmp_path / "state", datetime.now(UTC)).pseudonym("10.20.3.4")


RESOLVED = {  # case: (networks, exit code, output)
    "in a network": (["10.20.0.0/20"], 0, "10.20.3.4\n"),
    "the address itself": (["10.20.3.4"], 0, "10.20.3.4\n"),
    "in the second": (["10.10.0.0/24", "10.20.3.0/24"], 0, "10.20.3.4\n"),
    "in none": (["10.10.0.0/24"], 1, "none of these addresses\n"),
    "too many": (["10.0.0.0/7"], 2, "too many to try"),
    "no network": (["somewhere"], 2, "does not appear to be"),
}


@pytest.mark.parametrize(("networks", "code", "told"), RESOLVED.values(), ids=RESOLVED)
def test_resolve(pseudonym: str, networks: list[str], code: int, told: str) -> None:
    options = [word for network in networks for word in ("--client", network)]
    result = run("resolve", pseudonym, *options, "--reason", "incident 17")
    assert result.exit_code == code
    assert told in result.output


def test_nothing_is_resolved_without_a_reason(pseudonym: str) -> None:
    assert run("resolve", pseudonym, "--client", "10.20.3.4").exit_code == 2
    assert run("resolve", pseudonym, "--client", "10.20.3.4", "--reason", " ").exit_code == 2


def test_resolve_as_json(pseudonym: str) -> None:
    result = run("resolve", pseudonym, "--client", "10.20.3.4", "--reason", "x", "--json")
    assert json.loads(result.output) == {"pseudonym": pseudonym, "client": "10.20.3.4"}


def test_new_key(pseudonym: str) -> None:
    result = run("new-key", "--forget", "--reason", "the year is over")
    assert result.output == "key 2 is in use from now on: pseudonyms begin with c2-; forgotten: 1\n"
    refused = run("resolve", pseudonym, "--client", "10.20.3.4", "--reason", "x")
    assert refused.exit_code == 2
    assert "the key of number 1 is not there, or was forgotten (there: 2)" in refused.output


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
