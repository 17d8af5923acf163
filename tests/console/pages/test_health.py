"""Health: the share enforced with its gaps, seal, sinks, probe, and what made-up proxies say."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from console.a_site import a_site
from console.links import wrong
from console.signed_in import NOW, Browser, signed_in
from embargo.console.access.rights import Role
from embargo.console.context import KEY, Console


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return a_site(tmp_path_factory.mktemp("site"), count=25)


@pytest.fixture(scope="module")
def auditor(app: Flask) -> Browser:
    return signed_in(app, Role.AUDITOR)


@pytest.mark.parametrize("page", ("/health", "/health?span=7d"))
def test_a_number_leads_to_as_many_rows(auditor: Browser, page: str) -> None:
    assert wrong(auditor, page) == {}


def test_health_tells_of_all_parts(auditor: Browser) -> None:
    page = auditor.get("/health").text
    assert "95.76" in page and "no heartbeat" in page  # an hour of 24 is a gap
    assert "&lt;script&gt;alert(5)" in page  # a sink's error
    assert "1 attempt was not refused" in page
    assert "a dispute with a &lt;supplier&gt;" in page
    assert "pinned" in page and "1,379" in page
    assert "nothing to verify" in page  # nothing is sealed before a key is made


def test_an_operator_sees_no_holds(app: Flask) -> None:
    assert "a dispute with" not in signed_in(app, Role.OPERATOR).get("/health").text


@pytest.fixture
def proxy(app: Flask) -> Iterator[dict[str, Any]]:
    """A proxy that answers with what the test puts into it."""
    console: Console = app.extensions[KEY]
    runtime = console.settings.runtime
    assert runtime is not None
    runtime.mkdir(exist_ok=True)
    answer: dict[str, Any] = {}
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(runtime / "4711.sock"))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(json.dumps(answer).encode())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield answer
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    Path(runtime / "4711.sock").unlink()


def test_a_refused_reload_with_its_errors(auditor: Browser, proxy: dict[str, Any]) -> None:
    proxy |= {
        "pid": 4711,
        "mode": "enforce",
        "policy": {"digest": "ab" * 32, "since": (NOW - timedelta(hours=2)).isoformat()},
        "refused": {
            "time": NOW.isoformat(),
            "problems": [
                {
                    "file": "site.yaml",
                    "line": 3,
                    "column": 7,
                    "code": "unknown-key",
                    "path": "apps",
                    "message": "<i>no</i>",
                }
            ],
        },
        "flows": {"judged": 1234, "blocked": 5},
        "log": {"queue": 9, "lost": 2},
        "anchors": [{"to": "file:/mnt/anchor", "state": "failing", "error": "read-only"}],
    }
    page = auditor.get("/health").text
    assert "site.yaml:3:7: unknown-key apps: &lt;i&gt;no&lt;/i&gt;" in page
    assert "1,234" in page and "read-only" in page and "lost 2 records" in page
    assert "and the files on this machine are another" in page


@pytest.mark.parametrize(
    "odd", [{}, {"pid": "x", "policy": [], "refused": 3, "flows": None, "anchors": [1]}, {"pid": True}]
)
def test_an_odd_answer_of_a_proxy(auditor: Browser, proxy: dict[str, Any], odd: dict[str, Any]) -> None:
    proxy |= odd
    assert auditor.get("/health").status_code == 200
