"""`embargo apps`: the catalogue, and one app of it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.review.remaining import folded

POLICY = """\
version: 1
authorities:
  eo-13971:
    title: Executive Order 13971
    jurisdiction: US
    url: https://www.federalregister.gov/d/2021-00305
    reviewed: 2026-11-24
    timeline: {2021-01-05: issued, 2021-02-19: in-force, 2021-06-09: revoked}
apps:
  tiktok: {name: TikTok, endpoints: [tiktok.com]}
  alipay:
    name: Alipay
    vendor: Ant Group
    named_in: [eo-13971]
    endpoints:
      - {host: mclient.alipay.com, role: payment}
      - {domain: alipay.com, evidence: ["v2fly/domain-list-community data/alibaba"]}
      - {domain: alipayobjects.com, role: cdn, shared: true}
    endpoints_from: [more.txt]
    exclude: [open.alipay.com]
    stores: {apple: [333206289]}
rules:
  - {id: shared-infrastructure, apps: all, shared: true, action: log}
  - {id: law, apps: {named_in: eo-13971}, authority: in-force, action: block}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "more.txt").write_text("alipay.cn\nalipay.net\n", encoding="utf-8")
    file = tmp_path / "site.yaml"
    file.write_text(POLICY, encoding="utf-8")
    return file


def run(policy: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["apps", "--policy", str(policy), *arguments])


def test_the_table(policy: Path) -> None:
    result = run(policy, "--at", "2021-03-01")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "id      name    endpoints  shared  orders             verdict",
        "alipay  Alipay  5          1       eo-13971 in-force  block 4, log 1",
        "tiktok  TikTok  1          0       -                  log",
    ]


STATES = {  # case: (day, state, verdicts)
    "before its first date": ("2020-01-01", "not yet", "log"),
    "issued": ("2021-01-05", "issued", "log"),
    "in force": ("2021-06-08T23:59:59Z", "in-force", "block 4, log 1"),
    "revoked": ("2021-06-09", "revoked", "log"),
}


@pytest.mark.parametrize(("day", "state", "verdicts"), STATES.values(), ids=STATES)
def test_states_and_verdicts_follow_the_day(policy: Path, day: str, state: str, verdicts: str) -> None:
    line = run(policy, "--at", day).stdout.splitlines()[1]
    assert line == f"alipay  Alipay  5          1       eo-13971 {state}  {verdicts}"


def test_one_app_in_full(policy: Path) -> None:
    result = run(policy, "alipay", "--at", "2021-03-01")
    assert result.exit_code == 0
    listed = next(line for line in result.stdout.splitlines() if "more.txt" in line)
    assert listed.endswith("more.txt, 2 domains: block by law")
    assert result.stdout.splitlines() == [
        "alipay: Alipay, Ant Group",
        "endpoints: 5, of which shared: 1; block 4, log 1",
        "",
        "api (3)",
        "  domain:alipay.com: block by law",
        "    v2fly/domain-list-community data/alibaba",
        listed,
        "",
        "payment (1)",
        "  host:mclient.alipay.com: block by law",
        "",
        "cdn (1)",
        "  domain:alipayobjects.com, shared: log by shared-infrastructure",
        "",
        "store listings",
        "  Apple: 333206289",
        "  14 forms of their links: block by law",
        "",
        "excluded: never this app",
        "  domain:open.alipay.com",
        "",
        "authorities",
        "  eo-13971: in-force since 2021-02-19",
        "    Executive Order 13971 (US)",
        "    https://www.federalregister.gov/d/2021-00305",
        "    2021-01-05  issued",
        "    2021-02-19  in-force",
        "    2021-06-09  revoked",
        "    reviewed 2026-11-24",
        "",
        "rules, in the order in which they are asked",
        "  shared-infrastructure: log",
        "  law: block",
        "",
        "not blocked",
        *folded(f"  1 endpoint: log by shared-infrastructure ({policy}:23)"),
        "    it is for endpoints that others use too; it stands before law, which would block",
        "    domain:alipayobjects.com",
        "",
        *folded(
            f"to block the rest, put this in {policy}, under `rules:`, directly before shared-infrastructure (line 23)"
        ),
        "",
        "  - id: block-alipay",
        "    apps: alipay",
        "    action: block",
        "    # To spare what others use too:",
        "    # shared: false",
        "    # To spare the stores:",
        "    # roles: [api, payment, cdn]",
        "",
        "it would hit",
        "  1 endpoint that others use too: domain:alipayobjects.com",
        "  4 endpoints that law blocks already: message and status would be this rule's",
    ]


def test_an_app_with_little(policy: Path) -> None:
    printed = run(policy, "tiktok").stdout
    assert printed.splitlines()[:5] == [
        "tiktok: TikTok",
        "endpoints: 1, of which shared: 0; log",
        "",
        "api (1)",
        "  domain:tiktok.com: log by default",
    ]


def test_json_has_an_object_a_line(policy: Path) -> None:
    told = [json.loads(line) for line in run(policy, "--json", "--at", "2021-03-01").stdout.splitlines()]
    assert told[0] == {
        "id": "alipay",
        "name": "Alipay",
        "vendor": "Ant Group",
        "endpoints": 5,
        "shared": 1,
        "authorities": [{"id": "eo-13971", "state": "in-force"}],
        "verdicts": {"block": 4, "log": 1},
    }
    assert [each["id"] for each in told] == ["alipay", "tiktok"]


def test_json_of_one_app(policy: Path) -> None:
    [line] = run(policy, "alipay", "--json", "--at", "2021-03-01").stdout.splitlines()
    document = json.loads(line)
    first = document["entries"][0]
    assert (first["endpoint"], first["evidence"]) == ("domain:alipay.com", ["v2fly/domain-list-community data/alibaba"])
    assert document["stores"]["apple"] == ["333206289"]
    assert [(each["rule"], each["count"]) for each in document["passing"]] == [("shared-infrastructure", 1)]
    assert document["remedy"]["hits"]["shared"] == ["domain:alipayobjects.com"]
    assert set(document["remedy"]) == {"yaml", "where", "hits"}
    assert document["authorities"][0]["timeline"][0] == {"from": "2021-01-05T00:00:00+00:00", "state": "issued"}


def test_json_says_why_what_is_not_blocked_passes(policy: Path) -> None:
    passing = json.loads(run(policy, "alipay", "--json", "--at", "2021-07-01").stdout)["passing"]
    assert [(each["rule"], each["count"]) for each in passing] == [("shared-infrastructure", 1), ("default", 4)]
    assert passing[1]["why"] == (
        "no rule holds, and settings.default is log; law does not block it: it wants an authority that is in-force; "
        "eo-13971 is revoked since 2021-06-09"
    )


UNKNOWN = {  # case: (id, hint)
    "a slip": ("alipy", "did you mean 'alipay'?"),
    "capitals": ("TikTok", "did you mean 'tiktok'?"),
    "nothing near": ("zzzzzz", "`embargo apps` lists them"),
}


@pytest.mark.parametrize(("identifier", "hint"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_id(policy: Path, identifier: str, hint: str) -> None:
    result = run(policy, identifier)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"no app {identifier!r}; {hint}" in result.stderr


def test_a_policy_that_does_not_load(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nowhere.yaml" in result.stderr


def test_help_shows_an_example(policy: Path) -> None:
    assert "embargo apps alipay --at 2021-03-01" in run(policy, "--help").stdout
