import json
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from processes import HEALTHY, Answering


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="e") as path:
        monkeypatch.setenv("RUNTIME_DIRECTORY", path)
        yield Path(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["status", *arguments])


def test_a_healthy_process(directory: Path) -> None:
    with Answering(directory, 7, HEALTHY):
        result = run()
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "process 7, embargo 0.1.0",
        "  started      2026-11-24 08:00:00 UTC",
        "  listens on   127.0.0.1:8080",
        "  mode         enforce, decrypt needed",
        "  policy       5f5f5f5f5f5f5f5f since 2026-11-24 08:00:01 UTC (10 apps, 5 rules, 321 endpoints)",
        "               domains.yaml",
        "               site.yaml",
        "  next change  2027-01-01 00:00:00 UTC",
        "  reloads      2 taken up, 0 refused",
        "  flows        9 judged, 2 blocked, 1 logged, 0 allowed, 6 passed, 1 nameless, 0 errors",
        "  log          /log/decisions.jsonl",
        "               3 records written, 0 lost, 0 waiting",
    ]


def test_what_is_deleted_and_anchored(directory: Path) -> None:
    retention = {"retention": {"error": None, "held": 2, "deleted": 3}}
    taken = {"to": "/mnt/a", "state": "idle", "anchored": 9, "last": "2026-11-24T08:00:00+00:00"}
    new = {"to": "https://x:443", "state": "waiting", "anchored": 0, "last": None}
    with Answering(directory, 7, HEALTHY | {"log": HEALTHY["log"] | retention, "anchors": [taken, new]}):
        lines = run().output.splitlines()
    assert lines[-3:] == [
        "               3 old files deleted, 2 on hold",
        "  anchor       /mnt/a: idle, 9 taken, the newest at 2026-11-24 08:00:00 UTC",
        "  anchor       https://x:443: waiting, 0 taken",
    ]


def test_what_was_not_refused_and_not_seen(directory: Path) -> None:
    decided = {"verdict": "log", "app": "qq", "surface": "http", "shadow": True, "count": 4}
    blind = [{"reason": "not-needed", "count": 7}, {"reason": "pinned", "count": 0}, {"reason": "nameless", "count": 1}]
    more = {"decisions": [decided, decided | {"shadow": False, "count": 9}], "uninspected": blind}
    with Answering(directory, 7, HEALTHY | more | {"heartbeat": "2026-11-24T08:05:00+00:00"}):
        lines = run().output.splitlines()
    start = lines.index("               4 would have been blocked, and were not")
    assert lines[start + 1 : start + 3] == [
        "  uninspected  7 not-needed, 1 nameless",
        "  heartbeat    2026-11-24 08:05:00 UTC",
    ]


def test_no_pseudonyms_are_a_finding(directory: Path) -> None:
    with Answering(directory, 7, HEALTHY | {"privacy": {"client": "pseudonym", "error": "no space left"}}):
        result = run()
    assert result.exit_code == 1
    assert "makes no pseudonyms, so that records name no client: no space left" in result.output


def test_endpoints_on_trial(directory: Path) -> None:
    with Answering(directory, 7, HEALTHY | {"policy": HEALTHY["policy"] | {"on_trial": 2}}):
        assert "(10 apps, 5 rules, 321 endpoints, 2 on trial)" in run().output


TIMES = {  # as the process tells it: as people read it
    "2026-11-24T09:00:00.987654+01:00": "2026-11-24 08:00:00 UTC",
    "0001-01-01T00:00:00+08:00": "0001-01-01T00:00:00+08:00",
    "soon": "soon",
}


@pytest.mark.parametrize(("told", "read"), TIMES.items(), ids=TIMES)
def test_times_are_told_to_the_second(directory: Path, told: str, read: str) -> None:
    with Answering(directory, 7, HEALTHY | {"started": told}):
        assert f"  started      {read}" in run().output.splitlines()


def test_what_is_announced(directory: Path) -> None:
    announced = [{"text": f"on 2027-01-0{day} rule r{day} ends: tiktok goes from log to block"} for day in range(1, 9)]
    with Answering(directory, 7, HEALTHY | {"announced": announced}):
        result = run()
    lines = result.output.splitlines()
    start = lines.index("  announced    on 2027-01-01 rule r1 ends: tiktok goes from log to block")
    assert lines[start + 1] == "               on 2027-01-02 rule r2 ends: tiktok goes from log to block"
    assert lines[start + 5] == "               and 3 more (--json has them)"
    assert result.exit_code == 0, "what is announced is no finding"


