"""The heartbeat of a running proxy, from its first breath to its last, and its checkpoints at anchors."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from e2e.clients import curl
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field
from embargo.journal.reader import Reader
from embargo.journal.seal.anchored import read_anchors
from embargo.journal.seal.keys import public_key
from embargo.journal.seal.trust import Trust
from embargo.review.enforcement import State, enforcement


def beats(proxy: Proxy) -> list[dict[str, Any]]:
    return [field(record, "embargo.heartbeat") for record in proxy.records(event__action="heartbeat")]


@pytest.mark.parametrize("command", ["mitmdump", "embargo"])
def test_a_life_without_a_gap(command: str, start: Start, origin: Origin) -> None:
    began = datetime.now(UTC)
    proxy = start(SMALL, command=command)
    for _ in range(3):
        assert curl(proxy, "http://www.banned.test/").status == 403
    assert curl(proxy, "http://www.example.org/").status == 200
    result = proxy.command("break-glass", "--for", "1h", "--reason", "a test")
    assert result.returncode == 0, result.stderr
    proxy.wait(lambda: any(beat["flows"]["blocked"] for beat in beats(proxy)), "the stretch before break-glass")
    assert curl(proxy, "http://www.banned.test/").status == 200
    proxy.stop()
    told = beats(proxy)
    assert [beat["mode"] for beat in told] == ["refuse", "refuse", "enforce", "monitor"]
    assert [beat["flows"]["blocked"] for beat in told] == [0, 0, 3, 0]
    assert (told[2]["flows"]["passed"], told[3]["flows"]["logged"]) == (1, 1)
    assert told[3]["break_glass"]
    assert told[2]["policy"] == told[3]["policy"]
    assert told[2]["ca"]
    assert [one["since"] for one in told[1:]] == [
        field(record, "@timestamp") for record in proxy.records(event__action="heartbeat")[:-1]
    ]
    records = [entry.record for entry in Reader(proxy.log).entries()]
    last = [record.time for record in records if record.action == "heartbeat"][-1]
    found = enforcement(records, records[0].time, last)
    assert found.gaps == ()
    shares = found.site.shares
    assert shares[State.ENFORCED] > 0
    assert shares[State.BREAK_GLASS] > 0
    assert shares[State.ENFORCED] + shares[State.BREAK_GLASS] + shares[State.REFUSED] == pytest.approx(1)
    assert (found.flows["blocked"], found.flows["judged"]) == (3, 5)
    later = enforcement(records, began - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1))
    assert [gap.why for gap in later.gaps][-1] == "no worker was running: it was stopped"


class Anchor:
    """An HTTP server that takes checkpoints, once it has refused some attempts."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.lines: list[str] = []
        self.authorizations: set[str | None] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.authorizations.add(self.headers["Authorization"])
                status = 503 if outer.refusals > 0 else 204
                outer.refusals -= 1
                if status == 204:
                    outer.lines += body.splitlines()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/checkpoints"


@pytest.fixture
def anchor() -> Iterator[Anchor]:
    made = Anchor(refusals=2)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_checkpoints_reach_their_anchors(start: Start, origin: Origin, anchor: Anchor, tmp_path: Path) -> None:
    """A file, and a server that fails at first; in script mode, where no other process runs beside the proxy."""
    file, token = tmp_path / "elsewhere.jsonl", tmp_path / "token"
    token.write_text("s3cret\n")
    anchors = f"[{{file: {file}}}, {{http: '{anchor.url}', token_file: {token}}}]"
    proxy = start(SMALL.replace("settings:\n", f"settings:\n  log: {{anchors: {anchors}}}\n"))
    assert curl(proxy, "http://www.banned.test/").status == 403

    def taken() -> bool:
        states = (proxy.status() or {}).get("anchors", [])
        return len(states) == 2 and all(state["anchored"] for state in states)

    proxy.wait(taken, "both anchors to have a checkpoint")
    states = {state["to"]: state for state in (proxy.status() or {})["anchors"]}
    assert states[anchor.url]["failures"] == 2
    assert (states[str(file)]["failures"], states[str(file)]["error"]) == (0, None)
    shown = proxy.command("status")
    assert f"  anchor       {file}: idle, " in shown.stdout, shown.stdout
    proxy.stop()
    assert anchor.authorizations == {"Bearer s3cret"}
    anchored = read_anchors([file], Trust([public_key(proxy.log)]))
    newest = anchored.newest("decisions")
    assert newest is not None
    last = proxy.records()[-1]
    assert newest.sequence == field(last, "event.sequence"), "what was written last is signed, and anchored"
    assert (anchored.sources[file.name].forged, anchored.sources[file.name].foreign) == (0, 0)
    verified = proxy.command("verify", str(proxy.log), "--anchor", str(file))
    assert verified.returncode == 0, verified.stdout
    live = proxy.log / "decisions.jsonl"
    live.write_bytes(b"".join(live.read_bytes().splitlines(keepends=True)[:-3]))  # cut behind an earlier checkpoint
    assert proxy.command("verify", str(proxy.log)).returncode == 0, "nobody can know"
    cut = proxy.command("verify", str(proxy.log), "--anchor", str(file))
    assert cut.returncode == 1
    assert "the end was cut off" in cut.stdout, cut.stdout
    assert [json.loads(line) for line in anchor.lines] == [json.loads(line) for line in file.read_text().splitlines()]
