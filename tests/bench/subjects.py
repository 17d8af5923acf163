"""What is compared: bare mitmdump, its own block_list, and embargo with 10 to 1 000 000 domains."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
REDIRECT = ROOT / "tests" / "e2e" / "redirect.py"
BIN = Path(sys.executable).parent
PATIENCE = 120.0  # seconds

POLICY = """\
version: 1
settings: {{decrypt: {decrypt}}}
apps:
  banned:
    name: Banned
    endpoints_from: [banned.txt]
rules:
  - {{id: banned-apps, apps: [banned], action: block}}
"""


def banned_name(number: int) -> str:
    """The *number*-th listed domain; looks like a real one, so that labels share nothing and lengths vary."""
    return f"b{number:x}-{'xyzzy'[: 1 + number % 5]}.banned{number % 97}.test"


@dataclass
class Subject:
    """One proxy process under measurement."""

    name: str
    directory: Path
    arguments: list[str]
    domains: int | None = None  # None: no embargo in it
    program: list[str] = field(default_factory=lambda: [str(BIN / "mitmdump"), "-q"])
    separator: list[str] = field(default_factory=list)  # before what mitmproxy itself reads
    process: subprocess.Popen[bytes] = field(init=False)
    port: int = 0
    ready_after: float = 0.0  # seconds from start to serving, with a policy in force where it has one

    def start(self, http: int, https: int) -> "Subject":
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        environment = {
            **os.environ,
            "HOME": str(self.directory),
            "XDG_STATE_HOME": str(self.directory / "state"),
            "XDG_RUNTIME_DIR": str(self.directory / "run"),
            "EMBARGO_TEST_HTTP": str(http),
            "EMBARGO_TEST_HTTPS": str(https),
        }
        command = [
            *self.program, *self.separator, "--listen-host", "127.0.0.1", "--listen-port", str(self.port),
            "--set", "ssl_insecure=true", "--set", f"confdir={self.directory.parent / 'conf'}",
            "-s", str(REDIRECT), *self.arguments,
        ]  # fmt: skip
        begun = time.monotonic()
        with (self.directory / "output.txt").open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=self.directory
            )
        self._await_ready(begun)
        self.ready_after = time.monotonic() - begun
        return self

    def _await_ready(self, begun: float) -> None:
        while time.monotonic() - begun < PATIENCE:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended:\n{(self.directory / 'output.txt').read_text()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                if self.domains is None or (self.status() or {}).get("policy"):
                    return
            time.sleep(0.005)
        raise RuntimeError(f"{self.name} was not ready after {PATIENCE:.0f} s")

    def status(self) -> dict[str, Any] | None:
        path = self.directory / "run" / "embargo" / f"{self.process.pid}.sock"
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(path))
            text = b""
            while data := client.recv(65536):
                text += data
            found: dict[str, Any] = json.loads(text)
            return found
        return None

    def cpu(self) -> float:
        """CPU seconds that the process has used, to the nanosecond (POSIX per-process clock)."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def memory(self) -> dict[str, float]:
        """Proportional and peak resident memory, MB."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
        return {"pss": pss / 1024, "peak": peak / 1024}

    def records(self) -> int:
        """Blocking records in its log."""
        found = 0
        for file in (self.directory / "log").glob("decisions*.jsonl"):
            found += sum(b'"action":"block"' in line for line in file.read_bytes().splitlines())
        return found

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def bare(directory: Path, name: str = "bare") -> Subject:
    return Subject(name, directory / name, [])


def block_list(directory: Path, count: int = 10) -> Subject:
    patterns = [f"/~d ^{banned_name(number).replace('.', '[.]')}$/403" for number in range(count)]
    return Subject(
        "block_list", directory / "block_list", [part for text in patterns for part in ("--set", f"block_list={text}")]
    )


def embargo(directory: Path, domains: int, decrypt: str) -> Subject:
    name = f"embargo {domains:,} {decrypt}".replace(",", " ")
    home = directory / name.replace(" ", "-")
    home.mkdir(parents=True, exist_ok=True)
    (home / "banned.txt").write_text("".join(banned_name(number) + "\n" for number in range(domains)))
    (home / "domains.yaml").write_text(POLICY.format(decrypt=decrypt))
    return Subject(
        name,
        home,
        [
            "-s", str(ROOT / "addon" / "enforce.py"),
            "--set", f"embargo_policy={home / 'domains.yaml'}",
            "--set", f"embargo_log={home / 'log'}",
        ],
        domains,
    )  # fmt: skip


def embargo_run(directory: Path, domains: int, decrypt: str) -> Subject:
    """The same by `embargo run`, which calls hooks from lists of its own."""
    as_script = embargo(directory / "run", domains, decrypt)
    home = as_script.directory
    program = [
        str(BIN / "embargo"),
        "run",
        "--no-console",
        "--policy",
        str(home / "domains.yaml"),
        "--log",
        str(home / "log"),
    ]
    name = f"embargo run {domains:,} {decrypt}".replace(",", " ")
    return Subject(name, home, [], domains, program, ["--"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
