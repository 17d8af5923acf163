"""mitmproxy's flows as requests: every name that a flow carries, at each surface.

What is compared later is canonical already: `Name.parse` does it once, here at the edge.
"""

import re
from datetime import datetime
from urllib.parse import unquote

from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from embargo.core.request import Name, Request, Source, Surface
from embargo.core.url import parse_target
from embargo.enforce.connection import Connection
from embargo.enforce.tls.first_bytes import hosts_in

_HOST_CHARACTERS = re.compile(r"[0-9A-Za-z_.\-\x80-\U0010ffff]+")
_MOST_READINGS = 16  # at either end of a malformed name
_MOST_COMPARED = 16  # of a head with thousands of Hosts each would be compared with all others
_CR, _LF = b"\r\n"  # as numbers: to look for a bytes object in another takes ten times as long (measured)
_FOLD = re.compile(rb"\r?\n[ \t]+")  # RFC 9112, 5.2
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#\\]*)(.*)", re.DOTALL)


def connect_request(connection: Connection, flow: http.HTTPFlow, time: datetime) -> Request:
    """A CONNECT: its target and whatever its Host headers say."""
    request = flow.request
    names = [Name.parse(Source.CONNECT, request.data.host, request.data.port)]
    _add_hosts(names, request, request.data.port)
    return Request(
        surface=Surface.CONNECT,
        time=time,
        names=_with_readings(names),
        client=connection.client,
        user=connection.user,
        user_agent=request.headers.get("user-agent"),
    )


def http_request(connection: Connection, flow: http.HTTPFlow, time: datetime) -> Request:
    """An HTTP request or WebSocket upgrade, with the names of the tunnel around it."""
    data = flow.request.data
    port = data.port
    names = _tunnel_names(connection)
    _add(names, Source.URL, data.host, port)
    if data.authority:
        _add(names, Source.AUTHORITY, data.authority.decode("utf-8", "replace"), port)
    user_agent = None
    surface = Surface.HTTP
    broken = _CR in data.path or _LF in data.path or _LF in data.method
    for key, value in data.headers.fields:  # once over all of them: a lookup each costs 1 µs
        if _CR in value or _LF in value or _CR in key or _LF in key:
            broken = True
        match len(key):
            case 4 if key.lower() == b"host":
                _add(names, Source.HOST, value.decode("utf-8", "replace"), port)
            case 7 if key.lower() == b"upgrade" and b"websocket" in value.lower():
                surface = Surface.WEBSOCKET  # RFC 6455, 4.1
            case 10 if user_agent is None and key.lower() == b"user-agent":
                user_agent = value.decode("utf-8", "replace")
            case _ if key[4:].isspace() and key[:4].lower() == b"host":  # "Host :" is a Host to lenient servers
                _add(names, Source.HOST, value.decode("utf-8", "replace"), port)
    path = data.path.decode("utf-8", "replace")
    if path[:1] != "/" and (matched := _ABSOLUTE.fullmatch(path)) is not None:
        # an absolute-form target inside a tunnel is forwarded as such
        _add(names, Source.URL, matched[1].rpartition("@")[2], port)
        path = matched[2] or "/"
    if broken:
        for host in _hidden_hosts(data):
            _add(names, Source.HOST, host, port)
    return Request(
        surface=surface,
        time=time,
        names=_with_readings(names),
        client=connection.client,
        user=connection.user,
        target=parse_target(path),
        user_agent=user_agent,
        transport=connection.peer.transport_protocol,  # HTTP/3 comes over UDP
    )


def tls_request(connection: Connection, address: tuple[str, int] | None, time: datetime) -> Request:
    """A ClientHello: its names, the tunnel's target, and the address the tunnel leads to."""
    names = _tunnel_names(connection)
    _add_destination(names, address)
    return Request(
        surface=Surface.TLS, time=time, names=_with_readings(names), client=connection.client, user=connection.user
    )


