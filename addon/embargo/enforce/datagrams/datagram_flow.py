"""The client's side of one datagram flow, watched for what begins a connection: QUIC's ClientHello, or DTLS's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial

from embargo.core.quic_hellos import Attempt, Connections, Unreadable
from embargo.core.quic_packet import VERSIONS, is_overlong, is_reserved, is_unread_version, version_of
from embargo.enforce.datagrams import dtls
from embargo.enforce.datagrams.quic_refusal import refusal, version_negotiation

MOST_HELD = 32  # datagrams of a flow that wait for their ClientHellos; Chromium's fills two
MOST_HELD_BYTES = 65_536
_ENDLESS = "a ClientHello that does not end"


class Kind(Enum):
    """What a datagram is to the judge."""

    PLAIN = auto()  # begins nothing
    HELD = auto()  # part of a ClientHello that is not yet whole, or early data behind it
    HELLO = auto()  # a whole ClientHello
    NEGOTIATE = auto()  # asks which versions the server knows
    UNREADABLE = auto()  # may begin a connection, to whom cannot be told


class Protocol(Enum):
    """What a flow speaks, by its ClientHellos."""

    QUIC = "quic"
    DTLS = "dtls"


@dataclass(slots=True)
class Look:
    """What was seen in a datagram, and those that may go on once it is judged."""

    kind: Kind
    release: list[bytes]
    protocol: Protocol | None = None
    names: tuple[str, ...] = ()  # of the ClientHellos that have become whole
    changed: bool = False  # a second ClientHello, with another name than the first
    error: str = ""
    refuse: Callable[[], bytes] = field(default=bytes, repr=False)  # made when it is wanted: it costs 80 µs
    attempt: Attempt | None = field(default=None, repr=False)

    @property
    def refusal(self) -> bytes:
        """What tells the client that it is refused; empty where it cannot be told."""
        return self.refuse()


class DatagramFlow:
    """Looks at each datagram of the client."""

    def __init__(self) -> None:
        self._first = True
        self.start_again()

    def start_again(self) -> None:
        """Forget what was read: what could not be judged went nowhere, and is judged should it come again."""
        self._quic = Connections()
        self._dtls = dtls.Hellos()
        self._held: list[bytes] = []  # pieces of DTLS ClientHellos, and what came between them

    def concerns(self, datagram: bytes) -> bool:
        """Whether a datagram of a flow that goes on may begin something: quick, for those that mostly do not."""
        if datagram[:1] >= b"\x80":
            return version_of(datagram) in VERSIONS or is_unread_version(datagram, first=False)
        return dtls.is_open(datagram) or is_unread_version(datagram, first=False)

    def feed(self, datagram: bytes) -> Look:
        """What the client's next datagram is. Nothing of it may go on before it is judged."""
        first, self._first = self._first, False
        version = version_of(datagram)
        if version in VERSIONS:
            return self._feed_quic(datagram)
        if is_unread_version(datagram, first=first):
            if version is not None and is_reserved(version):
                return self._unreadable(datagram, "", Kind.NEGOTIATE)
            return self._unreadable(datagram, "a version of QUIC that is not read")
        if dtls.is_open(datagram):
            return self._feed_dtls(datagram)
        return Look(Kind.PLAIN, [datagram])

    def answered(self, datagram: bytes) -> bool:
        """The server's next datagram; whether it may go on."""
        if datagram[:1] >= b"\x80" and version_of(datagram) in VERSIONS:
            if is_overlong(datagram):
                return False
            self._quic.answered(datagram)
        return True

    def refused(self, look: Look) -> None:
        """What *look* saw was not let through: should it come again, it is judged again."""
        if look.attempt is not None:
            self._quic.forget(look.attempt)

    def _feed_quic(self, datagram: bytes) -> Look:
        if is_overlong(datagram):
            return Look(Kind.UNREADABLE, [], Protocol.QUIC, error="a packet whose header does not end")
        try:
            found = self._quic.feed(datagram)
        except Unreadable as error:
            return Look(Kind.UNREADABLE, [datagram], Protocol.QUIC, error=str(error))
        if found is None:
            return Look(Kind.PLAIN, [datagram])
        attempt, hellos = found
        attempt.held.append(datagram)
        if attempt.waits:
            if _may_wait(self._quic.held):
                return Look(Kind.HELD, [], Protocol.QUIC)
            released, attempt.held = attempt.held, []
            return Look(
                Kind.UNREADABLE,
                released,
                Protocol.QUIC,
                error=_ENDLESS,
                refuse=partial(refusal, attempt),
                attempt=attempt,
            )
        released, attempt.held = attempt.held, []
        if not hellos:
            return Look(Kind.PLAIN, released, Protocol.QUIC)
        return Look(
            Kind.HELLO,
            released,
            Protocol.QUIC,
            names=tuple(dict.fromkeys(name for names in attempt.hellos for name in names)),
            changed=any(names != attempt.hellos[0] for names in attempt.hellos),
            refuse=partial(refusal, attempt),
            attempt=attempt,
        )

    def _feed_dtls(self, datagram: bytes) -> Look:
        try:
            names = self._dtls.feed(datagram)
        except ValueError as error:
            self._dtls, self._held = dtls.Hellos(), []
            return Look(Kind.UNREADABLE, [datagram], Protocol.DTLS, error=str(error), refuse=_dtls_refusal)
        self._held.append(datagram)
        if names is None and _may_wait(self._held):
            return Look(Kind.HELD, [], Protocol.DTLS)
        released, self._held = self._held, []
        if names is None:
            self._dtls = dtls.Hellos()
            return Look(Kind.UNREADABLE, released, Protocol.DTLS, error=_ENDLESS, refuse=_dtls_refusal)
        return Look(Kind.HELLO if names else Kind.PLAIN, released, Protocol.DTLS, names=names, refuse=_dtls_refusal)

    def _unreadable(self, datagram: bytes, error: str, kind: Kind = Kind.UNREADABLE) -> Look:
        return Look(kind, [datagram], Protocol.QUIC, error=error, refuse=partial(version_negotiation, datagram))


def _may_wait(held: list[bytes]) -> bool:
    return len(held) <= MOST_HELD and sum(map(len, held)) <= MOST_HELD_BYTES


def _dtls_refusal() -> bytes:
    return dtls.ACCESS_DENIED
