"""Which names a policy needs opened, whoever asks and whenever: what a CA has to sign for, and no more.

`enforce.tls.decrypt` asks the same of one connection at one instant; here it is asked of the whole policy, over all
clients, users and times to come. Names of long lists (`endpoints_from`) are left out: a certificate has no room for
them, and without a page they are refused all the same.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from embargo.core.catalogue import App, Endpoint, Role
from embargo.core.criteria import selecting_authorities
from embargo.core.hostname import Host
from embargo.core.matcher import strongest, suffixes
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Surface
from embargo.core.rules import Action, Decrypt, Policy, Respond, Rule

_INSIDE = frozenset({Surface.HTTP, Surface.WEBSOCKET})
_DEFAULT = "default"


class Why(StrEnum):
    """What a name is opened for."""

    PAGE = "page"  # it is banned: its page is shown inside the tunnel, and nothing is opened upstream
    PATH = "path"  # a path at it is banned, which is seen inside alone
    INSIDE = "inside"  # a rule bans requests inside, not the connection

    @property
    def decides(self) -> bool:
        """Whether a verdict depends on it; a page is only a courtesy."""
        return self is not Why.PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A name that has to be opened."""

    name: str  # canonical
    below: bool  # and all below it
    why: Why
    app: str
    endpoint: str  # KIND:PATTERN
    role: Role
    shared: bool  # the name also serves others
    rule: str  # id of a rule that blocks there; `default`


def openings(policy: Policy, now: datetime) -> tuple[Opening, ...]:
    """What *policy* needs opened from *now* on, by name; the same name may stand there for several reasons.

    Of `decrypt` only `none` counts: `all` opens more than any verdict needs.
    """
    if policy.settings.decrypt is Decrypt.NONE:
        return ()
    found: dict[tuple[str, bool, Why, str, str], Opening] = {}
    for app in policy.apps.values():
        for endpoint in app.endpoints:
            for opening in _of_endpoint(policy, app, endpoint, now):
                if not _never(policy, opening.name):
                    key = (opening.name, opening.below, opening.why, opening.app, opening.endpoint)
                    found.setdefault(key, opening)
    return tuple(found[key] for key in sorted(found))


def subtrees(found: Iterable[Opening]) -> tuple[str, ...]:
    """The fewest names whose subtrees cover all of *found*, sorted."""
    names = {opening.name for opening in found}
    return tuple(sorted(name for name in names if names.isdisjoint(suffixes(name)[1:])))


def spared(policy: Policy, permitted: Iterable[str]) -> tuple[str, ...]:
    """Names below *permitted* that no verdict needs opened, with all below them: excluded there, or never decrypted."""
    permitted = set(permitted)
    found: set[str] = set()
    candidates = [pattern for pattern in policy.settings.never_decrypt if pattern.kind is Kind.DOMAIN]
    candidates += [
        exclude.pattern
        for app in policy.apps.values()
        for exclude in app.exclude
        if exclude.pattern.kind is Kind.DOMAIN and not strongest(policy.matcher.entries_of_host(Host(_text(exclude))))
    ]
    owned = {_host(endpoint.pattern) for app in policy.apps.values() for endpoint in app.endpoints}
    for pattern in candidates:
        name = pattern.text
        needed_below = any(other == name or other.endswith("." + name) for other in owned)
        if not permitted.isdisjoint(suffixes(name)[1:]) and not needed_below:
            found.add(name)
    return tuple(sorted(name for name in found if found.isdisjoint(suffixes(name)[1:])))


def _of_endpoint(policy: Policy, app: App, endpoint: Endpoint, now: datetime) -> Iterator[Opening]:
    pattern = endpoint.pattern
    if pattern.kind not in (Kind.DOMAIN, Kind.HOST, Kind.URL):
        return  # addresses have no page under a constrained CA, a user agent is no reason to open every host
    if pattern.kind is not Kind.URL:
        owners = strongest(policy.matcher.entries_of_host(Host(pattern.text)))
        if all(owner.app != app.id for owner in owners):
            return  # excluded
    for rule in _holding(policy, app, endpoint, now):
        action = rule.action if rule is not None else policy.settings.default
        if action is not Action.BLOCK:
            continue
        for why, name, below in _names(rule, pattern):
            yield Opening(
                name=name,
                below=below,
                why=why,
                app=app.id,
                endpoint=str(endpoint),
                role=endpoint.role,
                shared=endpoint.shared,
                rule=rule.id if rule is not None else _DEFAULT,
            )


