from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.decision import Trial, Verdict
from embargo.core.request import Surface
from embargo.journal.query import BadTerm, parse_query, split_terms
from embargo.journal.record import Encoder, Record
from recorded import BLOCK, EVENTS, OBSERVER, TIME, judged
from sample import endpoint

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENCODER = Encoder(OBSERVER)
BLOCKED = Record.parse(ENCODER.line(judged(), sequence=1))  # alipay, alice, 10.20.30.40, mobilegw.alipay.com, 10:15
LOGGED = Record.parse(
    ENCODER.line(
        judged(
            BLOCK._replace(verdict=Verdict.LOG, would=Verdict.BLOCK, apps=("wechat", "qq")),
            surface=Surface.TLS,
            host="mp.weixin.qq.com",
            sni="mp.weixin.qq.com",
            destination="mp.weixin.qq.com",
            client="2001:db8::9",
            user=None,
            time=TIME - timedelta(days=3),
        ),
        sequence=2,
    )
)
ANONYMOUS = Record.parse(ENCODER.line(EVENTS["http-anonymous"], sequence=3))
LOSS = Record.parse(ENCODER.line(EVENTS["records-lost"], sequence=4, identifier="x"))
GRANTED = Record.parse(ENCODER.line(EVENTS["exception-added"], sequence=5, identifier="y"))
RECORDS = {"blocked": BLOCKED, "logged": LOGGED, "anonymous": ANONYMOUS, "loss": LOSS}

QUERIES = {  # terms: names of the records that they take
    "": "blocked logged anonymous loss",
    "app:alipay": "blocked anonymous",
    "app:ALIPAY": "blocked anonymous",
    "app:qq": "logged",
    "app:ali": "",
    "app:ali*": "blocked anonymous",
    "app:qq app:alipay": "blocked logged anonymous",
    "client:10.20.30.40": "blocked",
    "client:10.20.0.0/16": "blocked",
    "client:10.20.30.41/16": "blocked",
    "client:10.21.0.0/16": "",
    "client:2001:db8::/32": "logged",
    "client:2001:db8:0::9": "logged",
    "user:alice": "blocked",
    "user:Alice": "blocked",
    "user:bob": "",
    "host:alipay.com": "blocked anonymous",
    "host:mobilegw.alipay.com": "blocked anonymous",
    "host:MobileGW.Alipay.com.": "blocked anonymous",
    "host:pay.com": "",
    "host:ｑｑ。com": "logged",
    "host:*.weixin.*": "logged",
    "host:*pay.com": "blocked anonymous",
    "host:weixin.*": "",
    "host:m?.weixin.qq.com*": "",
    "weixin": "logged",
    "WEIXIN": "logged",
    "pay.c": "blocked anonymous",
    "rule:banned-apps": "blocked logged",
    "rule:banned*": "blocked logged",
    "rule:banned": "",
    "verdict:block": "blocked",
    "verdict:LOG": "logged anonymous",
    "verdict:allow": "",
    "would:block": "logged",
    "trial:*": "",
    "surface:tls": "logged",
    "surface:tls surface:http": "blocked logged anonymous",
    "since:2026-11-24": "blocked anonymous loss",
    "until:2026-11-24": "logged",
    "since:2026-11-24T10:15:00.123Z": "blocked anonymous loss",
    "until:2026-11-24T10:15:00.123Z": "logged",
    "since:2026-11-24T18:15:01+08:00": "",
    "since:2h": "blocked anonymous loss",
    "since:105m": "blocked anonymous loss",
    "since:104m": "",
    "since:1w until:1d": "logged",
    "since:7d since:2h": "blocked anonymous loss",
    "until:1m until:1d": "logged",
    "app:alipay verdict:block user:alice": "blocked",
    "app:alipay verdict:allow": "",
}


@pytest.mark.parametrize("terms", QUERIES)
def test_query(terms: str) -> None:
    query = parse_query(split_terms(terms), NOW)
    assert [name for name, record in RECORDS.items() if query.matches(record)] == QUERIES[terms].split()


CHANGES = {  # terms: whether they take the record of an exception that was added
    "category:configuration": True,
    "category:CONFIGURATION": True,
    "category:network": False,
    "category:network category:configuration": True,
    "action:exception-added": True,
    "action:exception-*": True,
    "action:exception": False,
    "app:alipay user:bob rule:except-*": True,
    "verdict:log": False,
}


@pytest.mark.parametrize("terms", CHANGES)
def test_changes(terms: str) -> None:
    assert parse_query(split_terms(terms), NOW).matches(GRANTED) is CHANGES[terms]


@pytest.mark.parametrize("terms", [*QUERIES, *CHANGES])
def test_the_sieve_keeps_what_matches(terms: str) -> None:
    """A line that the sieve refuses is of a record that the query does not take."""
    query = parse_query(split_terms(terms), NOW)
    for sequence, event in enumerate(EVENTS.values()):
        line = ENCODER.line(event, sequence=sequence, identifier="x")
        assert query.may_match(line) or not query.matches(Record.parse(line))


