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
        # When one went away in the handshake for once, told apart by whether it would have shown a page.
        self._left: OrderedDict[tuple[_Key, bool], datetime] = OrderedDict()

    def failed(self, connection: Connection, error: str, time: datetime) -> bool:
        """A handshake in which *connection*'s client got our certificate failed with mitmproxy's *error*.

        Whether it failed for the certificate, as far as can be told.
        """
        self._forget(time)
        key, shows_page = _key(connection), connection.page is not None
        known = self._clients.get(key)
        alert = _ALERT.search(error)
        if alert is None:
            if not any(word in error for word in _LEFT):
                return False  # they agree on no version or cipher: nothing is said of the certificate
            believed = self.rejects(connection, time) or (known is not None and not shows_page)
            if not believed and (key, shows_page) not in self._left:
                _bounded(self._left, (key, shows_page), time)
                return False
        self._left.pop((key, shows_page), None)
        self.handshakes += 1
        if known is None:
            known = Rejecting(time, time, "")
        else:
            known.times += 1
        known.last, known.why = time, alert[1] if alert is not None else "went away"
        if shows_page:
            known.until = time + REJECTED_FOR
        _bounded(self._clients, key, known)
        return True

    def rejects(self, connection: Connection, time: datetime) -> bool:
        """Whether *connection*'s client, by address and user agent, rejected a page within the last day."""
        known = self._clients.get(_key(connection))
        return known is not None and known.until is not None and time < known.until

    def describe(self, time: datetime) -> dict[str, Any]:
        """What `embargo status` shows."""
        self._forget(time)
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

    def _forget(self, time: datetime) -> None:
        """Drop what is a day old: those least lately seen stand first."""
        while self._clients and time - next(iter(self._clients.values())).last >= REJECTED_FOR:
            self._clients.popitem(last=False)
        while self._left and time - next(iter(self._left.values())) >= REJECTED_FOR:
            self._left.popitem(last=False)


def _bounded[K, V](memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > MOST:
        memory.popitem(last=False)


def _key(connection: Connection) -> _Key:
    return (str(connection.client), (connection.user_agent or "")[:_LONGEST_AGENT])
