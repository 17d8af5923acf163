"""`embargo console`: what it refuses to start with, and a whole run of it; `embargo user` beside it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from console.signed_in import POLICY
from embargo.cli.main import main

EMBARGO = [sys.executable, "-c", "from embargo.cli.main import main; main()"]
REFUSED = {  # case: (options, part of the message)
    "others could reach it": (["--host", "0.0.0.0"], "--tls-certificate"),
    "others could reach it by IPv6": (["--host", "::"], "--trusted-proxy"),
    "by a name that is no loopback": (["--host", "console.example.com"], "--tls-certificate"),
    "a certificate without key": (["--tls-certificate", "FILE"], "--tls-key"),
    "a header of nobody": (["--user-header", "X-User"], "--trusted-proxy"),
    "groups without a user": (["--trusted-proxy", "10.0.0.1", "--groups-header", "X-Groups"], "--user-header"),
    "a proxy that is everybody": (["--trusted-proxy", "0.0.0.0/0"], "everybody"),
    "no network": (["--trusted-proxy", "proxy.example.com"], "does not appear to be"),
    "a provider without encryption": (["--oidc-issuer", "http://login.example", "--oidc-client-id", "x"], "not https"),
    "a provider without a client": (["--oidc-issuer", "https://login.example"], "--oidc-client-id"),
    "an unknown role": (["--role", "staff=king"], "viewer, auditor"),
    "no group": (["--role", "=admin"], "GROUP=ROLE"),
}


@pytest.mark.parametrize(("options", "told"), REFUSED.values(), ids=REFUSED)
def test_is_refused(tmp_path: Path, options: list[str], told: str) -> None:
    (tmp_path / "FILE").write_text("")
    given = [str(tmp_path / "FILE") if option == "FILE" else option for option in options]
    result = CliRunner().invoke(main, ["console", *given], env={"STATE_DIRECTORY": str(tmp_path)})
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories of its own for a console that runs in this very process."""
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("LOGS_DIRECTORY", str(tmp_path / "log"))
    return tmp_path


def test_files_that_are_no_certificate_are_told(here: Path) -> None:
    (here / "chain.pem").write_text("nothing")
    files = ["--tls-certificate", str(here / "chain.pem"), "--tls-key", str(here / "chain.pem")]
    result = CliRunner().invoke(main, ["console", "--port", "0", *files])
    assert (result.exit_code, "both PEM?" in result.output) == (2, True)


def test_a_port_that_is_taken_is_told(here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["console", "--port", str(port)])
    assert (result.exit_code, result.output) == (2, f"error: 127.0.0.1:{port}: Address already in use\n")


def test_a_database_that_is_none_is_told(here: Path) -> None:
    file = here / "state/console/accounts.sqlite"
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_bytes(b"no database" * 1000)
    result = CliRunner().invoke(main, ["console", "--port", "0"])
    assert (result.exit_code, result.output) == (2, f"error: {file}: file is not a database\n")


class Run:
    """A console that runs, and how to ask for accounts beside it."""

    def __init__(self, directory: Path) -> None:
        self.environment = os.environ | {
            "STATE_DIRECTORY": str(directory / "state"),
            "LOGS_DIRECTORY": str(directory / "log"),
            "RUNTIME_DIRECTORY": str(directory / "run"),
        }
        (directory / "policy.yaml").write_text(POLICY)
        self.process = subprocess.Popen(
            [*EMBARGO, "console", "--port", "0", "--no-store", "--policy", str(directory / "policy.yaml")],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]
        self.process.stdout.readline()
        self.link = self.process.stdout.readline().strip()

    def user(self, *arguments: str) -> str:
        return subprocess.run(
            [*EMBARGO, "user", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    found = Run(tmp_path)
    try:
        yield found
    finally:
        found.process.kill()
        found.process.communicate()


def follow(browser: httpx.Client, link: str, **more: str) -> httpx.Response:
    """Choose a password by *link*, as a browser does."""
    form = browser.get(link).text
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert csrf is not None
    password = {"password": "correct horse battery", "again": "correct horse battery"}
    return browser.post(link, data={"csrf_token": csrf[1]} | password | more)


def test_from_the_first_link_to_the_end(run: Run) -> None:
    with httpx.Client() as browser:
        assert follow(browser, run.link, name="root").status_code == 303
        assert browser.get(f"{run.url}users/").status_code == 200
        assert browser.get(run.link).status_code == 404, "it is used up"
    made = run.user("add", "alice", "--role", "auditor")
    link = made.split()[-1]
    assert link.startswith(run.url)
    with httpx.Client() as browser:
        assert follow(browser, link).status_code == 303
        assert browser.get(f"{run.url}users/").status_code == 200
        run.user("disable", "alice")
        assert browser.get(f"{run.url}users/").status_code == 303, "out at once"
    assert "disabled" in run.user("list")
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(20) == 0
    assert run.process.stderr is not None
    assert run.process.stderr.read() == ""
