"""A week of a company's log with all that happens beside decisions: heartbeats with a gap, blind spots, exceptions, a
probe's result, a hold, sinks; for the pages that show it."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from flask import Flask

from console import a_week
from console.signed_in import NOW, a_console
from embargo.core.decision import Decision
from embargo.core.inquiry import Inquiry, answer
from embargo.core.request import Surface
from embargo.core.rules import Policy
from embargo.journal.event import Event, Heartbeat, Judged, Outcome, PolicyChanged, ProcessChanged
from embargo.journal.files import STEM
from embargo.journal.livefile import LiveFile
from embargo.journal.record import Encoder
from embargo.journal.retention.holds import Hold
from embargo.journal.retention.holds import write as write_holds
from embargo.policy.load import Loaded, load
from recorded import OBSERVER

EXCEPTIONS = """\
version: 1
rules:
  - id: except-20261124-alipay
    apps: [alipay]
    users: [alice]
    action: log
    from: 2026-11-24T08:00:00Z
    until: 2026-11-25T18:00:00Z
    reason: pays the invoices of the Shanghai office
    author: olga
    approved_by: admin
    ticket: HD-4711
  - id: except-20261201-qq
    apps: [qq]
    action: log
    from: 2026-12-01T08:00:00Z
    until: 2026-12-02T18:00:00Z
    reason: an acceptance test
    author: olga
  - id: except-20261120-tiktok
    apps: [tiktok]
    clients: [10.20.4.17]
    action: log
    from: 2026-11-20T08:00:00Z
    until: 2026-11-21T18:00:00Z
    reason: "a film of the <b>fair</b>"
    author: olga
  - id: except-20261122-wechat
    apps: [wechat]
    clients: [10.20.3.17]
    action: log
    from: 2026-11-22T08:00:00Z
    until: 2026-12-22T18:00:00Z
    reason: talks with a supplier
    author: olga
"""
TRIAL = (
    "endpoints: [temu.com]",
    "endpoints: [temu.com, {domain: kwcdn.com, role: cdn, shadow: true, evidence: [seen in the app, "
    '"https://www.temu.com/about"]}]',
)
TESTS = """
tests:
  - {request: "https://web.wechat.com/", at: 2026-11-24T10:00:00Z, expect: block}
  - {request: "https://example.org/", at: 2026-11-24T10:00:00Z, expect: pass}
"""
GAP = (NOW - timedelta(hours=9), NOW - timedelta(hours=8))
PHONE = "10.20.30.99"  # has an app that retries, and went quiet


def a_site(directory: Path, count: int = 60) -> Flask:
    """A console on that week below *directory*, all of it in the store."""
    policy, log = directory / "policy", directory / "log"
    policy.mkdir(parents=True)
    (policy / "site.yaml").write_text(a_week.POLICY.replace(*TRIAL) + TESTS)
    (policy / "exceptions.yaml").write_text(EXCEPTIONS)
    loaded = load([policy / "site.yaml"])
    a_week._KNOWN.clear()  # what another policy decided
    written = a_week.write(log, loaded, count)
    a_week._KNOWN.clear()
    append(log, _beside(loaded), len(written))
    _files(log)
    return a_week.read(a_console(directory, policy=(policy / "site.yaml",)))


def append(log: Path, events: Iterator[Event], begin: int) -> None:
    """Write *events* behind the *begin* that are there."""
    encoder, file = Encoder(OBSERVER), LiveFile.open(log, STEM)
    try:
        file.append(
            [
                encoder.line(event, sequence=number, identifier=f"019dc9a8-0000-7000-9001-{number:012x}")
                for number, event in enumerate(events, begin + 1)
            ]
        )
    finally:
        file.close()


def _beside(loaded: Loaded) -> Iterator[Event]:
    begin, edges = NOW - timedelta(days=1), GAP
    yield ProcessChanged(time=begin, action="start", policy=loaded.digest)
    at = begin
    while at < NOW:
        ended = at + timedelta(minutes=1)
        if not edges[0] <= ended <= edges[1]:
            yield _heartbeat(at, ended, loaded.digest)
        at = ended
    yield PolicyChanged(
        time=NOW - timedelta(hours=4),
        outcome=Outcome.SUCCESS,
        old="ab" * 32,
        new=loaded.digest,
        files=("site.yaml",),
        stricter=("block temu.com (was log)",),
    )
    for hour in range(60):
        time = NOW - timedelta(days=6, hours=18) + timedelta(minutes=20 * hour)
        yield _phone(loaded, hour, time)
    for number in range(3):
        decision, _ = _decided(loaded.policy, "https://img.kwcdn.com/a.png", NOW)
        time = NOW - timedelta(hours=3, minutes=number)
        yield Judged(
            id=f"019dc9a8-0000-7000-8002-{number:012x}",
            time=time,
            decision=decision,
            surface=Surface.TLS,
            connection=f"t-{number}",
            policy=loaded.digest,
            client=PHONE,
            sni="img.kwcdn.com",
        )


def _heartbeat(since: datetime, time: datetime, digest: str) -> Heartbeat:
    return Heartbeat(
        time=time,
        since=since,
        seconds=60.0,
        mode="enforce",
        policy=digest,
        flows={"judged": 12, "blocked": 2},
        uninspected={"not-needed": 7, "pinned": 1},
        lost=0,
        ca="cd" * 32,
    )


def _phone(loaded: Loaded, number: int, time: datetime) -> Judged:
    decision, surface = _decided(loaded.policy, "https://short.weixin.qq.com/mmtls/00", time)
    return Judged(
        id=f"019dc9a8-0000-7000-8001-{number:012x}",
        time=time,
        decision=decision,
        surface=surface,
        connection=f"p-{number}",
        policy=loaded.digest,
        client=PHONE,
        host="short.weixin.qq.com",
        user_agent="MicroMessenger Client",
    )


def _decided(policy: Policy, url: str, time: datetime) -> tuple[Decision, Surface]:
    found = answer(policy, Inquiry(request=url, time=time, client=ip_address(PHONE)))
    return found.decision, found.request.surface


def _files(log: Path) -> None:
    write_holds(
        log,
        [
            Hold(
                id="hold-20261101",
                begin=NOW - timedelta(days=30),
                end=None,
                reason="a dispute with a <supplier>",
                author="admin",
                since=NOW - timedelta(days=20),
            )
        ],
    )
    (log / "probes").mkdir()
    (log / "probes/today.json").write_text(
        json.dumps(
            {
                "exit": 1,
                "proxy": "127.0.0.1:8080",
                "mode": "enforce",
                "policy": "ab" * 32,
                "enforced": ["ab" * 32],
                "counts": {"refused": 41, "answered": 1},
                "findings": [
                    {
                        "app": "temu",
                        "endpoint": "domain:temu.com",
                        "way": "http",
                        "outcome": "answered",
                        "detail": "200",
                    }
                ],
                "unasked": [],
            }
        )
    )
    (log / "sinks").mkdir()
    sink = {
        "name": "siem",
        "to": "syslog+tls://siem.example.com:6514",
        "format": "ocsf",
        "state": "waiting",
        "delivered": 1200,
        "filtered": 0,
        "dead_letters": 1,
        "missing": 0,
        "broken": 0,
        "failures": 3,
        "error": "connection refused <script>alert(5)</script>",
        "last_error": None,
        "last_error_time": None,
        "lag_records": 17,
        "lag_seconds": 120.0,
    }
    (log / "sinks/status.json").write_text(json.dumps({"pid": 1, "time": NOW.isoformat(), "sinks": [sink]}))
