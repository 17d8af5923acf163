"""What runs beside the proxy: it comes and goes without a client noticing. And what Prometheus is told meanwhile."""

import http.client
import os
import re
import signal
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from e2e.clients import curl
from e2e.conftest import SMALL, Start
from e2e.crew import Crew
from e2e.origin import Origin
from e2e.process import has_ended
from e2e.proxy import PATIENCE, Proxy
from ports import free_port

SINKS = SMALL.replace("settings:\n", "settings:\n  log: {sinks: {lake: {to: PLACE}}}\n")


def beside(proxy: Proxy) -> dict[str, int]:
    """Pids of the companions, by name."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == proxy.process.pid and b"embargo.cli.companion" in words:
            found[words[words.index(b"embargo.cli.companion") + 1].decode()] = int(process.name)
    return found


def ask(address: tuple[str, int], path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*address, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_console_comes_and_goes_and_the_proxy_stays(start: Start, origin: Origin, tmp_path: Path) -> None:
    port = free_port()
    policy = SINKS.replace("PLACE", str(tmp_path / "lake.jsonl"))
    proxy = start(policy, command="embargo", flags=["--console", str(port)])
    proxy.wait(lambda: "the console is at" in proxy.text(), "the console to listen")
    proxy.wait(lambda: set(beside(proxy)) == {"console", "store", "sinks"}, "all companions to run")
    assert ask(("127.0.0.1", port), "/")[0] in (200, 302, 303)
    page = curl(proxy, "http://banned.test/", "-H", "Accept: text/html", "-A", "Mozilla/5.0")
    assert f"http://127.0.0.1:{port}/record/" in page.body
    proxy.wait((tmp_path / "lake.jsonl").exists, "a record to be delivered")

    before = beside(proxy)
    os.kill(before["console"], signal.SIGKILL)
    proxy.wait(lambda: "embargo: the console was ended by SIGKILL" in proxy.text(), "its death to be told")
    assert curl(proxy, "http://innocent.test/").status == 200
    proxy.wait(lambda: beside(proxy).get("console") not in (None, before["console"]), "it to be started again")
    assert beside(proxy)["store"] == before["store"]
    lines = [line for line in proxy.text().splitlines() if "console is at" in line]
    assert lines[0].startswith("[console] ")

    proxy.policy.write_text(SMALL)  # without a sink
    proxy.wait(lambda: "sinks" not in beside(proxy), "the sinks to end")

    left = beside(proxy)
    proxy.stop()
    assert proxy.process.returncode == 0
    assert [name for name, pid in left.items() if not has_ended(pid)] == []
    assert proxy.text().count("started again") == 1


type Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]  # by name and labels


def scrape(proxy: Proxy) -> Samples:
    host, port = re.findall(r"metrics at http://([\d.]+):(\d+)/metrics", proxy.text())[-1]
    status, text = ask((host, int(port)), "/metrics")
    assert status == 200
    for private in ("banned.test", "innocent.test", "127.0.0.1", "alice"):
        assert private not in text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(found: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str) -> float:
    return sum(
        value for (named, given), value in found.items() if named == name and labels.items() <= dict(given).items()
    )


def blocked(found: Samples) -> float:
    return total(found, "embargo_decisions_total", verdict="block", app="bad", surface="http", shadow="false")


def test_metrics_of_a_crew_do_not_go_back(start: Start, origin: Origin) -> None:
    flags = ["--workers", "2", "--metrics", "127.0.0.1:0", "--console", str(free_port())]
    proxy = start(SMALL, command="embargo", flags=flags, ready=False)
    crew = Crew(proxy)
    for _ in range(6):
        assert curl(proxy, "http://banned.test/").status == 403
        assert curl(proxy, "http://innocent.test/").status == 200
    proxy.wait(lambda: total(scrape(proxy), "embargo_worker_up") == 2, "both to answer")
    before = scrape(proxy)
    assert blocked(before) == 6
    assert total(before, "embargo_decisions_total", verdict="pass") >= 6
    assert total(before, "embargo_worker_up") == total(before, "embargo_workers") == 2
    assert total(before, "embargo_policy_in_force") == 2
    assert total(before, "embargo_heartbeat_last_timestamp_seconds") > 0

    dead = crew.pids()[0]
    os.kill(dead, signal.SIGKILL)
    crew.wait_whole(without=[dead])
    after = scrape(proxy)
    assert total(after, "embargo_worker_deaths_total") == 1
    counters = [key for key in before if key[0].endswith(("_total", "_bucket", "_sum", "_count"))]
    assert [key for key in counters if after.get(key, 0.0) < before[key]] == []
    assert curl(proxy, "http://banned.test/").status == 403
    # a worker that is slow to answer is told as it was when it last did
    proxy.wait(lambda: blocked(scrape(proxy)) == 7, "the seventh to be counted")
    proxy.wait(lambda: set(beside(proxy)) == {"console", "store"}, "the companions to run")

    left = beside(proxy)
    proxy.process.kill()
    deadline = time.monotonic() + PATIENCE
    while not all(has_ended(pid) for pid in left.values()):
        assert time.monotonic() < deadline, "a companion outlived its supervisor"
        time.sleep(0.05)


def test_metrics_of_a_script(start: Start, origin: Origin) -> None:
    proxy = start(SMALL, options=["--set", "embargo_metrics=0"])
    proxy.wait(lambda: "metrics at http://" in proxy.text(), "metrics to be served")
    assert curl(proxy, "http://banned.test/").status == 403
    assert blocked(scrape(proxy)) == 1
