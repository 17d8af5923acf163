"""A verdict together with what it was made of, so that a later hook sees whether anything changed since."""

from dataclasses import dataclass

from embargo.core.decision import Decision
from embargo.core.request import Request


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a flow looked like when it was judged, and what came of it."""

    state: tuple[object, ...]
    request: Request
    decision: Decision
