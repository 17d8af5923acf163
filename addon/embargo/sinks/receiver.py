"""What a courier delivers to: one class a transport, all with one face."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from embargo.core.sink import Sink
from embargo.formats.members import one_line
from embargo.sinks.message import Message

PATIENCE = 30.0  # seconds that a receiver has to answer in
_SHOWN = 300  # characters of what a receiver says


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a batch; what is in neither list has arrived."""

    again: tuple[int, ...] = ()  # positions in the batch of what was refused for now
    why: str = ""  # of those
    refused: tuple[tuple[int, str], ...] = ()  # positions of what will never be taken, and why


class Unreachable(Exception):
    """Nothing is known to have arrived, and the same batch is to be sent again. Says why, in one line."""

    def __init__(self, why: str, *, everything: bool = False) -> None:
        super().__init__(shown(why))
        self.everything = everything  # each message was refused: others beside them would show whose fault it is


class Receiver(Protocol):
    """A place that takes messages. For one thread."""

    def deliver(self, messages: Sequence[Message]) -> Delivery:
        """Send *messages*, and return when it is known what became of each. Raises Unreachable."""

    def idle(self) -> None:
        """Called from time to time while nothing is sent. Raises nothing."""

    def close(self) -> None:
        """Give up what is open."""


def shown(text: str) -> str:
    """What a stranger said, harmless in a terminal and in one line."""
    return one_line(" ".join(text.split()))[:_SHOWN]


def tls_context(sink: Sink) -> ssl.SSLContext:
    """TLS as *sink* says: always verified, with a certificate of ours where it names one. Raises Unreachable."""
    named = sink.ca_file or "the system's certificates"
    try:
        context = ssl.create_default_context(cafile=sink.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if sink.certificate is not None:
            named = sink.certificate
            context.load_cert_chain(sink.certificate, sink.key_file, password=_no_password)
    except (OSError, ValueError) as failure:
        raise Unreachable(f"{named}: {failure.strerror if isinstance(failure, OSError) else failure}") from failure
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted: nobody is there to be asked")


def secret(path: str) -> str:
    """The one line of a secret file, anew each time so that it can be changed. Raises Unreachable."""
    try:
        text = Path(path).read_text("ascii").strip()
    except (OSError, UnicodeError) as failure:
        why = failure.strerror if isinstance(failure, OSError) else "is no ASCII text"
        raise Unreachable(f"{path}: {why}") from failure
    if not text or not text.isprintable():
        raise Unreachable(f"{path}: expected one line")
    return text
