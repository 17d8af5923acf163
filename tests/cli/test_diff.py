"""`embargo diff`: arguments, exit codes, and what is printed where."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.core.seen import Seen
from embargo.review.judge import Judge, Judged
from repositories import commit

OLD = """\
version: 1
apps:
  alipay: {endpoints: [alipay.com]}
rules:
  - {id: ban, apps: all, action: block}
"""
TYPO = OLD.replace("alipay.com", "qq.com")
SUFFIX = OLD.replace("alipay.com", "com.cn")
TRAFFIC = "https://mail.qq.com/a\nim.qq.com\nwww.alipay.com\nexample.org\nmail.qq.com\nftp://no.test\n"


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {"old.yaml": OLD, "typo.yaml": TYPO, "suffix.yaml": SUFFIX, "hosts.txt": TRAFFIC}.items():
        Path(name).write_text(text, encoding="utf-8")


def diff(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["diff", *arguments], input=stdin)


def test_a_typo_that_widens_to_a_public_suffix_is_refused() -> None:
    result = diff("old.yaml", "suffix.yaml", "--traffic", "hosts.txt")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "suffix.yaml:3:24: public-suffix apps.alipay.endpoints[0]: 'com.cn' is a public suffix"
    )
    assert result.stdout == ""


def test_a_typo_that_widens_to_a_name_of_others_is_told_by_what_it_hits() -> None:
    result = diff("old.yaml", "typo.yaml", "--traffic", "hosts.txt", "--at", "2026-11-24")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1:10] == [
        "5 requests of the past: 3 collateral, 1 freed",
        "1 could not be read:",
        "  hosts.txt, line 6: 'ftp' is no scheme that a proxy is asked for; use one of http, https, ws, wss",
        "",
        "Collateral: hosts that no app owned, or only shared ones, and that are hit now",
        "host         before  after  app     endpoint       rule  clients  requests",
        "mail.qq.com  pass    block  alipay  domain:qq.com  ban   ?        2",
        "im.qq.com    pass    block  alipay  domain:qq.com  ban   ?        1",
        "",
    ]
    assert "Newly free" in lines


def test_interrupted_it_prints_what_was_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge.judge
    judged: list[object] = []

    def interrupted(self: Judge, seen: Seen) -> Judged:
        judged.append(seen)
        if len(judged) == 5:  # both judge each
            raise KeyboardInterrupt
        return judge(self, seen)

    monkeypatch.setattr(Judge, "judge", interrupted)
    result = diff("old.yaml", "typo.yaml", "--traffic", "hosts.txt")
    assert result.exit_code == 130
    assert "interrupted: this is what was reached" in result.stderr
    assert "2 requests of the past, of more that were not read: 2 collateral" in result.stdout.splitlines()
    judged.clear()
    document = json.loads(diff("old.yaml", "typo.yaml", "--traffic", "hosts.txt", "--json").stdout)
    assert (document["traffic"]["requests"], document["traffic"]["complete"]) == (2, False)


EXITS = {  # case: (arguments, exit code)
    "a change": (["old.yaml", "typo.yaml"], 0),
    "a change under --exit-code": (["old.yaml", "typo.yaml", "--exit-code"], 1),
    "none under --exit-code": (["old.yaml", "old.yaml", "--exit-code"], 0),
    "no such side": (["old.yaml", "gone"], 2),
    "no such file": (["old.yaml", "gone.yaml"], 2),
    "no such traffic": (["old.yaml", "typo.yaml", "--traffic", "gone.txt"], 2),
    "json and markdown": (["old.yaml", "typo.yaml", "--json", "--markdown"], 2),
    "an end before the beginning": (["old.yaml", "typo.yaml", "--at", "2026-01-01", "--to", "2026-01-01"], 2),
    "nothing named": ([], 2),
}


@pytest.mark.parametrize(("arguments", "code"), EXITS.values(), ids=EXITS)
def test_exit_codes(arguments: list[str], code: int) -> None:
    result = diff(*arguments)
    assert result.exit_code == code
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert bool(result.stderr) == (code == 2)


def test_traffic_of_which_nothing_can_be_read() -> None:
    result = diff("old.yaml", "typo.yaml", "--traffic", "-", stdin="ftp://a.test\n")
    assert result.exit_code == 2
    assert "nothing in the traffic could be read" in result.stderr


def test_json() -> None:
    result = diff("old.yaml", "typo.yaml", "--json", "--traffic", "hosts.txt", "--traffic", "-", stdin="x.qq.com\n")
    document = json.loads(result.stdout)
    assert document["old"]["label"] == "old.yaml"
    assert document["traffic"]["changed"]["collateral"] == 4
    assert [each["host"] for each in document["traffic"]["hosts"] if each["effect"] == "collateral"] == [
        "mail.qq.com",
        "im.qq.com",
        "x.qq.com",
    ]


def test_markdown() -> None:
    result = diff("old.yaml", "typo.yaml", "--markdown")
    assert result.stdout.splitlines()[0] == "## Policy: changes verdicts"
    assert "| removed | alipay | domain:alipay.com | api | block | pass | old.yaml:3 |" in result.stdout.splitlines()


def test_two_revisions(tmp_path: Path) -> None:
    commit(tmp_path, {"site.yaml": OLD})
    commit(tmp_path, {"site.yaml": TYPO})
    Path("site.yaml").write_text(OLD)
    result = diff("HEAD~1", "HEAD", "--", "site.yaml")
    assert result.exit_code == 0
    assert "removed  alipay  domain:alipay.com  api   block   pass   HEAD~1:site.yaml:3" in result.stdout
    assert "added    alipay  domain:qq.com      api   pass    block  HEAD:site.yaml:3" in result.stdout
    back = diff("HEAD", "--", "site.yaml")
    assert "added    alipay  domain:alipay.com  api   pass    block  site.yaml:3" in back.stdout


def test_a_branch_that_is_called_as_a_directory(tmp_path: Path) -> None:
    commit(tmp_path, {"site.yaml": OLD})
    (tmp_path / "main").mkdir()
    result = diff("main", "--", "site.yaml")
    assert (result.exit_code, result.stdout.splitlines()[1:]) == (0, ["no difference in effect"])
