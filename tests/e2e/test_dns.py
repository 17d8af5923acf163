"""DNS: a banned name is refused before it is asked of anybody, and so is what leads to one."""

import re
import socket
import struct
import subprocess

import pytest

from dns_reading import names_in
from dns_writing import AAAA, HTTPS, MX, SRV, SVCB, TXT, A, framed, query
from e2e.clients import BOUND, read_all
from e2e.dns_fronts import NOERROR, NXDOMAIN, REFUSED, TRANSPORTS, Bare, Fronts, udp
from e2e.dns_origin import ADDRESS, DnsOrigin
from e2e.proxy import field

OCTAL = b"\x09b\\141nned\4test\0"  # `b\141nned.test`: mitmproxy's own resolver reads an `a` there
BANNED = {  # case: (query, the code of the refusal)
    "the name": (query("banned.test"), NXDOMAIN),
    "a name below": (query("a.b.banned.test"), NXDOMAIN),
    "in mixed case": (query("wWw.BaNnEd.tEsT"), NXDOMAIN),
    "for IPv6": (query("banned.test", type=AAAA), NXDOMAIN),
    "for HTTPS": (query("banned.test", type=HTTPS), NXDOMAIN),
    "for text": (query("banned.test", type=TXT), NXDOMAIN),
    "for a type that nobody knows": (query("banned.test", type=65280), NXDOMAIN),
    "with a service's labels": (query("_443._tcp.www.banned.test", type=SRV), NXDOMAIN),
    "the first of two questions": (query("banned.test", "innocent.test"), NXDOMAIN),
    "the second of two questions": (query("innocent.test", "www.banned.test"), NXDOMAIN),
    "a question that points into another": (query("x.banned.test", b"\1y\xc0\x0e"), NXDOMAIN),
    "a label that holds a dot": (query(b"\x0bbanned.test\0"), NXDOMAIN),
    "an update": (query("banned.test", flags=5 << 11), REFUSED),
    "a zone transfer": (query("banned.test", type=252), REFUSED),
    "an escape in the name": (query(OCTAL), REFUSED),
    "white space in the name": (query(b"\7 banned\4test\0"), NXDOMAIN),
    "no name": (query(b"\0"), REFUSED),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("mode", ["reverse", "resolving"])
@pytest.mark.parametrize(("message", "code"), BANNED.values(), ids=BANNED)
def test_banned(
    enforcing: Fronts, server: DnsOrigin, the_resolver: DnsOrigin, transport: str, mode: str, message: bytes, code: int
) -> None:
    before = enforcing.proxy.settled()
    (answer,) = TRANSPORTS[transport](getattr(enforcing, mode), message)
    assert (answer.code, answer.id, answer.answers) == (code, 0x1234, [])
    assert server.asked == the_resolver.asked == []
    record = enforcing.proxy.wait_decisions(before, 1)[0]
    assert field(record, "embargo.surface") == "dns"
    assert field(record, "embargo.verdict") == "block"
    assert (field(record, "network.protocol"), field(record, "network.transport")) == ("dns", transport)
    assert field(record, "dns.question.name") is not None


LEAKING = [case for case in BANNED if case not in ("no name", "an escape in the name", "white space in the name")]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("case", LEAKING)
def test_banned_leaks_on_a_bare_proxy(bare: Bare, server: DnsOrigin, transport: str, case: str) -> None:
    TRANSPORTS[transport](bare.reverse, BANNED[case][0])
    assert any("banned.test" in name for name in server.names)


def test_an_escape_leads_a_bare_resolver_to_the_banned_name(
    bare: Bare, server: DnsOrigin, the_resolver: DnsOrigin
) -> None:
    udp(bare.resolving, query(OCTAL))
    assert "banned.test" in the_resolver.names


INNOCENT = {
    "a name": query("innocent.test"),
    "a look-alike on the left": query("notbanned.test"),
    "a look-alike on the right": query("banned.test.example"),
    "a look-alike in the middle": query("www.banned.test.innocent.test"),
    "a longer top-level label": query("banned.tests"),
    "the parent": query("test"),
    "with EDNS": query("innocent.test", edns=True),
    "an internationalized name": query("xn--bcher-kva.test"),
    "a name with an underscore": query("_dmarc.innocent.test", type=TXT),
    "a printer's name": query(b"\x0aMy Printer\4_ipp\4_tcp\x08innocent\4test\0", type=SRV),
    "a classless reverse zone": query(b"\x040/25\x012\x010\x03192\x07in-addr\x04arpa\0", type=12),
    "the root's servers": query(b"\0", type=2),
    "no plain query": query("innocent.test", flags=4 << 11),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("message", INNOCENT.values(), ids=INNOCENT)
def test_innocent(enforcing: Fronts, server: DnsOrigin, transport: str, message: bytes) -> None:
    before = enforcing.proxy.settled()
    (answer,) = TRANSPORTS[transport](enforcing.reverse, message)
    assert answer.code == NOERROR
    assert len(server.asked) == 1
    assert enforcing.proxy.settled() == before  # what passes is not recorded


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_innocent_by_mitmproxys_own_resolver(
    enforcing: Fronts, server: DnsOrigin, the_resolver: DnsOrigin, transport: str
) -> None:
    name = f"{transport}.innocent.test"  # its resolver remembers
    (answer,) = TRANSPORTS[transport](enforcing.resolving, query(name))
    assert [record.data for record in answer.answers] == [socket.inet_aton(ADDRESS)]
    (answer,) = TRANSPORTS[transport](enforcing.resolving, query("plain.test", type=HTTPS))
    assert [record.type for record in answer.answers] == [HTTPS]
    assert (name, A) in the_resolver.asked


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_id_that_comes_again(enforcing: Fronts, bare: Bare, server: DnsOrigin, transport: str) -> None:
    """mitmproxy answers a second query of one id with the answer to the first."""
    send = TRANSPORTS[transport]
    messages = [query(name, id=7) for name in ("www.banned.test", "innocent.test", "watched.test", "banned.test")]
    answers = send(enforcing.reverse, *messages)
    assert [answer.code for answer in answers] == [NXDOMAIN, NOERROR, NOERROR, NXDOMAIN]
    assert [answer.questions[0][0] for answer in answers] == [
        "www.banned.test",
        "innocent.test",
        "watched.test",
        "banned.test",
    ]
    assert server.names == ["innocent.test", "watched.test"]
    first, second = send(bare.reverse, query("innocent.test", id=8), query("banned.test", id=8))
    assert (first.code, second.code) == (NOERROR, NOERROR)


# -- what a refusal looks like


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_nxdomain_can_be_cached(enforcing: Fronts, server: DnsOrigin, transport: str) -> None:
    (answer,) = TRANSPORTS[transport](enforcing.reverse, query("www.Banned.test", flags=0x0110))
    assert (
        answer.flags & ~0xF == 0x8190
    )  # response; recursion desired, as asked; available; checking disabled, as asked
    assert answer.questions == [("www.Banned.test", A, 1)]
    (soa,) = answer.authority
    assert (soa.owner, soa.type, soa.class_) == ("Banned.test", 6, 1)
    names, rest = names_in(soa.data, 2)
    assert names == ["embargo.invalid", "hostmaster.embargo.invalid"]
    assert struct.unpack("!5I", rest)[4] == soa.ttl == 60  # RFC 2308, 5: the lesser of the two counts
    assert answer.opt is None


def test_the_extended_error(enforcing: Fronts, server: DnsOrigin) -> None:
    before = enforcing.proxy.settled()
    (answer,) = udp(enforcing.reverse, query("www.banned.test", edns=True))
    assert answer.opt is not None and answer.error is not None
    assert (answer.opt.owner, answer.opt.class_, answer.opt.ttl) == ("", 1232, 0x8000)  # DO, as asked
    code, text = answer.error
    (record,) = enforcing.proxy.wait_decisions(before, 1)
    assert (code, text) == (15, f"This app is not allowed here. ({field(record, 'event.id')})")
    (plain,) = udp(enforcing.reverse, query("www.banned.test"))
    assert plain.sections[2] == []


RESPOND = {  # case: (name, type, code, what the answers hold, whether there is an SOA)
    "refused": ("quiet.test", A, REFUSED, [], False),
    "a null address for IPv4": ("www.null.test", A, NOERROR, [bytes(4)], False),
    "a null address for IPv6": ("null.test", AAAA, NOERROR, [bytes(16)], False),
    "no data for HTTPS": ("null.test", HTTPS, NOERROR, [], True),
    "no data for SVCB": ("null.test", SVCB, NOERROR, [], True),
    "no data for text": ("null.test", TXT, NOERROR, [], True),
    "the first of a list that fits": ("paged.test", A, REFUSED, [], False),
    "what is usual": ("banned.test", A, NXDOMAIN, [], True),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("name", "kind", "code", "data", "soa"), RESPOND.values(), ids=RESPOND)
def test_respond(
    enforcing: Fronts, server: DnsOrigin, transport: str, name: str, kind: int, code: int, data: list[bytes], soa: bool
) -> None:
    (answer,) = TRANSPORTS[transport](enforcing.reverse, query(name, type=kind, edns=True))
    assert answer.code == code
    assert [(record.owner, record.ttl, record.data) for record in answer.answers] == [(name, 60, item) for item in data]
    assert [record.type for record in answer.authority] == ([6] if soa else [])
    assert answer.error is not None and answer.error[0] == 15
    assert server.asked == []


def test_a_real_client_reads_the_refusals(enforcing: Fronts, server: DnsOrigin) -> None:
    def dig(*arguments: str) -> str:
        host, port = enforcing.reverse
        command = ["dig", f"@{host}", "-p", str(port), "+tries=1", f"+time={int(BOUND)}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=2 * BOUND, check=True).stdout

    refused = dig("www.banned.test")
    assert "status: NXDOMAIN" in refused and "; EDE: 15 (Blocked): (This app is not allowed here." in refused
    assert re.search(r"banned\.test\.\s+60\s+IN\s+SOA\s+embargo\.invalid\.", refused)
    assert "WARNING" not in refused + dig("+tcp", "banned.test", "HTTPS")
    assert dig("+short", "null.test") == "0.0.0.0\n"
    assert dig("+short", "null.test", "AAAA") == "::\n"
    assert dig("+short", "innocent.test") == ADDRESS + "\n"
    assert server.names == ["innocent.test"]


# -- answers

LEADS = {  # case: (name, type, the name or address that decides)
    "an alias": ("alias.test", A, "cdn.banned.test"),
    "a chain of aliases": ("chain.test", A, "x.banned.test"),
    "a delegated tree": ("sub.delegated.test", A, "banned.test"),
    "an HTTPS target": ("svc.test", HTTPS, "edge.banned.test"),
    "an SVCB target": ("svc.test", SVCB, "edge.banned.test"),
    "an address hint": ("hint.test", HTTPS, "203.0.113.7"),
    "an address": ("addressed.test", A, "203.0.113.9"),
    "a mail server": ("mail.test", MX, "mx.banned.test"),
    "a service": ("_x._tcp.service.test", SRV, "s.banned.test"),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("name", "kind", "deciding"), LEADS.values(), ids=LEADS)
def test_answers_that_lead_to_something_banned(
    enforcing: Fronts, bare: Bare, server: DnsOrigin, transport: str, name: str, kind: int, deciding: str
) -> None:
    before = enforcing.proxy.settled()
    (answer,) = TRANSPORTS[transport](enforcing.reverse, query(name, type=kind, edns=True))
    assert (answer.code, answer.answers, answer.questions) == (NXDOMAIN, [], [(name, kind, 1)])
    assert [record.type for record in answer.authority] == [6]
    (record,) = enforcing.proxy.wait_decisions(before, 1)
    assert (field(record, "dns.question.name"), field(record, "embargo.surface")) == (name, "dns")
    assert deciding in [*(field(record, "related.hosts") or []), *(field(record, "related.ip") or [])]
    (leaked,) = TRANSPORTS[transport](bare.reverse, query(name, type=kind))
    assert leaked.answers != []


PASSING_ANSWERS = {"an alias": ("good-alias.test", A), "an HTTPS record": ("plain.test", HTTPS)}


@pytest.mark.parametrize(("name", "kind"), PASSING_ANSWERS.values(), ids=PASSING_ANSWERS)
def test_answers_that_lead_elsewhere(enforcing: Fronts, server: DnsOrigin, name: str, kind: int) -> None:
    (answer,) = udp(enforcing.reverse, query(name, type=kind))
    assert answer.code == NOERROR and answer.answers != []


def test_an_address_by_mitmproxys_own_resolver(enforcing: Fronts, server: DnsOrigin) -> None:
    (answer,) = udp(enforcing.resolving, query("addressed.test"))
    assert (answer.code, answer.answers) == (NXDOMAIN, [])


def test_an_allowed_question_is_not_held_up_by_its_aliases(enforcing: Fronts, server: DnsOrigin) -> None:
    (answer,) = udp(enforcing.reverse, query("alias-we-know.test"))
    assert answer.code == NOERROR and answer.answers != []


# -- messages that do not add up

BROKEN = {
    "octets behind the message": query("banned.test", trailing=b"x"),
    "a name that points to itself": query(b"\xc0\x0c"),
    "thousands of pointers": struct.pack("!6H", 1, 256, 1, 0, 0, 0)
    + b"".join(struct.pack("!H", 0xC000 | (14 + 2 * number)) for number in range(5000)) + b"\0\0\1\0\1",
    "half a header": query("banned.test")[:7],
    "half a name": query("banned.test")[:17],
    "nothing": b"",
    "more questions than there are": query("banned.test")[:5] + b"\7" + query("banned.test")[6:],
    "a label of an unknown kind": query(b"\x4fbanned\0"),
    "octets that are no text": query(b"\6\xff\xfebann\4test\0"),
    "an A-label of nothing": query(b"\4xn--\4test\0"),
}  # fmt: skip


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("message", BROKEN.values(), ids=BROKEN)
def test_broken_messages_leak_nothing(enforcing: Fronts, server: DnsOrigin, transport: str, message: bytes) -> None:
    if transport == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(message, enforcing.reverse)
            client.sendto(query("banned.test"), enforcing.reverse)
    else:
        with socket.create_connection(enforcing.reverse, timeout=BOUND) as connection:
            connection.sendall(framed(message) + framed(query("banned.test")))
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)
    (answer,) = TRANSPORTS[transport](enforcing.reverse, query("innocent.test"))  # it still serves
    assert answer.code == NOERROR
    assert server.names == ["innocent.test"]


def test_no_question_at_all_is_refused(enforcing: Fronts, server: DnsOrigin) -> None:
    before = enforcing.proxy.settled()
    (answer,) = udp(enforcing.reverse, query())
    assert answer.code == REFUSED
    assert field(enforcing.proxy.wait_decisions(before, 1)[0], "embargo.reason") == "nameless"
    assert server.asked == []


# -- verdicts


def test_what_is_logged_passes_and_each_question_has_its_record(enforcing: Fronts, server: DnsOrigin) -> None:
    before = enforcing.proxy.settled()
    messages = [query("watched.test"), query("www.watched.test", type=AAAA), query("watched.test")]
    assert [answer.code for answer in udp(enforcing.reverse, *messages)] == [NOERROR] * 3
    records = enforcing.proxy.wait_decisions(before, 3)
    asked = [
        (field(r, "dns.question.name"), field(r, "dns.question.type"), field(r, "embargo.verdict")) for r in records
    ]
    assert asked == [("watched.test", "A", "log"), ("www.watched.test", "AAAA", "log"), ("watched.test", "A", "log")]
    assert len({field(record, "embargo.connection") for record in records}) == 1
    assert server.names == ["watched.test", "www.watched.test", "watched.test"]


MONITORED = [query("banned.test"), query("alias.test"), query("innocent.test", "banned.test"), query(), query(b"\0")]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_monitor_refuses_nothing(monitoring: Fronts, server: DnsOrigin, transport: str) -> None:
    before = monitoring.proxy.settled()
    answers = TRANSPORTS[transport](monitoring.reverse, *MONITORED)
    assert [answer.code for answer in answers] == [NOERROR] * len(MONITORED)
    records = monitoring.proxy.wait_decisions(before, len(MONITORED))
    assert {(field(r, "embargo.verdict"), field(r, "embargo.would")) for r in records} == {("log", "block")}
    assert monitoring.proxy.settled() == before + len(MONITORED)  # an alias of a banned name has one record
