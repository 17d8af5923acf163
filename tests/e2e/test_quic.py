"""QUIC, HTTP/3, DTLS and raw UDP through a real mitmdump: a banned name sends no datagram upstream."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.version import VERSION

from e2e.datagrams import Answer, DatagramOrigin, configuration, exchange, fingerprint, http3, http3_client
from e2e.namespace import TunProxy
from e2e.origin import make_certificate
from e2e.proxy import PATIENCE, Proxy, field, summary
from e2e.wireguard import WireGuardProxy
from embargo.enforce.datagrams.dtls import ACCESS_DENIED
from initials import (
    DESTINATION,
    LONG,
    SHORT,
    V2,
    crypto,
    dtls_hello,
    early,
    first_datagrams,
    hello,
    in_fragments_of,
    initial,
    unknown_version,
)

REFUSED = 2  # QUIC's CONNECTION_REFUSED
PLACE, BANNED_PLACE = "198.51.100.7", "203.0.113.7"
BANNED, INNOCENT = "www.banned.test", "ok.innocent.test"
HELLO = hello(BANNED)
DATAGRAM = b"a datagram of no protocol"
HALVES = [initial(crypto(HELLO[99:], 99)), initial(crypto(HELLO[:99]), packet=1)]

POLICY = """\
version: 1
settings: {{mode: {mode}, decrypt: {decrypt}, never_decrypt: [closed.test]}}
apps:
  bad:
    endpoints:
      - {{domain: banned.test}}
      - {{cidr: 203.0.113.0/24, protocol: udp}}
      - {{url: "pages.test/bad/*"}}
rules:
  - {{id: ban, apps: bad, action: block}}
"""


def policy(*, decrypt: str = "all", mode: str = "enforce") -> str:
    return POLICY.format(decrypt=decrypt, mode=mode)


@pytest.fixture(scope="module")
def the_origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatagramOrigin]:
    origin = DatagramOrigin(*make_certificate(tmp_path_factory.mktemp("origin"))).start()
    yield origin
    origin.stop()


@pytest.fixture
def origin(the_origin: DatagramOrigin) -> DatagramOrigin:
    the_origin.reset()
    return the_origin


type Start = Callable[..., Any]


@pytest.fixture(scope="module")
def start(the_origin: DatagramOrigin, confdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a proxy that the tests of this module share; port 443 leads to the HTTP/3 server, port 80 to the echo."""
    started: list[Proxy] = []

    def begin(kind: type[Proxy], text: str, *, ready: bool = True, **options: Any) -> Proxy:
        directory = tmp_path_factory.mktemp("proxy")
        ports = {"http": the_origin.echo_port, "https": the_origin.quic_port}
        proxy = kind(directory, text, confdir=confdir, **ports, **options)
        started.append(proxy)
        return proxy.wait_ready(policy=ready)

    yield begin
    for proxy in started:
        proxy.stop()


WAYS: dict[str, tuple[str, tuple[str, ...]]] = {  # case: (decrypt, options)
    "all": ("all", ()),
    "needed": ("needed", ()),
    "none": ("none", ()),
    "ignored hosts": ("all", ("--ignore-hosts", ".")),
}


@pytest.fixture(scope="module")
def tun(start: Start) -> Callable[[str], TunProxy]:
    """The proxy in tun mode that is set up one of the `WAYS`, or `bare`: started once, when first asked for."""
    there: dict[str, TunProxy] = {}

    def get(way: str) -> TunProxy:
        if way not in there:
            decrypt, options = WAYS[way]
            there[way] = start(TunProxy, policy(decrypt=decrypt), options=options)
        return there[way]

    return get


@pytest.fixture(scope="module")
def bare(start: Start, tmp_path_factory: pytest.TempPathFactory) -> TunProxy:
    """mitmdump without embargo, which relays whatever comes."""
    script = tmp_path_factory.mktemp("bare") / "nothing.py"
    script.write_text("addons = []\n")
    return start(TunProxy, policy(), ready=False, script=script, options=("--ignore-hosts", "."))


# -- what is banned


