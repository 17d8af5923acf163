import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.cli.past_traffic import _with_bar
from embargo.core.decision import Verdict
from embargo.core.inquiry import Inquiry, answer
from embargo.policy.load import load
from embargo.review.sources import open_source
from embargo.traffic.census import HostCount, hour_of, new_name, write
from sample import NOW

POLICY = """\
version: 1
apps:
  chat:
    endpoints: [chat.example.com, {user_agent: ChatClient/, role: client}]
  quiet:
    endpoints: [quiet.example.com]
rules: [{id: ban, apps: all, action: block}]
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "domains.yaml"
    path.write_text(POLICY)
    return path


def line(second: float, client: int, host: str) -> str:
    at = (NOW + timedelta(seconds=second)).timestamp()
    return f"{at:.3f}    120 10.0.0.{client} TCP_TUNNEL/200 5120 CONNECT {host}:443 - HIER_DIRECT/192.0.2.1 -\n"


@pytest.fixture
def access(tmp_path: Path) -> Path:
    """A day on which eight clients use chat, each time with two hosts that nobody knows, and browse otherwise."""
    lines = []
    for hour in range(1, 9):
        for client in range(1, 9):
            at = hour * 3600 + client * 60
            hosts = ("chat.example.com", "img1.unknown.example.net", "log.unknown.example.net", "www.google.com")
            lines += [(at + number, client, host) for number, host in enumerate(hosts)]
            lines += [
                (at + 600 * pause, client, host) for pause in (1, 2, 3) for host in ("www.google.com", "news.org")
            ]
    path = tmp_path / "access.log"
    path.write_text("".join(line(*each) for each in sorted(lines)))
    return path


def run(policy: Path, *arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["suggest", "--policy", str(policy), *arguments], input=stdin)


def test_what_is_printed(policy: Path, access: Path) -> None:
    result = run(policy, "chat", "--traffic", str(access))
    assert result.exit_code == 0
    assert result.stderr == ""
    told = result.stdout.splitlines()
    assert told[0] == "640 requests of 2026-11-24, 1 to judge"
    assert told[2] == "chat"
    assert re.fullmatch(r" +\d\.\d  example\.net and all below it \(2 hosts\)", told[3])
    assert re.search(r"64 of 64 visits within 10 s of its hosts, \d\.\d times chance", told[4])
    assert "google" not in result.stdout


def test_what_is_printed_can_be_pasted(policy: Path, access: Path, tmp_path: Path) -> None:
    printed = run(policy, "chat", "--traffic", str(access)).stdout
    layer = tmp_path / "site.yaml"
    layer.write_text("version: 1\n" + printed[printed.index("apps:") :])
    loaded = load([policy, layer]).policy
    inquiry = Inquiry(request="https://img1.unknown.example.net/", time=NOW)
    decision = answer(loaded, inquiry).decision
    assert (decision.verdict, decision.apps) == (Verdict.BLOCK, ("chat",))
    assert decision.endpoint is not None
    assert re.match(r"access\.log of 2026-11-24: 64 of 64 visits", decision.endpoint.evidence[0])


HOSTILE = {  # case: (a host that is met with the app's, the name of the source)
    "nothing": ("null", "access.log"),
    "a truth": ("true", "access.log"),
    "an octal number": ("0o17", "access.log"),
    "a day": ("2026-11-24", "access.log"),
    "a number with an exponent": ("6.02e23", "access.log"),
    "a name below a number": ("3com.example.net", "access.log"),
    "a source beyond the basic plane": ("x.example.net", "\N{GRINNING FACE}.log"),
    "a source with control characters": ("x.example.net", "a\n\x1b[31m\x7f\x85\u2028.log"),
    "a source that ends the list": ("x.example.net", 'a\\"]}, {domain: com.log'),
    "a source that is no text": ("x.example.net", "a\udcff.log"),
}


@pytest.mark.parametrize(("host", "source"), HOSTILE.values(), ids=HOSTILE)
def test_whatever_is_printed_can_be_pasted(policy: Path, access: Path, tmp_path: Path, host: str, source: str) -> None:
    text = re.sub(r"(img1|log)\.unknown\.example\.net", host, access.read_text())
    (tmp_path / source).write_text(text)
    result = run(policy, "chat", "--traffic", str(tmp_path / source))
    printed = result.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]", printed)
    layer = tmp_path / "site.yaml"
    layer.write_text("version: 1\n" + printed[printed.index("apps:") :])
    endpoint = load([policy, layer]).policy.apps["chat"].endpoints[-1]
    assert endpoint.pattern.text == host
    assert endpoint.evidence[0].startswith(source.replace("\udcff", "?") + " of 2026-11-24: ")


def test_json(policy: Path, access: Path) -> None:
    result = run(policy, "--traffic", str(access), "--json")
    (found,) = map(json.loads, result.stdout.splitlines())
    assert found["app"] == "chat"
    assert found["endpoint"] == {"domain": "example.net"}
    assert (found["visits"], found["near"], found["hosts"]) == (64, 64, 2)
    assert found["score"] == pytest.approx(sum(found["parts"].values()), abs=0.02)
    assert found["line"].startswith("{domain: example.net, evidence: [")


def test_standard_input_and_several_sources(policy: Path, access: Path) -> None:
    text = access.read_text()
    half = text.index("\n", len(text) // 2) + 1
    access.write_text(text[:half])
    result = run(policy, "chat", "--traffic", str(access), "--traffic", "-", stdin=text[half:])
    assert result.stdout.splitlines()[0] == "640 requests of 2026-11-24, 1 to judge"


NOTES = {  # case: (app, lines before, what is said)
    "an app that is not there": ("quiet", "", "note: nothing of quiet is in this traffic"),
    "a broken line": ("chat", "what is this\n", "note: 1 pieces could not be read: "),
}


@pytest.mark.parametrize(("app", "more", "note"), NOTES.values(), ids=NOTES)
def test_notes(policy: Path, access: Path, app: str, more: str, note: str) -> None:
    lines = access.read_text().splitlines(keepends=True)
    access.write_text("".join([*lines[:5], more, *lines[5:]]))
    result = run(policy, app, "--traffic", str(access))
    assert result.exit_code == 0
    assert result.stderr.startswith(note)


def test_a_census_knows_no_clients(policy: Path, tmp_path: Path) -> None:
    directory = tmp_path / "census"
    directory.mkdir()
    write(directory / new_name(hour_of(NOW)), hour_of(NOW), [HostCount(host="x.example.com", requests=5, clients=5)], 0)
    result = run(policy, "--traffic", str(directory))
    assert result.exit_code == 0
    assert "no request names a client and a time" in result.stderr


WRONG = {  # case: (arguments, what is said)
    "no traffic": (["chat"], "Missing option '--traffic'"),
    "no such app": (["chta", "--traffic", "x"], "no app 'chta'; did you mean 'chat'?"),
    "no such file": (["chat", "--traffic", "/nowhere/access.log"], "error: /nowhere/access.log: No such file"),
    "no format": (["chat", "--traffic", "/bin/true"], "known, which are log, census, flows, har, squid, pcap, list\n"),
    "standard input twice": (["--traffic", "-", "--traffic", "-"], "can be read once"),
    "no number": (["--traffic", "x", "--top", "0"], "0 is not in the range"),
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG)
def test_wrong_usage(policy: Path, arguments: list[str], said: str) -> None:
    result = run(policy, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_bar_takes_a_name_as_it_is(access: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`[/x]` would end what nothing began, in the markup of the library that draws it."""
    odd = access.with_name("[") / "x].log"
    odd.parent.mkdir()
    access.rename(odd)
    assert sum(1 for _ in _with_bar(open_source(f"{odd.parent}/{odd.name}"))) == 640
