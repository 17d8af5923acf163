"""docs/reference/log-fields.md names every field that a record can have, and no other."""

import json
from dataclasses import asdict, replace
from datetime import date, timedelta
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docs.pages import ROOT, blocks, first_cells, prose
from embargo.core.break_glass import End
from embargo.core.catalogue import Role
from embargo.core.decision import Decision, Reason, Trial, Verdict
from embargo.core.request import Name, Source, Surface
from embargo.core.rules import Action, AppSelector, Basis, ClientForm, Group, Recording, Rule
from embargo.core.timeline import State
from embargo.enforce.accounts import Counters
from embargo.enforce.uninspected import Uninspected
from embargo.journal.break_glass import ended, started
from embargo.journal.ecs import CONSOLE_ACTIONS
from embargo.journal.event import (
    Change,
    ConfigurationChanged,
    ConsoleUsed,
    Detail,
    Event,
    Heartbeat,
    Judged,
    Outcome,
    PolicyChanged,
    ProcessChanged,
    RecordsLost,
)
from embargo.journal.record import Encoder, Observer, Record
from embargo.journal.retention.holds import Hold
from embargo.journal.retention.policies import pruned
from embargo.journal.retention.tombstone import Tombstone, deleted
from embargo.journal.seal.chain import START, sealed
from embargo.review.catalogue_install import details_of as catalogue_details
from embargo.review.catalogue_update import Proposal
from embargo.review.endpoint_changes import compare
from embargo.review.exempting import Plan, details_of
from embargo.review.holds import details_of as hold_details
from recorded import EVENTS as RECORDED
from recorded import GLASS
from sample import NOW, app, endpoint, pattern, policy, rule

