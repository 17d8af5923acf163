"""What this process enforces, told to whoever may connect to its socket: `embargo status`."""

import asyncio
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embargo.paths import private_directory

logger = logging.getLogger("embargo")


class StatusServer:
    """Answers each connection to a Unix socket with one JSON object, and closes it."""

    def __init__(self, directory: Path, describe: Callable[[], dict[str, Any]]) -> None:
        self.path = directory / f"{os.getpid()}.sock"
        self._describe = describe
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a directory that cannot be made costs the status, never the enforcement."""
        try:
            private_directory(self.path.parent)
            self.path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._answer, self.path)
            self.path.chmod(0o600)
        except OSError as error:
            logger.warning("embargo status will not find this process: %s", error)

    def stop(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.path.unlink(missing_ok=True)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(json.dumps(self._describe(), default=str).encode() + b"\n")
            await writer.drain()
        except OSError:
            pass  # the asker has gone
        finally:
            writer.close()
