import csv
import io
import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.core.decision import Verdict
from embargo.journal.record import Encoder
from recorded import BLOCK, EVENTS, OBSERVER, TIME, judged, until

ENCODER = Encoder(OBSERVER)
EMBARGO = [sys.executable, "-c", "from embargo.cli.main import main; main()"]


def line(number: int) -> bytes:
    """A record: odd ones block, even ones log; a minute apart."""
    decision = BLOCK if number % 2 else BLOCK._replace(verdict=Verdict.LOG)
    event = judged(decision, id=f"id-{number}", time=TIME + timedelta(minutes=number), user=f"user{number}")
    return ENCODER.line(event, sequence=number + 1)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(line, range(4))))
    (tmp_path / "decisions.2.jsonl").write_bytes(ENCODER.line(EVENTS["http-anonymous"], sequence=1))
    return tmp_path


def run(log: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["log", "--log", str(log), *arguments])


def test_a_table_for_people(log: Path) -> None:
    result = run(log, "-n", "2", "host:alipay.com")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "TIME                 VERDICT  APP     HOST                 CLIENT             RULE         SURFACE  REASON",
        "2026-11-24 10:17:00  log      alipay  mobilegw.alipay.com  10.20.30.40 user2  banned-apps  http     "
        "rule banned-apps: adopted from the order",
        "2026-11-24 10:18:00  block    alipay  mobilegw.alipay.com  10.20.30.40 user3  banned-apps  http     "
        "rule banned-apps: adopted from the order",
    ]


ROUTINE = {  # case: (arguments, whether heartbeats are among what is printed)
    "a table": ((), False),
    "a table of other terms": (("since:2026-01-01",), False),
    "asked for": (("action:heartbeat",), True),
    "asked for by category": (("category:process",), True),
    "for machines": (("--json",), True),
}


@pytest.mark.parametrize(("arguments", "shown"), ROUTINE.values(), ids=ROUTINE)
def test_what_comes_each_minute_is_shown_where_it_is_asked_for(
    arguments: tuple[str, ...], shown: bool, log: Path
) -> None:
    beat = ENCODER.line(EVENTS["heartbeat"], sequence=1, identifier="019dc9a8-0000-7000-8000-00000000000a")
    (log / "decisions.3.jsonl").write_bytes(beat)
    assert ("heartbeat" in run(log, *arguments).output) is shown


COUNTS = {  # case: (arguments, records)
    "a pipe gets all": ((), 5),
    "-n 0 is all": (("-n", "0"), 5),
    "newest": (("-n", "3"), 3),
    "more than there are": (("--limit", "99"), 5),
    "a term": (("verdict:block",), 2),
    "two keys": (("verdict:log", "user:user2"), 1),
    "a word": (("mobilegw",), 5),
    "nothing found": (("app:none",), 0),
    "filtered out": (("-verdict:block",), 3),
    "filtered out, among options": (("-n", "1", "-user:user2", "verdict:log", "-app:qq"), 1),
    "behind the end of options": (("--", "-verdict:block", "-user:*"), 1),
    "a class": (("class:shared",), 1),
}


@pytest.mark.parametrize("form", ["--json", "--csv", None])
@pytest.mark.parametrize(("arguments", "count"), COUNTS.values(), ids=COUNTS)
def test_how_many(arguments: tuple[str, ...], count: int, form: str | None, log: Path) -> None:
    result = run(log, *([form] if form else []), *arguments)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == count + (form != "--json")
    assert result.stderr == ""


def test_json_is_the_lines_as_they_are_written(log: Path) -> None:
    result = run(log, "--json", "user:user*")
    assert result.stdout.encode() == b"".join(map(line, range(4)))


def test_csv_holds_no_formula(tmp_path: Path) -> None:
    evil = judged(user='=HYPERLINK("http://example.com")', user_agent="@SUM(1)\x1b[2J", host="-1")
    (tmp_path / "decisions.jsonl").write_bytes(ENCODER.line(evil, sequence=1))
    result = run(tmp_path, "--csv")
    (only,) = csv.DictReader(io.StringIO(result.stdout))
    assert only["user"] == '\'=HYPERLINK("http://example.com")'
    assert only["user_agent"] == "'@SUM(1)\\x1b[2J"
    assert only["host"] == "'-1"
    assert only["time"] == "2026-11-24T10:15:00.123Z"


def test_no_control_reaches_the_terminal(tmp_path: Path) -> None:
    evil = judged(user="a\x1b[2Jb\nc", host="bad\x07host")
    (tmp_path / "decisions.jsonl").write_bytes(ENCODER.line(evil, sequence=1))
    result = run(tmp_path)
    assert len(result.output.splitlines()) == 2
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


