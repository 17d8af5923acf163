"""A tunnel by SOCKS 5 (RFC 1928), with a login where there is one (RFC 1929)."""

import socket

from embargo.probe.channel import Address, Channel

_VERSION, _CONNECT = 5, 1
_NO_LOGIN, _LOGIN = 0, 2
_IPV4, _NAME, _IPV6 = 1, 3, 4
_LENGTHS = {_IPV4: 4, _IPV6: 16}


async def tunnel(channel: Channel, target: Address, login: str | None) -> bool:
    """Whether the proxy behind *channel* opened a tunnel to *target*; *login*: USER:PASSWORD."""
    methods = bytes([_NO_LOGIN, _LOGIN] if login is not None else [_NO_LOGIN])
    channel.send(bytes([_VERSION, len(methods)]) + methods)
    chosen = await _take(channel, 2)
    if chosen[1:] == bytes([_LOGIN]) and login is not None:
        user, _, password = login.partition(":")
        parts = [part.encode()[:255] for part in (user, password)]
        channel.send(b"\1" + b"".join(bytes([len(part)]) + part for part in parts))
        if (await _take(channel, 2))[1:] != b"\0":
            return False
    elif chosen[1:] != bytes([_NO_LOGIN]):
        return False
    channel.send(bytes([_VERSION, _CONNECT, 0]) + _spelled(target[0]) + target[1].to_bytes(2))
    reply = await _take(channel, 4)
    if reply[1:2] != b"\0":
        return False
    size = _LENGTHS.get(reply[3])
    await _take(channel, (size if size is not None else (await _take(channel, 1) or b"\0")[0]) + 2)
    return True


async def _take(channel: Channel, length: int) -> bytes:
    """The next *length* bytes; fewer where the other side closes before."""
    await channel.until(length)
    taken = bytes(channel.received[:length])
    del channel.received[:length]
    return taken


def _spelled(host: str) -> bytes:
    for family, kind in ((socket.AF_INET, _IPV4), (socket.AF_INET6, _IPV6)):
        try:
            return bytes([kind]) + socket.inet_pton(family, host)
        except OSError:
            continue
    name = host.encode("ascii")
    return bytes([_NAME, len(name)]) + name
