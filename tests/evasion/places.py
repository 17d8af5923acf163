"""Where names and addresses lead in the evasion suite: each attempt has two places of its own, so that an origin
that counts connections can tell whose they are, and whether to a banned place or to an innocent one.
"""

import ipaddress
import re
import socket
import unicodedata

BANNED, INNOCENT = 66, 77  # second octet of the loopback address to which a name or literal address leads
MARK = re.compile(rb"m(\d{5})z", re.IGNORECASE)  # of an attempt: in its names, and in what must not get out
_ANY_MARK = re.compile(r"[mc](\d{5})z")  # that of a cover begins with c


def mark(number: int) -> str:
    """The mark of attempt *number*."""
    return f"m{number:05}z"


def literal(number: int, net: int) -> str:
    """The address that attempt *number* dials: 10.66.0.0/16 is what the policy bans."""
    return f"10.{net}.{number >> 8}.{number & 255}"


def place(host: str) -> str:
    """The loopback address behind *host*, a name or a literal address in any spelling that a resolver takes."""
    text = unicodedata.normalize("NFKC", host.strip("[]")).replace("。", ".").lower().rstrip(".").partition("%")[0]
    address = _address(text)
    if address is not None:
        return f"127{address.removeprefix('10')}" if address.startswith(("10.66.", "10.77.")) else "127.77.0.0"
    net = BANNED if text == "banned.test" or text.endswith(".banned.test") else INNOCENT
    found = _ANY_MARK.search(text)
    number = int(found[1]) if found else 0
    return f"127.{net}.{number >> 8}.{number & 255}"


def _address(text: str) -> str | None:
    try:
        if ":" in text:
            mapped = ipaddress.IPv6Address(text).ipv4_mapped
            return str(mapped) if mapped is not None else text
        return socket.inet_ntoa(socket.inet_aton(text))
    except (OSError, ValueError):
        return None
