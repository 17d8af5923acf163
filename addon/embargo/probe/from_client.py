#!/usr/bin/env python3
"""Looks, from a client, for ways round the proxy. One file, any Python from 3.6 on, nothing to install.

Made by `embargo probe --from-client`. It connects straight to a few banned hosts, to an innocent one and to public
resolvers, by TCP and UDP, and sends no more than a greeting: a ClientHello, a question for the address of the innocent
host, a packet that asks a QUIC server for its versions. Where anything answers, traffic can leave beside the proxy.

Exit 0: nothing answered, and the proxy did. 1: a way round is open. 2: not even the proxy answered, or none is named
(`--proxy`), so nothing is proven.
"""

import argparse
import base64
import concurrent.futures
import json
import os
import socket
import ssl
import struct
import sys
import urllib.request
from typing import Any, Callable, Dict, List, Optional, Tuple

PLAN: Dict[str, Any] = {}

RESOLVERS = ["1.1.1.1", "8.8.8.8", "9.9.9.9", "2606:4700:4700::1111", "2001:4860:4860::8888"]
DOH = ["cloudflare-dns.com=1.1.1.1", "dns.google=8.8.8.8", "dns.quad9.net=9.9.9.9"]
QUIC = ["1.1.1.1", "8.8.8.8"]  # these speak HTTP/3 (and so answer at UDP 443)
OPEN, CLOSED, UNCLEAR = "open", "closed", "unclear"
_AT_ONCE = 16
_ACCESS_DENIED = 49  # TLS alert by which embargo refuses in a transparent proxy (RFC 8446, 6.2)

Address = Tuple[str, int]
Outcome = Tuple[str, str]  # OPEN, CLOSED or UNCLEAR, and what was seen


def direct_tls(address: Address, name: str, timeout: float) -> Outcome:
    """TCP to *address*, and a TLS handshake for *name*."""
    with socket.create_connection(address, timeout) as connection:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # who answers does not matter, only that somebody does
        try:
            with context.wrap_socket(connection, server_hostname=name) as inside:
                return OPEN, "TLS was answered (%s)" % inside.version()
        except ssl.SSLError as error:
            reason = str(error.reason or error).lower()
            if "access_denied" in reason or "access denied" in reason:
                return CLOSED, "refused on the way with a TLS alert"
            return OPEN, "the connection opened, TLS failed (%s)" % reason
        except (OSError, EOFError) as error:
            return UNCLEAR, "the connection opened and was cut (%s)" % error


def direct_http(address: Address, name: str, timeout: float) -> Outcome:
    """Plain HTTP to *address*: HEAD, which fetches nothing."""
    with socket.create_connection(address, timeout) as connection:
        connection.sendall(("HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % name).encode())
        line = connection.recv(4096).split(b"\r\n")[0].decode("latin-1")
        return (OPEN, "answered %s" % line) if line else (UNCLEAR, "the connection opened and was closed")


def direct_quic(address: Address, name: str, timeout: float) -> Outcome:
    """UDP to *address*: a QUIC packet of a version that nobody has, to which servers name theirs (RFC 9000, 6)."""
    ours, theirs = os.urandom(8), os.urandom(8)
    head = b"\xc0" + bytes.fromhex("1a2a3a4a") + b"\x08" + theirs + b"\x08" + ours
    answer = _datagram(address, head + bytes(1200 - len(head)), timeout)
    if answer is None:
        return CLOSED, "no answer"
    return OPEN, "a QUIC server answered" if answer[1:5] == bytes(4) else "answered"


def dns_udp(address: Address, name: str, timeout: float) -> Outcome:
    """A DNS question over UDP."""
    answer = _datagram(address, _question(name), timeout)
    return (OPEN, "answered, %s" % _code(answer)) if answer else (CLOSED, "no answer")


def dns_tcp(address: Address, name: str, timeout: float) -> Outcome:
    """A DNS question over TCP."""
    with socket.create_connection(address, timeout) as connection:
        question = _question(name)
        connection.sendall(struct.pack("!H", len(question)) + question)
        answer = connection.recv(65535)[2:]
        return (OPEN, "answered, %s" % _code(answer)) if answer else (UNCLEAR, "the connection opened and was closed")


def doh(address: Address, name: str, timeout: float, host: str = "") -> Outcome:
    """DNS over HTTPS (RFC 8484) straight to a resolver that is known for it."""
    question = base64.urlsafe_b64encode(_question(name, identifier=0)).rstrip(b"=").decode()
    with socket.create_connection(address, timeout) as connection:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with context.wrap_socket(connection, server_hostname=host) as inside:
                head = "GET /dns-query?dns=%s HTTP/1.1\r\nHost: %s\r\nAccept: application/dns-message\r\n" % (
                    question,
                    host,
                )
                inside.sendall((head + "Connection: close\r\n\r\n").encode())
                line = inside.recv(4096).split(b"\r\n")[0].decode("latin-1")
        except ssl.SSLError as error:
            return UNCLEAR, "the connection opened, TLS failed (%s)" % (error.reason or error)
    return (OPEN, "answered %s" % line) if " 200" in line else (UNCLEAR, "answered %s" % (line or "nothing"))


def through_proxy(address: Address, target: str, timeout: float) -> Outcome:
    """Whether the proxy answers: else an unplugged cable would look like a closed firewall."""
    with socket.create_connection(address, timeout) as connection:
        connection.sendall(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, target)).encode())
        line = connection.recv(4096).split(b"\r\n")[0].decode("latin-1")
        return (OPEN, "answered %s" % line) if line else (UNCLEAR, "closed without an answer")


