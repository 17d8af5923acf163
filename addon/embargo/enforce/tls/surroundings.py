"""Where a connection stands when its next protocol is chosen: its proxy mode, and the layers below it."""

import re

from mitmproxy.proxy import events, layer
from mitmproxy.proxy.layers import ClientTLSLayer, ServerTLSLayer, modes
from mitmproxy.proxy.mode_specs import ReverseMode

from embargo.core import dns_framing
from embargo.core.request import Name

_VERIFIABLE = re.compile(r"(?:[0-9a-z_]+(?:-+[0-9a-z_]+)*(?:\.(?!$)|$))+", re.IGNORECASE)  # as OpenSSL has it
_DNS_OVER_TLS = b"dot"  # application protocol (RFC 7858, IANA's registry of ALPN ids)


def can_be_opened(name: Name) -> bool:
    """Whether mitmproxy can speak TLS to a server of that name.

    It lets OpenSSL verify the certificate by it, which takes no label that begins or ends in a hyphen and no final
    dot; the handshake would hang (measured, 12.2.3). What is no host at all, it does not use.
    """
    return name.host is None or name.host.address is not None or _VERIFIABLE.fullmatch(name.text) is not None


def is_first_of_explicit_proxy(data: layer.NextLayer) -> bool:
    """Whether this is the client's own conversation with the proxy: HTTP, and never raw."""
    layers = data.context.layers
    return len(layers) == 1 and isinstance(layers[0], modes.HttpProxy | modes.HttpUpstreamProxy)


def is_dns(data: layer.NextLayer) -> bool:
    """Whether both sides have agreed on DNS before a byte of it."""
    layers, client = data.context.layers, data.context.client
    if len(layers) == 1 and isinstance(client.proxy_mode, ReverseMode):
        return client.proxy_mode.scheme == "dns"
    return client.alpn == _DNS_OVER_TLS and isinstance(layers[-1], ClientTLSLayer)


def may_be_dns(data: layer.NextLayer) -> bool:
    """Whether it goes where DNS is spoken; that alone says nothing, so what comes is looked at."""
    address = data.context.server.address
    if address is None:
        return False
    inside_tls = isinstance(data.context.layers[-1], ClientTLSLayer)
    return address[1] in dns_framing.PORTS or (inside_tls and address[1] == dns_framing.TLS_PORT)


def drop_leading_lines(data: layer.NextLayer) -> None:
    """Drop empty lines before a request (RFC 9112, 2.2): mitmproxy's HTTP layer would wait behind them."""
    for event in data.events:
        if isinstance(event, events.DataReceived) and event.connection is data.context.client:
            event.data = event.data.lstrip(b"\r\n")
            if event.data:
                return


def opening(data: layer.NextLayer) -> layer.Layer:
    """The layers that open TLS on both sides."""
    if reverse_scheme(data) in ("http", "tcp"):
        return ClientTLSLayer(data.context)  # the server behind speaks in the clear
    server = ServerTLSLayer(data.context)
    server.child_layer = ClientTLSLayer(data.context)
    return server


def reverse_scheme(data: layer.NextLayer) -> str | None:
    """How a reverse proxy speaks to its server; None in other modes."""
    mode = data.context.client.proxy_mode
    return mode.scheme if isinstance(mode, ReverseMode) else None


def server_tls(data: layer.NextLayer) -> ServerTLSLayer | None:
    """The layer for TLS to the server of a reverse proxy whose client speaks in the clear; None where none is due."""
    if reverse_scheme(data) not in ("https", "tls"):
        return None
    if any(isinstance(below, ServerTLSLayer) for below in data.context.layers):
        return None
    return ServerTLSLayer(data.context)
