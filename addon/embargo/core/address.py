"""Literal IP addresses in every spelling that a resolver accepts, brought to one form.

A client reaches 203.0.113.9 as ``3405803785``, ``0xcb.0x71``, ``::ffff:cb00:7109`` and more
(measured through mitmproxy 12.2), so all of them must be the same value before a ``cidr`` is compared.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

_DIGITS = {8: frozenset("01234567"), 10: frozenset("0123456789"), 16: frozenset("0123456789abcdef")}
_LONGEST_PART = 64  # digits; leading zeros are legal, a megabyte of them is an attack


def parse_ipv4(text: str) -> IPv4Address | None:
    """The address that *text* (lower case) spells in one to four parts, else None.

    Decimal, octal (leading 0) and hexadecimal (leading 0x) parts; the last part fills what is left
    (POSIX inet_aton, WHATWG URL "IPv4 parser"). Nothing may follow: ``socket.inet_aton`` takes
    ``203.0.113.9 x``, this does not.
    """
    parts = text.split(".")
    if len(parts) > 4:
        return None
    numbers: list[int] = []
    for part in parts:
        base = 10
        if part.startswith("0x"):
            base, part = 16, part[2:] or "0"
        elif len(part) > 1 and part[0] == "0":
            base, part = 8, part[1:]
        if not part or len(part) > _LONGEST_PART or not _DIGITS[base].issuperset(part):
            return None
        numbers.append(int(part, base))
    *heads, last = numbers
    if any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        return None
    value = last
    for position, head in enumerate(heads):
        value |= head << (8 * (3 - position))
    return IPv4Address(value)


def parse_ipv6(text: str) -> Address | None:
    """The address that *text* (no brackets) spells; IPv4-mapped ones as IPv4, a zone id dropped."""
    try:
        address = IPv6Address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address


def parse_address(text: str) -> Address | None:
    """The literal address *text* (lower case, no brackets) spells, or None where it is a name."""
    if ":" in text:
        return parse_ipv6(text)
    if text and text.rpartition(".")[2][:1].isdigit():
        return parse_ipv4(text)
    return None


def plain(address: Address) -> Address:
    """*address* with an IPv4-mapped IPv6 address (a dual-stack listener's peer) as IPv4."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_loopback(host: str) -> bool:
    """Whether *host*, an address or a name, is this machine to itself and to nobody else."""
    address = parse_address(host.lower())
    return address.is_loopback if address is not None else host.lower() == "localhost"
