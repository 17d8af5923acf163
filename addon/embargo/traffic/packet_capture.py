"""Packet captures: TLS and QUIC by their server names, HTTP by its URLs, DNS by its questions.

Only what clients send is looked at. TCP is put together (`tcp_streams`), of QUIC the Initial packets are opened, whose
keys anyone on the way can make. What was cut, lost or cannot be read is told, and the rest goes on.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from embargo.core.dns_message import IN, Question
from embargo.core.dns_names import name_asked
from embargo.core.quic_hellos import Connections
from embargo.core.quic_hellos import Unreadable as UnreadableQuic
from embargo.core.quic_packet import VERSIONS, is_reserved, is_unread_version, version_of
from embargo.core.request import Surface
from embargo.core.seen import Seen, Unread
from embargo.traffic.capture_file import Frame, frames
from embargo.traffic.compressed import ByteSource
from embargo.traffic.conversation import (
    Asked,
    Conversation,
    DnsQuestion,
    Hello,
    HttpRequest,
    Unreadable,
    asked_in,
)
from embargo.traffic.packet import BrokenPacket, Datagram, Segment, UnknownLink, Way, parse
from embargo.traffic.tcp_streams import TcpStreams

_DNS, _QUIC = 53, 443
_FIRST_EPHEMERAL = 1024  # ports of servers that everybody knows lie below
_PORTS = {"http": 80, "https": 443, "ws": 80}
MOST_FLOWS = 1024  # of QUIC, that are followed at a time
MOST_HELD = 32 * 1024 * 1024  # bytes of ClientHellos that are not whole


def read(source: ByteSource) -> Iterator[Seen | Unread]:
    """What the clients in the capture ask for."""
    reader = _Reader()
    for frame in frames(source):
        if isinstance(frame, Unread):
            yield frame
            continue
        yield from reader.read(frame)
    yield from reader.end()


class _Reader:
    """One capture."""

    def __init__(self) -> None:
        self._told: list[tuple[Way, int, Asked]] = []  # with the first packet of the connection
        self._tcp = TcpStreams(self._conversation)
        self._quic = _QuicFlows()
        self._unknown_links: set[int] = set()

    def read(self, frame: Frame) -> Iterator[Seen | Unread]:
        where = f"packet {frame.number}"
        try:
            packet = parse(frame.link, frame.data)
        except UnknownLink as unknown:
            if frame.link not in self._unknown_links:  # told once: it concerns every packet of that network
                self._unknown_links.add(frame.link)
                yield Unread(where, f"{unknown}, nor is any other packet of that network")
            return
        except BrokenPacket as broken:
            yield Unread(where, str(broken))
            return
        if isinstance(packet, Segment):
            self._tcp.feed(packet, frame.number)
            if self._told:
                yield from self._tell(frame.time)
        elif isinstance(packet, Datagram):
            if packet.way.target_port == _DNS:
                yield from _of_dns(packet, frame, where)
            elif packet.way.source_port != _DNS:
                yield from self._quic.read(packet, frame, where)

    def end(self) -> Iterator[Seen | Unread]:
        self._tcp.end()
        yield from self._tell(None)
        yield from self._quic.end()

    def _conversation(self, way: Way, number: int) -> Conversation:
        return Conversation(way.target_port, lambda asked: self._told.append((way, number, asked)))

    def _tell(self, time: datetime | None) -> Iterator[Seen | Unread]:
        told, self._told[:] = list(self._told), []
        for way, number, asked in told:
            yield _seen(asked, way, time, f"the connection of packet {number}")


class _QuicFlows:
    """The datagram flows on which QUIC is spoken, as far as a ClientHello may come."""

    def __init__(self) -> None:
        self._flows: OrderedDict[Way, Connections] = OrderedDict()
        self._waiting: dict[Way, _Waiting] = {}
        self._held = 0  # bytes of all that wait

    def read(self, packet: Datagram, frame: Frame, where: str) -> Iterator[Seen | Unread]:
        way, datagram = packet.way, packet.payload
        if datagram[:1] < b"\x80":
            return  # no long header, so nothing that begins
        if way.back in self._flows:
            if version_of(datagram) in VERSIONS:
                self._flows[way.back].answered(datagram)
            return
        if way.source_port == _QUIC and way.target_port >= _FIRST_EPHEMERAL:
            return  # a server's, of a connection that began before
        if version_of(datagram) not in VERSIONS:
            if way.target_port == _QUIC and _is_unread(datagram):
                yield Unread(where, "QUIC in a version that is not read")
            return
        connections = self._flows.setdefault(way, Connections())
        self._flows.move_to_end(way)
        try:
            found = connections.feed(datagram)
        except UnreadableQuic as error:
            if connections.continues(datagram):
                return  # its ClientHello has gone by; aioquic, for one, changes the version and not the keys
            yield Unread(where, f"QUIC: {error}{', since it was not captured whole' if packet.cut else ''}")
            return
        if found is None:
            return
        attempt, whole = found
        self._no_longer(way)
        if attempt.waits:
            self._waiting[way] = _Waiting(where, connections.pending)
            self._held += self._waiting[way].size
        elif whole:
            for names in dict.fromkeys(attempt.hellos[-whole:]):
                yield _of_hello(Hello(names=names), way, frame.time, Surface.QUIC)
        while len(self._flows) > MOST_FLOWS or self._held > MOST_HELD:
            yield from self._let_go(next(iter(self._flows)))

    def end(self) -> Iterator[Unread]:
        for way in list(self._flows):
            yield from self._let_go(way)

    def _let_go(self, way: Way) -> Iterator[Unread]:
        del self._flows[way]
        if (waiting := self._no_longer(way)) is not None:
            yield Unread(waiting.where, "a ClientHello of QUIC of which a part is missing")

    def _no_longer(self, way: Way) -> "_Waiting | None":
        waiting = self._waiting.pop(way, None)
        self._held -= waiting.size if waiting is not None else 0
        return waiting


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A ClientHello that is not whole."""

    where: str  # its newest packet
    size: int  # bytes that are held


