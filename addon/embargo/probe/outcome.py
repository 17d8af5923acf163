"""What one attempt came to, and how an HTTP answer of embargo's is told from another's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from embargo.core.decision import Decision
from embargo.core.request import Surface
from embargo.core.rules import Respond


class Outcome(StrEnum):
    """What became of an attempt, the worst last."""

    REFUSED = "refused"  # by embargo: the refusal itself was seen
    UNOPENED = "unopened"  # TLS was not opened, as the policy has it: there is no inside to ask
    UNCLEAR = "unclear"  # neither refused nor let through, as far as can be seen
    FOREIGN = "foreign"  # refused, but not by embargo
    MONITORED = "monitored"  # let through, since the proxy only monitors
    LEAKED = "leaked"


FINE = frozenset({Outcome.REFUSED, Outcome.UNOPENED})
STATUSES = frozenset({403, 451, 503})  # of a refusal: 503 where there is no policy, or judging failed


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome, and what was seen."""

    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP/1.1 answer."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""

    @property
    def is_refusal(self) -> bool:
        """Whether embargo wrote it: a problem document with an incident, or the block page with its own policy."""
        if self.status not in STATUSES or self.headers.get("cache-control") != "no-store":
            return False
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/problem+json"):
            return self._names_incident()
        return kind.startswith("text/html") and self.headers.get("content-security-policy", "").startswith(
            "default-src 'none'; style-src 'nonce-"
        )

    def _names_incident(self) -> bool:
        try:
            document = json.loads(self.body)
        except ValueError:
            return False
        if not isinstance(document, dict):
            return False
        return document.get("status") == self.status and str(document.get("instance")).startswith("urn:uuid:")


def judged(response: Response | None, decision: Decision, surface: Surface) -> Finding:
    """What *response* (None: closed without one) to a request says that *decision* blocks at *surface*."""
    if response is None:
        if decision.response_on(surface) is Respond.RESET:
            return Finding(Outcome.REFUSED, "closed, as the rule has it")
        return Finding(Outcome.UNCLEAR, "closed without an answer")
    if response.is_refusal:
        return Finding(Outcome.REFUSED, str(response.status))
    if response.status == 407:
        return Finding(Outcome.UNCLEAR, "407: the proxy asks who it is")
    if response.status in (403, 451):
        return Finding(Outcome.FOREIGN, f"{response.status} that is not embargo's")
    return Finding(Outcome.LEAKED, f"not refused: {response.status}")
