"""DNS: a banned name is refused before it is asked of anybody, whatever carries the question."""

import base64
import json
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dns_reading import Read, names_in, read
from dns_writing import AAAA, HTTPS, MX, SRV, SVCB, TXT, A, framed, query
from e2e.clients import BOUND, client, curl, read_all, read_response, tls, tunnel
from e2e.conftest import Start
from e2e.dns_origin import ADDRESS, DnsOrigin
from e2e.origin import Origin
from e2e.proxy import REDIRECT, Proxy, field

NOERROR, FORMERR, NXDOMAIN, REFUSED = 0, 1, 3, 5
RESOLVER = "127.53.53.53"  # of `--mode dns`, which asks at port 53 alone
POLICY = """\
version: 1
apps:
  bad:
    name: Bad App
    endpoints: [banned.test, {cidr: 203.0.113.0/24}, {cidr: 198.51.100.0/24, port: 8080}]
  quiet: {endpoints: [quiet.test]}
  null: {endpoints: [null.test]}
  paged: {endpoints: [paged.test]}
  known: {endpoints: [alias-we-know.test]}
  later: {endpoints: [later.test]}
  watched: {endpoints: [watched.test]}
rules:
  - {id: known, apps: known, action: allow}
  - {id: later, apps: later, action: block, surfaces: [connect, tls, http, tcp]}
  - {id: watch, apps: watched, action: log}
  - {id: quiet, apps: quiet, action: block, respond: refused}
  - {id: "null", apps: "null", action: block, respond: null-address}
  - {id: paged, apps: paged, action: block, respond: [page, reset, refused, nxdomain]}
  - {id: ban, apps: bad, action: block, message: This app is not allowed here., reason: a secret reason}
"""


type Address = tuple[str, int]


def address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


class Fronts:
    """One proxy in three modes, with the name servers behind it."""

    def __init__(self, proxy: Proxy, listen: list[str]) -> None:
        self.proxy = proxy
        regular, self.reverse, self.resolving = map(address, listen)
        proxy.port = regular[1]


@pytest.fixture(scope="module")
def the_server(the_origin: Origin) -> Iterator[DnsOrigin]:
    server = DnsOrigin(tls=(the_origin.certificate, the_origin.key))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def the_resolver() -> Iterator[DnsOrigin]:
    server = DnsOrigin(RESOLVER, 53)
    yield server
    server.stop()


@pytest.fixture
def server(the_server: DnsOrigin, the_resolver: DnsOrigin) -> DnsOrigin:
    """The name server behind the proxy, its counts at zero."""
    the_resolver.reset()
    the_server.reset()
    return the_server


def options(server: DnsOrigin) -> list[str]:
    modes = ["regular@127.0.0.1:0", f"reverse:dns://127.0.0.1:{server.port}@127.0.0.2:0", "dns@127.0.0.3:0"]
    return [part for mode in modes for part in ("--mode", mode)] + [
        "--set", f"dns_name_servers={RESOLVER}", "--set", "dns_use_hosts_file=false",
    ]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def ports(the_server: DnsOrigin) -> Iterator[None]:
    """Ports 53 and 853, wherever they are, lead to the name server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBARGO_TEST_PORTS", f"53:{the_server.port} 853:{the_server.tls_port}")
        yield


def fronts(start: Start, policy: str, server: DnsOrigin, *more: str) -> Fronts:
    proxy = start(policy, options=[*options(server), *more])
    status = proxy.status()
    assert status is not None
    return Fronts(proxy, sorted(set(status["listen"])))


@pytest.fixture(scope="module")
def enforcing(start_for_module: Start, ports: None, the_server: DnsOrigin, the_resolver: DnsOrigin) -> Fronts:
    return fronts(start_for_module, POLICY, the_server)


@pytest.fixture(scope="module")
def monitoring(start_for_module: Start, ports: None, the_server: DnsOrigin, the_resolver: DnsOrigin) -> Fronts:
    policy = POLICY.replace("version: 1\n", "version: 1\nsettings: {mode: monitor}\n")
    return fronts(start_for_module, policy, the_server, "--set", "stream_large_bodies=1m")


class Bare:
    """The same mitmdump without us: what leaks there is what a test here can see."""

    def __init__(self, directory: Path, server: DnsOrigin, confdir: Path, environment: dict[str, str]) -> None:
        output = directory / "output.txt"
        arguments = [str(Path(sys.executable).parent / "mitmdump"), "--set", f"confdir={confdir}"]
        arguments += ["--set", "ssl_insecure=true", *options(server), "-s", str(REDIRECT)]
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, cwd=directory
            )
        deadline = time.monotonic() + 30
        while len(found := sorted(set(re.findall(r"listening at (127[\d.]+:\d+)", output.read_text())))) < 3:
            assert self.process.poll() is None and time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        regular, self.reverse, self.resolving = map(address, found)
        self.port = regular[1]


@pytest.fixture(scope="module")
def bare(
    ports: None, tmp_path_factory: pytest.TempPathFactory, the_server: DnsOrigin, the_resolver: DnsOrigin,
    the_origin: Origin, confdir: Path,
) -> Iterator[Bare]:  # fmt: skip
    import os

    environment = {
        **os.environ,
        "EMBARGO_TEST_HTTP": str(the_origin.http_port),
        "EMBARGO_TEST_HTTPS": str(the_origin.https_port),
        "PYTHONUNBUFFERED": "1",
    }
    running = Bare(tmp_path_factory.mktemp("bare"), the_server, confdir, environment)
    yield running
    running.process.terminate()
    running.process.wait(15)


# -- clients


def udp(front: Address, *messages: bytes) -> list[Read]:
    """The answer to each of *messages*, sent one after another from one socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(BOUND)
        client.connect(front)
        found = []
        for message in messages:
            client.send(message)
            found.append(read(client.recv(65535)))
    return found