WRONG = {  # case: (arguments, message)
    "an unknown key": (("ap:alipay",), "'ap:alipay': unknown key 'ap'; did you mean 'app'?"),
    "no verdict": (("verdict:blok",), "did you mean 'block'?"),
    "two forms": (("--json", "--csv"), "--json and --csv exclude each other"),
    "a person without a file": (("--subject", "user:alice"), "--subject and --export belong together"),
    "several persons": (("--subject", "user:a*", "--export", "x"), "may be several persons"),
    "an export with a limit": (("--subject", "user:a", "--export", "x", "-n", "1"), "--export writes all there is"),
    "a time with a minus": (("-since:2h",), "a time has no minus; write until:2h"),
    "a negative number": (("-n", "-1"), "-1 is not in the range"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_usage(arguments: tuple[str, ...], message: str, log: Path) -> None:
    result = run(log, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    result = run(tmp_path / "none")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: {tmp_path / 'none'}: no such log directory\n"


def test_an_empty_directory_is_no_error(tmp_path: Path) -> None:
    assert run(tmp_path, "--json").exit_code == 0


def test_broken_lines_are_told(log: Path) -> None:
    with (log / "decisions.jsonl").open("ab") as file:
        file.write(b"garbage\n" + line(9))
    result = run(log, "--json")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 6
    assert "decisions.jsonl: no JSON" in result.stderr
    assert "1 broken line was left out" in result.stderr


FIELDS = {  # case: (arguments, standard output)
    "a table": (("--fields", "time,app,event.sequence"), "TIME                      APP         EVENT.SEQUENCE"),
    "csv": (("--csv", "--fields", "app,related.hosts"), "app,related.hosts"),
    "json": (
        ("--json", "--fields", "app,user.name,embargo.authority"),
        '{"app": "alipay", "user.name": "user1", "embargo.authority": "[{\\"id\\": \\"eo-13971\\", '
        '\\"state\\": \\"revoked\\"}, {\\"id\\": \\"proposed\\", \\"state\\": null}]"}',
    ),
}


@pytest.mark.parametrize(("arguments", "first"), FIELDS.values(), ids=FIELDS)
def test_fields(arguments: tuple[str, ...], first: str, log: Path) -> None:
    result = run(log, *arguments, "user:user1")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == first


def test_a_field_that_no_record_has(log: Path) -> None:
    result = run(log, "--fields", "tiem")
    assert result.exit_code == 2
    assert "'tiem' is no field; did you mean 'time'?" in result.stderr


@pytest.mark.parametrize("terms", [("user:user*",), ("verdict:log", "-user:*"), ("mobilegw", "class:blocked")])
def test_store_and_files_say_the_same(terms: tuple[str, ...], log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = run(log, "--json", *terms)
    assert (log / "store" / "decisions.sqlite").exists()
    monkeypatch.setattr("embargo.cli.log_source.opened", lambda _log: None)
    assert run(log, "--json", *terms).output == stored.output != ""


def test_what_is_written_meanwhile_is_there(log: Path) -> None:
    """The store is brought up to the files before it answers, over a rotation too."""
    assert len(run(log, "--json", "user:*").stdout.splitlines()) == 4
    (log / "decisions.jsonl").rename(log / "decisions-20261124T101900Z-1.jsonl")
    (log / "decisions.jsonl").write_bytes(line(4))
    assert run(log, "--json", "user:*").stdout.encode() == b"".join(map(line, range(5)))


def test_a_store_of_a_newer_embargo_is_left_alone(log: Path) -> None:
    run(log, "user:*")
    with sqlite3.connect(log / "store" / "decisions.sqlite") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
    result = run(log, "--json", "user:*")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 4)
    assert "the store has version 99" in result.stderr


def test_what_is_recorded_about_a_person(log: Path, tmp_path: Path) -> None:
    result = run(log, "--subject", "user:user1", "--export", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.jsonl").read_bytes() == line(1)
    assert "user1" in (tmp_path / "out.html").read_text()
    recorded = run(log, "--json", "action:export").stdout.splitlines()
    assert [json.loads(each)["embargo"]["console"]["subject"] for each in recorded] == ["user:user1"] * 2
    again = run(log, "--subject", "user:user1", "--export", str(tmp_path / "out"))
    assert again.exit_code == 2 and "is there already" in again.stderr


# --- as a process of its own


@pytest.fixture
def spawn() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object, stdout: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "addon")}
        command = [*EMBARGO, "log", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env=environment)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_follow_over_a_rotation(log: Path, spawn: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    process = spawn("--log", log, "--follow", "--json", "-n", 1, "user:user*")
    assert process.stdout is not None
    assert process.stdout.readline() == line(3)
    with (log / "decisions.jsonl").open("ab") as file:
        file.write(line(4))
    assert process.stdout.readline() == line(4)
    (log / "decisions.jsonl").rename(log / "decisions-20261124T102000Z-1.jsonl")
    (log / "decisions.jsonl").write_bytes(line(5))
    assert process.stdout.readline() == line(5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert b"Traceback" not in errors


def test_a_reader_that_has_seen_enough(tmp_path: Path, spawn: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(line, range(3000))))
    process = spawn("--log", tmp_path, "--json")
    assert process.stdout is not None
    assert process.stdout.readline() == line(0)
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, b"")


def test_a_terminal_gets_the_newest_fifty(tmp_path: Path, spawn: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(line, range(60))))
    ours, theirs = pty.openpty()
    process = spawn("--log", tmp_path, stdout=theirs)
    os.close(theirs)
    shown = bytearray()
    until(lambda: _drained(ours, shown))
    os.close(ours)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors == b"the newest 50 of more; -n 0 prints all\n"
    assert len(shown.splitlines()) == 51


def _drained(terminal: int, shown: bytearray) -> bool:
    """Reads what a terminal shows; True at its end."""
    while select.select([terminal], [], [], 0)[0]:
        try:
            block = os.read(terminal, 65_536)
        except OSError:  # the other end is closed
            return True
        if not block:
            return True
        shown.extend(block)
    return False