def raw_request(
    connection: Connection,
    address: tuple[str, int] | None,
    time: datetime,
    *,
    hosts: tuple[str, ...] = (),
    snis: tuple[str, ...] = (),
) -> Request:
    """A raw TCP stream: its destination, and the names found in its bytes."""
    names = _tunnel_names(connection)
    _add_destination(names, address)
    port = address[1] if address else None
    for host in hosts:
        _add(names, Source.HOST, host, port)
    for sni in snis:
        _add(names, Source.SNI, sni, port)
    return Request(
        surface=Surface.TCP,
        time=time,
        names=_with_readings(names),
        client=connection.client,
        user=connection.user,
        transport=connection.peer.transport_protocol,  # of a stream in QUIC it is UDP
    )


def datagram_request(
    connection: Connection,
    address: tuple[str, int] | None,
    time: datetime,
    surface: Surface,
    snis: tuple[Name, ...],
) -> Request:
    """A flow of datagrams: the names of its ClientHellos, and its destination."""
    names = list(snis)
    _add_destination(names, address)
    return Request(
        surface=surface,
        time=time,
        names=_with_readings(names),
        client=connection.client,
        user=connection.user,
        transport="udp",
    )


def server_request(connection: Connection, data: ServerConnectionHookData, time: datetime) -> Request:
    """An upstream connection about to open: the address dialled, with the names of the tunnel it is for.

    Behind a parent proxy the address is the parent's, which the operator chose and no client named.
    """
    names: list[Name] = []
    server = data.server
    via = server.via[1] if server.via else None
    if server.address is not None and server.address[:2] != (via and via[:2]):
        _add(names, Source.DIALLED, server.address[0], server.address[1])
    for name in _tunnel_names(connection):
        names.append(name)
    return Request(
        surface=Surface.SERVER,
        time=time,
        names=_with_readings(names),
        client=connection.client,
        user=connection.user,
        transport=server.transport_protocol,
    )


def _tunnel_names(connection: Connection) -> list[Name]:
    names = [connection.tunnel] if connection.tunnel is not None else []
    names += connection.snis
    return names


def _add_destination(names: list[Name], address: tuple[str, int] | None) -> None:
    if address is not None:
        _add(names, Source.DESTINATION, address[0], address[1])


def _add_hosts(names: list[Name], request: http.Request, port: int | None) -> None:
    for key, value in request.headers.fields:
        if key[:4].lower() == b"host" and not key[4:].strip():
            _add(names, Source.HOST, value.decode("utf-8", "replace"), port)


def _add(names: list[Name], source: Source, text: str, port: int | None) -> None:
    """Add a name unless the same host and port are there already: mostly they all agree."""
    if names and names[-1].text == text and names[-1].port == port:
        return
    name = Name.parse(source, text, port)
    for known in names[-_MOST_COMPARED:]:
        if known.host == name.host and known.port == name.port and known.host is not None:
            return
    names.append(name)


def _with_readings(names: list[Name]) -> tuple[Name, ...]:
    """*names*, and behind them what a lenient server may read in those that are no host.

    `banned.test:x` is banned.test to nginx, and others drop what stands before an `@` or behind a comma. Names
    of which none is a host stay as they are: nothing in them can be relied on.
    """
    malformed = [name for name in names if name.host is None]
    if malformed and len(malformed) < len(names):
        for name in malformed:
            pieces = _HOST_CHARACTERS.findall(unquote(name.text))
            for piece in dict.fromkeys((*pieces[:_MOST_READINGS], *pieces[-_MOST_READINGS:])):
                reading = Name.parse(name.source, piece.strip("."), name.port)
                if reading.host is not None:
                    names.append(reading)
    return tuple(names)


def _hidden_hosts(data: http.RequestData) -> list[str]:
    """The hosts of a head in which a carriage return or line feed stands where none may.

    Some servers end a line there (Python's own: at any carriage return), and so find a header more than we do.
    """
    lines = [data.method + b" " + data.path, *(key + b": " + value for key, value in data.headers.fields)]
    text = b"\n".join(_FOLD.sub(b" ", line) for line in lines)
    return hosts_in(b"\n" + text.replace(b"\r", b"\n"))
