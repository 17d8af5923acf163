import json
import os
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.request import Surface
from embargo.journal.ecs import MOST_TEXTS, timestamp
from embargo.journal.event import Event, Judged, Outcome, PolicyChanged
from embargo.journal.record import BrokenRecord, Encoder, Record
from recorded import ANONYMOUS, BARE, BLOCK, EVENTS, OBSERVER, TIME, judged
from sample import rule

GOLDEN = Path(__file__).parent.parent / "golden" / "journal"
ENCODER = Encoder(OBSERVER)


def document(event: Event, sequence: int = 1) -> dict[str, Any]:
    return ENCODER.document(event, sequence=sequence, identifier="019dc9a8-0000-7000-8000-00000000000a")


def leaves(value: object, path: str = "") -> dict[str, object]:
    """Each leaf by its dotted path; a list is a leaf."""
    if not isinstance(value, dict):
        return {path: value}
    found: dict[str, object] = {}
    for name, member in value.items():
        found |= leaves(member, f"{path}.{name}" if path else name)
    return found


@pytest.mark.parametrize("name", EVENTS)
def test_golden(name: str) -> None:
    """Renew with `RENEW_GOLDEN=1 pytest tests/journal/test_record.py`, and read the difference."""
    path = GOLDEN / f"{name}.json"
    written = json.dumps(document(EVENTS[name], 7), indent=2) + "\n"
    if os.environ.get("RENEW_GOLDEN"):
        path.write_text(written)
    assert path.read_text() == written


ECS = {  # field of ECS 8.11: (type, whether it is always an array)
    "@timestamp": ("date", False),
    "destination.address": ("keyword", False),
    "destination.domain": ("keyword", False),
    "destination.ip": ("ip", False),
    "destination.port": ("long", False),
    "dns.question.name": ("keyword", False),
    "dns.question.type": ("keyword", False),
    "ecs.version": ("keyword", False),
    "error.message": ("match_only_text", False),
    "error.type": ("keyword", False),
    "event.action": ("keyword", False),
    "event.category": ("keyword", True),
    "event.dataset": ("keyword", False),
    "event.duration": ("long", False),
    "event.end": ("date", False),
    "event.id": ("keyword", False),
    "event.kind": ("keyword", False),
    "event.module": ("keyword", False),
    "event.outcome": ("keyword", False),
    "event.reason": ("keyword", False),
    "event.sequence": ("long", False),
    "event.start": ("date", False),
    "event.type": ("keyword", True),
    "http.request.method": ("keyword", False),
    "http.response.status_code": ("long", False),
    "network.application": ("keyword", False),
    "network.direction": ("keyword", False),
    "network.protocol": ("keyword", False),
    "network.transport": ("keyword", False),
    "observer.hostname": ("keyword", False),
    "observer.product": ("keyword", False),
    "observer.type": ("keyword", False),
    "observer.vendor": ("keyword", False),
    "observer.version": ("keyword", False),
    "process.name": ("keyword", False),
    "process.pid": ("long", False),
    "related.hosts": ("keyword", True),
    "related.ip": ("ip", True),
    "related.user": ("keyword", True),
    "rule.id": ("keyword", False),
    "rule.name": ("keyword", False),
    "rule.reference": ("keyword", False),
    "rule.ruleset": ("keyword", False),
    "source.address": ("keyword", False),
    "source.ip": ("ip", False),
    "source.port": ("long", False),
    "tls.client.server_name": ("keyword", False),
    "url.domain": ("keyword", False),
    "url.full": ("wildcard", False),
    "url.path": ("wildcard", False),
    "user.name": ("keyword", False),
    "user.target.name": ("keyword", False),
    "user_agent.original": ("keyword", False),
}
EXPECTED_TYPES = {  # event.category: the event.type values that ECS expects there
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
    "web": {"access", "error", "info"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "process": {"access", "change", "end", "info", "start"},
    "authentication": {"end", "info", "start"},
    "session": {"end", "info", "start"},
    "iam": {"admin", "change", "creation", "deletion", "group", "info", "user"},
    "database": {"access", "change", "error", "info"},
}
LONGEST = {"keyword": 1024, "wildcard": 4096, "match_only_text": 4096}


def is_of_type(kind: str, value: object) -> bool:
    if kind == "long":
        return type(value) is int
    if not isinstance(value, str):
        return False
    if kind == "date":
        return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) is not None
    if kind == "ip":
        from ipaddress import ip_address

        return str(ip_address(value)) == value
    return len(value) <= LONGEST[kind]


