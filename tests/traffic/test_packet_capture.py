"""Packet captures: the odd cases, built by hand; `e2e/test_capture.py` has what real clients send."""

import io
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clienthello import client_hello, in_records_of, with_server_names
from dns_writing import framed, query
from embargo.core.seen import Seen, Unread
from embargo.traffic import packet_capture
from embargo.traffic.packet_capture import read
from frames import CLIENT, FIN, SERVER, SYN, ethernet, pcap, pcapng, tcp, udp
from initials import LONG, V2, crypto, early, first_datagrams, initial, unknown_version
from initials import hello as handshake

HELLO = client_hello("www.alipay.com")
MESSAGE = handshake("a.test")
REQUEST = b"GET /x?y=1 HTTP/1.1\r\nHost: a.test\r\nUser-Agent: Browser/1\r\n\r\n"
POST = b"POST /form HTTP/1.1\r\nHost: a.test\r\nContent-Length: 7\r\n\r\nGET / H"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
CONNECT = b"CONNECT www.alipay.com:443 HTTP/1.1\r\nHost: www.alipay.com:443\r\nUser-Agent: Browser/1\r\n\r\n"


def seen(data: bytes) -> list[Seen | Unread]:
    return list(read(io.BytesIO(data)))


def asked(packets: Sequence[bytes], link: int = 1) -> list[str]:
    """What is asked for, as `SURFACE REQUEST`; for what cannot be read, why."""
    return [
        item.why if isinstance(item, Unread) else f"{item.surface or '-'} {item.request}"
        for item in seen(pcap(packets, link=link))
    ]


def opened(payload: bytes, *, size: int = 1400, port: int = 443, start: int = 2**32 - 50, **where: str) -> list[bytes]:
    """A connection, its SYN first, that says *payload* in segments of *size* bytes."""
    found = [tcp(b"", start, flags=SYN, port=port, **where)]  # type: ignore[arg-type]
    for position in range(0, len(payload), size):
        piece = payload[position : position + size]
        found.append(tcp(piece, start + 1 + position, port=port, **where))  # type: ignore[arg-type]
    return found


def shuffled(packets: list[bytes]) -> list[bytes]:
    return [packets[0], *packets[:0:-1]]


def fragment(frame: bytes) -> bytes:
    """The first fragment of what is in *frame*, without its last bytes."""
    packet = dpkt.ip.IP(frame[14:])
    payload = bytes(packet.data)[:16]
    return ethernet(bytes(dpkt.ip.IP(src=packet.src, dst=packet.dst, p=17, mf=1, len=36, data=payload)))


