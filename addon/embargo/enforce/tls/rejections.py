"""Clients that reject our certificate: they are refused at CONNECT for a day, and the operator sees who they are.

A client that says so in an alert (unknown_ca, bad_certificate, certificate_unknown, …) is believed at once. One that
only goes away in the handshake may have been a closed tab: it has to do so twice.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from embargo.enforce.connection import Connection

REJECTED_FOR = timedelta(days=1)  # a client that rejected our certificate is not shown a page for so long
MOST = 10_000  # clients remembered, those least lately seen forgotten first: some 500 bytes each
LISTED = 100  # of them told in `embargo status`, the latest first
_LONGEST_AGENT = 256  # characters of a user agent by which a client is remembered
_ALERT = re.compile(  # OpenSSL's words for the alerts of RFC 8446, 6.2 that concern our certificate
    r"(?:alert )?(bad certificate|unsupported certificate|certificate revoked|certificate expired|"
    r"certificate unknown|unknown ca|access denied|certificate required)"
)
_LEFT = ("disconnected", "closed early")  # mitmproxy's words for a client that went away

type _Key = tuple[str, str]  # client and user agent


@dataclass(slots=True)
class Rejecting:
    """A client that rejects our certificate."""

    since: datetime
    last: datetime
    why: str  # the alert's name, or that it went away
    until: datetime | None = None  # refused at CONNECT until then; None: no page of ours was rejected
    times: int = 1


class Rejections:
    """Who rejects our certificate. Bounded; touched by the event loop's thread alone."""

    def __init__(self) -> None:
        self.handshakes = 0  # that failed for it
        self._clients: OrderedDict[_Key, Rejecting] = OrderedDict()
        self._left: OrderedDict[_Key, None] = OrderedDict()  # those that once went away in the handshake

    def failed(self, connection: Connection, error: str, time: datetime) -> None:
        """A handshake in which *connection*'s client got our certificate failed with mitmproxy's *error*."""
        key = _key(connection)
        alert = _ALERT.search(error)
        if alert is None:
            if not any(word in error for word in _LEFT):
                return  # they agree on no version or cipher: nothing is said of the certificate
            if key not in self._left and key not in self._clients:
                _bounded(self._left, key, None)
                return
        self._left.pop(key, None)
        self.handshakes += 1
        known = self._clients.get(key)
        if known is None or _over(known, time):
            known = Rejecting(time, time, "")
        else:
            known.times += 1
        known.last, known.why = time, alert[1] if alert is not None else "went away"
        if connection.page is not None:
            known.until = time + REJECTED_FOR
        _bounded(self._clients, key, known)

    def rejects(self, connection: Connection, time: datetime) -> bool:
        """Whether *connection*'s client, by address and user agent, rejected a page within the last day."""
        known = self._clients.get(_key(connection))
        return known is not None and known.until is not None and time < known.until

    def describe(self, time: datetime) -> dict[str, Any]:
        """What `embargo status` shows."""
        for key in [key for key, known in self._clients.items() if _over(known, time)]:
            del self._clients[key]
        latest = list(reversed(self._clients.items()))[:LISTED]
        return {
            "clients": len(self._clients),
            "handshakes": self.handshakes,
            "listed": [
                {
                    "client": client,
                    "user_agent": agent or None,
                    "since": known.since.isoformat(),
                    "until": known.until.isoformat() if known.until is not None else None,
                    "times": known.times,
                    "why": known.why,
                }
                for (client, agent), known in latest
            ],
        }


def _over(known: Rejecting, time: datetime) -> bool:
    return time - known.last >= REJECTED_FOR


def _bounded[V](memory: OrderedDict[_Key, V], key: _Key, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > MOST:
        memory.popitem(last=False)


def _key(connection: Connection) -> _Key:
    return (str(connection.client), (connection.user_agent or "")[:_LONGEST_AGENT])