@dataclass(frozen=True)
class Banned:
    """Something that must not come out of the proxy, and how it is recorded."""

    send: Callable[[], Any]
    surface: str
    outcome: Any  # of `send`


def h3(sni: str, place: str = PLACE, **options: Any) -> Callable[[], int | None]:
    return lambda: http3((place, 443), sni, (sni, "/"), patience=3, **options)[0].closed


def raw(*datagrams: bytes, place: str = PLACE, port: int = 443, answers: int = 0) -> Callable[[], int]:
    """The number of datagrams that come back."""
    return lambda: len(exchange((place, port), *datagrams, answers=answers or 1, patience=0.3))


CASES: dict[str, Banned] = {
    "SNI": Banned(h3(BANNED), "quic", REFUSED),
    "SNI in capitals": Banned(h3("WWW.Banned.TEST"), "quic", REFUSED),
    "SNI, version 2": Banned(h3(BANNED, original_version=V2), "quic", REFUSED),
    "SNI in two datagrams": Banned(h3(BANNED, alpn_protocols=["h3", *LONG]), "quic", REFUSED),
    "address": Banned(h3(INNOCENT, BANNED_PLACE), "quic", REFUSED),
    "hello in two datagrams, backwards": Banned(raw(*HALVES), "quic", 1),
    "hello in frames, backwards": Banned(raw(initial(crypto(HELLO[99:], 99) + crypto(HELLO[:99]))), "quic", 1),
    "hello in a small datagram": Banned(raw(initial(crypto(HELLO), size=0)), "quic", 1),
    "hello coalesced": Banned(
        raw(initial(crypto(HELLO[:99]), size=0) + initial(crypto(HELLO[99:], 99), packet=1)), "quic", 1
    ),
    "hello behind 0-RTT": Banned(raw(early(), initial(crypto(HELLO))), "quic", 1),
    "hello without the fixed bit": Banned(raw(initial(crypto(HELLO), bits=0x80)), "quic", 1),
    "hello with a token": Banned(raw(initial(crypto(HELLO), token=b"t" * 200)), "quic", 1),
    "hello on another port": Banned(raw(*first_datagrams(BANNED), port=80), "quic", 1),
    "hello on the port of DNS": Banned(raw(*first_datagrams(BANNED), port=53), "quic", 1),
    "hello that contradicts itself": Banned(
        raw(initial(crypto(hello(INNOCENT)[:60]) + crypto(HELLO)), port=80), "quic", 0
    ),
    "hello that does not end": Banned(raw(*[initial(crypto(HELLO[:99]))] * 40), "quic", 1),
    "another version": Banned(raw(unknown_version(0xFF00001D)), "quic", 1),
    "the middle of a connection": Banned(raw(SHORT), "udp", 0),
    "0-RTT alone": Banned(raw(*[early()] * 40), "quic", 0),
    "other keys": Banned(raw(initial(crypto(HELLO), keys=b"unknown!")), "quic", 0),
    "raw": Banned(raw(DATAGRAM, place=BANNED_PLACE, port=80), "udp", 0),
    "raw to port 443": Banned(raw(DATAGRAM, place=BANNED_PLACE), "udp", 0),
    "DTLS": Banned(raw(dtls_hello(BANNED), port=80), "udp", 1),
    "DTLS behind an alert": Banned(
        raw(bytes.fromhex("15fefd000000000000000000020100") + dtls_hello(BANNED), port=80), "udp", 1
    ),
    "DTLS in pieces": Banned(raw(*in_fragments_of(80, dtls_hello(BANNED)), port=80), "udp", 1),
}


MITMPROXY = tuple(int(part) for part in VERSION.split(".")[:2])


@pytest.mark.parametrize("case", CASES)
def test_bare_leaks(case: str, bare: TunProxy, origin: DatagramOrigin) -> None:
    bare.namespace.run(CASES[case].send)
    held = "port of DNS" in case or (case == "hello that does not end" and MITMPROXY >= (12, 3))  # by mitmproxy itself
    assert origin.datagrams or origin.echoed or held, "the case could not see a leak"