SERVER_HELLO = b"\x16\x03\x03\0\x04\x02\0\0\0"
GIVEN: dict[str, tuple[list[bytes], list[str]]] = {
    "TLS": (opened(HELLO), ["- www.alipay.com"]),
    "TLS on another port": (opened(HELLO, port=8443), ["- www.alipay.com:8443"]),
    "TLS in small segments": (opened(HELLO, size=60), ["- www.alipay.com"]),
    "TLS in small segments, backwards": (shuffled(opened(HELLO, size=60)), ["- www.alipay.com"]),
    "TLS, sent twice": ([*opened(HELLO, size=60), *opened(HELLO, size=60)[1:]], ["- www.alipay.com"]),
    "TLS in small records": (opened(in_records_of(30, HELLO), size=33), ["- www.alipay.com"]),
    "TLS, the SYN not captured": (opened(HELLO, size=300)[1:], ["- www.alipay.com"]),
    "TLS, the SYN not captured, backwards": (opened(HELLO, size=300)[:0:-1], ["- www.alipay.com"]),
    "TLS of two connections, mixed": (
        [
            frame
            for pair in zip(
                opened(HELLO, size=200),
                opened(client_hello("b.test"), size=200, source="10.0.0.8"),
                strict=True,
            )
            for frame in pair
        ],
        ["- www.alipay.com", "- b.test"],
    ),
    "TLS without a name": (opened(client_hello(None)), ["- 192.0.2.80"]),
    "TLS without a name, on another port": (opened(client_hello(None), port=8443), ["- 192.0.2.80:8443"]),
    "TLS with two names": (opened(with_server_names(HELLO, b"a.test", b"b.test")), ["- a.test"]),
    "TLS, asked again with another name": (
        opened(HELLO + b"\x14\x03\x03\0\1\1" + client_hello("b.test")),
        ["- www.alipay.com", "- b.test"],
    ),
    "TLS, a part lost": (
        [*opened(HELLO, size=200)[:2], *opened(HELLO, size=200)[3:]],
        ["a ClientHello of which a part is missing"],
    ),
    "TLS, cut at the end of the capture": (
        [opened(HELLO)[0], tcp(HELLO[:50], 2**32 - 49)],
        ["a ClientHello of which a part is missing"],
    ),
    "TLS, broken": (
        opened(HELLO[:9] + b"\x03\x03" + bytes(32) + b"\xff" + HELLO[44:]),
        ["extensions whose length is wrong"],
    ),
    "a server's side": ([tcp(SERVER_HELLO + bytes(90), 1, source_port=443, port=40000)], []),
    "what is neither": (opened(b"SSH-2.0-OpenSSH_9.2\r\n", port=22), []),
    "mail": (opened(b"EHLO a.test\r\nMAIL FROM:<x@a.test>\r\n", port=25), []),
    "HTTP": (opened(REQUEST, port=80), ["- http://a.test/x?y=1"]),
    "HTTP on another port": (opened(REQUEST, port=8080), ["- http://a.test:8080/x?y=1"]),
    "HTTP with a port in Host": (
        opened(REQUEST.replace(b"a.test", b"a.test:8080"), port=8080),
        ["- http://a.test:8080/x?y=1"],
    ),
    "HTTP a byte at a time": (opened(REQUEST, size=1, port=80), ["- http://a.test/x?y=1"]),
    "HTTP, one request after another": (
        opened(POST + REQUEST + CHUNKED + b"\r\n" + REQUEST, size=17, port=80),
        ["- http://a.test/form", "- http://a.test/x?y=1", "- http://a.test/c", "- http://a.test/x?y=1"],
    ),
    "HTTP/1.0 without Host": (opened(b"GET / HTTP/1.0\r\n\r\n", port=80), ["- http://192.0.2.80/"]),
    "HTTP to a proxy": (
        opened(b"GET http://b.test/y HTTP/1.1\r\nHost: b.test\r\n\r\n", port=3128),
        ["- http://b.test/y"],
    ),
    "HTTP, all of the server": (opened(b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", port=80), ["- http://a.test/"]),
    "a WebSocket": (
        opened(REQUEST[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x85abcd", port=80),
        ["- ws://a.test/x?y=1"],
    ),
    "HTTP, a part lost, and the next request": (
        [
            *opened(POST[:-3], port=80, start=0),
            tcp(REQUEST, 5000, port=80),
            tcp(b"", 9000, port=80, flags=FIN),
        ],
        ["- http://a.test/form", "- http://a.test/x?y=1"],
    ),
    "HTTP, cut in its head": (
        opened(REQUEST[:30], port=80),
        ["the head of an HTTP request of which a part is missing"],
    ),
    "HTTP that is none": (
        opened(b"GET / HTTP/1.1\r\nbad header\r\n\r\n", port=80),
        ["no HTTP request that can be read: illegal header line: bytearray(b'bad header')"],
    ),
    "HTTP/2 without TLS": (
        opened(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", port=80),
        ["HTTP/2 without TLS, which is not read"],
    ),
    "a response": ([tcp(b"HTTP/1.1 200 OK\r\n\r\n", 1, source_port=80, port=40000)], []),
    "TLS through a proxy": (opened(CONNECT + HELLO, size=90, port=3128), ["- www.alipay.com"]),
    "fronting through a proxy": (opened(CONNECT + client_hello("b.test"), port=3128), ["- b.test"]),
    "CONNECT that was refused": (opened(CONNECT, port=3128), ["connect www.alipay.com:443"]),
    "CONNECT, refused, then another": (
        opened(CONNECT + CONNECT.replace(b"www.alipay", b"b"), port=3128),
        ["connect www.alipay.com:443", "connect b.com:443"],
    ),
    "CONNECT for SSH": (opened(CONNECT + b"SSH-2.0-x\r\n", port=3128), ["connect www.alipay.com:443"]),
    "http through CONNECT": (
        opened(CONNECT + REQUEST, port=3128),
        ["connect www.alipay.com:443", "- http://a.test:3128/x?y=1"],
    ),
    "DNS": ([udp(query("a.test"), port=53)], ["dns a.test"]),
    "DNS, an answer": ([udp(query("a.test")[:2] + b"\x80" + query("a.test")[3:], source_port=53, port=40000)], []),
    "DNS, cut": ([udp(query("a.test")[:-6], port=53)], ["no DNS query: a name that breaks off"]),
    "DNS, the root": ([udp(query(""), port=53)], []),
    "DNS over TCP": (
        opened(framed(query("a.test")) + framed(query("b.test")), size=5, port=53),
        ["dns a.test", "dns b.test"],
    ),
    "DNS over TCP, a part lost": (
        opened(framed(query("a.test"))[:9], port=53),
        ["a DNS message of which a part is missing"],
    ),
    "a service's name": ([udp(query("My Printer._ipp._tcp.a.test", type=33), port=53)], ["dns _ipp._tcp.a.test"]),
    "a name that is no host": ([udp(query("a b"), port=53)], ["a question for 'a b', which is no host"]),
    "QUIC": ([udp(first_datagrams("a.test")[0])], ["quic a.test"]),
    "QUIC, version 2": ([udp(first_datagrams("a.test", version=V2)[0])], ["quic a.test"]),
    "QUIC on another port": ([udp(first_datagrams("a.test")[0], port=8443)], ["quic a.test:8443"]),
    "QUIC in two datagrams, backwards": (
        [udp(datagram) for datagram in first_datagrams("a.test", protocols=LONG)[::-1]],
        ["quic a.test"],
    ),
    "QUIC, coalesced": (
        [udp(initial(crypto(MESSAGE[:90]), size=0) + initial(crypto(MESSAGE[90:], 90), packet=1))],
        ["quic a.test"],
    ),
    "QUIC, the second datagram lost": (
        [udp(first_datagrams("a.test", protocols=LONG)[0])],
        ["a ClientHello of QUIC of which a part is missing"],
    ),
    "QUIC without a name": ([udp(first_datagrams(None)[0])], ["quic 192.0.2.80"]),
    "QUIC, early data alone": ([udp(early())], ["a ClientHello of QUIC of which a part is missing"]),
    "QUIC, changed on the way": (
        [udp(first_datagrams("a.test")[0][:300] + bytes(900))],
        ["QUIC: an Initial packet that cannot be deciphered"],
    ),
    "QUIC of another version": ([udp(unknown_version(0x51303530))], ["QUIC in a version that is not read"]),
    "a server's QUIC": ([udp(first_datagrams("a.test")[0], source_port=443, port=40000)], []),
    "IPv6": (opened(HELLO, source="2001:db8::7", target="2001:db8::80"), ["- www.alipay.com"]),
    "IPv6 without a name": (
        opened(client_hello(None), source="2001:db8::7", target="2001:db8::80", port=8443),
        ["- [2001:db8::80]:8443"],
    ),
    "a VLAN": ([frame[:12] + b"\x81\0\0\5" + frame[12:] for frame in opened(HELLO)], ["- www.alipay.com"]),
    "a VLAN in a VLAN": (
        [frame[:12] + b"\x88\xa8\0\5\x81\0\0\6" + frame[12:] for frame in opened(HELLO)],
        ["- www.alipay.com"],
    ),
    "behind bytes that Ethernet adds": ([frame + bytes(8) for frame in opened(HELLO)], ["- www.alipay.com"]),
    "a fragment of DNS": (
        [fragment(udp(query("a.test"), port=53))],
        ["a DNS query that was not captured whole"],
    ),
    "ARP": ([b"\xff" * 6 + b"\2" * 6 + b"\x08\x06" + bytes(28)], []),
    "too short": ([b"abc"], ["NeedData: got 3, 14 needed at least"]),
}  # fmt: skip


@pytest.mark.parametrize(("packets", "expected"), GIVEN.values(), ids=GIVEN)
def test_asked(packets: list[bytes], expected: list[str]) -> None:
    assert asked(packets) == expected


BARE = [frame[14:] for frame in opened(HELLO)]
LINKS: dict[str, tuple[int, list[bytes]]] = {
    "raw IP": (101, BARE),
    "raw IP, as OpenBSD numbers it": (14, BARE),
    "IPv4": (228, BARE),
    "BSD loopback": (0, [struct.pack("<I", 2) + packet for packet in BARE]),
    "BSD loopback, the other byte order": (0, [struct.pack(">I", 2) + packet for packet in BARE]),
    "OpenBSD loopback": (108, [struct.pack(">I", 2) + packet for packet in BARE]),
    "Linux cooked": (113, [b"\0\0\0\1\0\6" + bytes(8) + b"\x08\0" + packet for packet in BARE]),
    "Linux cooked, version 2": (276, [b"\x08\0\0\0\0\0\0\1\0\1\0\6" + bytes(8) + packet for packet in BARE]),
}


@pytest.mark.parametrize(("link", "packets"), LINKS.values(), ids=LINKS)
def test_link(link: int, packets: list[bytes]) -> None:
    assert asked(packets, link) == ["- www.alipay.com"]


def test_a_network_that_is_not_read_is_told_once() -> None:
    assert asked(BARE, 127) == ["link type 127 is not read, nor is any other packet of that network"]


def test_all_that_is_known() -> None:
    (found,) = seen(pcapng(opened(REQUEST, port=80)))
    assert found == Seen(
        request="http://a.test/x?y=1",
        time=datetime(2026, 11, 24, 12, tzinfo=UTC),
        client=ip_address(CLIENT),
        user_agent="Browser/1",
        names=(f"{SERVER}:80",),
    )
    (found,) = seen(pcap(opened(CONNECT + client_hello("b.test"), port=3128)))
    assert found == Seen(
        request="b.test",
        time=datetime(2026, 11, 24, 12, 0, 1, 500_000, UTC),
        client=ip_address(CLIENT),
        user_agent="Browser/1",
        names=("www.alipay.com:443",),
    )


def test_places() -> None:
    cut = [*opened(REQUEST[:30], port=80), udp(query("a.test")[:-6], port=53)]
    assert [item.where for item in seen(pcap(cut)) if isinstance(item, Unread)] == [
        "packet 3",
        "the connection of packet 1",
    ]


def test_a_capture_without_the_packets_ends() -> None:
    """What a snapshot length cut off is told, not waited for."""
    packets = [frame[:200] for frame in opened(HELLO)]
    assert asked(packets) == ["a ClientHello of which a part is missing"]


def test_connections_that_never_end_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_capture, "MOST_FLOWS", 5)
    first = first_datagrams("a.test", protocols=LONG)[0]
    found = seen(pcap([udp(first, source_port=40000 + number) for number in range(9)]))
    assert [item.where for item in found if isinstance(item, Unread)] == [f"packet {number}" for number in range(1, 10)]


@settings(max_examples=300)
@given(st.data())
def test_bytes_changed_at_will_end_nothing(data: st.DataObject) -> None:
    """Whatever becomes of a capture, it is read to an end, and nothing is raised."""
    whole = bytearray(
        pcap([*opened(HELLO, size=100), udp(first_datagrams("a.test")[0]), udp(query("a.test"), port=53)])
        if data.draw(st.booleans())
        else pcapng([*opened(REQUEST, size=20, port=80), *opened(framed(query("b.test")), port=53)])
    )
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(24, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for item in seen(bytes(whole)):
        assert isinstance(item, Seen | Unread)
