"""Where embargo's own services listen (console, metrics, health), so that no client is led there through the proxy.

They trust the machine that they run on, and a forward proxy is on it: whoever may use the proxy could otherwise reach
what listens on loopback alone.
"""

import socket
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from embargo.core.address import Address, is_loopback, parse_address
from embargo.enforce.process.pages import listening_address

type Place = tuple[str, int]  # address, or a name, and port

_ANY_CAN_BE_BOUND = {4: Path("/proc/sys/net/ipv4/ip_nonlocal_bind"), 6: Path("/proc/sys/net/ipv6/ip_nonlocal_bind")}


class OwnServices:
    """The places, by who named them."""

    def __init__(self) -> None:
        self._named: dict[str, tuple[Place, ...]] = {}
        self._by_port: dict[int, list[Address | None]] = {}  # None: any address of this machine

    def name(self, source: str, places: Iterable[Place]) -> None:
        """From now on *source* knows of *places*, and of no others. A port of 0 is none yet."""
        self._named[source] = tuple(places)
        self._by_port = {}
        for host, port in (place for named in self._named.values() for place in named if place[1]):
            address = parse_address(host.lower())
            if address is not None and address.is_unspecified:
                address = None
            self._by_port.setdefault(port, []).append(address)

    def at(self, host: str, port: int) -> bool:
        """Whether one listens at *host*, an address in any spelling; of names `localhost` alone is known here."""
        listening = self._by_port.get(port)
        if listening is None:  # all but a few connections end here
            return False
        name = host.lower().strip("[]").rstrip(".")
        if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
            return True
        address = parse_address(name)
        if address is None:
            return False
        if address.is_loopback or address.is_unspecified:  # to which the kernel answers with loopback
            return any(each is None or each.is_loopback or each == address for each in listening)
        return address in listening or (None in listening and is_own(address))


def is_own(address: Address) -> bool:
    """Whether *address* is one of this machine's."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            if _ANY_CAN_BE_BOUND[address.version].read_text().strip() != "0":
                probe.connect((str(address), 9))  # sends nothing; what goes to an address of ours comes from it
                return parse_address(probe.getsockname()[0]) == address
        except OSError:
            pass  # another system than Linux
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def places(texts: Iterable[str]) -> tuple[Place, ...]:
    """Those that the option `embargo_services` names, `[ADDRESS:]PORT` each. Raises ValueError."""
    return tuple(map(listening_address, texts))


def place_of(url: str) -> tuple[Place, ...]:
    """Where the console is of which *url* is the address: none, where a name stands there, which may be others' too."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return ()
    return ((host, port),) if is_loopback(host) else ()