@pytest.mark.parametrize("way", [way for way in WAYS if way != "none"])  # which goes the way of "needed"
@pytest.mark.parametrize("case", CASES)
def test_banned(case: str, way: str, tun: Callable[[str], TunProxy], origin: DatagramOrigin) -> None:
    proxy, banned = tun(way), CASES[case]
    before = proxy.settled()
    assert proxy.namespace.run(banned.send) == banned.outcome
    record = proxy.wait_decisions(before, 1)[0]
    assert (field(record, "embargo.verdict"), field(record, "embargo.surface")) == ("block", banned.surface)
    assert field(record, "network.transport") == "udp"
    assert (origin.datagrams, origin.echoed) == (0, [])


def test_the_record(tun: Callable[[str], TunProxy]) -> None:
    proxy = tun("needed")
    before = proxy.settled()
    proxy.namespace.run(h3(BANNED))
    proxy.settled()
    (record,) = proxy.decisions(before)
    expected = {
        "embargo.verdict": "block",
        "embargo.surface": "quic",
        "rule.id": "ban",
        "tls.client.server_name": BANNED,
        "destination.domain": BANNED,
        "destination.port": 443,
        "network.transport": "udp",
        "network.protocol": "quic",
    }
    assert {path: field(record, path) for path in expected} == expected


# -- what is innocent


def visit(sni: str = INNOCENT, **options: Any) -> Callable[[], Answer]:
    return lambda: http3((PLACE, 443), sni, (sni, "/x"), **options)[0]


