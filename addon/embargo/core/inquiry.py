"""A question about a URL, a host or an address, asked without traffic: what would the proxy do?

A regular proxy is assumed: https is judged at connect, tls and http in turn, http at http alone, each
with the names known by then (DESIGN 8). `explain`, policy tests and replay all ask this way, and so agree.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from embargo.core.address import Address
from embargo.core.decide import decide
from embargo.core.decision import Decision, Verdict
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Policy
from embargo.core.url import Target, parse_target

_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*)://)?([^/?#\\]*)(.*)", re.DOTALL)
PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SOURCES = {  # where a lone name stands on a surface
    Surface.CONNECT: (Source.CONNECT,),
    Surface.TLS: (Source.CONNECT, Source.SNI),
    Surface.HTTP: (Source.CONNECT, Source.SNI, Source.HOST),
    Surface.WEBSOCKET: (Source.CONNECT, Source.SNI, Source.HOST),
    Surface.DNS: (Source.QUESTION,),
    Surface.QUIC: (Source.SNI,),
    Surface.TCP: (Source.DESTINATION,),
    Surface.UDP: (Source.DESTINATION,),
    Surface.SERVER: (Source.DIALLED,),
}
_WITH_URL = frozenset({Surface.HTTP, Surface.WEBSOCKET})
_OVER_UDP = frozenset({Surface.QUIC, Surface.UDP})


class UnreadableRequest(ValueError):
    """Text that is no URL, host or address that the proxy could be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What is asked: one URL or host, by whom, when, and perhaps at one surface alone."""

    request: str
    time: datetime  # aware, UTC
    client: Address | None = None
    user: str | None = None
    user_agent: str | None = None
    surface: Surface | None = None  # None: those that a regular proxy passes through
    names: tuple[str, ...] = ()  # what else it is called there, as HOST[:PORT]; malformed ones count for nothing


@dataclass(frozen=True, slots=True)
class Answer:
    """The deciding surface of an inquiry, with the request judged there."""

    decision: Decision
    request: Request


def answer(policy: Policy, inquiry: Inquiry) -> Answer:
    """The first block, or what monitor makes of it; else the strictest decision.

    Of equals the first surface's, where the proxy writes its record; what passes has passed the last.

    Raises UnreadableRequest for a scheme that no proxy sees.
    """
    strictest: Answer | None = None
    for request in requests(inquiry):
        candidate = Answer(decide(policy, request), request)
        if candidate.decision.blocked or candidate.decision.held_back:
            return candidate
        if strictest is None or strictest.decision.verdict is Verdict.PASS or _stricter(candidate, strictest):
            strictest = candidate
    assert strictest is not None, "every inquiry has a surface"
    return strictest


def _stricter(answer: Answer, than: Answer) -> bool:
    return answer.decision.verdict > than.decision.verdict


def requests(inquiry: Inquiry) -> list[Request]:
    """The requests by which a regular proxy would judge *inquiry*, in the order of the surfaces."""
    matched = _URL.fullmatch(inquiry.request.strip())
    assert matched is not None, "every text has this form"
    scheme, authority, rest = (matched[1] or "https").lower(), matched[2], matched[3]
    if scheme not in PORTS:
        raise UnreadableRequest(f"{scheme!r} is no scheme that a proxy is asked for; use one of {', '.join(PORTS)}")
    if matched[1] is None and authority.count(":") > 1 and not authority.startswith("["):
        authority = f"[{authority}]"  # an IPv6 address as people write it
    authority = authority.rpartition("@")[2]  # user information is never part of the host
    target = parse_target(rest.replace("\\", "/") if rest.startswith(("/", "\\")) else "/" + rest)
    return [
        _request(inquiry, surface, scheme, authority, target if surface in _WITH_URL else None)
        for surface in _surfaces(inquiry, scheme)
    ]


def _surfaces(inquiry: Inquiry, scheme: str) -> tuple[Surface, ...]:
    if inquiry.surface is not None:
        return (inquiry.surface,)
    last = Surface.WEBSOCKET if scheme.startswith("ws") else Surface.HTTP
    return (Surface.CONNECT, Surface.TLS, last) if scheme in ("https", "wss") else (last,)


def _request(inquiry: Inquiry, surface: Surface, scheme: str, authority: str, target: Target | None) -> Request:
    sources: tuple[Source, ...] = _SOURCES[surface]
    if scheme in ("http", "ws") and surface in _WITH_URL:
        sources = (Source.URL, Source.HOST)
    names = [Name.parse(source, authority, PORTS[scheme]) for source in sources]
    named = [name for name in names if not (name.source is Source.SNI and _is_address(name))]
    if not named:  # QUIC to a bare address: only the datagrams' destination tells where it goes
        named = [Name.parse(Source.DESTINATION, authority, PORTS[scheme])]
    named += [Name.parse(sources[0], other, PORTS[scheme]) for other in inquiry.names]
    return Request(
        surface=surface,
        time=inquiry.time,
        names=tuple(named),
        client=inquiry.client,
        user=inquiry.user,
        target=target,
        user_agent=inquiry.user_agent if surface in _WITH_URL or surface is Surface.CONNECT else None,
        transport="udp" if surface in _OVER_UDP else "tcp",
    )


def _is_address(name: Name) -> bool:
    """Whether *name* is a literal address, which no SNI carries (RFC 6066, 3)."""
    return name.host is not None and name.host.address is not None
