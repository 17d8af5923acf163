"""Endpoints on trial (`shadow: true`): what they would do is noted, and they do nothing.

A request is judged as if they were not there. Where it meets one of them it is judged once more as if they were all
enforced, and where that is stricter the decision says so: `would`, and `trial` with the endpoint. A flow that nothing
else logs or blocks is then logged, so that what would have been blocked is on record; it is refused never. With the
endpoints of a trial or without them, a verdict is the same or, up to `log`, stricter: never milder.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from embargo.core.catalogue import App
from embargo.core.matcher import Matcher, Owner
from embargo.core.request import Request

if TYPE_CHECKING:
    from embargo.core.rules import Policy


@dataclass(frozen=True, slots=True)
class Trials:
    """The endpoints of a policy that are on trial, compiled."""

    met: Matcher  # of them alone
    without: "Policy"  # as if they were not there
    within: "Policy"  # as if they were enforced

    @classmethod
    def of(cls, policy: "Policy") -> "Trials | None":
        """Those of *policy*, whose own matcher leaves them out; None where it has none, so that they cost nothing."""
        alone = [found for app in policy.apps.values() if (found := _alone(app)).endpoints]
        if not alone:
            return None
        whole = Matcher(policy.apps.values(), policy.lists, policy.listed, trials=True)
        return cls(Matcher(alone, trials=True), policy.varied(), policy.varied(matcher=whole))

    def anew(self, policy: "Policy") -> "Trials":
        """The same endpoints under *policy*, which has the same catalogue and other rules or settings."""
        return Trials(self.met, policy.varied(), policy.varied(matcher=self.within.matcher))

    def meet(self, request: Request) -> Owner | None:
        """The first endpoint on trial that a name of *request* meets; one more lookup a name."""
        for name in request.names:
            if name.host is not None and (found := self.met.owners(name, request)):
                return found[0]
        return None


def _alone(app: App) -> App:
    return replace(app, endpoints=tuple(each for each in app.endpoints if each.shadow), exclude=())
