"""What an exception opens: verdicts before and after it, endpoint by endpoint, for whom it is made.

Asked as `explain` asks, at the exception's beginning and at the dates within it, so that what is told here is what the
proxy does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from embargo.core.address import Address
from embargo.core.catalogue import App
from embargo.core.decision import Decision, Verdict
from embargo.core.horizon import next_change
from embargo.core.hostname import Host
from embargo.core.inquiry import Inquiry, UnreadableRequest, answer
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Surface
from embargo.core.rules import Policy, Rule
from embargo.review.selection import Selection, narrower

_MOST_INSTANTS = 12  # looked at for an endpoint that is not opened at once
_MOST_SUBJECTS = 8
_UNOWNED = "client.invalid"  # RFC 2606: where a user agent alone tells the app


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody for whom an exception is made; what is None is not known of them."""

    client: Address | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an exception does to one endpoint."""

    app: str
    endpoint: str  # `KIND:PATTERN`
    before: Verdict
    after: Verdict
    at: datetime  # the first instant looked at where it changes; else the first of all
    surface: Surface  # where the verdict with the exception fell
    rule: Rule | None  # that blocks with the exception, else the one that decided without; None: the default

    @property
    def opened(self) -> bool:
        """Whether the verdict is milder with the exception."""
        return self.after < self.before


def effects(
    before: Policy,
    after: Policy,
    selection: Selection,
    subjects: Sequence[Subject],
    since: datetime,
    until: datetime,
    listed: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Effect, ...]:
    """What becomes of each endpoint that *selection* takes, for any of *subjects*, from *since* to *until*.

    *listed* are some of the names that an app has in lists. At most 8 subjects and 12 dates are looked at.
    """
    asked = list(subjects[:_MOST_SUBJECTS]) or [Subject()]
    situations = [(instant, subject) for instant in _instants(after, since, until) for subject in asked]
    found: dict[tuple[str, str], Effect] = {}
    for app in selection.chosen(before):
        for pattern in dict.fromkeys(_patterns(before, app, selection.patterns, (listed or {}).get(app.id, ()))):
            inquiry = _inquiry(pattern, since)
            for instant, subject in situations:
                one = replace(inquiry, time=instant, client=subject.client, user=subject.user)
                key = (app.id, f"{pattern.kind.key}:{pattern.text}")
                if (effect := _effect(before, after, *key, one)) is not None:
                    found[key] = effect if effect.opened else found.get(key, effect)
                    if effect.opened:
                        break
    return tuple(found.values())


def obstacle(effect: Effect) -> str:
    """Why an endpoint is not opened: which rule stands against it, or that it passes already."""
    rule = effect.rule
    name = f"rule {rule.id}" if rule is not None else "settings.default"
    place = f" ({rule.layer}:{rule.line})" if rule is not None and rule.layer else ""
    if effect.after is not Verdict.BLOCK:
        return f"{effect.after} already, by {name}{place}"
    if rule is not None and rule.final:
        return f"the final {name}{place} blocks it, and no later layer opens what that closes"
    return f"{name}{place} still blocks it, at {effect.surface}"


def _effect(old: Policy, new: Policy, app: str, endpoint: str, inquiry: Inquiry) -> Effect | None:
    """None where another app's rules decide."""
    try:
        was, now = answer(old, inquiry), answer(new, inquiry)
    except UnreadableRequest:
        return None
    if app not in was.decision.apps and app not in now.decision.apps:
        return None
    after = _enforced(now.decision)
    return Effect(
        app=app,
        endpoint=endpoint,
        before=_enforced(was.decision),
        after=after,
        at=inquiry.time,
        surface=now.request.surface,
        rule=now.decision.rule if after is Verdict.BLOCK else was.decision.rule,
    )


def _enforced(decision: Decision) -> Verdict:
    """The verdict, were the policy in `mode: enforce`: an exception may outlast the monitoring."""
    return Verdict.BLOCK if decision.held_back else decision.verdict


def _instants(policy: Policy, since: datetime, until: datetime) -> Iterator[datetime]:
    instant: datetime | None = since
    for _ in range(_MOST_INSTANTS):
        if instant is None or instant >= until:
            return
        yield instant
        instant = next_change(policy, instant)


def _patterns(policy: Policy, app: App, wanted: Sequence[Pattern], listed: Sequence[str]) -> Iterator[Pattern]:
    """What there is of *app*, as far as it lies where it is *wanted*: everywhere, where nothing is."""
    own = [endpoint.pattern for endpoint in app.endpoints]
    own += [Pattern(Kind.DOMAIN, name) for name in listed]
    if not wanted:
        yield from own
        return
    for place in wanted:
        entries = policy.matcher.entries_of_host(Host(place.host or place.text)) if place.network is None else ()
        if any(entry.app == app.id and not entry.excluded for entry in entries):
            yield place
        for pattern in own:
            if (within := narrower(pattern, place)) is not None:
                yield within


def _inquiry(pattern: Pattern, time: datetime) -> Inquiry:
    """A question that *pattern* covers."""
    match pattern.kind:
        case Kind.URL:
            query = "&".join(f"{quote(key, '')}={quote(value, '')}" for key, value in sorted(pattern.pairs))
            path = quote("x".join(pattern.path)) + (f"?{query}" if query else "")
            host = f"[{pattern.host}]" if ":" in pattern.host else pattern.host
            return Inquiry(request=f"https://{host}{path}", time=time)
        case Kind.CIDR:
            assert pattern.network is not None
            address = pattern.network.network_address
            host = f"[{address}]" if address.version == 6 else str(address)
            return Inquiry(request=f"https://{host}:{pattern.port or 443}/", time=time)
        case Kind.USER_AGENT:
            return Inquiry(request=f"https://{_UNOWNED}/", time=time, user_agent=pattern.text)
        case _:
            return Inquiry(request=f"https://{pattern.text}/", time=time)
