"""`embargo explain`: arguments, standard input, exit codes, and what is printed where."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main

POLICY = """\
version: 1
settings: {bound_by: [eo-13971]}
authorities:
  eo-13971:
    title: Executive Order 13971
    url: https://www.federalregister.gov/d/2021-00305
    timeline: {2021-01-05: issued, 2021-02-19: in-force, 2021-06-09: revoked}
apps:
  alipay:
    name: Alipay
    named_in: [eo-13971]
    endpoints:
      - alipay.com
      - {domain: alipayobjects.com, role: cdn, shared: true}
      - {user_agent: AlipayClient, role: client}
groups:
  research: {clients: [10.20.0.0/16], users: [alice]}
rules:
  - {id: exempt, apps: [alipay], groups: [research], action: log}
  - {id: shared-infrastructure, apps: all, shared: true, action: log, record: anonymous}
  - {id: by-dns, apps: all, surfaces: [dns], action: allow}
  - {id: banned-apps, apps: {named_in: eo-13971}, action: block, reason: company policy}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text(POLICY, encoding="utf-8")
    return file


def run(policy: Path, *arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(main, ["explain", "--policy", str(policy), *arguments], input=stdin)


def documents(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


OPTIONS = {  # case: (arguments, verdict, rule, surface, status)
    "blocked": (["https://mobilegw.alipay.com/mgw.htm"], "block", "banned-apps", "connect", 403),
    "a bare host": (["alipay.com"], "block", "banned-apps", "connect", 403),
    "plain http": (["http://alipay.com/"], "block", "banned-apps", "http", 403),
    "shared": (["alipayobjects.com"], "log", "shared-infrastructure", "connect", None),
    "no owner": (["notalipay.com"], "pass", None, "http", None),
    "a look-alike": (["www.alipay.com.example.org"], "pass", None, "http", None),
    "--at, in force": (["alipay.com", "--at", "2021-03-01"], "block", "banned-apps", "connect", 451),
    "--client": (["alipay.com", "--client", "10.20.0.7"], "log", "exempt", "connect", None),
    "--client, IPv4-mapped": (["alipay.com", "--client", "::ffff:10.20.0.7"], "log", "exempt", "connect", None),
    "--client, another": (["alipay.com", "--client", "192.0.2.7"], "block", "banned-apps", "connect", 403),
    "--user": (["alipay.com", "--user", "alice"], "log", "exempt", "connect", None),
    "--surface": (["alipay.com", "--surface", "dns"], "allow", "by-dns", "dns", None),
    "--user-agent": (["example.org", "--user-agent", "AlipayClient/10"], "block", "banned-apps", "connect", 403),
}


@pytest.mark.parametrize(("arguments", "verdict", "rule", "surface", "status"), OPTIONS.values(), ids=OPTIONS)
def test_options(
    policy: Path, arguments: list[str], verdict: str, rule: str | None, surface: str, status: int | None
) -> None:
    result = run(policy, *arguments, "--json")
    [document] = documents(result)
    assert result.exit_code == 0
    told = (document["verdict"], document["rule"], document["surface"], document["status"])
    assert told == (verdict, rule, surface, status)


def test_several_requests_are_told_in_order(policy: Path) -> None:
    told = documents(run(policy, "--json", "b.example", "alipay.com", "a.example"))
    assert [document["request"] for document in told] == ["b.example", "alipay.com", "a.example"]


EXITS = {  # case: (arguments, stdin, exit code)
    "blocked, without the flag": (["alipay.com"], "", 0),
    "blocked": (["--exit-code", "alipay.com"], "", 1),
    "one of several is blocked": (["--exit-code", "example.org", "alipay.com", "example.net"], "", 1),
    "none is blocked": (["--exit-code", "example.org", "alipayobjects.com"], "", 0),
    "malformed is refused": (["--exit-code", "a..b"], "", 1),
    "blocked on stdin": (["--exit-code", "-"], "example.org\nalipay.com\n", 1),
    "none on stdin": (["--exit-code", "-"], "example.org\n", 0),
    "no request": ([], "", 2),
    "a scheme that no proxy sees": (["ftp://alipay.com/"], "", 2),
    "a client that is no address": (["alipay.com", "--client", "10.20"], "", 2),
    "a surface that is none": (["alipay.com", "--surface", "smtp"], "", 2),
    "a time that is none": (["alipay.com", "--at", "yesterday"], "", 2),
    "a time that no time zone can tell": (["alipay.com", "--at", "9999-12-31T23:59:59-08:00"], "", 2),
    "a time without offset": (["alipay.com", "--at", "2021-03-01T08:00:00"], "", 2),
}


@pytest.mark.parametrize(("arguments", "stdin", "code"), EXITS.values(), ids=EXITS)
def test_exit_code(policy: Path, arguments: list[str], stdin: str, code: int) -> None:
    result = run(policy, *arguments, stdin=stdin)
    assert result.exit_code == code
    assert "Traceback" not in result.output


STDIN = {  # case: (standard input, verdicts)
    "one a line": ("alipay.com\nexample.org\n", ["block", "pass"]),
    "no line break at the end": ("alipay.com\nexample.org", ["block", "pass"]),
    "blank lines are skipped": ("\n\nalipay.com\n   \n\t\nexample.org\n\n", ["block", "pass"]),
    "lines of Windows": ("alipay.com\r\nexample.org\r\n", ["block", "pass"]),
    "white space around": ("  alipay.com \n", ["block"]),
    "a byte order mark": ("\ufeffalipay.com\n", ["block"]),
    "other scripts": ("ａｌｉｐａｙ。com\n", ["block"]),
    "a malformed line": ("a..b\nexample.org\n", ["block", "pass"]),
    "a scheme that no proxy sees": ("ftp://alipay.com/\nexample.org\n", ["block", "pass"]),
    "bytes that are no UTF-8": (b"\xff\xfe.com\nexample.org\n", ["block", "pass"]),
    "a NUL": ("alipay.com\0\nexample.org\n", ["block", "pass"]),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("stdin", "verdicts"), STDIN.values(), ids=STDIN)
def test_stdin(policy: Path, stdin: str | bytes, verdicts: list[str]) -> None:
    result = run(policy, "--json", "-", stdin=stdin)
    assert (result.exit_code, [document["verdict"] for document in documents(result)]) == (0, verdicts)


def test_a_malformed_line_is_told_as_the_proxy_would_refuse_it(policy: Path) -> None:
    [document] = documents(run(policy, "--json", "-", stdin="a..b\n"))
    assert (document["verdict"], document["apps"], document["error"]) == ("block", [], "'a..b' is no host")


def test_lines_without_json_are_aligned(policy: Path) -> None:
    result = run(policy, "-", stdin="alipay.com\nexample.org\nalipayobjects.com\na..b\n")
    assert result.stdout.splitlines() == [
        "block  alipay  banned-apps            connect    alipay.com",
        "pass   -       -                      http       example.org",
        "log    alipay  shared-infrastructure  connect    alipayobjects.com",
        "block  -       -                      connect    a..b  ('a..b' is no host)",
    ]


def test_requests_before_and_behind_stdin(policy: Path) -> None:
    told = documents(run(policy, "--json", "first.example", "-", "last.example", stdin="middle.example\n"))
    assert [document["request"] for document in told] == ["first.example", "middle.example", "last.example"]


def test_a_line_cannot_drive_the_terminal(policy: Path) -> None:
    printed = run(policy, "-", stdin="\x1b[2Jalipay.com\n").stdout
    assert "\x1b" not in printed


def test_the_account(policy: Path) -> None:
    printed = run(policy, "https://mobilegw.alipay.com/mgw.htm").stdout
    assert printed.splitlines() == [
        "block  https://mobilegw.alipay.com/mgw.htm",
        f"  why          rule banned-apps ({policy}:22) blocks Alipay: company policy",
        "  app          alipay: Alipay",
        "  endpoint     domain:alipay.com, role api",
        f"  rule         banned-apps {policy}:22",
        "  authority    eo-13971: Executive Order 13971, revoked since 2021-06-09",
        "               https://www.federalregister.gov/d/2021-00305",
        "  surface      connect",
        "  names        mobilegw.alipay.com (connect)",
        "  client gets  HTTP 403 at CONNECT; browsers see the block page",
        "  asked        exempt: groups fails, wants a member of research; the client is unknown, the user is unknown",
        "               shared-infrastructure: shared fails, wants shared infrastructure; this endpoint is not",
        "               by-dns: surfaces fails, wants the surface dns; this is connect",
        "               banned-apps: holds, block",
    ]


def test_a_policy_that_does_not_load(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("version: 1\napps: {a: {endpoint: [a.example]}}\n", encoding="utf-8")
    result = run(broken, "alipay.com")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{broken}:2:" in result.stderr
    assert "endpoints" in result.stderr


def test_a_policy_that_is_missing(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere.yaml", "alipay.com")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nowhere.yaml" in result.stderr


def test_help_shows_an_example(policy: Path) -> None:
    printed = run(policy, "--help").stdout
    assert "\n  embargo explain https://mobilegw.alipay.com/mgw.htm\n" in printed.replace("    embargo", "  embargo")


def test_a_person_at_a_terminal_sees_colour(policy: Path) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-c", "from embargo.cli.main import main; main()", "explain", "--policy", str(policy)]
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen([*command, "alipay.com"], stdout=slave, env=environment) as process:
        os.close(slave)
        printed = b""
        try:
            while piece := os.read(master, 4096):
                printed += piece
        except OSError:  # how Linux tells that the other end is closed
            pass
        assert process.wait() == 0
    os.close(master)
    assert printed.startswith(b"\x1b[31m\x1b[1mblock\x1b[0m  alipay.com")


def test_it_does_not_pay_for_mitmproxy(policy: Path) -> None:
    code = (
        "import sys; from embargo.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: assert not {'mitmproxy', 'flask', 'rich'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code, "explain", "--policy", str(policy), "alipay.com"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
