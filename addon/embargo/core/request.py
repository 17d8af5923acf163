"""What is known of a flow when it is judged."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from embargo.core.address import Address
from embargo.core.hostname import LONGEST_NAME, Host, MalformedHost, parse_authority
from embargo.core.url import Target


class Surface(StrEnum):
    """The place at which a flow is judged, in the order in which a connection meets them."""

    CONNECT = "connect"
    TLS = "tls"
    HTTP = "http"
    WEBSOCKET = "websocket"
    DNS = "dns"
    QUIC = "quic"
    TCP = "tcp"
    UDP = "udp"
    SERVER = "server"  # the last gate, before an upstream connection opens


class Source(StrEnum):
    """Where a request carries a name."""

    CONNECT = "connect"
    SNI = "sni"
    AUTHORITY = "authority"  # HTTP/2 pseudo-header, or the authority of an absolute-form target
    HOST = "host"  # a Host header
    URL = "url"  # an absolute-form request target
    QUESTION = "question"  # of a DNS query
    ANSWER = "answer"  # of a DNS response: what a name asked for leads to
    RESOLVED = "resolved"  # what the client asked DNS for when it was given the address
    DESTINATION = "destination"  # the address that the client named (transparent, SOCKS, tun, raw)
    DIALLED = "dialled"  # the address that the proxy is about to connect to


@dataclass(frozen=True, slots=True)
class Name:
    """One name that a request carries."""

    source: Source
    text: str  # as it came
    host: Host | None  # None where the text is malformed
    port: int | None = None

    @classmethod
    def parse(cls, source: Source, text: str, port: int | None = None) -> "Name":
        """The name in ``HOST[:PORT]``; a port in *text* wins over *port*. Never raises."""
        # Names are values, and the same few come again and again; a long one is no host, and not worth the memory.
        return _remembered(source, text, port) if len(text) <= LONGEST_NAME else _parse(source, text, port)


def _parse(source: Source, text: str, port: int | None) -> Name:
    try:
        host, own_port = parse_authority(text)
    except MalformedHost:
        return Name(source, text, None, port)
    return Name(source, text, host, own_port if own_port is not None else port)


_remembered = lru_cache(maxsize=16_384)(_parse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that a verdict may depend on. Immutable, and complete: `decide` reads nothing else."""

    surface: Surface
    time: datetime  # aware, UTC
    names: tuple[Name, ...]
    client: Address | None = None
    user: str | None = None
    target: Target | None = None  # path and query; None where no URL is seen
    user_agent: str | None = None
    transport: str = "tcp"  # or "udp"
