"""Words a batch of events as lines; an event that cannot be worded is lost alone, and counted."""

import logging
from collections.abc import Callable

from embargo.journal.event import Event, Judged
from embargo.journal.loss import Losses
from embargo.journal.record import Encoder

_logger = logging.getLogger(__name__)


class Wording:
    """That of one writer."""

    def __init__(self, encoder: Encoder, identify: Callable[[], str], losses: Losses) -> None:
        self._encoder = encoder
        self._identify = identify
        self._losses = losses

    def lines(self, events: list[Event], sequence: int) -> list[bytes]:
        """The lines of *events*, numbered behind *sequence*; those that cannot be worded are taken out of *events*."""
        line, identify = self._encoder.line, self._identify
        try:
            return [
                line(event, sequence=sequence + position, identifier="" if type(event) is Judged else identify())
                for position, event in enumerate(events, 1)
            ]
        except Exception as failure:
            if len(events) == 1:
                events.clear()
                self._losses.lose(1, f"an event could not be worded: {type(failure).__name__}: {failure}")
                _logger.warning("decision log: an event could not be worded", exc_info=failure)
                return []
        lines: list[bytes] = []
        worded: list[Event] = []
        for event in events:
            alone = [event]
            lines += self.lines(alone, sequence + len(lines))
            worded += alone
        events[:] = worded
        return lines
