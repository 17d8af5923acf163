"""What `run` refuses before anything starts; the rest is held by tests/e2e."""

import pytest
from click.testing import CliRunner

from embargo.cli.main import main
from embargo.cli.run import _address, _workers

REFUSED = {  # words after `run`: what is said
    ("--workers", "0"): "'0' is neither auto nor a number from 1 to 256",
    ("--workers", "257"): "'257' is neither auto nor a number from 1 to 256",
    ("--workers", "-1"): "'-1' is neither auto",
    ("--workers", "many"): "'many' is neither auto",
    ("--health", "here"): "'here' is no [ADDRESS:]PORT",
    ("--health", "::1:8081"): "an IPv6 address stands in brackets",
    ("--health", "70000"): "'70000' is no [ADDRESS:]PORT",
    ("--workers", "2", "--", "--listen-port", "3128"): "the address is given by --host and --port: --listen-port",
    ("--workers", "2", "--", "-p3128"): "by --host and --port: -p3128",
    ("--workers", "2", "--", "-p", "3128"): "the address is given by --host and --port: -p",
    ("--workers", "2", "--", "--set", "listen_port=3128"): "by --host and --port: listen_port=3128",
    ("--health", "0", "--", "--listen-host=0.0.0.0"): "by --host and --port: --listen-host=0.0.0.0",
}


@pytest.mark.parametrize(("words", "told"), REFUSED.items(), ids=[" ".join(words) for words in REFUSED])
def test_refused(words: tuple[str, ...], told: str) -> None:
    result = CliRunner().invoke(main, ["run", *words])
    assert result.exit_code == 2
    assert told in result.output
    assert "Traceback" not in result.output


ADDRESSES = {
    "8081": ("127.0.0.1", 8081),
    ":8081": ("127.0.0.1", 8081),
    "0.0.0.0:8081": ("0.0.0.0", 8081),
    "[::1]:8081": ("::1", 8081),
}


@pytest.mark.parametrize(("text", "address"), ADDRESSES.items(), ids=ADDRESSES)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert _address(text) == address


def test_auto_is_a_worker_a_core() -> None:
    found = _workers("auto")
    assert found is not None
    assert 1 <= found <= 256