def _is_unread(datagram: bytes) -> bool:
    version = version_of(datagram)
    return is_unread_version(datagram, first=True) and not (version is not None and is_reserved(version))


def _of_dns(packet: Datagram, frame: Frame, where: str) -> Iterator[Seen | Unread]:
    if packet.cut:
        yield Unread(where, "a DNS query that was not captured whole")
        return
    for asked in asked_in(packet.payload):
        yield _seen(asked, packet.way, frame.time, where)


def _seen(asked: Asked, way: Way, time: datetime | None, where: str) -> Seen | Unread:
    match asked:
        case Hello():
            return _of_hello(asked, way, time, None)
        case HttpRequest():
            return _of_http(asked, way, time)
        case DnsQuestion():
            return _of_question(asked, way, time, where)
        case Unreadable():
            return Unread(where, asked.why)


def _of_hello(hello: Hello, way: Way, time: datetime | None, surface: Surface | None) -> Seen:
    """A connection to the first of the names, on the port that was dialled or asked of the proxy."""
    names = list(hello.names)
    port = _port_of(hello.tunnel) if hello.tunnel is not None else way.target_port
    request = names.pop(0) if names else _host_of(hello.tunnel) if hello.tunnel is not None else _host_of(way.server)
    if hello.tunnel is not None:
        names.append(hello.tunnel)
    elif hello.names:
        names.append(way.server)  # the address counts too: a proxy would dial it
    return Seen(
        request=request if port in (_PORTS["https"], None) else f"{request}:{port}",
        time=time,
        client=way.client,
        user_agent=hello.user_agent,
        surface=surface,
        names=tuple(dict.fromkeys(names)),
    )


def _of_http(request: HttpRequest, way: Way, time: datetime | None) -> Seen:
    if request.method == "CONNECT":
        return Seen(
            request=request.target,
            time=time,
            client=way.client,
            user_agent=request.user_agent,
            surface=Surface.CONNECT,
            names=(request.host,) if request.host not in (None, request.target) else (),
        )
    scheme, names = "ws" if request.websocket else "http", []
    if "://" in request.target:  # a proxy is asked
        url = request.target
        if request.host is not None and f"//{request.host}".lower() not in url.lower():
            names.append(request.host)
    else:
        host = request.host or _without_port(way.server, 80)
        if ":" not in host and way.target_port != _PORTS[scheme]:
            host = f"{host}:{way.target_port}"
        url = f"{scheme}://{host}{request.target if request.target.startswith('/') else '/'}"
        if request.host is not None:
            names.append(way.server)
    return Seen(
        request=url,
        time=time,
        client=way.client,
        user_agent=request.user_agent,
        names=tuple(names),
    )


def _of_question(asked: DnsQuestion, way: Way, time: datetime | None, where: str) -> Seen | Unread:
    name = name_asked(Question(asked.name, asked.type, IN))
    if name is None or name.host is None:
        return Unread(where, f"a question for {asked.name[:100]!r}, which is no host")
    return Seen(request=name.host.text, time=time, client=way.client, surface=Surface.DNS)


def _host_of(authority: str) -> str:
    """*authority* without its port."""
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() and not (":" in host and not host.endswith("]")) else authority


def _port_of(authority: str) -> int | None:
    port = authority.removeprefix(_host_of(authority)).removeprefix(":")
    return int(port) if port.isdigit() and len(port) <= 5 else None


def _without_port(authority: str, port: int) -> str:
    return authority.removesuffix(f":{port}")