def one_message(connection: socket.socket) -> bytes:
    data = b""
    while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2]):
        piece = connection.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    return data[2:]


def over(connection: socket.socket, *messages: bytes) -> list[Read]:
    """The answers to *messages* over TCP."""
    found = []
    for message in messages:
        connection.sendall(framed(message))
        found.append(read(one_message(connection)))
    return found


def tcp(front: Address, *messages: bytes) -> list[Read]:
    with socket.create_connection(front, timeout=BOUND) as connection:
        return over(connection, *messages)


TRANSPORTS = {"udp": udp, "tcp": tcp}
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


# -- options that make mitmproxy look away


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("option", [["--ignore-hosts", "."], ["--allow-hosts", "nowhere"], ["--tcp-hosts", "."]])
def test_whatever_mitmproxy_is_told_to_ignore(
    start: Start, ports: None, server: DnsOrigin, option: list[str], transport: str
) -> None:
    front = fronts(start, POLICY, server, *option)
    answers = TRANSPORTS[transport](front.reverse, query("banned.test"), query("innocent.test"))
    assert [answer.code for answer in answers] == [NXDOMAIN, NOERROR]
    with tunnel(front.proxy, "resolver.test:53") as connection:
        assert over(connection, query("banned.test"))[0].code == NXDOMAIN
    assert server.names == ["innocent.test"]


# -- tunnels


def test_dns_through_a_tunnel(enforcing: Fronts, bare: Bare, server: DnsOrigin) -> None:
    with tunnel(enforcing.proxy, "resolver.test:53") as connection:
        answers = over(connection, query("innocent.test"), query("banned.test"), query("alias.test"))
    assert [answer.code for answer in answers] == [NOERROR, NXDOMAIN, NXDOMAIN]
    assert server.names == ["innocent.test", "alias.test"]
    with tunnel(bare, "resolver.test:53") as connection:  # type: ignore[arg-type]
        over(connection, query("banned.test"))
    assert "banned.test" in server.names


@pytest.mark.parametrize("cut", [1, 2, 3, 13, 14, 20])
def test_a_query_in_two_pieces(enforcing: Fronts, server: DnsOrigin, cut: int) -> None:
    message = framed(query("www.banned.test"))
    with tunnel(enforcing.proxy, "resolver.test:53") as connection:
        connection.sendall(message[:cut])
        connection.sendall(message[cut:])
        assert read(one_message(connection)).code == NXDOMAIN
    assert server.received == b""


