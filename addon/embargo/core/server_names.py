"""Every server name in a ClientHello, also those that mitmproxy leaves out.

mitmproxy 12.2 tells no SNI where the extension holds two names, a trailing dot or a letter that no host
has (measured); a server may still take the one that is banned.
"""

from collections.abc import Iterator

_SERVER_NAME = 0  # extension type (RFC 6066, 3)
_SESSION_ID = 34  # octets before it: version and random (RFC 8446, 4.1.2)


def server_names(hello: bytes) -> tuple[str, ...]:
    """The names of all server_name extensions of *hello*, a ClientHello without its handshake header, as text
    that need be no host.

    Raises ValueError where it cannot be read: what a server makes of it is not known.
    """
    return tuple(
        name.decode("utf-8", "replace")
        for kind, content in _extensions(hello)
        if kind == _SERVER_NAME and content
        for name in _names(content)
    )


def _extensions(hello: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of each extension (RFC 8446, 4.1.2): mitmproxy's own parser takes ten times as long."""
    position = _SESSION_ID
    for octets in (1, 2, 1):  # session id, cipher suites, compression methods, each behind its length
        if position + octets > len(hello):
            raise ValueError("a ClientHello that does not end")
        position += octets + int.from_bytes(hello[position : position + octets])
    if position == len(hello):
        return  # extensions may be missing as a whole
    if int.from_bytes(hello[position : position + 2]) != len(hello) - position - 2:
        raise ValueError("extensions whose length is wrong")
    position += 2
    while position < len(hello):
        kind, length = (
            int.from_bytes(hello[position : position + 2]),
            int.from_bytes(hello[position + 2 : position + 4]),
        )
        position += 4
        if position + length > len(hello):
            raise ValueError("an extension that does not end")
        yield kind, hello[position : position + length]
        position += length


def _names(content: bytes) -> list[bytes]:
    """The entries of a ServerNameList: two octets of length, then type, two octets of length, name."""
    if int.from_bytes(content[:2]) != len(content) - 2:
        raise ValueError("a list of server names whose length is wrong")
    found, position = [], 2
    while position < len(content):
        length = int.from_bytes(content[position + 1 : position + 3])
        end = position + 3 + length
        if position + 3 > len(content) or end > len(content):
            raise ValueError("a server name that does not end")
        found.append(content[position + 3 : end])  # whatever its type: only host_name (0) was ever defined
        position = end
    return found