SIEVE = {  # case: (terms, line, worth parsing)
    "its text is there": ("verdict:block", b'{"@timestamp":"","embargo":{"verdict":"block"}}\n', True),
    "its text is not": ("verdict:block", b'{"@timestamp":"","embargo":{"verdict":"log"}}\n', False),
    "a broken line": ("verdict:block", b'{"@timestamp":"","embargo":{"verdict"\n', True),
    "one of several": ("app:a app:b", b'{"@timestamp":"","embargo":{"app":["b"]}}\n', True),
    "a glob says nothing": ("app:a*", b'{"@timestamp":"","embargo":{"app":["b"]}}\n', True),
    "case is ignored": ("user:ALICE", b'{"@timestamp":"","user":{"name":"Alice"}}\n', True),
}


@pytest.mark.parametrize(("terms", "line", "worth"), SIEVE.values(), ids=SIEVE)
def test_sieve(terms: str, line: bytes, worth: bool) -> None:
    assert parse_query(split_terms(terms), NOW).may_match(line) is worth


BAD = {  # term: what the message says
    "ap:alipay": "'ap:alipay': unknown key 'ap'; did you mean 'app'?",
    "verdcit:block": "unknown key 'verdcit'; did you mean 'verdict'?",
    "zzz:1": "unknown key 'zzz'; use one of app, client, user, host",
    "verdict:blok": "'blok' is no verdict; did you mean 'block'?",
    "verdict:x": "'x' is no verdict; use one of block, log, allow",
    "surface:htp": "'htp' is no surface; did you mean 'http'?",
    "client:alice": "'alice' is no address and no network; write 10.1.2.3 or 10.1.0.0/16",
    "client:10.1.2.3/33": "is no address and no network",
    "since:yesterday": "'yesterday' is no time; write 7d, 2h, 2026-11-24 or",
    "since:0001-01-01T00:00:00+08:00": "'0001-01-01T00:00:00+08:00' is no time; write 7d",
    "since:2026-11-24T10:00:00": "has no offset; add Z or +08:00",
    "since:999999w": "is no time",
    "app:": "'app:' has no value",
    "host:bad host": "'bad host' is no host name",
    "https://alipay.com/x": "is a URL; search its host, as in host:alipay.com",
    "": "an empty term",
}


@pytest.mark.parametrize("term", BAD)
def test_a_bad_term_says_what_could_be_meant(term: str) -> None:
    with pytest.raises(BadTerm) as caught:
        parse_query([term], NOW)
    assert BAD[term] in str(caught.value)


@pytest.mark.parametrize("user", ["Straße", "Kelvin", "alice", "a\\b", "=x", "Ωmega"])
@pytest.mark.parametrize("asked", ["strasse", "straße", "kelvin", "ALICE", "a\\b", "==x", "ωMEGA"])
def test_the_sieve_agrees_on_letters_beyond_ascii(user: str, asked: str) -> None:
    line = ENCODER.line(judged(user=user), sequence=1)
    query = parse_query([f"user:{asked}"], NOW)
    assert query.may_match(line) or not query.matches(Record.parse(line))
    wanted = asked.removeprefix("=")
    assert query.matches(Record.parse(line)) is (
        user.casefold() == wanted.casefold() and user.isascii() is wanted.isascii()
    )


def test_quotes_hold_spaces_together() -> None:
    assert split_terms("user:'alice smith' app:qq") == ["user:alice smith", "app:qq"]
    with pytest.raises(BadTerm, match="no partner"):
        split_terms("user:'alice")


def test_an_address_is_a_word() -> None:
    record = Record.parse(ENCODER.line(EVENTS["quic-address"], sequence=1))
    assert parse_query(["2001:db8::7"], NOW).matches(record)


@given(st.lists(st.text() | st.from_regex(r"(app|client|user|host|rule|verdict|since):.*", fullmatch=True)))
def test_any_terms_are_a_query_or_told(terms: list[str]) -> None:
    try:
        query = parse_query(terms, NOW)
    except BadTerm as bad:
        assert str(bad)
    else:
        assert isinstance(query.matches(BLOCKED), bool)


def test_what_is_on_trial() -> None:
    trial = Trial(verdict=Verdict.BLOCK, app="qq", endpoint=endpoint("x.example"), rule="ban", unowned=True)
    decision = BLOCK._replace(verdict=Verdict.LOG, would=Verdict.BLOCK, apps=("qq",), trial=trial)
    line = ENCODER.line(judged(decision), sequence=6)
    record = Record.parse(line)
    assert record.trial == ("qq", "domain:x.example")
    for term, found in (
        ("trial:qq", True),
        ("trial:Domain:x.example", True),
        ("trial:*x.example", True),
        ("trial:*", True),
        ("trial:other", False),
    ):
        query = parse_query([term], NOW)
        assert query.matches(record) is found
        assert query.may_match(line)
        assert not query.may_match(ENCODER.line(judged(), sequence=1))