def test_tls_on_a_dns_port_is_judged_as_tls(enforcing: Fronts, bare: Bare, server: DnsOrigin) -> None:
    before = enforcing.proxy.settled()
    with pytest.raises(OSError, match=r"(?i)access.denied"):
        tls(tunnel(enforcing.proxy, "innocent.test:53"), "www.banned.test")
    (record,) = enforcing.proxy.wait_decisions(before, 1)
    assert (field(record, "embargo.surface"), field(record, "embargo.verdict")) == ("tls", "block")
    assert server.received == b""


def test_http_on_a_dns_port_is_judged_as_http(enforcing: Fronts, server: DnsOrigin) -> None:
    with tunnel(enforcing.proxy, "innocent.test:53") as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: www.banned.test\r\n\r\n")
        assert read_response(connection)[0] == 403
    assert server.received == b""


def test_a_query_behind_what_is_none(enforcing: Fronts, server: DnsOrigin) -> None:
    """A server skips a message that it cannot read, and answers the next."""
    skipped = framed(b"\x38" + bytes(range(13)))
    with tunnel(enforcing.proxy, "resolver.test:53") as connection:
        connection.sendall(skipped)
        enforcing.proxy.wait(lambda: server.received == skipped, "the first message")
        connection.sendall(framed(query("banned.test"))[:9])
        connection.sendall(framed(query("banned.test"))[9:])
        read_all(connection)
    assert "banned.test" not in server.names


# -- DNS over TLS


@pytest.mark.parametrize("alpn", [(), ("dot",)], ids=["no ALPN", "dot"])
def test_dns_over_tls(enforcing: Fronts, bare: Bare, server: DnsOrigin, alpn: tuple[str, ...]) -> None:
    with tls(tunnel(enforcing.proxy, "dns.innocent.test:853"), "dns.innocent.test", *alpn) as connection:
        answers = over(connection, query("innocent.test"), query("banned.test"), query("alias.test"))
    assert [answer.code for answer in answers] == [NOERROR, NXDOMAIN, NXDOMAIN]
    assert server.names == ["innocent.test", "alias.test"]
    with tls(tunnel(bare, "dns.innocent.test:853"), "dns.innocent.test", *alpn) as connection:  # type: ignore[arg-type]
        over(connection, query("banned.test"))
    assert "banned.test" in server.names


def test_a_banned_resolver_is_refused_by_its_name(enforcing: Fronts, server: DnsOrigin) -> None:
    with pytest.raises(OSError, match=r"(?i)access.denied"):
        tls(tunnel(enforcing.proxy, "innocent.test:853"), "dns.banned.test", "dot")


# -- DNS over HTTPS


def encoded(message: bytes) -> str:
    return base64.urlsafe_b64encode(message).rstrip(b"=").decode()


def doh(proxy: Proxy | Bare, server: DnsOrigin, tmp_path: Path, target: str, *arguments: str) -> tuple[int, str, bytes]:
    """Status, content type and body of an HTTP request to the resolver."""
    body = tmp_path / "answer"
    body.write_bytes(b"")
    url = f"http://doh.innocent.test:{server.http_port}{target}"
    answer = curl(proxy, "-o", str(body), "-w", "%{content_type}\n%{http_code} 0 1", *arguments, url)  # type: ignore[arg-type]
    return answer.status, answer.body, body.read_bytes()


def posted(tmp_path: Path, message: bytes) -> list[str]:
    file = tmp_path / "query"
    file.write_bytes(message)
    return ["--data-binary", f"@{file}", "-H", "Content-Type: application/dns-message"]


GET = {  # case: what stands in the URL for the query
    "as in the RFC": lambda text: f"/dns-query?dns={text}",
    "at any path": lambda text: f"/some/where?x=1&dns={text}",
    "with padding": lambda text: f"/dns-query?dns={text}" + "=" * (-len(text) % 4),
    "percent-encoded": lambda text: f"/q?%64ns=%{ord(text[0]):02x}{text[1:]}",
    "behind a semicolon": lambda text: f"/dns-query?a;dns={text}",
}


@pytest.mark.parametrize("case", GET)
def test_doh_get(enforcing: Fronts, server: DnsOrigin, tmp_path: Path, case: str) -> None:
    before = enforcing.proxy.settled()
    target = GET[case](encoded(query("www.banned.test", id=0x4321, edns=True)))
    status, kind, body = doh(enforcing.proxy, server, tmp_path, target)
    answer = read(body)
    assert (status, kind, answer.code, answer.id) == (200, "application/dns-message", NXDOMAIN, 0x4321)
    assert answer.error is not None and answer.error[0] == 15
    (record,) = enforcing.proxy.wait_decisions(before, 1)
    assert (field(record, "embargo.surface"), field(record, "dns.question.name")) == ("dns", "www.banned.test")
    assert field(record, "url.domain") == "doh.innocent.test"
    assert server.asked == []


