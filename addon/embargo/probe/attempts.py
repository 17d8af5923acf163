"""Attempts to get a banned name through the proxy, one function each, and what each came to.

Where a way needs an innocent destination around the banned name, that is a trap of our own (`channel`). What a leak
could fetch elsewhere is nothing: a tunnel that is opened and closed, or OPTIONS for a path that nobody serves
(RFC 9110, 9.3.7, a safe method, whose refusal has a body, unlike that of HEAD).
"""

import asyncio
import base64
import ssl
from dataclasses import dataclass
from enum import StrEnum

from embargo import __version__
from embargo.core.decision import Decision
from embargo.core.pattern import Kind
from embargo.core.request import Surface
from embargo.probe.channel import CAUGHT, HANDSHAKE_FAILURE, Address, Channel, Net, datagrams, opened, trap
from embargo.probe.hello import client_hello, record
from embargo.probe.initial import is_refusal, opening
from embargo.probe.outcome import Finding, Outcome, Response, judged
from embargo.probe.question import query, read
from embargo.probe.socks import tunnel
from embargo.probe.targets import INNOCENT, Target, bracketed

AGENT = f"embargo-probe/{__version__}"
BROWSER = f"Mozilla/5.0 (embargo) {AGENT}"
_ACCESS_DENIED = bytes.fromhex("0231")  # fatal alert of embargo (RFC 8446, 6.2)
_PAUSE = 0.05  # seconds between the pieces of a message, so that they are read apart
_CLOSED = "closed without an answer"
_ARRIVED = "the request arrived at its destination"


class Listener(StrEnum):
    """What of the proxy a way asks."""

    PROXY = "proxy"
    SOCKS = "socks"
    DNS = "dns"
    QUIC = "quic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How the proxy is reached, and how it reaches us."""

    listeners: dict[Listener, Address]
    sink: str  # our address as the proxy knows it
    bind: str  # on which traps listen
    login: str | None = None  # USER:PASSWORD

    @property
    def proxy(self) -> Address:
        """Where the HTTP proxy listens."""
        return self.listeners[Listener.PROXY]


# -- asking the proxy


async def connect(line: Line, target: Target, decision: Decision) -> Finding:
    """CONNECT by a client that shows no pages."""
    async with opened(line.proxy) as channel:
        return judged(
            await asked_for_tunnel(line, channel, target.authority, target.user_agent), decision, Surface.CONNECT
        )


async def browser(line: Line, target: Target, decision: Decision) -> Finding:
    """CONNECT by a browser: refused there, or the page is shown inside."""
    async with opened(line.proxy) as channel:
        agent = f"{BROWSER} {target.user_agent}" if target.kind is Kind.USER_AGENT else BROWSER
        response = await asked_for_tunnel(line, channel, target.authority, agent)
        if response is None or response.status != 200:
            return judged(response, decision, Surface.CONNECT)
        try:
            inside = await channel.start_tls(target.host)
        except (ssl.SSLError, OSError) as failure:
            return Finding(Outcome.LEAKED, f"the tunnel was opened, and no page is inside ({_said(failure)})")
        inside.send(_request("OPTIONS", "/", target.authority.removesuffix(":443"), agent))
        return judged(await inside.response(), decision, Surface.HTTP)


async def absolute(line: Line, target: Target, decision: Decision) -> Finding:
    """Plain HTTP for the name, as it is asked of a proxy."""
    authority = bracketed(target.host) if target.port == 443 else target.authority
    async with opened(line.proxy) as channel:
        uri = f"http://{authority}{target.path}"
        channel.send(_request("OPTIONS", uri, authority, target.user_agent, *_login(line)))
        return judged(await channel.response(), decision, Surface.HTTP)


async def host_header(line: Line, target: Target, decision: Decision) -> Finding:
    """Plain HTTP to an innocent address, with the name in the Host header."""
    async with trap(line.sink, bind=line.bind) as net, opened(line.proxy) as channel:
        uri = f"http://{bracketed(net.address[0])}:{net.address[1]}{target.path}"
        channel.send(_request("OPTIONS", uri, bracketed(target.host), target.user_agent, *_login(line)))
        return _unless_caught(net, await _http_finding(channel, decision))