IDENTITY = {
    "front_proxies": ["10.0.9.0/24", "10.0.8.1/32"],
    "user_header": "X-Authenticated-User",
    "map": {"file": "/map.csv", "since": "2026-11-24T08:00:00Z", "assignments": 12},
    "refused": {"time": "2026-11-24T09:00:00Z", "problems": ["map.csv:2:1: not-a-network: found 'ten'"]},
}
BALANCERS = {"balancers": ["10.0.1.2/32"], "passed_on": 5, "own": 7, "refused": 1}


def test_by_what_it_is_known_who_asks(directory: Path) -> None:
    with Answering(directory, 7, HEALTHY | {"identity": IDENTITY, "proxy_protocol": BALANCERS}):
        result = run()
    lines = result.output.splitlines()
    start = lines.index("  identity     X-Authenticated-User from 10.0.9.0/24, 10.0.8.1/32")
    assert lines[start + 1 : start + 5] == [
        "               /map.csv (12 assignments since 2026-11-24 08:00:00 UTC)",
        "               refused at 2026-11-24 09:00:00 UTC",
        "               map.csv:2:1: not-a-network: found 'ten'",
        "  balancers    10.0.1.2/32 (5 passed on, 7 of their own, 1 refused)",
    ]
    assert result.exit_code == 1, "a refused map is a finding"


def test_members_of_other_types_are_no_traceback(directory: Path) -> None:
    odd = {"identity": {"front_proxies": 7, "map": [], "refused": {"problems": 7}}, "proxy_protocol": {"balancers": 7}}
    with Answering(directory, 7, HEALTHY | odd):
        result = run()
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "refused at ?" in result.output


CA = {
    "subject": "CN=proxy",
    "fingerprint": "5f" * 32,
    "days_left": 300,
    "constrained": True,
    "not_permitted": [],
    "not_opened": 7,
}


def test_the_ca_and_who_rejects_it(directory: Path) -> None:
    client = {"client": "10.0.0.9", "since": "2026-11-24T08:00:00Z", "times": 2, "why": "unknown ca"}
    listed = [client | {"user_agent": f"Mozilla/5.0 {number}\x1b"} for number in range(11)] + [client]
    rejecting = {"clients": 40, "handshakes": 44, "listed": listed}
    with Answering(directory, 7, HEALTHY | {"ca": CA, "rejecting": rejecting}):
        result = run()
    assert result.exit_code == 0
    lines = result.output.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("  CA "))
    assert lines[start : start + 5] == [
        "  CA           CN=proxy, 300 days left, name-constrained",
        f"               SHA-256 {':'.join(['5F'] * 32)}",
        "               7 connections not opened: the CA does not permit them",
        "  rejecting    40 clients reject our certificate",
        "               10.0.0.9  Mozilla/5.0 0\ufffd  (since 2026-11-24 08:00:00 UTC, 2 times, unknown ca)",
    ]
    assert lines[start + 14] == "               and 2 more of those latest seen (--json has them)"


SICK = {  # case: (changed members, a line of the account)
    "no policy": ({"policy": None}, "  finding      enforces no policy: everything is refused"),
    "a refused reload": (
        {"refused": {"time": "2026-11-24T10:00:00Z", "problems": ["domains.yaml:1:1: x"], "files": []}},
        "               domains.yaml:1:1: x",
    ),
    "many problems": (
        {"refused": {"time": "2026-11-24T10:00:00Z", "problems": ["x"] * 15, "files": []}},
        "               and 5 more",
    ),
    "records lost": ({"log": HEALTHY["log"] | {"lost": 4}}, "  finding      lost 4 records of the decision log"),
    "a CA that soon ends": (
        {"ca": CA | {"days_left": 29}},
        "  finding      the CA expires in 29 days",
    ),
    "a CA that is not valid yet": (
        {"ca": CA | {"not_before": "9999-01-01T00:00:00+00:00"}},
        "  finding      the CA is not valid before 9999-01-01",
    ),
    "a CA that has ended": (
        {"ca": CA | {"days_left": -1}},
        "  finding      the CA has expired: no client takes its certificates",
    ),
    "a CA that cannot be read": (
        {"ca": {"error": "broken"}},
        "  finding      opens nothing, since the CA cannot be read: broken",
    ),
    "a CA that permits too little": (
        {"ca": CA | {"not_permitted": ["apps.apple.com"]}},
        "  finding      the CA does not permit apps.apple.com: what the policy bans inside it passes",
    ),
    "terminal controls": (
        {"policy": None, "mode": "\x1b[2Jenforce"},
        "  mode         \ufffd[2Jenforce, decrypt needed",
    ),
}


@pytest.mark.parametrize(("changed", "line"), SICK.values(), ids=SICK)
def test_a_finding_is_exit_1(changed: dict[str, Any], line: str, directory: Path) -> None:
    with Answering(directory, 7, HEALTHY | changed):
        result = run()
    assert result.exit_code == 1
    assert line in result.output.splitlines()


