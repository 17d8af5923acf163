"""The clean end of a connection that is refused before it has a protocol."""

from mitmproxy.connection import ConnectionState
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.test import tflow

from embargo.enforce.tls.layers import ACCESS_DENIED, Refuse


def ended(goodbye: bytes, *, upstream: bool) -> list[str]:
    context = Context(tflow.tclient_conn(), Options())
    if upstream:
        context.server = tflow.tserver_conn()
        context.server.state = ConnectionState.OPEN
    layer = Refuse(context, goodbye)
    said = [*layer.handle_event(events.Start()), *layer.handle_event(events.DataReceived(context.client, b"more"))]
    names = {context.client: "client", context.server: "server"}
    return [
        f"send {command.data.hex()} to {names[command.connection]}"
        if isinstance(command, commands.SendData)
        else f"{type(command).__name__} {names[command.connection]}"  # type: ignore[attr-defined]
        for command in said
    ]


def test_a_tls_client_is_told_once() -> None:
    assert ended(ACCESS_DENIED, upstream=False) == ["send 15030300020231 to client", "CloseConnection client"]


def test_what_was_opened_upstream_is_closed_and_gets_nothing() -> None:
    assert ended(b"", upstream=True) == ["CloseConnection client", "CloseConnection server"]