async def in_tunnel(line: Line, target: Target, decision: Decision) -> Finding:
    """HTTP inside an innocent tunnel, with the name in the Host header."""
    request = _request("OPTIONS", target.path, bracketed(target.host), target.user_agent)
    return await _through_tunnel(line, request, decision=decision)


async def websocket(line: Line, target: Target, decision: Decision) -> Finding:
    """A WebSocket upgrade inside an innocent tunnel, as browsers open ws:// behind a proxy."""
    key = base64.b64encode(bytes(16)).decode()
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}")
    request = _request("GET", target.path, bracketed(target.host), target.user_agent, *upgrade)
    return await _through_tunnel(line, request, decision=decision)


async def inside_tls(line: Line, target: Target, decision: Decision) -> Finding:
    """HTTP inside TLS that the proxy opens: a URL under its own name, any other name behind an innocent one."""
    name = target.host if target.kind is Kind.URL else INNOCENT
    async with trap(line.sink, bind=line.bind) as net, opened(line.proxy) as channel:
        response = await asked_for_tunnel(line, channel, authority_of(net), AGENT)
        if response is None or response.status != 200:
            return _no_tunnel(response)
        try:
            inside = await channel.start_tls(name)
        except (ssl.SSLError, OSError) as failure:
            if net.sprung.is_set() and target.kind is Kind.URL:
                return Finding(Outcome.LEAKED, "TLS to this host is not opened, so its path is never seen")
            if net.sprung.is_set():
                return Finding(Outcome.UNOPENED)
            return Finding(Outcome.UNCLEAR, f"no TLS: {_said(failure)}")
        inside.send(_request("OPTIONS", target.path, bracketed(target.host), target.user_agent))
        return judged(await inside.response(), decision, Surface.HTTP)


async def server_name(line: Line, target: Target, decision: Decision) -> Finding:
    """A ClientHello for the name inside an innocent tunnel."""
    return await _through_tunnel(line, record(client_hello(target.host)))


async def split_hello(line: Line, target: Target, decision: Decision) -> Finding:
    """The same in two pieces, which stock mitmproxy takes for a raw stream."""
    hello = record(client_hello(target.host))
    return await _through_tunnel(line, hello[:1], hello[1:])


async def odd_version(line: Line, target: Target, decision: Decision) -> Finding:
    """The same with a record version that servers ignore and stock mitmproxy does not know."""
    return await _through_tunnel(line, record(client_hello(target.host), b"\x03\x04"))


async def split_method(line: Line, target: Target, decision: Decision) -> Finding:
    """An HTTP request whose method comes in two pieces."""
    request = _request("GET", "/", target.host, target.user_agent)
    return await _through_tunnel(line, request[:1], request[1:], decision=decision)


async def leading_line(line: Line, target: Target, decision: Decision) -> Finding:
    """An HTTP request behind an empty line (RFC 9112, 2.2, lets servers skip it)."""
    request = b"\r\n" + _request("GET", "/", target.host, target.user_agent)
    return await _through_tunnel(line, request, decision=decision)


# -- asking what listens beside it


async def socks_server_name(line: Line, target: Target, decision: Decision) -> Finding:
    """A ClientHello for the name inside an innocent SOCKS tunnel."""
    return await _through_tunnel(line, record(client_hello(target.host)), listener=Listener.SOCKS)


async def socks_http(line: Line, target: Target, decision: Decision) -> Finding:
    """HTTP inside an innocent SOCKS tunnel, with the name in the Host header."""
    request = _request("OPTIONS", target.path, bracketed(target.host), target.user_agent)
    return await _through_tunnel(line, request, decision=decision, listener=Listener.SOCKS)


async def dns_udp(line: Line, target: Target, decision: Decision) -> Finding:
    """A DNS question for the name, over UDP."""
    asked = query(target.host)
    async with datagrams(line.listeners[Listener.DNS]) as (transport, protocol):
        transport.sendto(asked)
        return _dns_finding(await protocol.answers.get(), asked)


async def dns_tcp(line: Line, target: Target, decision: Decision) -> Finding:
    """The same over TCP."""
    asked = query(target.host)
    async with opened(line.listeners[Listener.DNS]) as channel:
        channel.send(len(asked).to_bytes(2) + asked)
        if not await channel.until(2) or not await channel.until(2 + int.from_bytes(channel.received[:2])):
            return Finding(Outcome.UNCLEAR, _CLOSED)
        return _dns_finding(bytes(channel.received[2:]), asked)