def test_no_process_is_exit_1(directory: Path) -> None:
    result = run()
    assert result.exit_code == 1
    assert result.stderr == f"no proxy is running (no process answers in {directory})\n"
    assert result.stdout == ""


def test_a_dead_process_beside_a_running_one_is_told(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "3.sock"))
    assert run().exit_code == 1
    with Answering(directory, 7, HEALTHY):
        result = run()
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == f"process 3: gone; {directory}/3.sock is left over"


def test_json(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "3.sock"))
    with Answering(directory, 7, HEALTHY | {"policy": None}):
        result = run("--json")
    assert result.exit_code == 1
    gone, alive = [json.loads(line) for line in result.stdout.splitlines()]
    assert (gone["pid"], gone["state"], gone["error"]) == (3, "stale", "nobody listens")
    assert (alive["pid"], alive["state"], alive["flows"]["judged"]) == (7, "running", 9)
    assert alive["findings"] == ["enforces no policy: everything is refused"]


def test_a_runtime_directory_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "file"))
    result = run()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Not a directory" in result.stderr


def worker(number: int, supervisor: int = 5, digest: str = "5f" * 32) -> dict[str, Any]:
    return HEALTHY | {
        "pid": 20 - number,  # so that the order by number is not that by pid
        "worker": {"number": number, "supervisor": supervisor},
        "connections": 4,
        "policy": HEALTHY["policy"] | {"digest": digest},
    }


def test_workers_stand_together_with_a_total(directory: Path) -> None:
    with (
        Answering(directory, 18, worker(2)),
        Answering(directory, 19, worker(1)),
        Answering(directory, 7, HEALTHY),
    ):
        result = run()
    assert result.exit_code == 0
    assert [line for line in result.output.splitlines() if not line.startswith(" ")] == [
        "process 7, embargo 0.1.0",
        "worker 1 of process 5, process 19, embargo 0.1.0",
        "worker 2 of process 5, process 18, embargo 0.1.0",
        "total of 2 workers of process 5: 8 open, 18 judged, 4 blocked, 2 logged, 0 allowed, 12 passed, 0 errors, "
        "6 written, 0 lost",
    ]


APART = "the workers enforce different policies: 5f5f5f5f5f5f, 6060606060"


def test_workers_with_different_policies_are_a_finding(directory: Path) -> None:
    with (
        Answering(directory, 18, worker(2, digest="60" * 32)),
        Answering(directory, 19, worker(1)),
        Answering(directory, 17, worker(3, supervisor=6, digest="70" * 32)),
    ):
        shown, told = run(), run("--json")
    assert (shown.exit_code, told.exit_code) == (1, 1)
    assert shown.output.count(APART) == 1
    objects = {found["pid"]: found["findings"] for found in map(json.loads, told.stdout.splitlines())}
    assert [any(APART in finding for finding in objects[pid]) for pid in (19, 18, 17)] == [True, True, False]


def test_a_worker_without_a_policy_differs_from_none(directory: Path) -> None:
    """That is another finding, its own."""
    with (
        Answering(directory, 18, worker(2) | {"policy": None}),
        Answering(directory, 19, worker(1)),
    ):
        result = run()
    assert result.exit_code == 1
    assert "different policies" not in result.output
    assert "enforces no policy" in result.output


GLASS = {
    "id": "x", "since": "2026-11-24T14:12:10Z", "until": "2026-11-24T14:42:10Z", "seconds_left": 1800.0,
    "reason": "payroll\x1b[0m", "author": "alice", "ticket": "INC-1", "error": None,
}  # fmt: skip


def test_break_glass(directory: Path) -> None:
    with Answering(directory, 7, HEALTHY | {"break_glass": GLASS, "mode": "monitor"}):
        shown, told = run(), run("--json")
    assert (shown.exit_code, told.exit_code) == (1, 1)
    lines = shown.output.splitlines()
    assert "  break-glass  NOTHING IS REFUSED until 2026-11-24 14:42:10 UTC" in lines
    assert any("by alice (INC-1): payroll\N{REPLACEMENT CHARACTER}[0m" in line for line in lines)
    assert json.loads(told.stdout)["break_glass"]["author"] == "alice"


def test_break_glass_in_the_place_of_a_policy(directory: Path) -> None:
    with Answering(directory, 7, HEALTHY | {"break_glass": GLASS, "policy": None}):
        result = run()
    assert result.exit_code == 1
    assert "everything is refused" not in result.output


def test_workers_of_which_some_have_not_followed(directory: Path) -> None:
    with Answering(directory, 18, worker(2)), Answering(directory, 19, worker(1) | {"break_glass": GLASS}):
        result = run()
    assert result.exit_code == 1
    assert "some workers refuse nothing by break-glass, and others do otherwise" in result.output
