"""The program for clients runs on old Pythons by itself, and finds each way that is open, and no other."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embargo.core.pattern import Kind
from embargo.probe.client import source
from embargo.probe.targets import Target
from probe.outside import LONGEST, Outside, reported

OLDEST = (3, 6)
TARGETS = [
    Target(
        app="bad", endpoint=f"{kind.key}:localhost", kind=kind, host="x", port=443, path="/", user_agent="", blocked={}
    )
    for kind in (Kind.HOST, Kind.URL)
]
PROGRAM = source(TARGETS, control=("127.0.0.1", 443), proxy=("127.0.0.1", 1))
CLOSED = 9  # discard: nobody listens there


def pythons() -> list[str]:
    """This Python, and older ones where the machine has them, pyenv's included."""
    found = [sys.executable]
    for minor in range(OLDEST[1], 12):
        by_name = shutil.which(f"python3.{minor}")
        candidates = [*Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"), *([by_name] if by_name else [])]
        found += [str(path) for path in candidates if _runs(str(path))][:1]
    return found


def _runs(python: str) -> bool:
    return (
        subprocess.run([python, "-c", "import ssl"], capture_output=True, timeout=LONGEST, check=False).returncode == 0
    )


def run(python: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    return reported([python, "-", "--json", "--timeout", "1", *arguments], input=PROGRAM)


def test_its_grammar_is_that_of_the_oldest_python() -> None:
    tree = ast.parse(PROGRAM, feature_version=OLDEST)
    imported = {
        name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    imported |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names


def test_it_knows_what_is_banned() -> None:
    namespace: dict[str, Any] = {"__name__": "program"}
    exec(compile(PROGRAM, "program", "exec"), namespace)
    plan = namespace["PLAN"]
    assert plan["blocked"] == [["bad", "localhost"]], "a URL says nothing of a whole host"
    assert (plan["control"], plan["proxy"]) == (["127.0.0.1", 443], ["127.0.0.1", 1])


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    servers = Outside(tmp_path_factory.mktemp("outside"))
    yield servers
    servers.stop()


def places(*, tls: int = CLOSED, http: int = CLOSED, dns: int = CLOSED, dot: int = CLOSED) -> list[str]:
    ports = {"tls": tls, "http": http, "dns": dns, "dot": dot}
    where = ["--resolver", "127.0.0.1", "--doh", "doh.test=127.0.0.1", "--quic", "127.0.0.1"]
    return where + [part for name, port in ports.items() for part in (f"--{name}-port", str(port))]


def opened(report: dict[str, Any]) -> set[str]:
    return {way["way"] for way in report["ways"] if way["outcome"] == "open"}


def test_each_way_alone_is_found(outside: Outside) -> None:
    proxy = ["--proxy", f"127.0.0.1:{outside.http}"]
    found = {
        "tls": {"direct TCP", "direct UDP (QUIC)", "DNS over HTTPS"},
        "http": {"direct HTTP"},
        "dns": {"outside DNS, UDP", "outside DNS, TCP"},
        "dot": {"DNS over TLS", "DNS over QUIC"},
    }
    ports = {"tls": outside.https, "http": outside.http, "dns": outside.dns, "dot": outside.https}
    for name, ways in found.items():
        code, report = run(sys.executable, *proxy, *places(**{name: ports[name]}))
        assert (code, opened(report)) == (1, ways), report


@pytest.mark.parametrize("python", pythons())
def test_all_is_closed(python: str, outside: Outside) -> None:
    code, report = run(python, "--proxy", f"127.0.0.1:{outside.http}", *places())
    assert (code, report["open"]) == (0, 0)
    assert report["proxy"]["outcome"] == "open"
    assert len({way["way"] for way in report["ways"]}) == 8


@pytest.mark.parametrize("python", pythons())
def test_all_is_open(python: str, outside: Outside) -> None:
    everything = places(tls=outside.https, http=outside.http, dns=outside.dns, dot=outside.https)
    code, report = run(python, "--proxy", f"127.0.0.1:{outside.http}", *everything)
    assert code == 1
    assert len(opened(report)) == 8, report


def test_an_unplugged_cable_proves_nothing() -> None:
    code, report = run(sys.executable, *places())
    assert (code, report["open"]) == (2, 0)


def test_without_a_proxy_that_is_known_nothing_is_proven(monkeypatch: pytest.MonkeyPatch, outside: Outside) -> None:
    unknown = source(TARGETS, control=("127.0.0.1", 443), proxy=None)
    monkeypatch.setattr(sys.modules[__name__], "PROGRAM", unknown)
    code, report = run(sys.executable, *places())
    assert (code, report["open"], report["proxy"]) == (2, 0, None)
    assert run(sys.executable, *places(http=outside.http))[0] == 1, "what answered is a way round all the same"


def test_for_people(outside: Outside) -> None:
    done = subprocess.run(
        [sys.executable, "-", "--timeout", "1", "--proxy", f"127.0.0.1:{outside.http}", *places(http=outside.http)],
        input=PROGRAM,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 1
    assert "1 way round the proxy is open" in done.stdout


def test_bad_proxy() -> None:
    done = subprocess.run(
        [sys.executable, "-", "--proxy", "a:b"],
        input=PROGRAM,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 2
    assert "HOST:PORT" in done.stderr
