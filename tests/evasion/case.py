"""What a case of the suite is, and in which modes the kinds of cases apply."""

from collections.abc import Callable
from dataclasses import dataclass

from evasion.attempt import Attempt, Outcome

EXPLICIT = frozenset({"regular", "upstream"})
NAMED = EXPLICIT | {"socks5 by name"}  # the client names the host
TARGET = NAMED | {"socks5 by address", "transparent", "tun", "wireguard"}  # the client chooses where to
STREAM = TARGET | {"reverse:tcp"}
PLAIN = STREAM | {"reverse:http", "reverse:https", "reverse:tls"}
SECURE = STREAM | {"reverse:tls"}
INSIDE = SECURE | {"reverse:http", "reverse:https"}


@dataclass(frozen=True)
class Case:
    """One way that a client may try. Its twin is the same with a look-alike name or address."""

    name: str
    surface: str  # which it tries to slip through
    modes: frozenset[str]
    run: Callable[[Attempt], Outcome]
    alone: bool = False  # all that it sends is banned, so that not one byte may reach an origin
    greeted: bool = False  # the server speaks first, so it has to be asked before the client has said a word
    opened: bool = False  # it needs TLS that the proxy opens
    odd: str = ""  # why the twin is refused as well: no client that is not after something sends this
