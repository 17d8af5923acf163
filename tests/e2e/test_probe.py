"""`embargo probe` against real proxies: all refused where all is well, and every misconfiguration found."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import SHIPPED, Start
from e2e.origin import Origin
from e2e.proxy import PATIENCE, REDIRECT, Proxy
from ports import free_port
from probe.outside import reported

HERE = Path(__file__).parent
GATELESS = HERE / "gateless.py"
POLICY = """\
version: 1
apps:
  bad:
    endpoints:
      - banned.test
      - {host: exact.test}
      - {cidr: 203.0.113.0/24}
      - {url: "pages.test/bad/*"}
      - {user_agent: BadClient}
  watched: {endpoints: [watched.test]}
rules:
  - {id: watch, apps: watched, action: log}
  - {id: ban, apps: bad, action: block}
"""
LONGEST = 120.0  # seconds: a bound on a probe, never a measure


def probe(proxy: Proxy, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report of a probe in the surroundings of *proxy*."""
    return _probe(proxy.environment, proxy.directory, *arguments)


def _probe(environment: dict[str, str], directory: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    command = [str(Path(sys.executable).parent / "embargo"), "probe", "--json", "--control", "innocent.test"]
    return reported([*command, *arguments], env=environment, cwd=directory, timeout=LONGEST)


def outcomes(report: dict[str, Any]) -> dict[str, int]:
    return {outcome: count for outcome, count in report["counts"].items() if count}


class Bare:
    """mitmdump without the addon."""

    def __init__(self, directory: Path, confdir: Path, origin: Origin, *options: str) -> None:
        self.port, self.directory = free_port(), directory
        self.environment = {
            **os.environ,
            "HOME": str(directory),
            "XDG_STATE_HOME": str(directory / "state"),
            "XDG_RUNTIME_DIR": str(directory / "run"),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "EMBARGO_TEST_HTTP": str(origin.http_port),
            "EMBARGO_TEST_HTTPS": str(origin.https_port),
        }
        command = [str(Path(sys.executable).parent / "mitmdump"), "-q", "--set", f"confdir={confdir}"]
        command += ["--set", "ssl_insecure=true", "-s", str(REDIRECT)]
        command += [
            option.replace("PORT", str(self.port)) for option in options or ("--mode", "regular@127.0.0.1:PORT")
        ]
        self.output = (directory / "bare.txt").open("w+b")
        self.process = subprocess.Popen(command, stdout=self.output, stderr=self.output, env=self.environment)
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self.process.poll() is None, (directory / "bare.txt").read_text()
            assert time.monotonic() < deadline, "mitmdump does not listen"
            time.sleep(0.05)

    def probe(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        policy = self.directory / "asked.yaml"
        policy.write_text(POLICY)
        return _probe(self.environment, self.directory, "--policy", str(policy), *arguments)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.output.close()


@pytest.fixture
def bare(tmp_path: Path, confdir: Path, origin: Origin) -> Iterator[Callable[..., Bare]]:
    started: list[Bare] = []

    def start_bare(*options: str) -> Bare:
        started.append(Bare(tmp_path, confdir, origin, *options))
        return started[-1]

    yield start_bare
    for proxy in started:
        proxy.stop()


def test_the_shipped_default_refuses_all(start: Start) -> None:
    proxy = start([SHIPPED], command="embargo")
    code, report = probe(proxy)
    assert report["findings"] == []
    assert code == 0
    assert outcomes(report).keys() <= {"refused", "unopened"}
    assert {entry["app"] for entry in report["apps"]} == {
        "alipay", "camscanner", "qq-wallet", "shareit", "tencent-qq", "vmate", "wechat-pay", "wps-office",
    }  # fmt: skip
    assert all(control["passed"] for control in report["controls"])
    assert report["mend"] == []
    policy = (proxy.status() or {})["policy"]
    assert [report["policy"]] == report["enforced"] == [policy["digest"]]


@pytest.fixture(scope="module")
def proxy(start_for_module: Start) -> Proxy:
    return start_for_module(POLICY, command="embargo")


def test_every_kind_of_endpoint_by_every_way(proxy: Proxy) -> None:
    before = proxy.settled()
    code, report = probe(proxy)
    assert (code, report["findings"]) == (0, [])
    asked = {entry["surface"]: entry["refused"] for entry in report["apps"]}
    assert asked == {"connect": 8, "tls": 2, "http": 5 + 4 + 4 + 4, "websocket": 4, "tcp": 4}
    records = proxy.decisions(before)
    agents = {record["user_agent"]["original"] for record in records if "user_agent" in record}
    assert agents
    assert all("embargo-probe/" in agent for agent in agents), "a probe's records are recognizable"
    labels = {record["destination"]["domain"] for record in records if "domain" in record.get("destination", {})}
    assert any(name.startswith("embargo-probe-") and name.endswith(".banned.test") for name in labels)
    assert "banned.test" not in labels, "nothing that exists is asked for below a domain"


def test_nothing_reaches_the_origin(origin: Origin, proxy: Proxy) -> None:
    assert probe(proxy)[0] == 0
    assert b"banned" not in origin.received


def test_narrowed(proxy: Proxy) -> None:
    code, report = probe(proxy, "--app", "bad", "--surface", "connect", "--sample", "1")
    assert code == 0
    assert [(entry["surface"], entry["refused"]) for entry in report["apps"]] == [("connect", 2)]
    assert [unasked["count"] for unasked in report["unasked"]] == [3]


def test_for_people(proxy: Proxy) -> None:
    done = proxy.command("probe", "--control", "innocent.test", "--surface", "connect")
    assert done.returncode == 0
    assert "all 8 attempts were refused by embargo" in done.stdout
    assert "app  surface  refused  leaked" in done.stdout


def test_ignore_hosts_alone_does_not_leak(start: Start) -> None:
    proxy = start(POLICY, options=["--set", "ignore_hosts=.*", "--set", "tcp_hosts=.*"])
    code, report = probe(proxy)
    assert (code, report["findings"]) == (0, [])


def leaks(report: dict[str, Any]) -> set[str]:
    """The surfaces with leaks."""
    return {finding["surface"] for finding in report["findings"] if finding["outcome"] == "leaked"}


def test_addon_missing(bare: Callable[..., Bare]) -> None:
    proxy = bare()
    code, report = proxy.probe("--proxy", f"127.0.0.1:{proxy.port}")
    assert code == 1
    assert leaks(report) == {"connect", "tls", "http", "websocket", "tcp"}
    assert report["counts"]["refused"] == 0
    assert "the addon is missing" in report["mend"][0]
    assert any("not known" in warning for warning in report["warnings"])


def test_addon_missing_and_hosts_ignored(bare: Callable[..., Bare]) -> None:
    proxy = bare("--mode", "regular@127.0.0.1:PORT", "--set", "ignore_hosts=.*")
    code, report = proxy.probe("--proxy", f"127.0.0.1:{proxy.port}", "--surface", "tls")
    assert code == 1
    assert [finding["detail"] for finding in report["findings"]] == ["the ClientHello arrived at its destination"] * 2
    assert any("ignore_hosts" in mend for mend in report["mend"])


def test_block_list_of_a_bare_proxy(bare: Callable[..., Bare]) -> None:
    """It refuses some, in its own way, and leaks at the surfaces that it does not know."""
    proxy = bare("--mode", "regular@127.0.0.1:PORT", "--set", "block_list=:~d banned.test|exact.test:403")
    code, report = proxy.probe("--proxy", f"127.0.0.1:{proxy.port}")
    assert code == 1
    assert report["counts"]["foreign"] > 0
    assert {"connect", "tls", "tcp"} <= leaks(report)
    assert any("block_list" in mend for mend in report["mend"])


def test_a_proxy_that_refuses_everything_is_no_proof(bare: Callable[..., Bare]) -> None:
    proxy = bare("--mode", "regular@127.0.0.1:PORT", "--set", "proxyauth=nobody:nothing")
    code, report = proxy.probe("--proxy", f"127.0.0.1:{proxy.port}")
    assert code == 2
    assert report["findings"] == []
    assert "407" in report["controls"][0]["detail"]


def test_no_proxy(proxy: Proxy) -> None:
    code, report = probe(proxy, "--proxy", f"127.0.0.1:{free_port()}")
    assert code == 2
    assert [control["passed"] for control in report["controls"]] == [False]


def test_policy_that_blocks_all(start: Start) -> None:
    everything = "{endpoints: [{domain: test, whole_suffix: true}, {cidr: 127.0.0.0/8}]}"
    proxy = start(f"version: 1\napps: {{most: {everything}}}\nrules: [{{id: ban, apps: all, action: block}}]\n")
    code, report = probe(proxy)
    assert code == 2, "what is innocent was refused too, so refusals prove nothing"
    assert "refuses everything" in report["controls"][0]["detail"]


def test_no_policy_in_force(start: Start, tmp_path: Path) -> None:
    proxy = start("version: 1\napps: broken\n", ready=False).wait_ready(policy=False)
    wanted = tmp_path / "wanted.yaml"
    wanted.write_text(POLICY)
    code, report = probe(proxy, "--policy", str(wanted))
    assert (code, report["findings"]) == (2, [])
    assert any("enforces no policy" in warning for warning in report["warnings"])


def test_another_policy(start: Start, tmp_path: Path) -> None:
    proxy = start(POLICY.replace("banned.test", "other.test"))
    wanted = tmp_path / "wanted.yaml"
    wanted.write_text(POLICY)
    code, report = probe(proxy, "--policy", str(wanted))
    assert code == 1
    assert {finding["endpoint"] for finding in report["findings"]} == {"domain:banned.test"}
    assert "another policy" in report["mend"][0]
    assert any("enforces" in warning for warning in report["warnings"])


def test_monitor(start: Start) -> None:
    proxy = start(POLICY.replace("version: 1", "version: 1\nsettings: {mode: monitor}"))
    code, report = probe(proxy)
    assert code == 1
    assert outcomes(report).keys() == {"monitored"}
    assert "enforce" in report["mend"][0]
    shown = proxy.command("probe", "--control", "innocent.test", "--surface", "tls").stdout
    assert "monitored, not refused" in shown


def test_break_glass(start: Start) -> None:
    """It monitors, but not by the policy: what to mend is another thing."""
    proxy = start(POLICY)
    assert proxy.command("break-glass", "--for", "10m", "--reason", "payroll is blocked").returncode == 0
    code, report = probe(proxy)
    assert code == 1
    assert outcomes(report).keys() == {"monitored"}
    assert report["break_glass"] in report["mend"][0]
    assert "embargo break-glass --end" in report["mend"][0]
    assert proxy.command("break-glass", "--end").returncode == 0
    code, report = probe(proxy)
    assert (code, report["break_glass"], report["mend"]) == (0, None, [])


def test_gate_taken_out_of_the_chain(start: Start) -> None:
    proxy = start(POLICY, after=[GATELESS])
    code, report = probe(proxy)
    assert code == 1
    assert {"connect", "tls", "tcp", "http", "websocket"} <= leaks(report)
    assert report["counts"]["refused"] == 0
    assert "chain of addons" in report["mend"][0]


def test_decrypt_none_leaves_urls_unseen(start: Start) -> None:
    proxy = start(POLICY.replace("version: 1", "version: 1\nsettings: {decrypt: none}"))
    code, report = probe(proxy)
    assert code == 1
    assert [(finding["way"], finding["endpoint"]) for finding in report["findings"]] == [
        ("inside-tls", "url:pages.test/bad/*")
    ]
    assert any("settings.decrypt" in mend for mend in report["mend"])


def test_rules_for_others_are_told(start: Start) -> None:
    rules = "rules:\n  - {id: others, apps: bad, clients: 10.0.0.0/8, action: block}\n"
    proxy = start(POLICY.partition("rules:")[0] + rules)
    code, report = probe(proxy)
    assert code == 2
    assert report["unasked"][0] == {
        "app": "bad", "what": "rule others", "why": "blocks for other clients alone", "count": 5,
    }  # fmt: skip


def test_socks(start: Start) -> None:
    proxy = start(POLICY, options=["--mode", "regular@127.0.0.1:0", "--mode", "socks5@127.0.0.2:0"])
    code, report = probe(proxy, "--surface", "tls")
    assert (code, report["findings"]) == (0, [])
    assert outcomes(report) == {"refused": 4}
    proxy = start(POLICY, options=["--mode", "socks5@127.0.0.2:0", "--set", "proxyauth=alice:secret"])
    assert probe(proxy, "--surface", "http")[0] == 2, "nobody is let in without a login"
    proxy.environment["EMBARGO_PROBE_PASSWORD"] = "secret"
    code, report = probe(proxy, "--surface", "http", "--user", "alice")
    assert (code, report["findings"]) == (0, [])
    assert outcomes(report) == {"refused": 4}


def test_socks_without_the_addon(bare: Callable[..., Bare]) -> None:
    proxy = bare("--mode", "socks5@127.0.0.1:PORT")
    code, report = proxy.probe("--proxy", "127.0.0.1:1", "--socks", f"127.0.0.1:{proxy.port}", "--surface", "tls")
    assert code == 1
    assert outcomes(report) == {"leaked": 2}


def test_dns(start: Start) -> None:
    proxy = start(POLICY, options=["--mode", "regular@127.0.0.1:0", "--mode", "dns@127.0.0.3:0",
                                   "--set", "dns_name_servers=127.0.0.9"])  # fmt: skip
    code, report = probe(proxy, "--surface", "dns", "--timeout", "2")
    assert (code, report["findings"]) == (0, [])
    assert outcomes(report) == {"refused": 4}


def test_what_is_innocent_is_refused_at_one_surface_alone(start: Start) -> None:
    everything = "  most: {endpoints: [{domain: test, whole_suffix: true}]}\nrules:\n"
    text = POLICY.replace("rules:\n", everything + "  - {id: all, apps: most, action: block, surfaces: [dns]}\n")
    proxy = start(text, options=["--mode", "regular@127.0.0.1:0", "--mode", "dns@127.0.0.3:0"])
    done = proxy.command("probe", "--control", "innocent.test", "--surface", "dns", "--surface", "connect")
    assert (done.returncode, done.stderr) == (
        2,
        "error: what is innocent was refused too, so nothing is proven: DNS for innocent.test: refused by embargo\n",
    )


def test_dns_without_the_addon(bare: Callable[..., Bare]) -> None:
    proxy = bare("--mode", "dns@127.0.0.1:PORT", "--set", "dns_name_servers=127.0.0.9")
    code, report = proxy.probe(
        "--proxy", "127.0.0.1:1", "--dns", f"127.0.0.1:{proxy.port}", "--surface", "dns", "--timeout", "1"
    )
    assert code == 1
    assert report["counts"]["refused"] == 0
    assert len(report["findings"]) == 4


def test_quic(start: Start) -> None:
    target = free_port()
    proxy = start(
        POLICY, options=["--mode", "regular@127.0.0.1:0", "--mode", f"reverse:quic://127.0.0.1:{target}@127.0.0.2:0"]
    )
    code, report = probe(proxy, "--surface", "quic", "--timeout", "1")
    assert (code, report["findings"]) == (0, [])
    assert outcomes(report) == {"refused": 2}


def test_lists_are_sampled(start: Start, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("".join(f"listed{number}.test\n" for number in range(100)))
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "version: 1\napps: {bad: {endpoints_from: [list.txt]}}\nrules: [{id: ban, apps: bad, action: block}]\n"
    )
    code, report = probe(start([policy]), "--surface", "connect")
    assert (code, outcomes(report)) == (0, {"refused": 50})
    assert [unasked["count"] for unasked in report["unasked"]] == [75]


def test_program_for_clients(proxy: Proxy) -> None:
    done = proxy.command("probe", "--from-client", "--control", "innocent.test")
    namespace: dict[str, Any] = {"__name__": "program"}
    exec(compile(done.stdout, "program", "exec"), namespace)
    plan = namespace["PLAN"]
    assert (plan["proxy"], plan["control"]) == (["127.0.0.1", proxy.port], ["innocent.test", 443])
    assert {host for _, host in plan["blocked"]} <= {"banned.test", "exact.test"}


WRONG = {
    "an app that is not there": (["--app", "nothing"], "the policy has no app 'nothing'"),
    "a proxy that is none": (["--proxy", "a:b"], "is no HOST:PORT"),
    "a surface that is not asked": (["--surface", "server"], "is not one of"),
    "a policy that is not there": (["--policy", "nothing.yaml"], "nothing.yaml"),
    "a user without a password": (["--user", "alice"], "EMBARGO_PROBE_PASSWORD"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_wrong_usage(proxy: Proxy, words: list[str], said: str) -> None:
    done = proxy.command("probe", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_runs(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = [str(Path(sys.executable).parent / "embargo"), "probe"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert done.returncode == 2
    assert "no proxy is running" in done.stderr


def test_with_a_login(start: Start) -> None:
    proxy = start(POLICY, options=["--set", "proxyauth=alice:secret"])
    code, report = probe(proxy, "--surface", "connect")
    assert code == 2
    assert "407" in report["controls"][0]["detail"]
    proxy.environment["EMBARGO_PROBE_PASSWORD"] = "secret"
    code, report = probe(proxy, "--user", "alice")
    assert (code, report["findings"]) == (0, [])
