"""`embargo replay`: what it prints, for people and for machines, and how it ends."""

import contextlib
import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.review import replay as review
from embargo.review.replay import By
from embargo.review.sources import Format

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "addon")}
COMMAND = [
    sys.executable,
    "-c",
    "import sys; from embargo.cli.main import main; main(sys.argv[1:])",
    "replay",
    "--policy",
    "policy.yaml",
]
POLICY = """\
version: 1
apps:
  bad: {endpoints: [bad.test]}
  tried: {endpoints: [tried.test]}
groups: {lab: {users: [alice]}}
rules:
  - {id: exempt, apps: bad, groups: lab, action: log}
  - {id: until-noon, apps: bad, until: 2026-11-24T12:00:00Z, action: block}
  - {id: watch, apps: bad, action: log}
  - {id: try, apps: tried, shadow: true, action: block}
"""
HOSTS = "https://www.bad.test/x\nbad.test\ntried.test\ninnocent.test\n"
SQUID = "".join(
    f"{stamp} 0 10.0.0.{client} TCP_MISS/200 1 GET http://{host}/ {user} HIER_DIRECT/192.0.2.1 -\n"
    for stamp, client, host, user in (
        ("1795518000.000", 1, "bad.test", "-"),  # 11:00 UTC
        ("1795518000.000", 2, "bad.test", "alice"),
        ("1795525200.000", 1, "bad.test", "-"),  # 13:00 UTC
        ("1795525200.000", 3, "innocent.test", "-"),
    )
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "hosts.txt").write_text(HOSTS, encoding="utf-8")
    (tmp_path / "access.log").write_text(SQUID, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["replay", "--policy", "policy.yaml", *arguments], input=stdin)


def test_each_request_at_its_own_time(place: Path) -> None:
    result = run("access.log")
    assert result.exit_code == 0
    assert (
        result.stdout
        == """\
4 requests, 2026-11-24 11:00 to 2026-11-24 13:00
1 blocked, 2 logged, 0 allowed, 1 passed
blocked for 1 client

APP  BLOCK  LOG  ALLOW  PASS  CLIENTS
bad  1      2    0      0     2

RULE        BLOCK  LOG  ALLOW  PASS  CLIENTS
until-noon  1      0    0      0     1
exempt      0      1    0      0     1
watch       0      1    0      0     1

CLIENT    BLOCK  LOG  ALLOW  PASS
10.0.0.1  1      1    0      0
10.0.0.2  0      1    0      0

USER   BLOCK  LOG  ALLOW  PASS
alice  0      1    0      0

HOST      BLOCK  LOG  ALLOW  PASS
bad.test  1      2    0      0
"""
    )


def test_at_one_time(place: Path) -> None:
    document = json.loads(run("access.log", "--json", "--at", "2026-11-24").stdout)
    assert (document["block"], document["log"], document["complete"]) == (2, 1, True)
    assert document["sources"] == [{"name": "access.log", "format": "squid"}]


def test_what_is_assumed(place: Path) -> None:
    at = ("--at", "2026-11-24", "--json")
    assert json.loads(run("hosts.txt", *at).stdout)["block"] == 2
    assert json.loads(run("hosts.txt", *at, "--user", "alice").stdout)["block"] == 0


def test_what_would_be_blocked_has_a_column(place: Path) -> None:
    result = run("hosts.txt", "--at", "2026-11-24")
    assert "2 blocked, 1 would be blocked, were they enforced, 1 logged, 0 allowed, 1 passed" in result.stdout
    assert "tried.test    0      1            1    0      0" in result.stdout


def test_by_one_thing(place: Path) -> None:
    assert run("access.log", "--by", "host", "--top", "1").stdout.splitlines()[4:] == [
        "HOST      BLOCK  LOG  ALLOW  PASS",
        "bad.test  1      2    0      0",
        "and 1 more; --top 0 shows all",
    ]
    assert "innocent.test" in run("access.log", "--by", "host").stdout
    assert run("access.log", "--by", "hour").stdout.splitlines()[5:] == [
        "2026-11-24T11:00Z  1      1    0      0",
        "2026-11-24T13:00Z  0      1    0      1",
    ]


