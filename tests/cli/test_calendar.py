"""`embargo explain --calendar`: what is printed, and what is refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main

POLICY = """\
version: 1
authorities:
  eo: {timeline: {2021-01-05: issued, 2021-02-19: in-force, 2021-06-09: revoked}}
apps:
  alipay: {named_in: [eo], endpoints: [alipay.com]}
  tiktok: {endpoints: [tiktok.com]}
settings: {bound_by: [eo]}
rules:
  - id: evening
    apps: [tiktok]
    clients: [10.30.0.0/24]
    action: log
    until: 2027-02-01
    schedule: {days: [mon, tue, wed, thu, fri], hours: "18:00-20:00", timezone: Asia/Shanghai}
  - {id: law, apps: {named_in: eo}, authority: in-force, action: block}
  - {id: ban, apps: all, action: block}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text(POLICY, encoding="utf-8")
    return file


def run(policy: Path, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["explain", "--policy", str(policy), "--calendar", *arguments], input=stdin)


def test_the_law(policy: Path) -> None:
    result = run(policy, "www.alipay.com", "--at", "2026-11-24")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "www.alipay.com",
        "from        to          verdict      rule  why it changes",
        "2021-01-05  2021-02-19  block        ban",
        "2021-02-19  2021-06-09  block (451)  law   authority eo becomes in-force",
        "2021-06-09  2027-11-24  block        ban   authority eo becomes revoked",
    ]


def test_what_recurs_and_several_requests(policy: Path) -> None:
    arguments = ["--client", "10.30.0.7", "--from", "2026-11-24", "--to", "2028-01-01"]
    result = run(policy, "-", *arguments, stdin="tiktok.com\n\nother.test\n")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "tiktok.com",
        "from        to          verdict  rule     why it changes",
        "2026-11-24  2027-02-01  block    ban",
        "                        log      evening  recurs: mon–fri 18:00–20:00 Asia/Shanghai",
        "2027-02-01  2028-01-01  block    ban      rule evening ends",
        "",
        "other.test",
        "from        to          verdict  rule  why it changes",
        "2026-11-24  2028-01-01  pass     -",
    ]


def test_json_is_a_line_a_request(policy: Path) -> None:
    result = run(policy, "tiktok.com", "alipay.com", "--json")
    requests = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["request"] for each in requests] == ["tiktok.com", "alipay.com"]
    assert [each["rule"] for each in requests[1]["intervals"]] == ["ban", "law", "ban"]
    assert requests[1]["intervals"][1]["reasons"] == ["authority eo becomes in-force"]


REFUSED = {  # case: (arguments, what is said)
    "an end before the beginning": (
        ["a.test", "--from", "2026-01-02", "--to", "2026-01-01"],
        "a.test: the calendar ends before it begins",
    ),
    "a scheme that no proxy sees": (["ftp://a.test"], "'ftp' is no scheme"),
    "no time": (["a.test", "--to", "someday"], "'someday'"),
}


@pytest.mark.parametrize(("arguments", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(policy: Path, arguments: list[str], said: str) -> None:
    result = run(policy, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_range_is_for_a_calendar(policy: Path) -> None:
    result = CliRunner().invoke(main, ["explain", "--policy", str(policy), "a.test", "--from", "2026-01-01"])
    assert result.exit_code == 2
    assert "--from and --to are for --calendar" in result.stderr


def test_an_unreadable_line_does_not_end_the_others(policy: Path) -> None:
    result = run(policy, "-", "--at", "2026-11-24", stdin="ftp://a.test\nalipay.com\n")
    assert result.exit_code == 0
    assert "alipay.com" in result.output.splitlines()
    assert "'ftp' is no scheme" in result.output
