"""One worker of `embargo run --workers`: the proxy as ever, on a port that it shares, in touch with its supervisor.

`python -m embargo.enforce.process.worker --number N --channel FD [--first] -- MITMDUMP ARGUMENTS`,
started by the supervisor alone. Both ends of the channel write one JSON object a line:

    the worker      {"ready": {"listen": [[ADDRESS, PORT], …], "alone": [MODE, …], "shared": …}}, once it serves
                    {"health": {"policy": DIGEST|null, "break_glass": …, "log": ERROR|null, "draining": …, "read": N,
                    "sinks": …}},
                    on change and at least each second; "read" counts the readings of the policy that somebody asked for
                    {"recorded": ID}
    the supervisor  {"died": {"id": ID, "time": …, "pid": …, "reason": …}}, for this worker to record

Where the channel closes the supervisor has gone: the worker drains and ends.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import socket
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from embargo.enforce.addon import mount
from embargo.enforce.process.companions import has_sinks
from embargo.enforce.process.sharing import share_ports, shareable
from embargo.enforce.runtime import Runtime
from embargo.journal.event import Outcome, ProcessChanged

if TYPE_CHECKING:
    from embargo.enforce.process.launcher import EmbargoMaster

logger = logging.getLogger("embargo")

BEAT = 1.0  # seconds between signs of life
PATIENCE = 30.0  # seconds that a worker waits for its policy before it listens; then it refuses everything meanwhile
_LOOK = 0.1  # seconds between looks at what may be news
_SETTLE = 0.1  # seconds from the start's last hook, right after which mitmproxy looks for errors and may end
_MOST_UNSENT = 65_536  # bytes: a supervisor that is stopped hears nothing, and later not all that was


class Worker:
    """This process's part in the crew."""

    def __init__(self, number: int, channel: socket.socket, *, first: bool) -> None:
        """*number*: from 1. *first*: no worker of this crew has listened yet."""
        self.number = number
        self._channel = channel
        self._alone: list[str] = []  # modes of which worker 1 alone serves all or a part
        self._shared = True  # whether there is a listener for the others
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        share_ports(alone=number == 1, exclusive=first)

    async def prepare(self, master: "EmbargoMaster") -> None:
        """Before anything listens: be in touch, leave out what cannot be shared, and have a policy to enforce.

        So a worker that was started again refuses nobody whom the others would have let through.
        """
        reader, self._writer = await asyncio.open_unix_connection(sock=self._channel)
        runtime = mount(master)
        self._start(self._listen(reader, master, runtime))
        shared, self._alone = shareable(master.options.mode)
        self._shared = bool(shared)
        if self.number > 1 and self._alone:
            master.options.update(mode=shared)
        if runtime.reloader is not None:
            waits = [asyncio.create_task(event.wait()) for event in (runtime.reloader.settled, master.should_exit)]
            await asyncio.wait(waits, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    def serve(self, master: "EmbargoMaster") -> None:
        """It listens: tell the supervisor, now and from now on."""
        self._start(self._report(master, mount(master)))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, master: "EmbargoMaster", runtime: Runtime) -> None:
        await asyncio.sleep(_SETTLE)
        server = master.addons.get("proxyserver")
        listen = [
            address[:2]
            for instance in server.servers
            for listener in getattr(instance, "_servers", ())
            if isinstance(listener, asyncio.Server)
            for address in (found.getsockname() for found in listener.sockets)
        ]
        self._send({"ready": {"listen": listen, "alone": self._alone, "shared": self._shared}})
        loop = asyncio.get_running_loop()
        told: dict[str, Any] = {}
        told_at = 0.0
        while True:
            health = {
                "policy": runtime.gate.loaded.digest if runtime.gate.loaded is not None else None,
                "break_glass": runtime.gate.glass is not None,
                "log": runtime.journal.state().error if runtime.journal is not None else "there is none",
                "draining": master.is_draining,
                "read": runtime.reloader.read if runtime.reloader is not None else 0,
                "sinks": has_sinks(runtime.gate.loaded),
            }
            if health != told or loop.time() - told_at >= BEAT:
                told, told_at = health, loop.time()
                self._send({"health": health})
            await asyncio.sleep(_LOOK)

    async def _listen(self, reader: asyncio.StreamReader, master: "EmbargoMaster", runtime: Runtime) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                died = json.loads(line)["died"]
                runtime.gate.write(
                    ProcessChanged(
                        time=datetime.fromisoformat(died["time"]),
                        action="died",
                        outcome=Outcome.FAILURE,
                        pid=died["pid"],
                        reason=died["reason"],
                    )
                )
                self._send({"recorded": died["id"]})
        logger.warning("embargo: the supervisor has gone, so this worker ends")
        master.shutdown()

    def _send(self, message: dict[str, Any]) -> None:
        writer = self._writer
        if writer is None or writer.is_closing() or writer.transport.get_write_buffer_size() > _MOST_UNSENT:
            return
        writer.write(json.dumps(message).encode() + b"\n")


def main() -> None:
    """Serve as the arguments say, until told to stop."""
    from embargo.enforce.process.launcher import run

    parser = argparse.ArgumentParser(prog="python -m embargo.enforce.process.worker")
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--first", action="store_true")
    parser.add_argument("arguments", nargs="*")
    asked = parser.parse_args()
    channel = socket.socket(fileno=asked.channel)
    channel.set_inheritable(False)
    worker = Worker(asked.number, channel, first=asked.first)
    sys.argv = ["embargo run"]  # what mitmproxy names in its errors
    run(asked.arguments, worker=worker)


if __name__ == "__main__":
    main()
