"""Servers that a sink delivers to, small and strict, for the tests."""

import json
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Elasticsearch(ThreadingHTTPServer):
    """Checks the wire format of `_bulk` and answers as its documentation says; *item* decides on each record."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Bulk)
        self.documents: dict[str, dict[str, Any]] = {}
        self.refused: Counter[str] = Counter()
        self.wrong: list[str] = []  # what breaks the wire format
        self.requests = 0
        self.token: str | None = None
        self.paths: list[str] = []
        self.item: Callable[[str, dict[str, Any]], tuple[int, str] | None] = lambda _id, _document: None
        self.whole: Callable[[int, bytes], tuple[int, bytes] | None] = lambda _count, _body: None

    @property
    def port(self) -> int:
        return self.server_address[1]

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news."""


class _Bulk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Elasticsearch

    def do_POST(self) -> None:
        server = self.server
        server.requests += 1
        server.paths.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if server.token is not None and self.headers["Authorization"] != server.token:
            return self._answer(401, b'{"error":{"type":"security_exception"}}')
        if self.headers["Content-Type"] != "application/x-ndjson":
            server.wrong.append(f"media type {self.headers['Content-Type']}")
        if not body.endswith(b"\n"):
            server.wrong.append("the body does not end in a line feed")
        lines = body.split(b"\n")[:-1]
        if len(lines) % 2:
            server.wrong.append("an odd number of lines")
        if (answer := server.whole(len(lines) // 2, body)) is not None:
            return self._answer(*answer)
        items = []
        for action_line, source_line in zip(lines[::2], lines[1::2], strict=False):
            action, source = json.loads(action_line), json.loads(source_line)
            if list(action) != ["create"] or set(action["create"]) != {"_index", "_id"}:
                server.wrong.append(f"action {action}")
            identifier, index = action["create"]["_id"], action["create"]["_index"]
            result: dict[str, Any] = {"_index": index, "_id": identifier}
            if (said := server.item(identifier, source)) is not None:
                server.refused[identifier] += 1
                items.append({"create": result | {"status": said[0], "error": {"type": said[1], "reason": "because"}}})
            elif identifier in server.documents:
                conflict = {"type": "version_conflict_engine_exception", "reason": "document already exists"}
                items.append({"create": result | {"status": 409, "error": conflict}})
            else:
                server.documents[identifier] = source
                items.append({"create": result | {"status": 201, "result": "created"}})
        errors = any("error" in item["create"] for item in items)
        self._answer(200, json.dumps({"took": 1, "errors": errors, "items": items}).encode())
        return None

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Collector(ThreadingHTTPServer):
    """Takes any batch, keeps what came, answers with *status*."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Collect)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.location: str | None = None

    @property
    def port(self) -> int:
        return self.server_address[1]


class _Collect(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def served[S: socketserver.BaseServer](server: S) -> Iterator[S]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
