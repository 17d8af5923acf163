"""What becomes of the bytes of one message on a stream that is watched."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """What becomes of the bytes of one message."""

    release: bytes  # may go on unless what follows is blocked; empty while held
    names: tuple[str, ...] = ()  # hosts that the bytes name
    snis: tuple[str, ...] | None = None  # of a ClientHello; None where there is none
    refuse: str | None = None  # why nothing may go on, save where monitor lets it
