"""Judges past requests by a policy as `explain` would, in a tenth of the time.

Most traffic is of no app, and most rules look at nothing but an endpoint's kind and the date. So the answer is
remembered by host where it can depend on nothing else: no pattern looks at a path, port or user agent there, and the
rules' own answer stands for that kind of endpoint (`core.standing`). All else is asked of `core.inquiry.answer`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from embargo.core.address import Address
from embargo.core.catalogue import Role
from embargo.core.decision import PASS, Decision
from embargo.core.hostname import Host, MalformedHost, parse_authority
from embargo.core.inquiry import PORTS, Answer, Inquiry, UnreadableRequest, answer, requests
from embargo.core.matcher import Matcher, strongest
from embargo.core.request import Name, Source
from embargo.core.rules import Policy
from embargo.core.seen import Seen

_SCHEMES = {f"{scheme}:": scheme for scheme in PORTS}  # as they are written before `//`
_USUAL = re.compile(r"[a-z0-9_.-]+(?::[0-9]{1,5})?")  # an authority that holds nothing but a host and a port
_REMEMBERED = 32_768  # hosts; some 500 bytes each
_LONGEST_AGENT = 512  # characters
_EVER, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


type _Kind = tuple[str, Role, bool, str | None]  # app, its endpoint's role, whether that is shared; scheme


class Judged(NamedTuple):
    """What the policy says of a past request."""

    decision: Decision
    host: str  # canonical, of the name that decided, else of the request; its text where that is malformed


class _Known(NamedTuple):
    """What is remembered of a host: the answer on any request for it between two instants."""

    judged: Judged
    since: datetime  # the first instant that counts
    until: datetime  # the first that no longer does


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What is taken for granted of a request where its source does not say it."""

    time: datetime  # aware, UTC
    client: Address | None = None
    user: str | None = None


class Judge:
    """The answers of one policy. Not safe across threads."""

    def __init__(self, policy: Policy, assumed: Assumed, *, at: datetime | None = None) -> None:
        """*at*: judge every request as of then, whenever it was; None: each at its own time."""
        self.policy = policy
        self._assumed = assumed
        self._at = at
        self._matchers = (policy.matcher, *((policy.trials.met,) if policy.trials is not None else ()))
        self._known = lru_cache(maxsize=_REMEMBERED)(self._remember)
        self._of_kind: dict[_Kind, _Known | None] = {}
        self._unowned = lru_cache(maxsize=_REMEMBERED)(self._is_unowned)

    def judge(self, seen: Seen) -> Judged:
        """What the policy says of *seen*. Raises UnreadableRequest for a scheme that no proxy sees."""
        if seen.surface is None and not (seen.user_agent and self._is_owned_agent(seen.user_agent)):
            first, *rest = seen.request.split("/", 3)
            if first in _SCHEMES and len(rest) > 1 and not rest[0]:
                known = self._known(rest[1], _SCHEMES[first])
            else:
                known = self._known(first, None)
            if (
                known is not None
                and (not seen.names or all(map(self._unowned, seen.names)))
                and (known.since is _EVER or known.since <= self._time(seen))
                and (known.until is _NEVER or self._time(seen) < known.until)
            ):
                return known.judged
        return judged(answer(self.policy, self.inquiry(seen)))

    def inquiry(self, seen: Seen) -> Inquiry:
        """*seen* as a question."""
        assumed = self._assumed
        return Inquiry(
            request=seen.request,
            time=self._time(seen),
            client=seen.client if seen.client is not None else assumed.client,
            user=seen.user if seen.user is not None else assumed.user,
            user_agent=seen.user_agent,
            surface=seen.surface,
            names=seen.names,
        )

    def _time(self, seen: Seen) -> datetime:
        return self._at or seen.time or self._assumed.time

    def _is_owned_agent(self, user_agent: str) -> bool:
        """Whether *user_agent* may make an app own a request whatever its host."""
        return len(user_agent) > _LONGEST_AGENT or any(
            matcher.entries_of_agent(user_agent) for matcher in self._matchers
        )

    def _is_unowned(self, authority: str) -> bool:
        """Whether no pattern meets the host of *authority*, so that it changes no verdict."""
        host = _host(authority)
        return host is not None and not any(_meets(matcher, host) for matcher in self._matchers)

    def _remember(self, authority: str, scheme: str | None) -> _Known | None:
        """What holds for any request to *authority*; None where that depends on more."""
        host = _host(authority) if _USUAL.fullmatch(authority) is not None else None
        if host is None:
            return None  # what is spelled otherwise takes the long way
        matcher, *on_trial = self._matchers
        entries = matcher.entries_of_host(host)
        if matcher.urls_of_host(host.text) or any(_meets(each, host) for each in on_trial):
            return None
        if not entries:
            return _Known(Judged(PASS, host.text), _EVER, _NEVER)
        owners = strongest(entries)
        if host.address is not None or len(owners) > 1:
            return None  # a port or protocol may matter; of several owners the rules choose
        if not owners:
            return _Known(Judged(PASS, host.text), _EVER, _NEVER)  # excluded
        endpoint = owners[0].endpoint
        kind = (owners[0].app, endpoint.role, endpoint.shared, scheme)
        if kind not in self._of_kind:
            self._of_kind[kind] = self._standing(kind, authority)
        known = self._of_kind[kind]
        if known is None:
            return None
        decision = known.judged.decision._replace(endpoint=endpoint, name=Name(Source.CONNECT, authority, host))
        return _Known(Judged(decision, host.text), known.since, known.until)

    def _standing(self, kind: _Kind, authority: str) -> _Known | None:
        """The answer on *authority*, whose owner is of *kind*, with the time in which it stands for all of that kind.

        None where the rules look at more than the kind.
        """
        app, role, shared, scheme = kind
        request = authority if scheme is None else f"{scheme}://{authority}/"
        inquiry = Inquiry(request=request, time=self._at or self._assumed.time)
        found = answer(self.policy, inquiry)
        since, until = _EVER, _NEVER
        for asked in requests(inquiry):
            standing = self.policy.standing.get((app, role, shared, asked.surface))
            if standing is None:
                return None
            since, until = max(since, standing.since), min(until, standing.until)
            if asked.surface is found.request.surface and (found.decision.blocked or found.decision.held_back):
                break  # no later one is asked
        return _Known(judged(found), since, until)


def judged(found: Answer) -> Judged:
    """What *found* says, with the host that it says it of."""
    name = found.decision.name or found.request.names[0]
    return Judged(found.decision, name.host.text if name.host is not None else name.text)


def _meets(matcher: Matcher, host: Host) -> bool:
    return bool(matcher.entries_of_host(host) or matcher.urls_of_host(host.text))


def _host(authority: str) -> Host | None:
    try:
        return parse_authority(authority)[0]
    except MalformedHost:
        return None


__all__ = ["Assumed", "Judge", "Judged", "UnreadableRequest"]
