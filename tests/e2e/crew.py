"""Several workers under one supervisor, as a test sees them."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e2e.proxy import Proxy, field
from embargo.journal.status import Liveness, running


class Crew:
    """A running `embargo run --workers`; `proxy.process` is its supervisor."""

    def __init__(self, proxy: Proxy, count: int = 2, *, policy: bool = True) -> None:
        """Waits until all serve and, with *policy*, enforce one."""
        self.proxy = proxy
        self.count = count
        if policy:
            proxy.wait(self.is_ready, f"{count} workers to be ready")
        proxy.wait(lambda: len(self.statuses()) == count, f"{count} workers to answer")
        proxy.port = int(self.statuses()[0]["listen"][0].rpartition(":")[2])

    def is_ready(self) -> bool:
        """Whether the supervisor has said so."""
        return f"embargo: ready, {self.count} of {self.count} workers" in self.proxy.text()

    def statuses(self) -> list[dict[str, Any]]:
        """What each worker that answers says, worker 1 first."""
        found = running(self.proxy.directory / "run" / "embargo")
        answers = [dict(status.answer) for status in found if status.liveness is Liveness.RUNNING]
        return sorted(answers, key=lambda answer: answer["worker"]["number"])

    def pids(self) -> list[int]:
        """Of the workers that answer, worker 1 first."""
        return [answer["pid"] for answer in self.statuses()]

    def wait_whole(self, *, without: Sequence[int] = ()) -> list[dict[str, Any]]:
        """What the workers say once all enforce a policy, and none of them is a process in *without*."""
        found: list[dict[str, Any]] = []

        def whole() -> bool:
            found[:] = self.statuses()
            return len(found) == self.count and all(
                answer["policy"] and answer["pid"] not in without for answer in found
            )

        self.proxy.wait(whole, "all workers to enforce a policy")
        return found

    def chains(self) -> dict[str, list[dict[str, Any]]]:
        """The records of each live file, by its name."""
        return {file.name: records(file) for file in sorted(self.proxy.log.glob("decisions*.jsonl"))}

    def health(self) -> tuple[str, int]:
        """Address and port of the health endpoint."""
        address, port = re.findall(r"health at http://([\d.]+):(\d+)/healthz", self.proxy.text())[-1]
        return address, int(port)


def records(file: Path) -> list[dict[str, Any]]:
    """The whole records of a live file."""
    return [json.loads(line) for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def is_gapless(chain: Sequence[dict[str, Any]]) -> bool:
    """Whether the sequence of a chain counts without a gap."""
    numbers = [field(record, "event.sequence") for record in chain]
    return numbers == list(range(1, len(numbers) + 1))
