"""A journal that keeps what it is given."""

from embargo.journal.event import Event, Judged


class Sink:
    """Takes every event, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @property
    def judged(self) -> list[Judged]:
        """The decisions among them."""
        return [event for event in self.events if isinstance(event, Judged)]

    def offer(self, event: Event) -> bool:
        self.events.append(event)
        return True

    submit = offer

    async def put(self, event: Event) -> bool:
        return self.offer(event)