def test_doh_post(enforcing: Fronts, bare: Bare, server: DnsOrigin, tmp_path: Path) -> None:
    arguments = posted(tmp_path, query("banned.test", id=5))
    status, kind, body = doh(enforcing.proxy, server, tmp_path, "/dns-query", *arguments)
    assert (status, kind, read(body).code, read(body).id) == (200, "application/dns-message", NXDOMAIN, 5)
    assert (server.asked, server.received) == ([], b"")
    doh(bare, server, tmp_path, "/dns-query", *arguments)
    assert server.names == ["banned.test"]


def test_doh_over_http2(enforcing: Fronts, origin: Origin, server: DnsOrigin) -> None:
    headers = {"content-type": "application/dns-message"}
    with client(enforcing.proxy) as https:
        for name, code in (("www.banned.test", NXDOMAIN), ("innocent.test", None), ("banned.test", NXDOMAIN)):
            answer = https.post("https://innocent.test/dns-query", content=query(name), headers=headers)
            assert answer.http_version == "HTTP/2"
            if code is None:
                assert "got 31 bytes" in answer.text  # the origin's own page
            else:
                assert read(answer.content).code == code
    with client(enforcing.proxy) as https:
        answer = https.get(f"https://innocent.test/dns-query?dns={encoded(query('banned.test'))}")
        assert read(answer.content).code == NXDOMAIN


def test_doh_json(enforcing: Fronts, bare: Bare, server: DnsOrigin, tmp_path: Path) -> None:
    for target in (
        "/resolve?name=WWW.banned.test&type=AAAA",
        "/dns-query?name=banned.test.",
        "/x?ct=application/dns-json&name=banned.test",
    ):
        status, kind, body = doh(enforcing.proxy, server, tmp_path, target)
        document = json.loads(body)
        assert (status, kind, document["Status"]) == (200, "application/dns-json", 3)
        assert "banned.test" in document["Question"][0]["name"]
    status, _, body = doh(enforcing.proxy, server, tmp_path, "/resolve?name=null.test")
    assert json.loads(body)["Answer"][0]["data"] == "0.0.0.0"
    assert server.asked == []
    doh(bare, server, tmp_path, "/resolve?name=banned.test")
    assert server.names == ["banned.test"]


def test_doh_answers_are_judged(enforcing: Fronts, server: DnsOrigin, tmp_path: Path) -> None:
    for target, arguments in {
        f"/dns-query?dns={encoded(query('alias.test'))}": [],
        "/dns-query": posted(tmp_path, query("svc.test", type=HTTPS)),
    }.items():
        _, _, body = doh(enforcing.proxy, server, tmp_path, target, *arguments)
        assert (read(body).code, read(body).answers) == (NXDOMAIN, [])
    _, _, body = doh(enforcing.proxy, server, tmp_path, "/resolve?name=alias.test")
    assert json.loads(body)["Status"] == NXDOMAIN


def test_innocent_doh_passes(enforcing: Fronts, server: DnsOrigin, tmp_path: Path) -> None:
    _, _, body = doh(enforcing.proxy, server, tmp_path, f"/dns-query?dns={encoded(query('innocent.test'))}")
    assert read(body).answers != []
    _, _, body = doh(enforcing.proxy, server, tmp_path, "/dns-query", *posted(tmp_path, query("innocent.test")))
    assert read(body).answers != []
    _, _, body = doh(enforcing.proxy, server, tmp_path, "/resolve?name=innocent.test")
    assert json.loads(body)["Status"] == NOERROR
    assert server.names == ["innocent.test"] * 3


NO_DOH = [
    "/find?name=banned.test",
    "/resolve?name=John+Smith",
    "/?dns=8.8.8.8",
    "/?dns=YmFubmVkLnRlc3Q",
    "/x?hostname=1&dnsx=2",
]


