"""The proxies that the fuzzers share, and what they found time for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import SMALL
from e2e.proxy import Proxy
from fuzz.explore import SECONDS, explored
from fuzz.recorder import Recorder

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and "the_recorder" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.e2e)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if SECONDS and explored:
        terminalreporter.section("fuzzers")
        for each in explored:
            terminalreporter.write_line(f"{each.name:<40} {each.examples:>9} examples in {each.seconds:6.0f} s")


@pytest.fixture(scope="session")
def the_recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path_factory.mktemp("recorder")).start()
    yield recorder
    recorder.stop()


@pytest.fixture
def recorder(the_recorder: Recorder) -> Recorder:
    the_recorder.reset()
    return the_recorder


def _running(recorder: Recorder, directory: Path, policy: str, *options: str) -> Iterator[Proxy]:
    proxy = Proxy(directory, policy, http=recorder.http_port, https=recorder.https_port, options=options)
    yield proxy.wait_ready()
    proxy.stop()


def settings(*lines: str) -> str:
    return SMALL.replace("settings:\n", "settings:\n" + "".join(f"  {line}\n" for line in lines))


@pytest.fixture(scope="session")
def opening(the_recorder: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Opens all TLS, and passes on what it may of malformed heads."""
    lenient = ("--set", "validate_inbound_headers=false")
    yield from _running(the_recorder, tmp_path_factory.mktemp("opening"), settings("decrypt: all"), *lenient)


@pytest.fixture(scope="session")
def closed(the_recorder: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Leaves TLS as it came, so that the origin sees each byte."""
    yield from _running(the_recorder, tmp_path_factory.mktemp("closed"), settings("decrypt: none"))


@pytest.fixture(scope="session")
def watching(the_recorder: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Refuses nothing: what a proxy without a policy lets out."""
    policy = settings("decrypt: none", "mode: monitor")
    lenient = ("--set", "validate_inbound_headers=false")
    yield from _running(the_recorder, tmp_path_factory.mktemp("watching"), policy, *lenient)