def test_csv(place: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("access.log", "--csv", "--by", "client").stdout)))
    assert [(row["by"], row["key"], row["block"], row["pass"]) for row in rows] == [
        ("client", "10.0.0.1", "1", "0"),
        ("client", "10.0.0.2", "0", "0"),
        ("client", "10.0.0.3", "0", "1"),
    ]
    everything = list(csv.DictReader(io.StringIO(run("access.log", "--csv").stdout)))
    assert {row["by"] for row in everything} == {by.value for by in By}


def test_csv_gives_spreadsheets_no_formula(place: Path) -> None:
    line = SQUID.splitlines()[0].replace(" - HIER", " =1+1 HIER")
    (place / "access.log").write_text(line + "\n", encoding="utf-8")
    assert "user,'=1+1," in run("access.log", "--csv").stdout


def test_several_sources_and_what_cannot_be_read(place: Path) -> None:
    result = run("hosts.txt", "access.log", "-", stdin="bad.test\nno host here\n")
    assert result.exit_code == 0
    assert result.stdout.startswith("9 requests")
    assert result.stderr == (
        "warning: -: line 2: 'no host here' is no URL, host or address\nwarning: 1 piece of the source was not read\n"
    )


def test_more_than_the_first_are_counted(place: Path) -> None:
    result = run("-", stdin="bad.test\n" + "no host\n" * 30)
    assert "warning: 30 pieces of the source were not read, of which the first 10 are shown" in result.stderr


EXITS: dict[str, tuple[list[str], str | None, int, str]] = {
    "blocked, and nobody asked": (["hosts.txt", "--at", "2026-11-24"], None, 0, ""),
    "blocked": (["hosts.txt", "--at", "2026-11-24", "--exit-code"], None, 1, ""),
    "not blocked": (["-", "--exit-code"], "innocent.test\n", 0, ""),
    "no such file": (["absent.txt", "hosts.txt"], None, 2, "error: absent.txt: No such file or directory"),
    "nothing that can be read": (["--format", "squid", "hosts.txt"], None, 2, "error: nothing in it could be read"),
    "an empty source": (["-"], "", 0, ""),
    "no source": ([], None, 2, "Missing argument 'SOURCE...'"),
    "both forms": (["--csv", "--json", "-"], "", 2, "--json and --csv exclude each other"),
    "a format that is none": (["--format", "excel", "-"], "", 2, "excel"),
}


@pytest.mark.parametrize(("arguments", "stdin", "code", "said"), EXITS.values(), ids=EXITS)
def test_exit(arguments: list[str], stdin: str | None, code: int, said: str, place: Path) -> None:
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == code
    assert said in result.stderr


def test_a_policy_that_does_not_load(place: Path) -> None:
    (place / "policy.yaml").write_text("version: 2\n", encoding="utf-8")
    result = run("hosts.txt")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the policy does not load" in result.stderr


def test_interrupted_it_prints_what_it_has(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = review.Replay.take

    def interrupted(self: review.Replay, item: object) -> None:
        take(self, item)  # type: ignore[arg-type]
        if self.requests == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(review.Replay, "take", interrupted)
    result = run("hosts.txt", "--json", "--at", "2026-11-24")
    document = json.loads(result.stdout)
    assert (document["requests"], document["complete"], result.exit_code) == (2, False, 130)
    assert "interrupted: this is what was reached" in result.stderr


def test_an_interrupt_from_outside(place: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(b"bad.test\n" * 100_000)  # more than the pipe holds, so much of it was read
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, error = process.communicate()
    assert process.returncode == 130, error
    assert b"interrupted" in error
    assert b" requests\n" in out


def test_progress_on_a_terminal(place: Path) -> None:
    """The bar goes to standard error, where that is a terminal, and leaves the output alone."""
    (place / "many.txt").write_text(HOSTS * 5000, encoding="utf-8")
    terminal, error = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "many.txt", "--json"],
        stdout=subprocess.PIPE,
        stderr=error,
        env={**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "120"},
        check=True,
    )
    os.close(error)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: whoever wrote has gone
        while piece := os.read(terminal, 1 << 16):
            shown += piece
    assert json.loads(done.stdout)["requests"] == 20_000
    assert b"many.txt" in shown and b"100%" in shown
    os.close(terminal)


def test_help_names_all_formats_and_tables() -> None:
    text = " ".join(CliRunner().invoke(main, ["replay", "--help"]).output.split())
    assert all(each in text for each in (*Format, *By))
    assert "embargo replay traffic.pcap" in text
