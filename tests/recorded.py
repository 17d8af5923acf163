"""Events as the proxy hands them over, short to write, and what the tests of the journal share."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from embargo.core.break_glass import BreakGlass, End
from embargo.core.catalogue import Role
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.request import Name, Source, Surface
from embargo.core.rules import AppSelector, Basis, ClientForm, Recording
from embargo.core.timeline import State
from embargo.journal.break_glass import ended, started
from embargo.journal.ecs import Observer
from embargo.journal.event import (
    Change,
    ConfigurationChanged,
    ConsoleUsed,
    Heartbeat,
    Judged,
    Outcome,
    PolicyChanged,
    ProcessChanged,
    RecordsLost,
    SealCheckpoint,
    SealUnsigned,
)
from embargo.journal.livefile import LiveFile
from embargo.journal.seal.chain import MARK
from sample import endpoint, group, rule

OBSERVER = Observer(hostname="proxy1.example.com", version="0.1.0", pid=4711)
TIME = datetime(2026, 11, 24, 10, 15, 0, 123456, UTC)
DIGEST = "5f" * 32
BANNED = rule("banned-apps", "block", AppSelector(named_in=("eo-13971",)), reason="adopted from the order")
ANONYMOUS = rule(
    "shared-infrastructure",
    "log",
    shared=True,
    record=Recording.ANONYMOUS,
    groups=(group("research", "10.20.0.0/16", "alice"),),
)
BLOCK = Decision(
    verdict=Verdict.BLOCK,
    reason=Reason.RULE,
    apps=("alipay",),
    endpoint=endpoint("alipay.com", Role.PAYMENT),
    rule=BANNED,
    authorities=(("eo-13971", State.REVOKED), ("proposed", None)),
)

GLASS = BreakGlass(
    id="019dc9a8-0000-7000-8000-00000000000b",
    since=TIME,
    seconds=1800.0,
    ticks=1000.0,
    reason="payroll is blocked",
    author="alice",
    ticket="INC-4711",
)


def judged(decision: Decision = BLOCK, **members: object) -> Judged:
    """An HTTP request to a payment host, blocked, but for *members*."""
    usual: dict[str, object] = {
        "id": "019dc9a8-0000-7000-8000-000000000001",
        "time": TIME,
        "decision": decision,
        "surface": Surface.HTTP,
        "connection": "c-1",
        "policy": DIGEST,
        "client": "10.20.30.40",
        "client_port": 50123,
        "user": "alice",
        "destination": "mobilegw.alipay.com",
        "destination_port": 443,
        "scheme": "https",
        "host": "mobilegw.alipay.com",
        "target": "/mgw.htm?token=secret&op=pay#top",
        "method": "POST",
        "status": 403,
        "sni": "mobilegw.alipay.com",
        "protocol": "http",
        "user_agent": "Mozilla/5.0 AlipayClient/10",
    }
    return Judged(**(usual | members))  # type: ignore[arg-type]


BARE = {  # what is not known where no request is seen
    "scheme": None,
    "host": None,
    "target": None,
    "method": None,
    "status": None,
    "sni": None,
    "user_agent": None,
}

EXCEPTION = ConfigurationChanged(
    time=TIME,
    action="exception-added",
    change=Change.CREATION,
    outcome=Outcome.UNKNOWN,
    user="bob",
    reason="press review",
    apps=("alipay",),
    rule="except-20261124-alipay",
    policy=DIGEST,
    subject="exception",
    details={
        "id": "except-20261124-alipay",
        "apps": ("alipay",),
        "hosts": (),
        "users": ("alice",),
        "until": TIME + timedelta(hours=4),
        "reason": "press review",
        "ticket": None,
    },
)

EVENTS = {  # name of the golden record: event
    "http-block": judged(BLOCK, reference="https://www.federalregister.gov/d/2021-00305", identity_source="proxyauth"),
    "connect-log": judged(
        BLOCK._replace(verdict=Verdict.LOG, rule=rule("stayed-orders", "log")),
        **(BARE | {"surface": Surface.CONNECT, "method": "CONNECT", "user": None}),
    ),
    "http-truncated": judged(BLOCK, client_form=ClientForm.TRUNCATED),
    "http-allow": judged(
        BLOCK._replace(verdict=Verdict.ALLOW, rule=rule("pilot", "allow", ticket="T-1", approved_by="CISO"))
    ),
    "http-excepted": judged(
        BLOCK._replace(
            verdict=Verdict.LOG,
            rule=rule(
                "except-20261124-alipay",
                "log",
                "alipay",
                exception=True,
                reason="press review",
                author="bob",
                approved_by="carol",
                ticket="LEGAL-17",
                basis=Basis.COUNSEL,
            ),
            authorities=(("eo-13971", State.IN_FORCE),),
            against=("eo-13971",),
        ),
        status=None,
    ),
    "console-log-in": ConsoleUsed(
        time=TIME,
        action="log-in",
        user="alice",
        client="192.0.2.7",
        details={"way": "password and code", "role": "auditor"},
    ),
    "console-log-in-failed": ConsoleUsed(
        time=TIME, action="log-in", outcome=Outcome.FAILURE, client="192.0.2.7", details={"way": "password"}
    ),
    "console-role-given": ConsoleUsed(
        time=TIME,
        action="account-changed",
        user="root",
        target="alice",
        client="192.0.2.7",
        details={"change": "role", "from": "viewer", "to": "auditor"},
    ),
    "exception-attempted": EXCEPTION,
    "exception-added": replace(EXCEPTION, outcome=Outcome.SUCCESS),
    "exception-not-added": replace(
        EXCEPTION, outcome=Outcome.FAILURE, error="exceptions.yaml: No space left on device"
    ),
    "exception-ended": replace(
        EXCEPTION, action="exception-ended", change=Change.CHANGE, outcome=Outcome.SUCCESS, reason="done early"
    ),
    "tls-break-glass": judged(
        BLOCK._replace(verdict=Verdict.LOG, would=Verdict.BLOCK),
        **(BARE | {"surface": Surface.TLS, "protocol": "tls", "sni": "mobilegw.alipay.com"}),
        break_glass=GLASS.id,
    ),
    "break-glass-started": started(GLASS, policy=DIGEST),
    "break-glass-ended": ended(GLASS, End.EXPIRED, TIME, policy=DIGEST),
    "tls-monitor": judged(
        BLOCK._replace(verdict=Verdict.LOG, would=Verdict.BLOCK),
        **(BARE | {"surface": Surface.TLS, "protocol": "tls", "sni": "mobilegw.alipay.com"}),
    ),
    "http-shadow": judged(
        BLOCK._replace(verdict=Verdict.LOG, would=Verdict.BLOCK, shadow_rule="trial", rule=rule("all", "log")),
    ),
    "http-default": judged(BLOCK._replace(verdict=Verdict.LOG, reason=Reason.DEFAULT, rule=None), status=None),
    "http-anonymous": judged(
        BLOCK._replace(verdict=Verdict.LOG, rule=ANONYMOUS, endpoint=endpoint("alipay.com", shared=True)),
        identity_source="proxyauth",
    ),
    "websocket-fronted": judged(
        BLOCK._replace(mismatch=True),
        surface=Surface.WEBSOCKET,
        protocol="websocket",
        scheme="wss",
        destination="cdn.example.net",
        destination_address="192.0.2.7",
        names=(
            Name.parse(Source.CONNECT, "cdn.example.net:443"),
            Name.parse(Source.SNI, "cdn.example.net"),
            Name.parse(Source.HOST, "Mobilegw.Alipay.com."),
        ),
    ),
    "dns-block": judged(
        BLOCK,
        **(
            BARE
            | {
                "surface": Surface.DNS,
                "transport": "udp",
                "protocol": "dns",
                "question": "mobilegw.alipay.com",
                "question_type": "AAAA",
                "destination": "192.0.2.53",
                "destination_port": 53,
                "user": None,
            }
        ),
    ),
    "quic-address": judged(
        BLOCK._replace(endpoint=endpoint("cidr:2001:db8::/32")),
        **(
            BARE
            | {
                "surface": Surface.QUIC,
                "transport": "udp",
                "protocol": "quic",
                "client": "::ffff:10.20.30.40",
                "destination": "2001:DB8:0::7",
            }
        ),
    ),
    "tcp-group": judged(
        BLOCK._replace(
            rule=rule("research", "block", groups=(group("research", "10.20.0.0/16"), group("b", "192.0.2.0/24"))),
        ),
        **(BARE | {"surface": Surface.TCP}),
    ),
    "malformed": judged(
        Decision(
            verdict=Verdict.BLOCK,
            reason=Reason.MALFORMED,
            name=Name.parse(Source.HOST, "bad host"),
            error="'bad host' is no host",
        ),
        host="bad host",
        destination=None,
        sni=None,
    ),
    "failed-closed": judged(
        Decision(verdict=Verdict.BLOCK, reason=Reason.ERROR, error="the matcher broke"), error_type="ZeroDivisionError"
    ),
    "not-carried-out": judged(BLOCK, outcome=Outcome.FAILURE, error="the client was gone", error_type="OSError"),
    "policy-loaded": PolicyChanged(
        time=TIME,
        outcome=Outcome.SUCCESS,
        old="0a" * 32,
        new=DIGEST,
        files=("domains.yaml", "site.yaml"),
        stricter=("alipay: log to block",),
    ),
    "policy-refused": PolicyChanged(
        time=TIME,
        outcome=Outcome.FAILURE,
        old=DIGEST,
        new=None,
        files=("domains.yaml",),
        problems=("domains.yaml:41:13: unknown-role apps.alipay.endpoints[1].role: found 'cdm'",),
    ),
    "started": ProcessChanged(time=TIME, action="start", policy=DIGEST),
    "stopped": ProcessChanged(time=TIME, action="stop"),
    "died": ProcessChanged(
        time=TIME, action="died", outcome=Outcome.FAILURE, pid=4712, reason="worker 2 was ended by SIGKILL"
    ),
    "heartbeat": Heartbeat(
        time=TIME,
        since=TIME - timedelta(seconds=60),
        seconds=60.0012,
        mode="enforce",
        policy=DIGEST,
        flows={"judged": 9, "blocked": 2, "logged": 1, "allowed": 0, "passed": 6, "nameless": 1, "errors": 0},
        uninspected={"not-needed": 4, "pinned": 0},
        lost=0,
        ca="ca" * 32,
        next_change=TIME + timedelta(hours=2),
        worker=2,
    ),
    "heartbeat-refusing": Heartbeat(
        time=TIME, since=TIME, seconds=0.0, mode=None, policy=None, flows={"judged": 0}, uninspected={}, lost=0
    ),
    "heartbeat-break-glass": Heartbeat(
        time=TIME,
        since=TIME - timedelta(seconds=7),
        seconds=7.0,
        mode="monitor",
        policy=DIGEST,
        break_glass=GLASS.id,
        flows={"judged": 3},
        uninspected={},
        lost=1,
    ),
    "seal-checkpoint": SealCheckpoint(
        time=TIME,
        chain="decisions.2",
        sequence=6,
        seal="c0" * 32,
        records=1000,
        age=60.0,
        cause="start",
        key="0c66d24c7d1c7775",
        signature="c2lnbmF0dXJl",
        public="cHVibGlj",
        introduced_by="84cf966cc42e1ff6",
        introduction="aW50cm9kdWN0aW9u",
    ),
    "seal-unsigned": SealUnsigned(time=TIME, reason="/log/seal/key.pem: damaged, no private key in PEM"),
    "records-lost": RecordsLost(
        time=TIME, count=17, since=TIME - timedelta(seconds=9), reason="No space left on device"
    ),
}


def records_in(file: Path) -> list[dict[str, Any]]:
    """The records in a plain file of the log, but the seal's own; none where it is missing."""
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [json.loads(line) for line in lines if MARK not in line]


class Disk:
    """Opens live files of which the tests decide whether they can be written: `failing` is the error, or None."""

    def __init__(self) -> None:
        self.failing: OSError | None = None
        self.gate = threading.Event()  # writes wait for it
        self.gate.set()

    def open(self, directory: Path, stem: str) -> LiveFile:
        if self.failing is not None:
            raise self.failing
        file = LiveFile.open(directory, stem)
        append = file.append

        def guarded(lines: list[bytes]) -> None:
            self.gate.wait()
            if self.failing is not None:
                raise self.failing
            append(lines)

        file.append = guarded  # type: ignore[method-assign,assignment]
        return file


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Returns when *condition* holds; fails where it does not within a time that no machine needs."""
    waited = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        waited.wait(0.005)
    raise AssertionError("the condition never came to hold")


async def until_async(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """`until` for a running loop, which goes on."""
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the condition never came to hold")