def check_ecs(written: dict[str, Any]) -> None:
    """Asserts that *written* is ECS: known fields, their types, arrays, and types expected of the category."""
    for path, value in leaves({name: member for name, member in written.items() if name != "embargo"}).items():
        assert path in ECS, path
        kind, is_array = ECS[path]
        assert isinstance(value, list) is is_array, path
        values = value if isinstance(value, list) else [value]
        assert values, path
        assert all(is_of_type(kind, each) for each in values), (path, value)
    event = written["event"]
    allowed = set().union(*(EXPECTED_TYPES[category] for category in event["category"]))
    assert set(event["type"]) <= allowed
    assert event["kind"] == "event"
    assert event.get("outcome", "success") in ("success", "failure", "unknown")
    assert "info" not in event["type"] or "outcome" not in event
    assert list(written)[-1] == "embargo", "the seal is appended to the last member"


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_record_is_ecs(event: Event) -> None:
    check_ecs(document(event))


VERDICTS = {  # golden name: (category, type, action, outcome, would), as ECS 8 has them
    "http-block": (["network", "web"], ["connection", "denied"], "block", "success", None),
    "websocket-fronted": (["network", "web"], ["connection", "denied"], "block", "success", None),
    "dns-block": (["network"], ["connection", "denied"], "block", "success", None),
    "connect-log": (["network"], ["connection", "allowed"], "log", "success", None),
    "http-allow": (["network", "web"], ["connection", "allowed"], "allow", "success", None),
    "tls-monitor": (["network"], ["connection", "allowed"], "log", "success", "block"),
    "http-shadow": (["network", "web"], ["connection", "allowed"], "log", "success", "block"),
    "http-excepted": (["network", "web"], ["connection", "allowed"], "log", "success", None),
    "exception-attempted": (["configuration"], ["creation"], "exception-added", "unknown", None),
    "exception-added": (["configuration"], ["creation"], "exception-added", "success", None),
    "exception-not-added": (["configuration"], ["creation"], "exception-added", "failure", None),
    "exception-ended": (["configuration"], ["change"], "exception-ended", "success", None),
    "tls-break-glass": (["network"], ["connection", "allowed"], "log", "success", "block"),
    "break-glass-started": (["configuration"], ["creation"], "break-glass-started", "success", None),
    "break-glass-ended": (["configuration"], ["deletion"], "break-glass-ended", "success", None),
    "failed-closed": (["network", "web"], ["connection", "denied"], "block", "failure", None),
    "not-carried-out": (["network", "web"], ["connection"], "block", "failure", None),
    "policy-loaded": (["configuration"], ["change"], "policy-load", "success", None),
    "policy-refused": (["configuration"], ["change"], "policy-load", "failure", None),
    "started": (["process"], ["start"], "start", "success", None),
    "stopped": (["process"], ["end"], "stop", "success", None),
    "died": (["process"], ["end"], "died", "failure", None),
    "records-lost": (["process"], ["info"], "log-loss", None, None),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_categorization(name: str) -> None:
    written = document(EVENTS[name])
    event = written["event"]
    found = (event["category"], event["type"], event["action"], event.get("outcome"), written["embargo"].get("would"))
    assert found == VERDICTS[name]


@pytest.mark.parametrize("name", ["failed-closed", "not-carried-out", "policy-refused", "exception-not-added"])
def test_a_failure_says_why(name: str) -> None:
    error = document(EVENTS[name])["error"]
    assert error["message"]
    assert error["type"]


@pytest.mark.parametrize("query_values", [False, True])
def test_an_anonymous_record_leaves_out_who_it_was(query_values: bool) -> None:
    event = judged(
        BLOCK._replace(verdict=Verdict.LOG, rule=ANONYMOUS),
        identity_source="proxyauth",
        query_values=query_values,
    )
    line = ENCODER.line(event, sequence=1).decode()
    for secret in ("10.20.30.40", "50123", "alice", "mgw.htm", "token", "Mozilla", "research", "proxyauth"):
        assert secret not in line
    written = json.loads(line)
    assert written["embargo"]["anonymous"] is True
    assert written["url"] == {"domain": "mobilegw.alipay.com"}
    assert written["related"] == {"hosts": ["mobilegw.alipay.com"]}
    check_ecs(written)


CLIENTS = {  # case: (client, source.ip, source.address)
    "an address": ("10.1.2.3", "10.1.2.3", "10.1.2.3"),
    "mapped": ("::ffff:10.1.2.3", "10.1.2.3", "::ffff:10.1.2.3"),
    "IPv6 in another spelling": ("2001:DB8::0:1", "2001:db8::1", "2001:DB8::0:1"),
    "with a zone": ("fe80::1%eth0", "fe80::1", "fe80::1%eth0"),
    "masked": ("10.1.2.0/24", None, "10.1.2.0/24"),
    "truncated": ("10.1.2.x", None, "10.1.2.x"),
    "a pseudonym": ("client-7f3a", None, "client-7f3a"),
}


@pytest.mark.parametrize(("client", "ip", "address"), CLIENTS.values(), ids=CLIENTS)
def test_only_an_address_stands_in_an_ip_field(client: str, ip: str | None, address: str) -> None:
    written = document(judged(client=client))
    check_ecs(written)
    assert written["source"].get("ip") == ip
    assert written["source"]["address"] == address
    assert written["related"].get("ip", []) == ([ip] if ip is not None else [])


DESTINATIONS = {  # case: (destination, domain, ip)
    "a name": ("Mobilegw.Alipay.COM.", "mobilegw.alipay.com", None),
    "an address": ("192.0.2.1", None, "192.0.2.1"),
    "an address in another spelling": ("0xc0000201", None, "192.0.2.1"),
    "IPv6": ("[2001:DB8::1]", None, "2001:db8::1"),
    "no host at all": ("bad host", "bad host", None),
    "user information": ("alice:secret@example.com", "example.com", None),
}


@pytest.mark.parametrize(("destination", "domain", "ip"), DESTINATIONS.values(), ids=DESTINATIONS)
def test_destination(destination: str, domain: str | None, ip: str | None) -> None:
    written = document(judged(destination=destination))
    check_ecs(written)
    assert (written["destination"].get("domain"), written["destination"].get("ip")) == (domain, ip)


URLS = {  # case: (members of the event, url.full)
    "https": ({}, "https://mobilegw.alipay.com/mgw.htm?token=<redacted>&op=<redacted>"),
    "values kept": ({"query_values": True}, "https://mobilegw.alipay.com/mgw.htm?token=secret&op=pay"),
    "another port": ({"destination_port": 8443, "target": "/"}, "https://mobilegw.alipay.com:8443/"),
    "http": ({"scheme": "http", "destination_port": 80, "target": "/a"}, "http://mobilegw.alipay.com/a"),
    "IPv6": ({"host": "2001:db8::1", "target": "/a"}, "https://[2001:db8::1]/a"),
    "user information": ({"host": "alice:secret@mobilegw.alipay.com", "target": "/"}, "https://mobilegw.alipay.com/"),
    "no scheme": ({"scheme": None}, None),
    "no path": ({"target": None}, None),
}


@pytest.mark.parametrize(("members", "full"), URLS.values(), ids=URLS)
def test_url(members: dict[str, object], full: str | None) -> None:
    written = document(judged(**members))
    check_ecs(written)
    assert written["url"].get("full") == full


def test_the_line_does_not_depend_on_what_was_written_before() -> None:
    """The constant pieces are kept: each event alone gives the line that it gives among all others."""
    shared = Encoder(OBSERVER)
    for event in [*EVENTS.values(), *EVENTS.values()]:
        assert shared.line(event, sequence=3) == Encoder(OBSERVER).line(event, sequence=3)


def test_kept_pieces_do_not_mix_decisions() -> None:
    """Rules made anew (a reload) may stand where old ones stood in memory; each record names its own."""
    for number in range(6000):  # more than are kept
        decision = BLOCK._replace(rule=rule(f"rule-{number}", "block"))
        assert document(judged(decision))["rule"]["id"] == f"rule-{number}"


def test_a_long_list_of_problems_is_cut_and_counted() -> None:
    problems = tuple(f"domains.yaml:{line}:1: unknown-key x: {'y' * 2000}" for line in range(5000))
    event = PolicyChanged(time=TIME, outcome=Outcome.FAILURE, old=None, new=None, problems=problems)
    written = document(event)
    check_ecs(written)
    policy = written["embargo"]["policy"]
    assert (len(policy["problems"]), policy["problems_count"]) == (MOST_TEXTS, 5000)
    assert len(ENCODER.line(event, sequence=1)) < 300_000


anything = st.text(st.characters(exclude_categories=[]), max_size=3000)
maybe = st.none() | anything
ports = st.none() | st.integers(0, 65535)


@given(
    st.builds(
        judged,
        decision=st.sampled_from([BLOCK, BLOCK._replace(mismatch=True), BLOCK._replace(rule=ANONYMOUS)])
        | st.builds(lambda error: Decision(verdict=Verdict.BLOCK, reason=Reason.ERROR, error=error), anything),
        surface=st.sampled_from(Surface),
        connection=anything,
        policy=anything.map(lambda text: text[:200]),
        client=maybe,
        client_port=ports,
        user=maybe,
        destination=maybe,
        destination_port=ports,
        scheme=maybe,
        host=maybe,
        target=maybe,
        method=maybe,
        sni=maybe,
        question=maybe,
        question_type=maybe,
        user_agent=maybe,
        error=maybe,
    )
)
def test_any_text_gives_one_line_that_reads_back(event: Judged) -> None:
    """Whatever a client sends, a record is one line of printable ASCII, valid JSON and ECS, and reads back."""
    line = ENCODER.line(event, sequence=5)
    assert line.endswith(b"\n")
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    written = json.loads(line)
    if isinstance(written.get("rule"), dict):
        written["rule"].pop("ruleset", None)  # a digest of ours, here any text
    check_ecs(written)
    record = Record.parse(line)
    assert (record.sequence, record.id, record.verdict) == (5, event.id, "block")
    assert record.surface == event.surface


READ = {  # golden name: what the record reads back as
    "http-block": {
        "verdict": "block",
        "apps": ("alipay",),
        "rule": "banned-apps",
        "client": "10.20.30.40",
        "client_port": 50123,
        "user": "alice",
        "host": "mobilegw.alipay.com",
        "status": 403,
        "surface": "http",
        "endpoint": "domain:alipay.com",
        "role": "payment",
        "shared": False,
        "authorities": (("eo-13971", "revoked"), ("proposed", None)),
        "reason": "rule banned-apps: adopted from the order",
        "anonymous": False,
    },
    "http-anonymous": {"anonymous": True, "client": None, "user": None, "url": None, "user_agent": None, "groups": ()},
    "http-default": {"rule": "default", "verdict": "log"},
    "http-shadow": {"would": "block", "shadow_rule": "trial", "rule": "all"},
    "websocket-fronted": {
        "mismatch": True,
        "host": "mobilegw.alipay.com",
        "hosts": ("mobilegw.alipay.com", "cdn.example.net"),
    },
    "quic-address": {"host": "2001:db8::7", "client": "10.20.30.40", "transport": "udp"},
    "dns-block": {
        "host": "mobilegw.alipay.com",
        "question_type": "AAAA",
        "hosts": ("mobilegw.alipay.com", "192.0.2.53"),
    },
    "tcp-group": {"groups": ("research",)},
    "tls-break-glass": {"would": "block", "break_glass": "019dc9a8-0000-7000-8000-00000000000b"},
    "tls-monitor": {"would": "block", "break_glass": None},
    "http-excepted": {"verdict": "log", "rule": "except-20261124-alipay", "categories": ("network", "web")},
    "exception-added": {
        "verdict": None,
        "action": "exception-added",
        "categories": ("configuration",),
        "user": "bob",
        "apps": ("alipay",),
        "rule": "except-20261124-alipay",
        "policy": "5f" * 32,
        "reason": "press review",
    },
    "malformed": {"error": "'bad host' is no host", "rule": None, "host": "bad host"},
    "records-lost": {"lost": 17, "verdict": None, "action": "log-loss", "outcome": None},
    "policy-refused": {"action": "policy-load", "outcome": "failure", "policy": "5f" * 32},
}


@pytest.mark.parametrize("name", READ)
def test_reading_back(name: str) -> None:
    record = Record.parse(ENCODER.line(EVENTS[name], sequence=7, identifier="x"))
    assert {member: getattr(record, member) for member in READ[name]} == READ[name]
    assert record.time == TIME.replace(microsecond=123_000)
    assert record.sequence == 7


HEAD = b'{"@timestamp":"2026-11-24T10:15:00Z","event":{"id":"x","sequence":1,"action":"block"}'
BROKEN = {  # case: line
    "empty": b"",
    "half a line": b'{"@timestamp":"2026-11-24T10:15:00.123Z","event":{"seq',
    "no object": b"[1]",
    "no JSON": b"\x00\x00\x00",
    "no UTF-8": b'{"a":"\xff"}',
    "another's record": b'{"@timestamp":"2026-11-24T10:15:00.123Z"}',
    "no time": b'{"@timestamp":"yesterday","event":{"id":"x","sequence":1,"action":"block"}}',
    "a time without offset": b'{"@timestamp":"2026-11-24T10:15:00","event":{"id":"x","sequence":1,"action":"block"}}',
    "a time before year 1": b'{"@timestamp":"0001-01-01T00:00:00+14:00","event":{"id":"x","sequence":1,"action":"x"}}',
    "a member of another type": HEAD + b',"embargo":{"app":"alipay"}}',
    "a text for a flag": HEAD + b',"embargo":{"shared":"no"}}',
    "a text for a number": HEAD + b',"source":{"port":"443"}}',
    "a list for an object": b'{"@timestamp":"2026-11-24T10:15:00Z","event":[]}',
    "a list for a part": HEAD + b',"source":[]}',
    "a number for an id": b'{"@timestamp":"2026-11-24T10:15:00Z","event":{"id":1,"sequence":1,"action":"block"}}',
    "nested too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_told(line: bytes) -> None:
    with pytest.raises(BrokenRecord):
        Record.parse(line)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_no_bytes_raise_anything_else(line: bytes) -> None:
    try:
        Record.parse(line)
    except BrokenRecord as broken:
        assert str(broken)


def test_timestamp_is_utc_whatever_the_zone() -> None:
    assert timestamp(TIME.astimezone(timezone(timedelta(hours=8)))) == "2026-11-24T10:15:00.123Z"
    assert timestamp(datetime(2026, 1, 1, 0, 0, 0, 999_999, UTC)) == "2026-01-01T00:00:00.999Z"
    assert timestamp(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


def test_what_is_not_known_is_not_written() -> None:
    written = document(judged(BLOCK, **BARE, surface=Surface.TCP, client=None, client_port=None, user=None))
    assert not {"url", "http", "tls", "dns", "source", "user", "user_agent"} & set(written)
