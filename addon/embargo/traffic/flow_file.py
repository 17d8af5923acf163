"""mitmproxy's flow files: HTTP, WebSocket, TCP, UDP and DNS flows, a flow at a time.

mitmproxy is imported when the first flow is read, which takes a third of a second.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from embargo.core.address import Address, plain
from embargo.core.request import Surface
from embargo.core.seen import Seen, Unread
from embargo.traffic.compressed import ByteSource

if TYPE_CHECKING:
    from mitmproxy.certs import Cert
    from mitmproxy.connection import Server
    from mitmproxy.flow import Flow
    from mitmproxy.http import HTTPFlow

LARGEST = 512 * 1024 * 1024  # bytes of a flow, its bodies included; a larger one is skipped
_LONGEST_LENGTH = 12  # digits, as mitmproxy itself reads
_BLOCK = 1 << 20
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def read(source: ByteSource) -> Iterator[Seen | Unread]:
    """What the flows of *source* ask for. A flow that cannot be read is told; a file that is cut ends there."""
    for number, found in enumerate(_flows(source), 1):
        if isinstance(found, str):
            yield Unread(f"flow {number}", found)
        else:
            yield from _seen(found)


def _flows(source: ByteSource) -> "Iterator[Flow | str]":
    """Each flow, or why it cannot be read. mitmproxy's own reader ends at the first of these."""
    from mitmproxy.flow import Flow
    from mitmproxy.io import compat, tnetstring

    while True:
        length = _length(source)
        if length is None:
            return
        if isinstance(length, str):
            yield length
            return
        if length > LARGEST:
            if not _skip(source, length + 1):
                yield "the file is cut within it"
                return
            yield f"{length} bytes, of which {LARGEST} are read"
            continue
        data = _whole(source, length + 1)
        if len(data) <= length:
            yield "the file is cut within it"
            return
        try:
            state = tnetstring.parse(data[-1], memoryview(data)[:-1])
            if not isinstance(state, dict):
                raise ValueError("no flow")
            yield Flow.from_state(compat.migrate_flow(state))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, RecursionError) as broken:
            yield f"{type(broken).__name__}: {broken}"[:200]


def _length(source: ByteSource) -> int | str | None:
    """The bytes of the next flow; why it has none; None at the end of the file."""
    digits = b""
    while (next_one := source.read(1)).isdigit() and len(digits) < _LONGEST_LENGTH:
        digits += next_one
    if not digits and not next_one:
        return None
    return int(digits) if digits and next_one == b":" else "no flow begins here, so that nothing behind it is read"


def _whole(source: ByteSource, size: int) -> bytes:
    """*size* bytes, or as many as there are."""
    pieces = []
    while size > 0 and (piece := source.read(min(size, _BLOCK))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _skip(source: ByteSource, size: int) -> bool:
    while size > 0 and (piece := source.read(min(size, _BLOCK))):
        size -= len(piece)
    return size == 0


def _seen(flow: "Flow") -> Iterator[Seen]:
    from mitmproxy.dns import DNSFlow
    from mitmproxy.http import HTTPFlow
    from mitmproxy.tcp import TCPFlow
    from mitmproxy.udp import UDPFlow

    if isinstance(flow, HTTPFlow):
        yield _of_http(flow)
    elif isinstance(flow, DNSFlow):
        for question in flow.request.questions:
            if question.name:
                time = _time(flow.request.timestamp)
                yield Seen(
                    request=question.name, time=time, client=_client(flow), user=_user(flow), surface=Surface.DNS
                )
    elif isinstance(flow, TCPFlow | UDPFlow) and flow.server_conn.address is not None:
        host, port = flow.server_conn.address[:2]
        yield Seen(
            request=_authority(host, port),
            time=_time(flow.timestamp_created),
            client=_client(flow),
            user=_user(flow),
            surface=Surface.TCP if isinstance(flow, TCPFlow) else Surface.UDP,
            names=_others(host, flow.client_conn.sni, flow.server_conn),
            certificate_names=_certified(flow.server_conn),
        )


def _of_http(flow: "HTTPFlow") -> Seen:
    request = flow.request
    connects = request.method == "CONNECT"
    scheme = request.scheme if request.scheme in _PORTS else "https" if flow.client_conn.tls else "http"
    if flow.websocket is not None:
        scheme = "wss" if scheme in ("https", "wss") else "ws"
    authority = _authority(request.host, request.port if connects or request.port != _PORTS[scheme] else None)
    named = request.host_header
    sni = flow.client_conn.sni
    names = _others(request.host, sni, flow.server_conn)
    if named is not None and named.lower() not in (request.host.lower(), authority.lower(), sni):
        names = (named, *names)
    return Seen(
        request=authority if connects else f"{scheme}://{authority}{request.path}",
        time=_time(request.timestamp_start),
        client=_client(flow),
        user=_user(flow),
        user_agent=request.headers.get("user-agent"),
        surface=Surface.CONNECT if connects else None,
        names=names,
        certificate_names=_certified(flow.server_conn),
    )


def _authority(host: str, port: int | None) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port is None else f"{host}:{port}"


def _others(host: str, sni: str | None, server: "Server") -> tuple[str, ...]:
    """What else a flow to *host* was called: its SNI, and the address that was dialled."""
    found = [sni] if sni is not None and sni.lower() != host.lower() else []
    if server.peername is not None and server.peername[0] != host:
        found.append(_authority(*server.peername[:2]))
    return tuple(found)


def _client(flow: "Flow") -> Address | None:
    peer = flow.client_conn.peername
    try:
        return plain(ip_address(peer[0].partition("%")[0])) if peer is not None else None
    except ValueError:
        return None


def _user(flow: "Flow") -> str | None:
    """Whom proxy authentication found."""
    found = flow.metadata.get("proxyauth")
    return found[0] if isinstance(found, tuple | list) and found and isinstance(found[0], str) else None


def _time(timestamp: float | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(timestamp, UTC) if timestamp is not None else None
    except (ValueError, OverflowError, OSError):
        return None


def _certified(server: "Server") -> tuple[str, ...]:
    return _names_of(server.certificate_list[0]) if server.certificate_list else ()


@lru_cache(maxsize=1024)
def _names_of(certificate: "Cert") -> tuple[str, ...]:
    """The names of *certificate*; flows to one server mostly show the same."""
    try:
        return tuple(str(name.value) for name in certificate.altnames)
    except ValueError:
        return ()  # an extension that cannot be read