VISITS: dict[str, Callable[[], Answer]] = {
    "version 1": visit(),
    "version 2": visit(original_version=V2),
    "hello in two datagrams": visit(alpn_protocols=["h3", *LONG]),
    "look-alike": visit("notbanned.test"),
    "name never opened": visit("closed.test"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", VISITS)
def test_innocent_http3(case: str, way: str, tun: Callable[[str], TunProxy], origin: DatagramOrigin) -> None:
    answer = tun(way).namespace.run(VISITS[case])
    assert (answer.status, answer.body[:9]) == (200, b"origin h3")
    opened = way == "all" and case != "name never opened"
    assert (answer.fingerprint == fingerprint(origin.certificate)) is not opened


ECHOED: dict[str, tuple[tuple[bytes, ...], int]] = {  # case: (datagrams, port)
    "a word": ((b"ping",), 80),
    "text where QUIC usually is": ((b"hello, this is a line of text",), 443),
    "STUN where QUIC usually is": ((b"\0\1\0\0\x21\x12\xa4\x42" + bytes(range(0x80, 0x8C)),), 443),
    "RTP": ((b"\x80\x60" + bytes(range(100, 200)), b"\x80\x60" + b"\xaa" * 1300), 80),
    "what looks like a short header": ((SHORT,), 80),
    "a version of somebody's own, later": ((b"ping", unknown_version(7)), 80),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", ECHOED)
def test_innocent_datagrams(case: str, way: str, tun: Callable[[str], TunProxy], origin: DatagramOrigin) -> None:
    datagrams, port = ECHOED[case]
    proxy = tun(way)
    if case == "what looks like a short header":
        port = origin.echo_port  # where no QUIC has been seen
    if port == 443:  # where the test's own HTTP/3 server listens: that it arrives is enough
        proxy.namespace.run(lambda: exchange((PLACE, port), *datagrams, patience=0.3))
        assert origin.datagrams == len(datagrams)
    else:
        answers = proxy.namespace.run(lambda: exchange((PLACE, port), *datagrams, answers=len(datagrams)))
        assert sorted(answers) == sorted(datagrams)


def test_dtls_that_stays_closed_is_relayed(tun: Callable[[str], TunProxy], origin: DatagramOrigin) -> None:
    pieces = in_fragments_of(80, dtls_hello(INNOCENT))
    answers = tun("needed").namespace.run(lambda: exchange((PLACE, 80), *pieces, answers=len(pieces)))
    assert answers == origin.echoed == pieces


# -- several connections on one flow

INNOCENT_HELLO = initial(crypto(hello(INNOCENT)))
BANNED_HELLO = initial(crypto(HELLO), destination=b"another!")
SECOND_HELLO = initial(crypto(HELLO, len(hello(INNOCENT))), destination=b"server-1", keys=DESTINATION, packet=1)
PAGES_HELLO = initial(crypto(hello("pages.test")), destination=b"another!")
LATER: dict[str, tuple[bytes, bytes, str]] = {  # case: (first, later, surface)
    "another connection": (INNOCENT_HELLO, BANNED_HELLO, "quic"),
    "a second hello of the same": (INNOCENT_HELLO, SECOND_HELLO, "quic"),
    "QUIC on a raw flow": (b"ping", BANNED_HELLO, "quic"),
    "DTLS on a raw flow": (b"ping", dtls_hello(BANNED), "udp"),
    "one that would have to be opened": (INNOCENT_HELLO, PAGES_HELLO, "quic"),
    "a version that is not read": (INNOCENT_HELLO, unknown_version(0xFF00001D), "quic"),
}


@pytest.mark.parametrize("case", LATER)
def test_what_begins_later(case: str, tun: Callable[[str], TunProxy], origin: DatagramOrigin) -> None:
    first, later, surface = LATER[case]
    proxy = tun("needed")
    before = proxy.settled()
    answers = proxy.namespace.run(lambda: exchange((PLACE, 80), first, later, answers=2))
    assert (len(answers), origin.echoed) == (2, [first])
    # a raw flow is on record by itself, for showing no name, before what begins later is
    raw = [("log", "udp")] if first == b"ping" else []
    records = proxy.wait_decisions(before, len(raw) + 1)
    found = [(field(record, "embargo.verdict"), field(record, "embargo.surface")) for record in records]
    assert found == [*raw, ("block", surface)]


def test_the_flow_goes_on_after_a_refusal(tun: Callable[[str], TunProxy], origin: DatagramOrigin) -> None:
    datagrams = INNOCENT_HELLO, BANNED_HELLO, BANNED_HELLO, SHORT
    tun("needed").namespace.run(lambda: exchange((PLACE, 80), *datagrams, answers=4))
    assert origin.echoed == [INNOCENT_HELLO, SHORT]


REFUSALS: dict[str, tuple[bytes, Callable[[bytes], bool]]] = {
    "QUIC": (initial(crypto(HELLO)), lambda answer: answer[0] >= 0xC0 and answer[1:5] == b"\0\0\0\1"),
    "DTLS": (dtls_hello(BANNED), lambda answer: answer == ACCESS_DENIED),
    "a reserved version": (unknown_version(0x1A2A3A4A), lambda answer: answer[1:5] == bytes(4)),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_the_client_is_told(case: str, tun: Callable[[str], TunProxy], origin: DatagramOrigin) -> None:
    datagram, is_refusal = REFUSALS[case]
    (answer,) = tun("all").namespace.run(lambda: exchange((PLACE, 443), datagram))
    assert is_refusal(answer)
    assert origin.datagrams == 0


# -- what is inside of an opened connection


def test_each_request_is_judged(tun: Callable[[str], TunProxy], origin: DatagramOrigin) -> None:
    requests = [(INNOCENT, "/1"), (BANNED, "/2"), ("pages.test", "/bad/3"), ("pages.test", "/good"), (INNOCENT, "/4")]
    proxy = tun("all")
    before = proxy.settled()
    answers = proxy.namespace.run(lambda: http3((PLACE, 443), INNOCENT, *requests))
    assert [answer.status for answer in answers] == [200, 403, 403, 200, 200]
    records = proxy.wait_decisions(before, 2)
    assert [field(record, "network.transport") for record in records] == ["udp", "udp"]
    assert {field(record, "embargo.surface") for record in records} == {"http"}


def test_needed_opens_where_a_page_is_banned(tun: Callable[[str], TunProxy], origin: DatagramOrigin) -> None:
    requests = [("pages.test", "/good"), ("pages.test", "/bad/1")]
    answers = tun("needed").namespace.run(lambda: http3((PLACE, 443), "pages.test", *requests))
    assert [answer.status for answer in answers] == [200, 403]
    assert answers[0].fingerprint != fingerprint(origin.certificate)


def test_none_opens_nothing(tun: Callable[[str], TunProxy], origin: DatagramOrigin) -> None:
    (answer,) = tun("none").namespace.run(lambda: http3((PLACE, 443), "pages.test", ("pages.test", "/bad/1")))
    assert (answer.status, answer.fingerprint) == (200, fingerprint(origin.certificate))


# -- monitor, faults, what is open


@pytest.mark.parametrize("decrypt", ["all", "needed"])
def test_monitor_refuses_nothing(decrypt: str, start: Start, origin: DatagramOrigin) -> None:
    proxy = start(TunProxy, policy(mode="monitor", decrypt=decrypt))
    (answer,) = proxy.namespace.run(lambda: http3((PLACE, 443), BANNED, (BANNED, "/")))
    assert answer.status == 200
    for datagrams in ((b"ping",), HALVES, (unknown_version(0xFF00001D),), (SHORT,)):
        proxy.namespace.run(lambda d=datagrams: exchange((BANNED_PLACE, 80), *d, answers=len(d), patience=0.5))
    assert {b"ping", SHORT} <= set(origin.echoed)
    records = proxy.wait_decisions(0, 5)
    assert {field(record, "embargo.verdict") for record in records} == {"log"}
    assert {field(record, "embargo.would") for record in records} == {"block"}
    proxy.stop()  # it still tries to speak QUIC to the echo


FAULT = """\
from embargo.enforce.datagrams.datagram_flow import DatagramFlow

def feed(self, datagram):
    raise RuntimeError("a fault")

DatagramFlow.feed = feed
addons = []
"""


def test_what_cannot_be_judged_is_refused(start: Start, origin: DatagramOrigin, tmp_path: Path) -> None:
    script = tmp_path / "fault.py"
    script.write_text(FAULT)
    proxy = start(TunProxy, policy(), before=[script])
    for port, datagram in ((443, INNOCENT_HELLO), (80, b"ping")):
        assert proxy.namespace.run(lambda p=port, d=datagram: exchange((PLACE, p), d, patience=0.5)) == []
    assert (origin.datagrams, origin.echoed) == (0, [])
    record = proxy.wait_record(embargo__surface="udp", event__outcome="failure")
    assert "RuntimeError" in str(field(record, "error"))


STRICTER = policy(decrypt="needed").replace("{domain: banned.test}", "{domain: innocent.test}")


def test_an_open_relay_is_cut(start: Start, origin: DatagramOrigin) -> None:
    proxy = start(TunProxy, policy(decrypt="needed"))
    client = proxy.namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with client:
        client.settimeout(5)
        client.connect((PLACE, 80))
        for datagram in (INNOCENT_HELLO, SHORT):
            client.send(datagram)
            assert client.recv(65_535) == datagram
        proxy.policy.write_text(STRICTER)
        record = proxy.wait_record(embargo__verdict="block")
        assert summary(record)[1:] == ("quic", ["bad"], "ban")
        client.settimeout(0.5)
        client.send(SHORT)  # a new flow to mitmproxy; the server would take it for a client that moved
        with pytest.raises(TimeoutError):
            client.recv(65_535)
    assert origin.echoed == [INNOCENT_HELLO, SHORT]


def test_an_open_http3_connection_is_cut(start: Start, origin: DatagramOrigin) -> None:
    proxy = start(TunProxy, policy())

    async def talk() -> int | None:
        async with http3_client((PLACE, 443), configuration(INNOCENT)) as client:
            assert (await client.get(INNOCENT)).status == 200
            proxy.policy.write_text(STRICTER)
            await asyncio.wait_for(client.wait_closed(), PATIENCE)
            return client.closed

    assert proxy.namespace.run(lambda: asyncio.run(talk())) == 0x100  # H3_NO_ERROR (RFC 9114, 8.1)
    assert field(proxy.wait_record(embargo__verdict="block"), "network.transport") == "udp"


def test_a_relay_that_was_idle_goes_on(start: Start, origin: DatagramOrigin, tmp_path: Path) -> None:
    script = tmp_path / "idle.py"
    script.write_text("import mitmproxy.proxy.server\nmitmproxy.proxy.server.UDP_TIMEOUT = 1\naddons = []\n")
    proxy = start(TunProxy, policy(decrypt="needed"), before=[script])

    def count(number: int) -> Callable[[], bool]:
        return lambda: (proxy.status() or {}).get("connections") == number

    client = proxy.namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with client:
        client.settimeout(5)
        client.connect((PLACE, 80))
        client.send(INNOCENT_HELLO)
        assert client.recv(65_535) == INNOCENT_HELLO
        proxy.namespace.run(lambda: exchange((PLACE, 80), b"ping"))
        proxy.wait(count(2), "two flows")
        proxy.wait(count(1), "the later one to end of silence")
        client.send(SHORT)
        assert client.recv(65_535) == SHORT


# -- wireguard


@pytest.fixture(scope="module")
def guarded(start: Start) -> WireGuardProxy:
    return start(WireGuardProxy, policy(decrypt="needed"))


@pytest.mark.parametrize("case", CASES)
def test_wireguard_banned(case: str, guarded: WireGuardProxy, origin: DatagramOrigin) -> None:
    before, banned = guarded.settled(), CASES[case]
    assert guarded.namespace.run(banned.send) == banned.outcome
    record = guarded.wait_decisions(before, 1)[0]
    assert (field(record, "embargo.verdict"), field(record, "embargo.surface")) == ("block", banned.surface)
    assert (origin.datagrams, origin.echoed) == (0, [])


@pytest.mark.parametrize("case", VISITS)
def test_wireguard_innocent(case: str, guarded: WireGuardProxy, origin: DatagramOrigin) -> None:
    answer = guarded.namespace.run(VISITS[case])
    assert (answer.status, answer.fingerprint) == (200, fingerprint(origin.certificate))


# -- reverse modes

REVERSE: dict[str, tuple[str, str]] = {  # case: (mode, decrypt)
    "http3": ("reverse:http3://127.0.0.1:{quic}", "all"),
    "http3, relayed": ("reverse:http3://127.0.0.1:{quic}", "needed"),
    "quic": ("reverse:quic://127.0.0.1:{quic}", "all"),
    "quic, relayed": ("reverse:quic://127.0.0.1:{quic}", "none"),
    "https": ("reverse:https://127.0.0.1:{quic}", "all"),
    "udp": ("reverse:udp://127.0.0.1:{quic}", "all"),
}


@pytest.mark.parametrize("case", REVERSE)
def test_reverse(case: str, start: Start, origin: DatagramOrigin) -> None:
    mode, decrypt = REVERSE[case]
    options = ("--mode", mode.format(quic=origin.quic_port), "--set", "keep_host_header=true")
    proxy = start(Proxy, policy(decrypt=decrypt), options=options)
    place = ("127.0.0.1", proxy.port)
    assert [answer.closed for answer in http3(place, BANNED, (BANNED, "/"))] == [REFUSED]
    assert origin.datagrams == 0
    record = proxy.wait_record(embargo__verdict="block")
    assert (field(record, "embargo.surface"), field(record, "tls.client.server_name")) == ("quic", BANNED)
    (answer,) = http3(place, INNOCENT, (INNOCENT, "/"))
    assert answer.status == 200
    relayed = "relayed" in case or case == "udp"
    assert (answer.fingerprint == fingerprint(origin.certificate)) is relayed
    if case in ("http3", "https"):
        requests = (INNOCENT, "/"), (BANNED, "/")
        assert [answer.status for answer in http3(place, INNOCENT, *requests)] == [200, 403]


def test_reverse_udp_echoes(start: Start, origin: DatagramOrigin) -> None:
    proxy = start(Proxy, policy(), options=("--mode", f"reverse:udp://127.0.0.1:{origin.echo_port}"))
    place = ("127.0.0.1", proxy.port)
    assert exchange(place, b"ping", SHORT, answers=2) == [b"ping", SHORT]
    exchange(place, b"ping", BANNED_HELLO, answers=2)
    assert origin.echoed == [b"ping", SHORT, b"ping"]