@pytest.mark.parametrize("target", NO_DOH)
def test_what_is_no_doh_passes(enforcing: Fronts, origin: Origin, server: DnsOrigin, target: str) -> None:
    assert curl(enforcing.proxy, f"http://innocent.test{target}").status == 200
    assert origin.connections == 1


STREAMED = {
    "chunked": ["-H", "Transfer-Encoding: chunked"],
    "longer than what is streamed": ["-H", "X: y"],
}


@pytest.fixture(scope="module")
def streaming(start_for_module: Start, ports: None, the_server: DnsOrigin) -> Proxy:
    return start_for_module(POLICY, options=["--set", "stream_large_bodies=40"])


@pytest.mark.parametrize("arguments", STREAMED.values(), ids=STREAMED)
def test_a_streamed_question_is_judged_first(
    streaming: Proxy, server: DnsOrigin, tmp_path: Path, arguments: list[str]
) -> None:
    padded = query("www.a-long-name-before-it.banned.test", edns=True)
    status, _, _ = doh(streaming, server, tmp_path, "/dns-query", *posted(tmp_path, padded), *arguments)
    assert (status, server.asked, server.received) == (0, [], b"")
    innocent = query("www.a-long-name-before-it.innocent.test", edns=True)
    status, _, body = doh(streaming, server, tmp_path, "/dns-query", *posted(tmp_path, innocent), *arguments)
    assert (status, read(body).code) == (200, NOERROR)


def test_a_question_too_long_for_dns_is_refused(enforcing: Fronts, server: DnsOrigin, tmp_path: Path) -> None:
    before = enforcing.proxy.settled()
    arguments = posted(tmp_path, query("innocent.test", trailing=bytes(70_000)))
    status, kind, body = doh(enforcing.proxy, server, tmp_path, "/dns-query", *arguments)
    assert (kind, read(body).code) == ("application/dns-message", FORMERR)
    assert field(enforcing.proxy.wait_decisions(before, 1)[0], "embargo.reason") == "undecided"
    assert (status, server.asked) == (200, [])


def test_monitored_doh_passes(monitoring: Fronts, server: DnsOrigin, tmp_path: Path) -> None:
    before = monitoring.proxy.settled()
    _, _, body = doh(monitoring.proxy, server, tmp_path, "/dns-query", *posted(tmp_path, query("banned.test")))
    assert read(body).answers != []
    _, _, body = doh(monitoring.proxy, server, tmp_path, f"/dns-query?dns={encoded(query('alias.test'))}")
    assert read(body).answers != []
    records = monitoring.proxy.wait_decisions(before, 2)
    assert {field(record, "embargo.would") for record in records} == {"block"}


# -- names learnt from DNS


def test_a_nameless_stream_is_judged_by_what_was_asked(
    start: Start, ports: None, server: DnsOrigin, origin: Origin
) -> None:
    """`later.test` is free at DNS and banned as a stream: the stream to its address shows no name."""
    front = fronts(start, POLICY, server)

    def greeted() -> bytes:
        with tunnel(front.proxy, f"{ADDRESS}:{origin.greeter_port}") as connection:
            try:
                return connection.recv(3)
            except OSError:
                return b""

    assert greeted() == b"220"
    assert udp(front.reverse, query("later.test"))[0].code == NOERROR
    assert greeted() == b""
    record = front.proxy.wait_record(embargo__verdict="block", embargo__surface="tcp")
    assert field(record, "embargo.app") == ["later"]
    udp(front.reverse, query("innocent.test"))  # the same address: nobody can tell which of the two is meant
    assert greeted() == b"220"


def test_a_name_that_is_shown_counts_and_no_other(start: Start, ports: None, server: DnsOrigin, origin: Origin) -> None:
    front = fronts(start, POLICY, server)
    assert udp(front.reverse, query("later.test"))[0].code == NOERROR
    assert curl(front.proxy, "--resolve", f"innocent.test:443:{ADDRESS}", "https://innocent.test/").status == 200
    with tls(tunnel(front.proxy, f"{ADDRESS}:443"), "innocent.test") as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(connection)[0] == 200


def test_an_allowed_question_is_not_held_up_by_its_aliases(enforcing: Fronts, server: DnsOrigin) -> None:
    (answer,) = udp(enforcing.reverse, query("alias-we-know.test"))
    assert answer.code == NOERROR and answer.answers != []