PAGE = ROOT / "docs/reference/log-fields.md"
GROUP = Group(id="research", users=frozenset({"alice"}))
RULE = Rule(
    id="exemption",
    apps=AppSelector(all=True),
    action=Action.LOG,
    groups=(GROUP,),
    reason="counsel",
    ticket="LEGAL-17",
    approved_by="general counsel",
    author="bob",
    basis=Basis.COUNSEL,
)
DECISION = Decision(
    verdict=Verdict.LOG,
    reason=Reason.RULE,
    apps=("alipay",),
    endpoint=endpoint("alipay.com", Role.PAYMENT),
    rule=RULE,
    would=Verdict.BLOCK,
    shadow_rule="trial",
    authorities=(("eo-13971", State.REVOKED), ("unborn", None)),
    against=("eo-13971",),
    mismatch=True,
    trial=Trial(Verdict.BLOCK, "alipay", endpoint("new.alipay.example"), "banned-apps", unowned=False),
)
FULL = Judged(
    id="019dc9a8-0000-7000-8000-000000000001",
    time=NOW,
    decision=DECISION,
    surface=Surface.HTTP,
    connection="c-1",
    policy="5f" * 32,
    client="10.20.30.40",
    client_port=50123,
    user="alice",
    identity_source="proxyauth",
    destination="mobilegw.alipay.com",
    destination_port=443,
    scheme="https",
    host="mobilegw.alipay.com",
    target="/mgw.htm?token=secret",
    method="POST",
    status=403,
    sni="mobilegw.alipay.com",
    protocol="http",
    user_agent="AlipayClient/10",
    names=(Name.parse(Source.CONNECT, "innocent.example"), Name.parse(Source.SNI, "mobilegw.alipay.com")),
    destination_address="203.0.113.9",
    reference="https://law.example/eo-13971",
)
EXCEPTION = Plan(
    rule=replace(
        RULE,
        apps=AppSelector(ids=frozenset({"alipay"})),
        exception=True,
        hosts=(pattern("alipay.com"),),
        clients=(ip_network("10.20.30.40/32"),),
        users=frozenset({"alice"}),
        since=NOW,
        until=NOW + timedelta(hours=4),
    ),
    data=b"",
    against=("eo-13971",),
    policy=policy([]),
)
_WAS = policy([app("gone", "gone.test"), app("soft", "soft.test")], [rule("ban", "block")])
_IS = policy([app("soft", "soft.test", "new.test")], [rule("ban", "log")])
CATALOGUE = Proposal(
    policy=(),
    target=Path("domains.yaml"),
    before=SimpleNamespace(digest="aa" * 32),  # type: ignore[arg-type] - of which no more is told
    after=SimpleNamespace(digest="bb" * 32),  # type: ignore[arg-type]
    old=b"",
    new=b"",
    released=(date(2026, 1, 1), date(2026, 2, 1)),
    comparison=compare(_WAS, _IS, NOW),
    failed=(),
)
STONE = Tombstone(
    file="decisions-20251124T101500Z-1.jsonl.zst",
    chain="decisions",
    first=1,
    last=9,
    seal="ab" * 32,
    since="2025-11-24T10:00:00.000Z",
    until="2025-11-24T10:15:00.000Z",
    accounted=True,
    key="00" * 8,
    signature="AAAA",
)
CONSOLE: dict[str, dict[str, Detail]] = {  # action: what its record says besides
    "log-in": {"way": "password", "role": "auditor"},
    "log-out": {},
    "session-ended": {"session": "0123456789abcdef"},
    "account-added": {"role": "auditor", "source": "local"},
    "account-changed": {"change": "role", "from": "viewer", "to": "auditor"},
    "link-made": {},
    "token-added": {"token": "0123456789abcdef", "name": "siem", "scopes": ("counts",), "days": 90},
    "token-revoked": {"token": "0123456789abcdef", "name": "siem"},
    "export": {"filter": "app:alipay", "form": "csv", "rows": 12},
    "record-marked": {"record": "019dc9a8-0000-7000-8000-000000000001", "mark": "question"},
    "period-signed-off": {
        "since": NOW,
        "until": NOW,
        "rows": 12,
        "counts": ("blocked 12",),
        "chains": (f"decisions 1 12 {'ab' * 32} 4711",),
    },
    "exception-answered": {
        "request": "019dc9a8-0000-7000-8000-000000000001",
        "answer": "granted",
        "exception": "except-20261124-alipay",
    },
    "exception-asked": {
        "record": "019dc9a8-0000-7000-8000-000000000001",
        "what": "app:alipay",
        "whom": "user",
        "until": NOW,
        "duration": "1 hour",
    },
}
EVENTS: tuple[Event, ...] = (
    FULL,
    ConfigurationChanged(
        time=NOW,
        action="catalogue-updated",
        change=Change.CHANGE,
        apps=("soft",),
        user="bob",
        subject="catalogue",
        details=catalogue_details(CATALOGUE),
    ),
    Judged(
        id="019dc9a8-0000-7000-8000-000000000002",
        time=NOW,
        decision=Decision(verdict=Verdict.BLOCK, reason=Reason.ERROR, error="ValueError: no"),
        surface=Surface.TCP,
        connection="c-2",
        error_type="ValueError",
        destination="203.0.113.9",
    ),
    Judged(
        id="019dc9a8-0000-7000-8000-000000000003",
        time=NOW,
        decision=Decision(
            verdict=Verdict.LOG,
            reason=Reason.RULE,
            apps=("alipay",),
            endpoint=endpoint("alipay.com"),
            rule=Rule(
                id="quiet", apps=AppSelector(all=True), action=Action.LOG, groups=(GROUP,), record=Recording.ANONYMOUS
            ),
        ),
        surface=Surface.HTTP,
        connection="c-3",
        client="10.20.30.40",
        client_port=50123,
        user="alice",
        identity_source="proxyauth",
        scheme="https",
        host="alipay.com",
        target="/?a=b",
        user_agent="AlipayClient/10",
    ),
    PolicyChanged(
        time=NOW,
        outcome=Outcome.SUCCESS,
        old="aa" * 32,
        new="bb" * 32,
        files=("domains.yaml",) * 101,
        stricter=("alipay api domain:alipay.com: pass to block",) * 101,
        milder=("qq web domain:qq.com: block to log",) * 101,
    ),
    PolicyChanged(time=NOW, outcome=Outcome.FAILURE, old="aa" * 32, new=None, problems=("domains.yaml:1:1: …",) * 101),
    replace(FULL, break_glass=GLASS.id),
    replace(FULL, client_form=ClientForm.PSEUDONYM),
    started(GLASS, policy="aa" * 32, replaces="019dc9a8-0000-7000-8000-00000000000c", error="No space left on device"),
    ended(GLASS, End.EXPIRED, NOW, policy="aa" * 32),
    ProcessChanged(time=NOW, action="start", policy="aa" * 32),
    ProcessChanged(time=NOW, action="stop", policy="aa" * 32),
    ConfigurationChanged(
        time=NOW,
        action="exception-added",
        change=Change.CREATION,
        outcome=Outcome.FAILURE,
        user="bob",
        reason="demonstration",
        apps=("alipay",),
        rule="except-20261124-alipay",
        policy="bb" * 32,
        subject="exception",
        details=details_of(EXCEPTION, Path("exceptions.yaml")) | {"login": "root"},
        error="No space left on device",
    ),
    ConfigurationChanged(
        time=NOW,
        action="hold-added",
        change=Change.CREATION,
        user="bob",
        reason="Doe v. Example",
        subject="hold",
        details=hold_details(
            Hold(id="hold-1", begin=NOW, end=NOW, reason="Doe v. Example", author="bob", since=NOW, ticket="LEGAL-9")
        ),
    ),
    ConfigurationChanged(
        time=NOW,
        action="pseudonym-resolved",
        change=Change.ACCESS,
        user="bob",
        reason="incident 17",
        subject="privacy",
        details={"pseudonym": "c1-rtovevzejhna6n7i", "networks": ("10.20.0.0/16",), "found": True},
    ),
    ConfigurationChanged(
        time=NOW,
        action="pseudonym-key-made",
        change=Change.CREATION,
        user="bob",
        reason="the year is over",
        subject="privacy",
        details={"key": 2, "forget": True},
    ),
    deleted(STONE, NOW, "old"),
    pruned("aa" * 32, NOW),
    Heartbeat(
        time=NOW,
        since=NOW - timedelta(seconds=60),
        seconds=60.0,
        mode="enforce",
        policy="aa" * 32,
        break_glass=GLASS.id,
        flows=asdict(Counters()),
        uninspected={str(reason): 0 for reason in Uninspected},
        lost=0,
        ca="cc" * 32,
        next_change=NOW,
        worker=1,
    ),
    ConsoleUsed(time=NOW, action="account-changed", user="root", target="alice", reason="moved", client="192.0.2.7"),
    *(ConsoleUsed(time=NOW, action=action, details=details) for action, details in CONSOLE.items()),
    RECORDED["seal-checkpoint"],
    RECORDED["seal-unsigned"],
    RecordsLost(time=NOW, count=3, since=NOW - timedelta(seconds=5), reason="No space left on device"),
)
NOT_YET = {"dns.question.name", "dns.question.type"}  # the record can hold them; no surface makes them today


