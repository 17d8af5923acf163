"""What this process enforces, told to whoever may connect to its socket: `embargo status`."""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mitmproxy.proxy.mode_servers import ServerInstance
from mitmproxy.proxy.mode_specs import ReverseMode

from embargo.paths import private_directory

logger = logging.getLogger("embargo")


CHECK = 2.0  # seconds between looks at whether the socket can still be found


class StatusServer:
    """Answers each connection to a Unix socket with one JSON object, and closes it."""

    def __init__(self, directory: Path, describe: Callable[[], dict[str, Any]]) -> None:
        self.path = directory / f"{os.getpid()}.sock"
        self._describe = describe
        self._server: asyncio.Server | None = None
        self._inode: int | None = None
        self._said = ""  # why there is no socket now

    async def start(self) -> None:
        """Listen; where that cannot be, say why, once."""
        try:
            private_directory(self.path.parent)
            self.path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._answer, self.path)
            self.path.chmod(0o600)
            self._inode = self.path.stat().st_ino
        except OSError as error:
            if str(error) != self._said:
                logger.warning("embargo status will not find this process: %s", error)
            self._said = str(error)
        else:
            if self._said:
                logger.warning("embargo status finds this process again")
            self._said = ""

    async def run(self) -> None:
        """Listen until cancelled, anew where the socket or its directory was removed by others.

        One that cannot be made costs the status, never the enforcement, and is tried again.
        """
        while True:
            if self._server is None or not self._is_found():
                self.stop()
                await self.start()
            await asyncio.sleep(CHECK)

    def stop(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
            if self._is_found():
                self.path.unlink()

    def _is_found(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(json.dumps(self._describe(), default=str).encode() + b"\n")
            await writer.drain()
        except OSError:
            pass  # the asker has gone
        finally:
            writer.close()


def listening(servers: Iterable[ServerInstance[Any]]) -> list[dict[str, Any]]:
    """What listens where: each mode by its name, without whom it leads to, which may hold a password."""
    return [
        {
            "mode": f"reverse:{server.mode.scheme}" if isinstance(server.mode, ReverseMode) else server.mode.type_name,
            "listen": [f"{host}:{port}" for host, port, *_ in server.listen_addrs],
        }
        for server in servers
    ]