def _datagram(address: Address, data: bytes, timeout: float) -> Optional[bytes]:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.connect(address)
        for _ in range(2):  # datagrams get lost
            connection.settimeout(timeout / 2)
            connection.send(data)
            try:
                return connection.recv(65535)
            except socket.timeout:
                continue
    return None


def _question(name: str, identifier: int = 0x5A5A) -> bytes:
    labels = b"".join(struct.pack("!B", len(label)) + label.encode("ascii") for label in name.split("."))
    return struct.pack("!HHHHHH", identifier, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def _code(answer: bytes) -> str:
    codes = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
    number = answer[3] & 0x0F if len(answer) > 3 else -1
    return codes.get(number, "code %d" % number)


class Trial(object):
    """One way, to be tried."""

    def __init__(self, way: str, where: str, call: Callable[[], Outcome]) -> None:
        self.way, self.where, self.call = way, where, call
        self.outcome, self.detail = UNCLEAR, ""

    def run(self) -> "Trial":
        """Try it; what goes wrong on the way is an answer too."""
        try:
            self.outcome, self.detail = self.call()
        except socket.timeout:
            self.outcome, self.detail = CLOSED, "no answer"
        except OSError as error:
            self.outcome, self.detail = CLOSED, error.strerror or str(error)
        except UnicodeError as error:
            self.outcome, self.detail = UNCLEAR, str(error)
        return self


def resolved(host: str, port: int) -> List[Address]:
    """The addresses that this machine's own resolver gives for *host*, one of each family."""
    found: Dict[int, Address] = {}
    for family, _, _, _, address in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        found.setdefault(family, (str(address[0]), port))
    return list(found.values())


def to_host(way: str, app: str, host: str, port: int, attempt: Callable[..., Outcome], timeout: float) -> List[Trial]:
    """Trials for each address of *host*; one that says so where it has none."""
    try:
        addresses = resolved(host, port)
    except (OSError, UnicodeError):
        return [Trial(way, "%s (%s)" % (host, app), lambda: (CLOSED, "the name does not resolve here"))]
    return [
        Trial(way, "%s (%s) at %s port %d" % (host, app, a[0], a[1]), lambda a=a: attempt(a, host, timeout))  # type: ignore[misc]
        for a in addresses
    ]


def trials(options: argparse.Namespace) -> List[Trial]:
    """Everything to try."""
    limit, name = options.timeout, options.control
    found: List[Trial] = []
    for app, host in [(app, host) for app, host in options.blocked] + [("innocent", name)]:
        found += to_host("direct TCP", app, host, options.tls_port, direct_tls, limit)
        found += to_host("direct UDP (QUIC)", app, host, options.tls_port, direct_quic, limit)
    found += to_host("direct HTTP", "innocent", name, options.http_port, direct_http, limit)
    groups = [
        ("direct UDP (QUIC)", options.quic, options.tls_port, direct_quic),
        ("outside DNS, UDP", options.resolver, options.dns_port, dns_udp),
        ("outside DNS, TCP", options.resolver, options.dns_port, dns_tcp),
        ("DNS over TLS", options.resolver, options.dot_port, direct_tls),
        ("DNS over QUIC", options.resolver, options.dot_port, direct_quic),
    ]  # type: List[Tuple[str, List[str], int, Callable[[Address, str, float], Outcome]]]
    for way, hosts, port, attempt in groups:
        for host in hosts:
            where = "%s port %d" % (host, port)
            found.append(Trial(way, where, lambda a=(host, port), t=attempt: t(a, name, limit)))  # type: ignore[misc]
    for pair in options.doh:
        host, _, address = pair.partition("=")
        where = "%s at %s port %d" % (host, address or host, options.tls_port)
        target = (address or host, options.tls_port)
        found.append(Trial("DNS over HTTPS", where, lambda a=target, h=host: doh(a, name, limit, h)))  # type: ignore[misc]
    return found


def host_and_port(text: str, port: int) -> Address:
    """``HOST[:PORT]``."""
    host, colon, given = text.rpartition(":")
    if not colon or "]" in given or (":" in host.strip("[]") and not host.startswith("[")):
        return text.strip("[]"), port
    return host.strip("[]"), int(given)


def arguments() -> argparse.Namespace:
    """What to try: the plan, unless the command line says otherwise."""
    parser = argparse.ArgumentParser(description="Look for ways round the proxy.")
    control, proxy = PLAN.get("control") or ["example.com", 443], PLAN.get("proxy")
    parser.add_argument("--proxy", default="%s:%d" % tuple(proxy) if proxy else None, help="HOST:PORT of the proxy")
    parser.add_argument("--control", default=control[0], help="an innocent host; default: %(default)s")
    parser.add_argument("--host", action="append", help="a banned host; repeatable, in place of the built-in ones")
    parser.add_argument("--resolver", action="append", help="address of an outside resolver; repeatable")
    parser.add_argument("--doh", action="append", metavar="HOST=ADDRESS", help="a DNS-over-HTTPS server; repeatable")
    parser.add_argument("--quic", action="append", help="address of a server that speaks QUIC; repeatable")
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds a way is given; default: %(default)s")
    for option, port in (("tls", 443), ("http", 80), ("dns", 53), ("dot", 853)):
        parser.add_argument("--%s-port" % option, type=int, default=port, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    built_in = [(app, host) for app, host in PLAN.get("blocked") or []]
    options.blocked = [("banned", host) for host in options.host] if options.host else built_in
    options.resolver = RESOLVERS if options.resolver is None else options.resolver
    options.doh = DOH if options.doh is None else options.doh
    options.quic = QUIC if options.quic is None else options.quic
    return options


def main() -> int:
    """Try everything, print it, and say by the exit code what it came to."""
    options = arguments()
    proxy: Optional[Trial] = None
    if options.proxy:
        try:
            address = host_and_port(options.proxy, 8080)
        except ValueError:
            sys.stderr.write("error: %r is no HOST:PORT\n" % options.proxy)
            return 2
        target = "%s:%d" % (options.control, options.tls_port)
        proxy = Trial("the proxy", options.proxy, lambda: through_proxy(address, target, 5 * options.timeout)).run()
    with concurrent.futures.ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        tried = list(pool.map(lambda trial: trial.run(), trials(options)))
    ways_open = [trial for trial in tried if trial.outcome == OPEN]
    alive = proxy is not None and proxy.outcome == OPEN  # else an unplugged cable looks like a closed firewall
    code = 1 if ways_open else 0 if alive else 2
    settings = dict(urllib.request.getproxies())
    if options.json:
        rows = [{"way": t.way, "where": t.where, "outcome": t.outcome, "detail": t.detail} for t in tried]
        document = {
            "exit": code,
            "open": len(ways_open),
            "proxy": proxy and {"where": proxy.where, "outcome": proxy.outcome, "detail": proxy.detail},
            "settings": settings,
            "ways": rows,
        }
        print(json.dumps(document))
        return code
    shown = ([proxy] if proxy else []) + tried
    widths = [max(len(getattr(trial, part)) for trial in shown) for part in ("outcome", "way", "where")]
    for trial in shown:
        cells = (trial.outcome, trial.way, trial.where)
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + "  " + trial.detail)
    print("\nproxy settings of this machine: %s" % (json.dumps(settings) if settings else "none"))
    if proxy is None and code == 2:
        print("nothing answered, but no proxy is named (--proxy HOST:PORT): nothing is proven")
    elif code == 2:
        print("the proxy does not answer either: nothing is proven")
    elif ways_open:
        count = "1 way round the proxy is" if len(ways_open) == 1 else "%d ways round the proxy are" % len(ways_open)
        print("%s open: close what is open at the firewall" % count)
    else:
        print("no way round the proxy was found open")
    return code


if __name__ == "__main__":
    sys.exit(main())
