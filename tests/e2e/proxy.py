"""The proxy under test: a real mitmdump or `embargo run`, as a process of its own."""

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
REDIRECT = ROOT / "tests" / "e2e" / "redirect.py"
SCRIPT = ROOT / "addon" / "enforce.py"
PATIENCE = 30.0  # seconds: a bound on waiting, never a measure


class Proxy:
    """One running proxy. Everything it keeps lies below *directory*."""

    def __init__(
        self,
        directory: Path,
        policy: str | Sequence[Path],
        *,
        http: int,
        https: int,
        command: str = "mitmdump",
        options: Sequence[str] = (),
        flags: Sequence[str] = (),
        before: Sequence[Path] = (),
        after: Sequence[Path] = (),
        confdir: Path | None = None,
        log: Path | None = None,
        script: Path = SCRIPT,
        redirect: Path = REDIRECT,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        output: Path | None = None,
    ) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        if isinstance(policy, str):
            self.policy = directory / "domains.yaml"
            self.policy.write_text(policy)
            files: Sequence[Path] = [self.policy]
        else:
            self.policy, files = policy[-1], policy
        self.log = log or directory / "log"
        self.output = output or directory / "output.txt"
        self.environment = {
            **os.environ,
            "HOME": str(directory),
            "XDG_STATE_HOME": str(directory / "state"),
            "XDG_RUNTIME_DIR": str(directory / "run"),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "EMBARGO_TEST_HTTP": str(http),
            "EMBARGO_TEST_HTTPS": str(https),
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        for name in ("STATE_DIRECTORY", "LOGS_DIRECTORY", "RUNTIME_DIRECTORY"):
            self.environment.pop(name, None)
        scripts = [part for script in (*after, redirect) for part in ("-s", str(script))]
        common = [
            "--set", f"confdir={confdir or directory / 'conf'}",
            "--set", "ssl_insecure=true",
            *options,
        ]  # fmt: skip
        self.port = 0
        bin = Path(sys.executable).parent
        if command == "embargo":
            arguments = [str(bin / "embargo"), "run", "--port", "0", "--log", str(self.log)]
            for file in files:
                arguments += ["--policy", str(file)]
            alone = [] if "--console" in flags else ["--no-console"]
            arguments += [*alone, *flags, "--", *common, *scripts]
        else:
            arguments = [str(bin / command), "--listen-host", "127.0.0.1", "--listen-port", "0"]
            if command == "mitmweb":
                arguments += ["--set", "web_open_browser=false", "--set", "web_port=0"]
            arguments += ["--set", f"embargo_log={self.log}"]
            for file in files:
                arguments += ["--set", f"embargo_policy={file}"]
            earlier = [part for script in before for part in ("-s", str(script))]
            arguments += [*common, *earlier, "-s", str(script), *scripts]
        arguments = [*prefix, *arguments]
        if command == "mitmproxy":
            self._start_on_a_terminal(arguments)
            return
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment, cwd=directory
            )

    def _start_on_a_terminal(self, arguments: Sequence[str]) -> None:
        """The console interface wants a terminal; what it draws goes to the output file."""
        ours, its = pty.openpty()
        termios.tcsetwinsize(its, (40, 120))  # rows and columns
        self.environment["TERM"] = "xterm-256color"
        self.process = subprocess.Popen(
            arguments, stdin=its, stdout=its, stderr=its, env=self.environment, cwd=self.directory
        )
        os.close(its)

        def drain() -> None:
            with self.output.open("ab") as output, contextlib.suppress(OSError):  # EIO where it has ended
                while data := os.read(ours, 65536):
                    output.write(data)
            os.close(ours)

        threading.Thread(target=drain, daemon=True).start()

    # -- waiting for what the test needs

    def wait_ready(self, *, policy: bool = True) -> "Proxy":
        """Until it listens and, with *policy*, enforces one."""

        def ready() -> bool:
            status = self.status()
            if not status or not status["listen"] or (policy and not status["policy"]):
                return False
            self.port = int(status["listen"][0].rpartition(":")[2])
            return True

        return self.wait(ready, "the proxy to be ready")

    def wait(self, condition: Callable[[], Any], what: str) -> "Proxy":
        """Until *condition* holds; fails with the proxy's output where it never does."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, f"the proxy ended while waiting for {what}:\n{self.text()}"
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self.text()}"
            time.sleep(0.02)
        return self

    def wait_record(self, **wanted: Any) -> dict[str, Any]:
        """The first record whose dotted fields have these values (`embargo__verdict="block"`)."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = self.records(**wanted)
            return bool(found)

        self.wait(there, f"a record with {wanted} among {[summary(r) for r in self.records()]}")
        return found[0]

    # -- what it says

    def status(self) -> dict[str, Any] | None:
        """What its socket tells; None while it does not answer."""
        path = self.directory / "run" / "embargo" / f"{self.process.pid}.sock"
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(str(path))
                text = b""
                while data := client.recv(65536):
                    text += data
            return json.loads(text)
        except (OSError, ValueError):
            return None

    def listens(self) -> bool:
        """Whether its port takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE).close()
        except OSError:
            return False
        return True

    def records(self, **wanted: Any) -> list[dict[str, Any]]:
        """The whole records in the live log files, those alone whose dotted fields match; none of the seal's own."""
        records = []
        for file in sorted(self.log.glob("decisions*.jsonl")):
            for line in file.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n") and field(record := json.loads(line), "event.action") != "seal-checkpoint":
                    records.append(record)
        return [r for r in records if all(field(r, key.replace("__", ".")) == value for key, value in wanted.items())]

    def decisions(self, start: int = 0) -> list[dict[str, Any]]:
        """The records of decisions, from number *start* on."""
        return [record for record in self.records() if field(record, "embargo.verdict") is not None][start:]

    def settled(self) -> int:
        """The number of decisions, once what was decided until now is on the disk."""

        def written() -> bool:
            log = (self.status() or {}).get("log") or {}
            return log.get("queue") == 0 and log.get("written") == len(self.records())

        self.wait(written, "the log to be written")
        return len(self.decisions())

    def wait_decisions(self, start: int, count: int) -> list[dict[str, Any]]:
        """The *count* decisions that follow number *start*."""
        self.wait(lambda: len(self.decisions(start)) >= count, f"{count} decisions after {start}")
        return self.decisions(start)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """An embargo command in this proxy's surroundings."""
        return subprocess.run(
            [str(Path(sys.executable).parent / "embargo"), *arguments],
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def text(self) -> str:
        """Its output so far."""
        return self.output.read_text(errors="replace")

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(15)


def field(record: dict[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    value: Any = record
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def summary(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(field(record, path) for path in ("event.action", "embargo.surface", "embargo.app", "rule.id"))