async def quic(line: Line, target: Target, decision: Decision) -> Finding:
    """A QUIC connection's first datagram."""
    begun = opening(target.host)
    async with datagrams(line.listeners[Listener.QUIC]) as (transport, protocol):
        transport.sendto(begun.datagram)
        if is_refusal(await protocol.answers.get(), begun):
            return Finding(Outcome.REFUSED, "CONNECTION_REFUSED")
        return Finding(Outcome.LEAKED, "not refused: a server answered")


# -- what they share


async def _through_tunnel(
    line: Line, *pieces: bytes, decision: Decision | None = None, listener: Listener = Listener.PROXY
) -> Finding:
    """Send *pieces* through a tunnel to a trap; *decision*: where they are HTTP, else they are TLS."""
    async with trap(line.sink, bind=line.bind) as net, opened(line.listeners[listener]) as channel:
        if listener is Listener.SOCKS:
            if not await tunnel(channel, net.address, line.login):
                return Finding(Outcome.UNCLEAR, "no tunnel to an innocent address")
        else:
            response = await asked_for_tunnel(line, channel, authority_of(net), AGENT)
            if response is None or response.status != 200:
                return _no_tunnel(response)
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(_PAUSE)
            channel.send(piece)
        if decision is not None:
            return _unless_caught(net, await _http_finding(channel, decision))
        await channel.until(7)
        return _unless_caught(net, tls_finding(bytes(channel.received)))


async def asked_for_tunnel(line: Line, channel: Channel, authority: str, agent: str) -> Response | None:
    """The answer to a CONNECT; None where the proxy closes without one."""
    channel.send(_request("CONNECT", authority, authority, agent, *_login(line)))
    return await channel.response()


async def _http_finding(channel: Channel, decision: Decision) -> Finding:
    response = await channel.response()
    if response is not None and response.status == CAUGHT:
        return Finding(Outcome.LEAKED, _ARRIVED)
    return judged(response, decision, Surface.HTTP)


def tls_finding(answer: bytes) -> Finding:
    """What came back for a ClientHello."""
    if answer[:1] == b"\x15" and answer[5:7] == _ACCESS_DENIED:
        return Finding(Outcome.REFUSED, "alert access_denied")
    if answer[:7] == HANDSHAKE_FAILURE:
        return Finding(Outcome.LEAKED, "the ClientHello arrived at its destination")
    if answer[:1] == b"\x16":
        return Finding(Outcome.LEAKED, "TLS was spoken for the name: a ServerHello came")
    return Finding(Outcome.UNCLEAR, f"answered {answer[:7].hex()}" if answer else _CLOSED)


def _dns_finding(answer: bytes, asked: bytes) -> Finding:
    said = read(answer, asked)
    if said is None:
        return Finding(Outcome.UNCLEAR, "an answer that cannot be read")
    if said.ours:
        return Finding(Outcome.REFUSED, said.text)
    if said.info in (15, 16, 17):  # blocked, censored, filtered (RFC 8914, 4.16 to 4.18)
        return Finding(Outcome.FOREIGN, f"{said.text}, refused by another resolver")
    return Finding(Outcome.LEAKED, f"not refused: {said.text} from upstream")


def _unless_caught(net: Net, finding: Finding) -> Finding:
    """*finding*, but where the trap has sprung nothing was refused."""
    if net.received and finding.outcome is not Outcome.LEAKED:
        return Finding(Outcome.LEAKED, _ARRIVED)
    return finding


def _no_tunnel(response: Response | None) -> Finding:
    if response is None:
        return Finding(Outcome.UNCLEAR, _CLOSED)
    return Finding(Outcome.UNCLEAR, f"no tunnel to an innocent address: {response.status}")


def _request(method: str, target: str, host: str, agent: str, *headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", f"User-Agent: {agent}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def _login(line: Line) -> tuple[str, ...]:
    if line.login is None:
        return ()
    return (f"Proxy-Authorization: Basic {base64.b64encode(line.login.encode()).decode()}",)


def authority_of(net: Net) -> str:
    """`HOST:PORT` of a trap."""
    return f"{bracketed(net.address[0])}:{net.address[1]}"


def _said(failure: Exception) -> str:
    return str(getattr(failure, "reason", None) or failure or type(failure).__name__)
