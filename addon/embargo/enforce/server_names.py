"""Every server name in a ClientHello, also those that mitmproxy leaves out.

mitmproxy 12.2 tells no SNI where the extension holds two names, a trailing dot or a letter that no host
has (measured); a server may still take the one that is banned.
"""

from mitmproxy.tls import ClientHello

_SERVER_NAME = 0  # extension type (RFC 6066, 3)


def server_names(hello: ClientHello) -> tuple[str, ...]:
    """The names of all server_name extensions, as text that need be no host.

    Raises ValueError where an extension cannot be read: what a server makes of it is not known.
    """
    return tuple(
        name.decode("utf-8", "replace")
        for kind, content in hello.extensions
        if kind == _SERVER_NAME and content
        for name in _names(content)
    )


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
