"""syslog over UDP (RFC 5426): a datagram a message, and nobody ever knows whether it arrived."""

import socket
from collections.abc import Sequence

from embargo.core.sink import Sink
from embargo.sinks.message import Message
from embargo.sinks.receiver import Delivery, Unreachable

LARGEST = 65_507  # bytes of a datagram's data over IPv4


class Datagrams:
    """A socket that sends to a syslog server."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._socket: socket.socket | None = None

    def deliver(self, messages: Sequence[Message]) -> Delivery:
        """Send them all. What is larger than a datagram is refused. Raises Unreachable."""
        if self._socket is None:
            self._socket = self._connected()
        refused = []
        for position, message in enumerate(messages):
            data = message.text.encode("utf-8")
            if len(data) > LARGEST:
                refused.append((position, f"{len(data)} bytes are more than a datagram holds"))
                continue
            try:
                self._socket.send(data)
            except OSError as failure:  # that nobody listened to the one before, as far as the system was told
                self.close()
                why = failure.strerror or str(failure)
                again = tuple(range(max(0, position - 1), len(messages)))
                return Delivery(again=again, why=why, refused=tuple(each for each in refused if each[0] not in again))
        return Delivery(refused=tuple(refused))

    def idle(self) -> None:
        """Nothing is to be noticed."""

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        to = self._sink.to
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_DGRAM)[0]
            made = socket.socket(family, kind, protocol)
            made.connect(address)
        except (OSError, UnicodeError) as failure:
            why = getattr(failure, "strerror", None) or failure
            raise Unreachable(f"{to.host}:{to.port}: {why}") from failure
        return made
