"""The client's side of QUIC on one datagram flow: ClientHellos are found, and nothing passes before they are whole.

A ClientHello may lie in several datagrams, in any order, between padding; several connections may share a flow,
and one may send a second ClientHello where the server asks for it. Each is put together and read.
"""

from collections.abc import Iterable

from embargo.core.fragments import Fragments
from embargo.core.quic_packet import (
    INITIAL,
    SMALLEST_SHORT,
    ZERO_RTT,
    InitialKeys,
    Packet,
    crypto_frames,
    packets,
)
from embargo.core.server_names import server_names

_MOST_ATTEMPTS = 16  # connections that are followed on a flow
_MOST_IDS = 64  # connection ids of servers that are remembered on a flow
_CLIENT_HELLO = 1  # handshake type


class Attempt:
    """A connection that a client begins."""

    def __init__(self, first: bytes) -> None:
        self.first = first  # the destination connection id from which the keys follow
        self.keys = InitialKeys(first)
        self.crypto = Fragments()
        self.read = 0  # bytes of whole messages
        self.hellos: list[tuple[str, ...]] = []  # the names of each
        self.held: list[bytes] = []
        self.packet: Packet | None = None  # its newest Initial

    @property
    def waits(self) -> bool:
        """Whether a ClientHello is not yet whole."""
        return not self.hellos or self.crypto.end > self.read

    def take(self, payload: bytes) -> int:
        """Read an Initial packet's frames; returns how many ClientHellos are whole now that were not before.

        Raises ValueError for what no client sends.
        """
        for offset, content in crypto_frames(payload):
            self.crypto.add(offset, content)
        whole, found = self.crypto.whole(), 0
        while len(whole) - self.read >= 4:
            if whole[self.read] != _CLIENT_HELLO:
                raise ValueError("another message than a ClientHello in an Initial packet")
            end = self.read + 4 + int.from_bytes(whole[self.read + 1 : self.read + 4])
            if len(whole) < end:
                break
            self.hellos.append(server_names(whole[self.read + 4 : end]))
            self.read, found = end, found + 1
        return found


class Unreadable(ValueError):
    """A datagram that a server may read and we cannot."""


class Connections:
    """The QUIC connections that a client begins on one flow."""

    def __init__(self) -> None:
        self._attempts: dict[bytes, Attempt] = {}  # by destination connection id, the oldest first
        self._servers: dict[bytes, None] = {}  # connection ids that servers chose

    def feed(self, datagram: bytes) -> tuple[Attempt, int] | None:
        """The connection that *datagram* (of a version that is read) concerns, and how many ClientHellos it ends.

        None where it begins nothing. Raises Unreadable.
        """
        found = list(packets(datagram))
        opening = [packet for packet in found if packet.kind in (INITIAL, ZERO_RTT)]
        if not opening:
            return None
        destination = opening[0].destination
        if any(packet.destination != destination for packet in found):
            raise Unreadable("packets of different connections in one datagram")
        if all(packet.kind == ZERO_RTT for packet in opening):
            return self._early(destination)
        initials = [packet for packet in opening if packet.kind == INITIAL]
        read = [self._decipher(datagram, packet) for packet in initials]  # all, before any of them counts
        attempt = read[0][0]
        if any(other is not attempt for other, _ in read):
            raise Unreadable("packets of different connections in one datagram")
        attempt.packet = initials[-1]
        try:
            return attempt, sum(attempt.take(payload) for _, payload in read)
        except ValueError as error:
            self.forget(attempt)  # what of it was read goes nowhere, so it does not count
            raise Unreadable(str(error)) from error

    def answered(self, datagram: bytes) -> None:
        """The server's next datagram: the connection ids that it chose."""
        for packet in packets(datagram):
            self._servers[packet.source] = None
        while len(self._servers) > _MOST_IDS:
            del self._servers[next(iter(self._servers))]

    def continues(self, datagram: bytes) -> bool:
        """Whether *datagram* goes to a connection id that the server chose, so that it begins nothing."""
        return any(packet.destination in self._servers for packet in packets(datagram))

    def forget(self, attempt: Attempt) -> None:
        """The attempt was refused: what comes of it again is judged again."""
        for identifier in [key for key, value in self._attempts.items() if value is attempt]:
            del self._attempts[identifier]

    @property
    def held(self) -> list[bytes]:
        """All that waits."""
        return [datagram for attempt in self._unique() for datagram in attempt.held]

    @property
    def pending(self) -> int:
        """Bytes that ClientHellos take which are not whole."""
        return sum(attempt.crypto.end for attempt in self._unique() if attempt.waits)

    def _early(self, destination: bytes) -> tuple[Attempt, int] | None:
        """0-RTT: data of the application, which may overtake the ClientHello that it belongs to."""
        if destination in self._servers:
            return None
        return self._attempts.get(destination) or self._begin(destination), 0

    def _decipher(self, datagram: bytes, packet: Packet) -> tuple[Attempt, bytes]:
        """The attempt that *packet* belongs to, and its frames.

        A client changes to the id that the server chose and keeps its keys, save after a Retry, when the new id gives
        new keys (RFC 9001, 5.2).
        """
        known = self._attempts.get(packet.destination)
        fresh = known or Attempt(packet.destination)
        for attempt in dict.fromkeys((fresh, *self._unique())):
            payload = attempt.keys.decipher(datagram, packet)
            if payload is not None:
                self._remember(packet.destination, attempt)
                return attempt, payload
        raise Unreadable("an Initial packet that cannot be deciphered")

    def _begin(self, destination: bytes) -> Attempt:
        attempt = Attempt(destination)
        self._remember(destination, attempt)
        return attempt

    def _remember(self, identifier: bytes, attempt: Attempt) -> None:
        self._attempts[identifier] = attempt
        while len(self._attempts) > _MOST_ATTEMPTS:
            del self._attempts[next(iter(self._attempts))]

    def _unique(self) -> Iterable[Attempt]:
        return dict.fromkeys(self._attempts.values())


def is_late(datagram: bytes) -> bool:
    """Whether *datagram* looks like the middle of a QUIC connection, whose ClientHello went by elsewhere or earlier."""
    if any(True for _ in packets(datagram)):
        return all(packet.kind != INITIAL for packet in packets(datagram))
    # What is enciphered holds bytes above 7F: of the shortest packet's, all lie below once in a million times.
    return len(datagram) >= SMALLEST_SHORT and datagram[0] & 0xC0 == 0x40 and not datagram.isascii()
