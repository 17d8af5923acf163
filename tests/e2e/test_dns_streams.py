"""DNS in tunnels and over TLS, what else is spoken at its ports, and flows that only DNS gives a name to."""

import pytest

from clienthello import client_hello
from dns_reading import read
from dns_writing import framed, query
from e2e.clients import curl, read_all, read_response, tls, tunnel
from e2e.conftest import Start
from e2e.dns_fronts import NOERROR, NXDOMAIN, POLICY, TRANSPORTS, Bare, Fronts, fronts, one_message, over, udp
from e2e.dns_origin import ADDRESS, DnsOrigin
from e2e.origin import Origin
from e2e.proxy import field


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


@pytest.mark.parametrize("cut", [0, 1, 20])
def test_a_query_to_another_port(enforcing: Fronts, bare: Bare, server: DnsOrigin, cut: int) -> None:
    """There it is a raw stream to mitmproxy."""
    before = enforcing.proxy.settled()
    message = framed(query("www.banned.test"))
    with tunnel(enforcing.proxy, f"innocent.test:{server.port}") as connection:
        connection.sendall(message[:cut])
        if cut:
            enforcing.proxy.wait(lambda: server.received == message[:cut], "the first piece")
        connection.sendall(message[cut:])
        assert read_all(connection) == b""
    assert server.asked == []
    assert field(enforcing.proxy.wait_decisions(before, 1)[-1], "embargo.verdict") == "block"
    with tunnel(enforcing.proxy, f"innocent.test:{server.port}") as connection:
        assert over(connection, query("innocent.test"))[0].code == NOERROR
    with tunnel(bare, f"innocent.test:{server.port}") as connection:  # type: ignore[arg-type]
        over(connection, query("www.banned.test"))
    assert server.names == ["innocent.test", "www.banned.test"]


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


def test_a_query_in_a_body(enforcing: Fronts, server: DnsOrigin) -> None:
    """To a server of DNS a request is the beginning of a long message that it cannot read."""
    head = b"POST / HTTP/1.1\r\nHost: resolver.test\r\nContent-Length: %d\r\n\r\n"
    behind = 2 + int.from_bytes(head[:2])  # where the next message begins
    query_there = framed(query("www.banned.test"))
    whole = head % 24_000
    whole += bytes(behind - len(whole)) + query_there
    before = enforcing.proxy.settled()
    with tunnel(enforcing.proxy, "resolver.test:53") as connection:
        connection.sendall(whole.ljust(len(head) + 24_000, b"\0"))
        read_all(connection)
    assert server.received == b""
    assert field(enforcing.proxy.wait_decisions(before, 1)[-1], "embargo.reason") == "undecided"
    with tunnel(enforcing.proxy, "resolver.test:53") as connection:  # without a body there is nothing to skip
        connection.sendall(b"GET / HTTP/1.1\r\nHost: resolver.test\r\n\r\n")
        enforcing.proxy.wait(lambda: server.received.startswith(b"GET / "), "the innocent request")


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


def test_a_query_behind_tls_that_stays_closed(start: Start, ports: None, server: DnsOrigin) -> None:
    """To a server of DNS a ClientHello is the beginning of a long message that it cannot read."""
    proxy = fronts(start, POLICY + "settings: {decrypt: needed}\n", server).proxy
    hello = client_hello("dns.innocent.test")
    rest = 2 + int.from_bytes(hello[:2]) - len(hello) - 5
    skipped = hello + b"\x17\x03\x03" + rest.to_bytes(2) + bytes(rest)  # a record of the application's
    with tunnel(proxy, "resolver.test:53") as connection:
        connection.sendall(skipped + framed(query("innocent.test")))
        proxy.wait(lambda: "innocent.test" in server.names, "an innocent question")
        connection.sendall(framed(query("banned.test")))
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