def _holding(policy: Policy, app: App, endpoint: Endpoint, now: datetime) -> Iterator[Rule | None]:
    """The rules that may decide for *endpoint* from *now* on; None, the default, where none need hold."""
    for rule in policy.rules_of[app.id]:
        if rule.shadow or not _may_hold(policy, rule, app, endpoint, now):
            continue
        yield rule
        if _always_holds(rule, now):
            return
    yield None


def _may_hold(policy: Policy, rule: Rule, app: App, endpoint: Endpoint, now: datetime) -> bool:
    if rule.shared is not None and rule.shared is not endpoint.shared:
        return False
    if rule.roles and endpoint.role not in rule.roles:
        return False
    if rule.until is not None and rule.until <= now:
        return False
    if not rule.authority:
        return True
    for authority in selecting_authorities(policy, rule, app):
        timeline = authority.timeline
        to_come = {state for instant, state in timeline.changes if instant > now}
        if timeline.state_at(now) in rule.authority or to_come & rule.authority:
            return True
    return False


def _always_holds(rule: Rule, now: datetime) -> bool:
    """Whether *rule*, whose role and sharing fit, holds for everybody on every surface from *now* on."""
    return not (
        rule.hosts
        or rule.surfaces
        or rule.groups
        or rule.not_groups
        or rule.users
        or rule.clients
        or rule.schedule
        or rule.authority
        or rule.until
        or (rule.since is not None and rule.since > now)
    )


def _names(rule: Rule | None, pattern: Pattern) -> Iterator[tuple[Why, str, bool]]:
    """What a block by *rule* opens of *pattern*: why, name, and whether all below it too."""
    hosts = rule.hosts if rule is not None else ()
    surfaces = rule.surfaces if rule is not None else frozenset()
    inside = not surfaces or bool(surfaces & _INSIDE)
    for met, why in _met(pattern, hosts):
        if why is Why.PATH:
            if inside:
                yield Why.PATH, met.text, False
        elif not surfaces or Surface.CONNECT in surfaces:
            if rule is None or next(iter(rule.respond), None) is not Respond.RESET:
                yield Why.PAGE, met.text, met.kind is Kind.DOMAIN
        elif inside:
            yield Why.INSIDE, met.text, met.kind is Kind.DOMAIN


def _met(pattern: Pattern, hosts: tuple[Pattern, ...]) -> Iterator[tuple[Pattern, Why]]:
    """Where *pattern* and *hosts* (any, where there are none) meet."""
    own = Pattern(Kind.HOST, pattern.host) if pattern.kind is Kind.URL else pattern
    why = Why.PATH if pattern.kind is Kind.URL else Why.PAGE
    if not hosts:
        yield own, why
    for other in hosts:
        if other.kind not in (Kind.DOMAIN, Kind.HOST, Kind.URL):
            continue
        theirs = Pattern(Kind.HOST, other.host) if other.kind is Kind.URL else other
        reason = Why.PATH if Kind.URL in (pattern.kind, other.kind) else Why.PAGE
        if _covers(own, theirs.text):
            yield theirs, reason
        elif _covers(theirs, own.text):
            yield own, reason


def _covers(pattern: Pattern, name: str) -> bool:
    return name == pattern.text or (pattern.kind is Kind.DOMAIN and name.endswith("." + pattern.text))


def _never(policy: Policy, name: str) -> bool:
    return any(_covers(pattern, name) for pattern in policy.settings.never_decrypt if pattern.kind is not Kind.CIDR)


def _host(pattern: Pattern) -> str:
    return pattern.host if pattern.kind is Kind.URL else pattern.text


def _text(endpoint: Endpoint) -> str:
    return endpoint.pattern.text
