"""The table of ways to ask for a banned name, and the surface whose verdict each meets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from embargo.core.decision import Decision
from embargo.core.pattern import Kind
from embargo.core.request import Surface
from embargo.probe.attempts import (
    Line,
    Listener,
    absolute,
    browser,
    connect,
    dns_tcp,
    dns_udp,
    host_header,
    in_tunnel,
    inside_tls,
    leading_line,
    odd_version,
    quic,
    server_name,
    socks_http,
    socks_server_name,
    split_hello,
    split_method,
    websocket,
)
from embargo.probe.outcome import Finding
from embargo.probe.targets import Target

type Attempt = Callable[[Line, Target, Decision], Awaitable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to ask."""

    name: str
    does: str
    surface: Surface  # under which it is reported
    judged: Surface  # whose verdict is expected
    attempt: Attempt
    kinds: frozenset[Kind]
    listener: Listener = Listener.PROXY
    trapped: bool = False  # it needs a trap
    once: bool = False  # for one endpoint of each app: it is about a protocol, not a name


_NAMES = frozenset({Kind.DOMAIN, Kind.HOST})
_ANY = frozenset(Kind)
_SEEN_INSIDE = _NAMES | {Kind.URL, Kind.USER_AGENT}

WAYS = (
    Way(name="connect", does="CONNECT", surface=Surface.CONNECT, judged=Surface.CONNECT, attempt=connect,
        kinds=_ANY - {Kind.URL}),
    Way(name="browser", does="CONNECT by a browser, and the page inside", surface=Surface.CONNECT,
        judged=Surface.CONNECT, attempt=browser, kinds=_ANY - {Kind.URL}),
    Way(name="server-name", does="a ClientHello inside an innocent tunnel", surface=Surface.TLS, judged=Surface.TLS,
        attempt=server_name, kinds=_NAMES, trapped=True),
    Way(name="http", does="plain HTTP", surface=Surface.HTTP, judged=Surface.HTTP, attempt=absolute, kinds=_ANY),
    Way(name="host-header", does="plain HTTP to an innocent address, with another Host", surface=Surface.HTTP,
        judged=Surface.HTTP, attempt=host_header, kinds=_SEEN_INSIDE, trapped=True),
    Way(name="in-tunnel", does="HTTP inside an innocent tunnel", surface=Surface.HTTP, judged=Surface.HTTP,
        attempt=in_tunnel, kinds=_SEEN_INSIDE, trapped=True),
    Way(name="inside-tls", does="HTTP inside opened TLS", surface=Surface.HTTP, judged=Surface.HTTP,
        attempt=inside_tls, kinds=_SEEN_INSIDE, trapped=True),
    Way(name="websocket", does="a WebSocket upgrade inside an innocent tunnel", surface=Surface.WEBSOCKET,
        judged=Surface.WEBSOCKET, attempt=websocket, kinds=_SEEN_INSIDE, trapped=True),
    Way(name="split-hello", does="a ClientHello in two pieces", surface=Surface.TCP, judged=Surface.TLS,
        attempt=split_hello, kinds=_NAMES, trapped=True, once=True),
    Way(name="odd-version", does="a ClientHello with an unusual record version", surface=Surface.TCP,
        judged=Surface.TLS, attempt=odd_version, kinds=_NAMES, trapped=True, once=True),
    Way(name="split-method", does="an HTTP method in two pieces", surface=Surface.TCP, judged=Surface.HTTP,
        attempt=split_method, kinds=_NAMES, trapped=True, once=True),
    Way(name="leading-line", does="an HTTP request behind an empty line", surface=Surface.TCP, judged=Surface.HTTP,
        attempt=leading_line, kinds=_NAMES, trapped=True, once=True),
    Way(name="socks-server-name", does="a ClientHello inside an innocent SOCKS tunnel", surface=Surface.TLS,
        judged=Surface.TLS, attempt=socks_server_name, kinds=_NAMES, listener=Listener.SOCKS),
    Way(name="socks-http", does="HTTP inside an innocent SOCKS tunnel", surface=Surface.HTTP, judged=Surface.HTTP,
        attempt=socks_http, kinds=_SEEN_INSIDE, listener=Listener.SOCKS),
    Way(name="dns-udp", does="a DNS question over UDP", surface=Surface.DNS, judged=Surface.DNS, attempt=dns_udp,
        kinds=_NAMES, listener=Listener.DNS),
    Way(name="dns-tcp", does="a DNS question over TCP", surface=Surface.DNS, judged=Surface.DNS, attempt=dns_tcp,
        kinds=_NAMES, listener=Listener.DNS),
    Way(name="quic", does="a QUIC connection's first datagram", surface=Surface.QUIC, judged=Surface.QUIC,
        attempt=quic, kinds=_NAMES, listener=Listener.QUIC),
)  # fmt: skip
