"""Documents of records for the tests of what reads them: those of the journal, and others as later parts write them."""

import json
from typing import Any

from hypothesis import strategies as st

from embargo.journal.record import Encoder, Record
from recorded import EVENTS, OBSERVER

ID = "019dc9a8-0000-7000-8000-000000000009"


def ours(name: str) -> dict[str, Any]:
    """The document of the golden record *name*."""
    return Encoder(OBSERVER).document(EVENTS[name], sequence=7, identifier=ID)


def other(action: str, category: str, kind: str, **members: Any) -> dict[str, Any]:
    """A record that is no decision."""
    frame = ours("started")
    event = {**frame["event"], "action": action, "category": [category], "type": [kind]}
    event.pop("outcome", None)
    return {**frame, "event": event, "embargo": members}


def masked() -> dict[str, Any]:
    """A decision on a client of whom only the network is told."""
    document = ours("http-block")
    document["source"] = {"address": "10.20.30.0"}
    document["related"]["ip"] = ["10.20.30.0"]
    document["embargo"] |= {"masked": True}
    return document


def pseudonymous() -> dict[str, Any]:
    """A decision on a client under a pseudonym."""
    document = ours("http-block")
    del document["source"]
    document["embargo"] |= {"client": "c-5f3a99"}
    return document


def longest() -> dict[str, Any]:
    """A decision with texts as long as the journal writes them."""
    document = ours("http-block")
    document["url"]["full"] = "https://mobilegw.alipay.com/" + "a" * 4000
    document["url"]["path"] = "/" + "a" * 4000
    document["event"]["reason"] = "why " * 256
    document["user_agent"]["original"] = "agent " * 171
    return document


DOCUMENTS: dict[str, dict[str, Any]] = {
    **{name: ours(name) for name in EVENTS},
    "heartbeat": other(
        "heartbeat", "process", "info", heartbeat={"mode": "enforce", "flows": {"judged": 7}, "lost": 0, "worker": 1}
    ),
    "checkpoint": other(
        "seal-checkpoint", "process", "info", checkpoint={"chain": ["decisions", 1], "sequence": 6, "seal": "ab" * 32}
    ),
    "tombstone": other("log-deleted", "process", "info", tombstone={"file": "decisions-1.jsonl.zst", "first": 1}),
    "sign-in": other("console-login", "authentication", "start", login={"source": "203.0.113.7"}),
    "masked": masked(),
    "pseudonymous": pseudonymous(),
    "longest": longest(),
}
RECORDS = {name: Record.of(json.loads(json.dumps(document))) for name, document in DOCUMENTS.items()}

NASTY = (
    "\n", "\r\n", "\x00", "\x1b[31m", "\x7f", "\x9b", "\u2028", "\u202e", "\ufeff", "\ud800", "|", "=", "\\", '"', "]",
    "[", "<13>1", " - - ", "CEF:0|a|b", " act=allowed", ' verdict="allow"', "</script>", "=cmd()", "😀", "é", " ",
)  # fmt: skip
hostile = st.one_of(
    st.text(st.characters(codec=None), max_size=40),
    st.lists(st.sampled_from((*NASTY, "a", "b=c")), max_size=8).map("".join),
    st.sampled_from(NASTY).map(lambda piece: piece * 3000),
)


def _spoilt(draw: Any, value: Any, path: str) -> Any:
    if isinstance(value, dict):
        return {key: _spoilt(draw, item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_spoilt(draw, item, path) for item in value]
    if isinstance(value, str) and path != ".@timestamp" and draw(st.integers(0, 2)) == 0:
        return draw(hostile)
    return value


@st.composite
def hostile_records(draw: Any) -> Record:
    """Records of every kind in which any text may be anything."""
    document = DOCUMENTS[draw(st.sampled_from(sorted(DOCUMENTS)))]
    return Record.of(_spoilt(draw, document, ""))
