"""One worker as its supervisor sees it: started, listened to, and known to be well or not."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from embargo.enforce.process.deaths import Death
from embargo.enforce.process.ending import ended, in_words, inherited_environment
from embargo.paths import runtime_directory

SILENT = 30  # looks of the supervisor, a second apart, without a sign of life: it hangs
UNREADY = 90  # looks after its start by which it has to serve; of these it may wait 30 for a policy
UNWELL = 5  # looks after which it does not count as healthy
_LONGEST_LINE = 65_536  # bytes of output that are held back for their end
_LAST_WORDS = 1.0  # seconds for what it printed before its end


class Child:
    """A worker process, from its start to its end."""

    def __init__(self, number: int, say: Callable[[str], None], recorded: Callable[[int], None]) -> None:
        """*say* prints a line; *recorded* hears the id of each death that the worker has recorded."""
        self.number = number
        self.ready = asyncio.Event()  # it listens
        self.listen: tuple[tuple[str, int], ...] = ()  # TCP, once ready
        self.alone: tuple[str, ...] = ()  # modes of which worker 1 alone serves all or a part
        self.shared = True  # whether there is anything for other workers to serve
        self.health: Mapping[str, Any] = {}
        self.silent = 0  # looks since the last sign of life, or since the start
        self.hangs: str | None = None  # why it was killed
        self.reload_due = False  # told to read the policy when it could not hear
        self._told: set[int] = set()  # ids of deaths
        self._say = say
        self._recorded = recorded
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def pid(self) -> int:
        """Of the process; 0 where there was none yet."""
        return self._process.pid if self._process is not None else 0

    async def run(self, arguments: Sequence[str], *, first: bool) -> int:
        """Start the process and stay with it until it has ended; its exit code, or minus the signal that ended it.

        Raises OSError where it cannot be started.
        """
        process, channel = self._spawn(arguments, ["--first"] * first)
        reader, self._writer = await asyncio.open_unix_connection(sock=channel)
        listening = asyncio.create_task(self._listen(reader))
        printing = [asyncio.create_task(self._print(stream)) for stream in (process.stdout, process.stderr)]
        code = await ended(process)
        _, late = await asyncio.wait(printing, timeout=_LAST_WORDS)
        for task in (listening, *late):
            task.cancel()
        self._writer.close()
        with contextlib.suppress(OSError):  # one that was killed leaves its socket
            (runtime_directory() / f"{process.pid}.sock").unlink(missing_ok=True)
        return code

    def _spawn(self, arguments: Sequence[str], flags: Sequence[str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """The process, and our end of the channel to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            # -P: nothing in the working directory is imported
            module = ["-u", "-P", "-m", "embargo.enforce.process.worker"]
            own = ["--number", str(self.number), "--channel", str(theirs.fileno()), *flags]
            try:
                self._process = subprocess.Popen(
                    [sys.executable, *module, *own, "--", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,  # a terminal's Ctrl-C comes from the supervisor, once
                    env=inherited_environment(),
                )
            except OSError:
                ours.close()
                raise
        return self._process, ours

    def signal(self, number: int) -> None:
        """Send a signal, if there is a process."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def reload(self) -> None:
        """Have it read the policy; before it can hear that, the signal would end it."""
        if self.ready.is_set():
            self.signal(signal.SIGHUP)
        else:
            self.reload_due = True

    def record(self, death: Death) -> None:
        """Have it record *death*; it is told once, however often this is asked."""
        if self._writer is not None and not self._writer.is_closing() and death.id not in self._told:
            self._told.add(death.id)
            self._writer.write(json.dumps(death.message()).encode() + b"\n")

    def look(self) -> None:
        """Count a look at it; what gives no sign of life, or never comes to serve, is killed."""
        self.silent += 1
        if self.hangs is None and self.silent >= (SILENT if self.ready.is_set() else UNREADY):
            self.hangs = "gave no sign of life" if self.ready.is_set() else "did not come to serve"
            self.signal(signal.SIGKILL)

    def ending(self, code: int) -> str:
        """How it ended, in words."""
        return f"{self.hangs} and was killed" if self.hangs is not None else in_words(code)

    def is_serving(self) -> bool:
        """Whether it does more than refuse everything: it has a policy, or break-glass stands in for one."""
        return bool(self.health.get("policy") or self.health.get("break_glass"))

    def trouble(self) -> str | None:
        """Why no clients should be sent to it; None: it refuses what is banned, and records it."""
        if not self.ready.is_set():
            return "is starting"
        if self.silent >= UNWELL:
            return "gives no sign of life"
        if self.health.get("draining"):
            return "is draining"
        if not self.is_serving():
            return "enforces no policy yet: everything is refused"
        if self.health.get("log"):
            return f"cannot write the decision log: {self.health['log']}"
        return None

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                message = json.loads(line)
                self.silent = 0
                if "health" in message:
                    self.health = message["health"]
                elif "recorded" in message:
                    self._recorded(message["recorded"])
                elif "ready" in message:
                    told = message["ready"]
                    self.listen = tuple((str(host), int(port)) for host, port in told["listen"])
                    self.alone, self.shared = tuple(told["alone"]), bool(told["shared"])
                    self.ready.set()
                    if self.reload_due:
                        self.signal(signal.SIGHUP)

    async def _print(self, pipe: IO[bytes] | None) -> None:
        """Print what it prints, each line behind its number."""
        assert pipe is not None
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), pipe
        )
        held = b""
        try:
            while data := await stream.read(_LONGEST_LINE):
                *lines, held = (held + data).split(b"\n")
                if len(held) > _LONGEST_LINE:
                    lines, held = [*lines, held], b""
                for line in lines:
                    self._say(f"[{self.number}] {line.decode('utf-8', 'replace')}")
        finally:
            if held:
                self._say(f"[{self.number}] {held.decode('utf-8', 'replace')}")
            transport.close()
