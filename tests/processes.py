"""Proxy processes as `status` meets them: a socket that answers each connection with the same bytes."""

import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

HEALTHY: dict[str, Any] = {
    "pid": 7,
    "started": "2026-11-24T08:00:00+00:00",
    "version": "0.1.0",
    "mode": "enforce",
    "decrypt": "needed",
    "listen": ["127.0.0.1:8080"],
    "policy": {
        "digest": "5f" * 32,
        "since": "2026-11-24T08:00:01+00:00",
        "files": ["domains.yaml", "site.yaml"],
        "apps": 10,
        "rules": 5,
        "endpoints": 321,
    },
    "refused": None,
    "reloads": {"ok": 2, "refused": 0},
    "next_change": "2027-01-01T00:00:00+00:00",
    "flows": {"judged": 9, "blocked": 2, "logged": 1, "allowed": 0, "passed": 6, "nameless": 1, "errors": 0},
    "log": {"directory": "/log", "file": "decisions.jsonl", "written": 3, "lost": 0, "queue": 0, "error": None},
}


class Answering:
    """A process that answers on `PID.sock`, for the time of a `with`."""

    def __init__(self, directory: Path, pid: int, answer: Mapping[str, Any] | bytes) -> None:
        self._answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(directory / f"{pid}.sock"))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # ends accept
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(self._answer)
