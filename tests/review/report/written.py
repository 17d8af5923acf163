"""A log as a proxy writes it: heartbeats, decisions, a policy that takes effect and one that is refused, a loss."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import UUID

from embargo.core.catalogue import Role
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.timeline import State
from embargo.journal.event import Event, Heartbeat, Outcome, PolicyChanged, ProcessChanged, RecordsLost
from embargo.journal.record import Encoder
from embargo.journal.seal.chain import START as START_OF_CHAIN
from embargo.journal.seal.chain import sealed
from embargo.policy.load import load
from recorded import BLOCK, EXCEPTION, OBSERVER, judged
from sample import endpoint, rule

START = datetime(2026, 11, 23, tzinfo=UTC)
END = START + timedelta(hours=6)
HOSTILE = "<script>alert(1)</script>'\"=cmd|'/C calc'!A0"
POLICY = """\
version: 1
released: 2026-11-01
settings: {organization: Example Corp, bound_by: [order], decrypt: needed}
authorities:
  order:
    title: Order 7 on Applications
    url: https://law.example/7
    reviewed: 2026-11-01
    timeline: {2020-01-01: in-force}
apps:
  alipay:
    name: Alipay
    named_in: order
    endpoints: [{domain: alipay.com, evidence: [a list]}, {domain: cdn.example.net, shared: true}]
  wechat: {name: WeChat, endpoints: [{domain: weixin.qq.com, evidence: [a list]}]}
rules:
  - {id: shared-infrastructure, apps: all, shared: true, action: log}
  - {id: banned-apps, apps: alipay, action: block}
  - {id: watched, apps: wechat, action: log}
"""
WATCHED = rule("watched", "log")
LOGGED = Decision(
    verdict=Verdict.LOG, reason=Reason.RULE, apps=("wechat",), endpoint=endpoint("weixin.qq.com"), rule=WATCHED
)
SHARED = LOGGED._replace(apps=("alipay",), endpoint=replace(endpoint("cdn.example.net", Role.CDN), shared=True))
WOULD = LOGGED._replace(apps=("alipay",), endpoint=endpoint("alipay.com"), would=Verdict.BLOCK)
ALLOWED = LOGGED._replace(verdict=Verdict.ALLOW)
_ORDER = (("order", State.IN_FORCE),)


def write_log(directory: Path, *, gap: bool = False, traffic: bool = True) -> str:
    """Six hours of two chains in *directory*; returns the digest of the policy in force.

    *gap*: an hour of heartbeats is missing.
    """
    policy = directory.parent / "domains.yaml"
    policy.write_text(POLICY)
    loaded = load([policy])
    digest = loaded.digest
    (directory / "policies").mkdir(parents=True)
    (directory / "policies" / digest).write_bytes(b"".join(loaded.bundle()))
    missing = range(120, 180) if gap else range(0)
    events: list[Event] = [
        ProcessChanged(time=START, action="start", policy=digest),
        PolicyChanged(time=START, outcome=Outcome.SUCCESS, old=None, new=digest, files=("domains.yaml",)),
        PolicyChanged(
            time=START + HOUR, outcome=Outcome.FAILURE, old=digest, new=None, problems=(f"site.yaml:1:1: {HOSTILE}",)
        ),
        *(_heartbeat(minute, digest) for minute in range(0, 361) if minute not in missing),
    ]
    if traffic:
        events += _traffic(digest)
        lost = START + timedelta(hours=4)
        events.append(RecordsLost(time=lost, count=3, since=lost - HOUR, reason="no space left on device"))
    _write(directory / "decisions.jsonl", events)
    _write(directory / "audit.jsonl", [_exception(Outcome.UNKNOWN), _exception(Outcome.SUCCESS)] if traffic else [])
    return digest


HOUR = timedelta(hours=1)


def _traffic(digest: str) -> Iterator[Event]:
    for minute in range(0, 300, 5):  # an app that is installed asks again and again
        yield _flow(minute, BLOCK._replace(authorities=_ORDER), digest, client="10.0.0.1", user_agent="okhttp/4.12")
    for minute in range(0, 60, 20):
        yield _flow(minute, LOGGED, digest, client="10.0.0.2", user=HOSTILE, host="weixin.qq.com")
        yield _flow(minute, SHARED, digest, client="10.0.0.3", user=None, host="cdn.example.net")
    yield _flow(61, WOULD, digest, client="10.0.0.2", host="www.alipay.com")
    yield _flow(62, ALLOWED, digest, client="10.0.0.2", host="weixin.qq.com")


def _flow(minute: int, decision: Decision, digest: str, **members: object) -> Event:
    return judged(
        decision,
        id=str(UUID(int=0x019DC9A8_0000_7000_8000_000000000000 + next(_NUMBERS))),
        time=START + timedelta(minutes=minute, seconds=30),
        policy=digest,
        **{"sni": None, "destination": members.get("host", "mobilegw.alipay.com")} | members,
    )


_NUMBERS = count(1)


def _heartbeat(minute: int, digest: str) -> Heartbeat:
    time = START + timedelta(minutes=minute)
    return Heartbeat(
        time=time,
        since=time - timedelta(minutes=1),
        seconds=60.0,
        mode="enforce",
        policy=digest,
        flows={"judged": 2},
        uninspected={"not-needed": 3, "pinned": 0},
        lost=0,
    )


def _exception(outcome: Outcome) -> Event:
    details = {**EXCEPTION.details, "approved_by": "carol", "against": ("order",), "reason": HOSTILE}
    return replace(EXCEPTION, time=START + 2 * HOUR, outcome=outcome, details=details)


def _write(path: Path, events: Sequence[Event]) -> None:
    encoder = Encoder(OBSERVER)
    ordered = sorted(events, key=lambda event: event.time)
    lines = [
        encoder.line(event, sequence=number, identifier=str(UUID(int=number + (1 << 96) * len(path.name))))
        for number, event in enumerate(ordered, 1)
    ]
    path.write_bytes(b"".join(sealed(lines, START_OF_CHAIN)))
