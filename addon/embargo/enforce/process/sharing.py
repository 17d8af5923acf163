"""What a worker changes in mitmproxy's listeners, so that several processes serve one port.

TCP listeners are opened with SO_REUSEPORT. Datagram listeners and devices are made in Rust and cannot be shared:
worker 1 alone has them.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from mitmproxy import ctx
from mitmproxy.proxy import mode_servers, mode_specs

from embargo.enforce.process.port import reserve

_DEVICES = (mode_specs.LocalMode, mode_specs.TunMode, mode_specs.WireGuardMode)


def share_ports(*, alone: bool, exclusive: bool) -> None:
    """From now on TCP listeners of mitmproxy's modes share their port with other workers.

    *alone*: this is the worker that also has the listeners that cannot be shared. *exclusive*: no worker listens yet,
    so who is found at a port that a mode has of its own (`@PORT`) is a stranger, with whom it is not shared.
    """
    start_server = asyncio.start_server

    async def start_shared(callback: Any, host: Any = None, port: Any = None, **more: Any) -> asyncio.Server:
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, mode_servers.ServerInstance):
            if exclusive and port and port != ctx.options.listen_port:  # that one the supervisor has reserved
                for bound in reserve(host or "", port):
                    bound.close()
            more["reuse_port"] = True
        return await start_server(callback, host, port, **more)

    async def listen_shared(self: Any, host: str, port: int) -> list[asyncio.Server]:
        return [await start_shared(self.handle_stream, host, port)]

    asyncio.start_server = start_shared  # type: ignore[assignment] # by this name mode_servers finds it
    if not alone:
        mode_servers.AsyncioServerInstance.listen = listen_shared  # type: ignore[assignment,method-assign]


def shareable(modes: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those of *modes* that several workers can serve, and the names of those that worker 1 serves in part or alone."""
    shared, alone = [], []
    for each in modes:
        mode = mode_specs.ProxyMode.parse(each)
        device = isinstance(mode, _DEVICES)
        if mode.transport_protocol != "udp" and not device:
            shared.append(each)
        if mode.transport_protocol != "tcp" or device:
            # without whom it leads to, which may hold a password
            alone.append(f"reverse:{mode.scheme}" if isinstance(mode, mode_specs.ReverseMode) else mode.type_name)
    return shared, alone