def test_every_action_of_the_console_is_in_the_table() -> None:
    assert set(CONSOLE) == set(CONSOLE_ACTIONS)
    text = PAGE.read_text()
    assert [action for action in CONSOLE_ACTIONS if f"| {action} |" not in text] == []


def leaves(value: Any, path: str = "") -> set[str]:
    """The dotted path of each member that is no object; of the objects in a list, too."""
    if isinstance(value, dict):
        return {leaf for key, item in value.items() for leaf in leaves(item, f"{path}.{key}" if path else key)}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {leaf for item in value for leaf in leaves(item, path)}
    return {path}


class Pseudonyms:
    """In the place of those that are keyed."""

    def of(self, client: str) -> str:
        return "c1-rtovevzejhna6n7i"


def fields() -> set[str]:
    encoder = Encoder(Observer(hostname="proxy1.example.com", version="0.1.0", pid=4711), Pseudonyms())  # type: ignore[arg-type]
    documents = [
        encoder.document(event, sequence=7, identifier="019dc9a8-0000-7000-8000-000000000009") for event in EVENTS
    ]
    sealed_line = json.loads(sealed([encoder.line(EVENTS[0], sequence=7)], START)[0])
    return {leaf for document in [*documents, sealed_line] for leaf in leaves(document)}


def documented() -> list[str]:
    return first_cells([line for _, line in prose(PAGE)])


def test_every_field() -> None:
    assert fields() - set(documented()) == set()


def test_no_other_field() -> None:
    assert set(documented()) - fields() == NOT_YET
    assert len(documented()) == len(set(documented())), "a field stands twice"


def test_what_an_anonymous_record_leaves_out() -> None:
    encoder = Encoder(Observer(hostname="proxy1.example.com", version="0.1.0", pid=4711))
    left_out = {leaf.partition(".")[0] for leaf in leaves(encoder.document(EVENTS[2], sequence=1))}
    assert not left_out & {"source", "user", "user_agent"}
    text = encoder.line(EVENTS[2], sequence=1).decode()
    assert not [secret for secret in ("10.20.30.40", "50123", "alice", "research", "a=b") if secret in text]


def test_the_examples_are_records() -> None:
    examples = [json.loads(block.text) for block in blocks(PAGE) if block.language == "json"]
    assert examples
    for example in examples:
        assert Record.of(example).apps
        assert leaves(example) - fields() == set()
