"""Which names a policy needs opened, whoever asks and whenever: what a CA has to sign for, and no more.

`enforce.tls.decrypt` asks the same of one connection at one instant; here it is asked of the whole policy, over all
clients, users and times to come. Names of long lists (`endpoints_from`, long `domains`) are left out, since a
certificate has no room for them: where they are opened for their page they are refused without it all the same.
Where a verdict depends on what is inside them, `lists_inside` has the list.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from embargo.core.catalogue import App, DomainList, Endpoint, ListedEndpoint, Role
from embargo.core.criteria import selecting_authorities
from embargo.core.decision import DEFAULT_RULE, response_on
from embargo.core.hostname import Host
from embargo.core.matcher import strongest, suffixes
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Surface
from embargo.core.rules import Action, Decrypt, Policy, Respond, Rule

_INSIDE = frozenset({Surface.HTTP, Surface.WEBSOCKET})
_NAMED = frozenset({Kind.DOMAIN, Kind.HOST, Kind.URL})


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

    Of the names of long lists only those that a rule's `hosts` single out, for what is inside them. Of `decrypt` only
    `none` counts: `all` opens more than any verdict needs.
    """
    if policy.settings.decrypt is Decrypt.NONE:
        return ()
    found: dict[tuple[str, bool, Why, str, str], Opening] = {}
    for opening in _all(policy, now):
        if not _never(policy, opening.name):
            key = (opening.name, opening.below, opening.why, opening.app, opening.endpoint)
            found.setdefault(key, opening)
    return tuple(found[key] for key in sorted(found))


def lists_inside(policy: Policy, now: datetime) -> tuple[DomainList, ...]:
    """The long lists whose names verdicts need opened for what is inside, all or some that nothing singles out."""
    if policy.settings.decrypt is Decrypt.NONE:
        return ()
    return tuple(names for names in policy.lists if _inside_of_list(policy, names, now))


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
    owned |= {_host(pattern) for rule in policy.rules for pattern in rule.hosts if rule.action is Action.BLOCK}
    for pattern in candidates:
        name = pattern.text
        needed_below = any(other == name or other.endswith("." + name) for other in owned)
        if not permitted.isdisjoint(suffixes(name)[1:]) and not needed_below:
            found.add(name)
    return tuple(sorted(name for name in found if found.isdisjoint(suffixes(name)[1:])))


def _all(policy: Policy, now: datetime) -> Iterator[Opening]:
    for app in policy.apps.values():
        for endpoint in app.endpoints:
            yield from _of_endpoint(policy, app, endpoint, now)
    for names in policy.lists:
        app = policy.apps[names.app]
        for domain in sorted(_singled_out(policy, names, now)):
            for opening in _of_endpoint(policy, app, ListedEndpoint(domain, names), now):
                if opening.why.decides:
                    yield opening


def _of_endpoint(policy: Policy, app: App, endpoint: Endpoint, now: datetime) -> Iterator[Opening]:
    pattern = endpoint.pattern
    if endpoint.shadow:
        return  # what is on trial blocks nothing
    if pattern.kind not in _NAMED:
        return  # addresses have no page under a constrained CA, a user agent is no reason to open every host
    if pattern.kind is not Kind.URL:
        entries = policy.matcher.entries_of_host(Host(pattern.text))
        # an exclude that is more specific, as of the apex alone, leaves the rest of the endpoint
        owners = strongest([entry for entry in entries if entry.owner.specificity <= pattern.specificity])
        if all(owner.app != app.id for owner in owners):
            return  # excluded
    for rule in _blocking(policy, app, endpoint, now):
        for why, name, below in _names(rule, pattern):
            yield Opening(
                name=name,
                below=below,
                why=why,
                app=app.id,
                endpoint=str(endpoint),
                role=endpoint.role,
                shared=endpoint.shared,
                rule=rule.id if rule is not None else DEFAULT_RULE,
            )


def _inside_of_list(policy: Policy, names: DomainList, now: datetime) -> bool:
    """Whether names of a list have to be opened for what is inside, other than those that `hosts` single out.

    Which names lie below a rule's `hosts` is not looked up: then the list counts whole.
    """
    return any(
        _opened_for(rule) is Why.INSIDE
        and (rule is None or not rule.hosts or any(pattern.kind is Kind.DOMAIN for pattern in rule.hosts))
        for rule in _blocking(policy, policy.apps[names.app], ListedEndpoint("", names), now)
    )


def _singled_out(policy: Policy, names: DomainList, now: datetime) -> set[str]:
    """The domains of a list in which `hosts` of a rule lie that blocks there."""
    rules = _blocking(policy, policy.apps[names.app], ListedEndpoint("", names), now)
    hosts = {_host(pattern) for rule in rules if rule for pattern in rule.hosts if pattern.kind in _NAMED}
    entries = [entry for host in hosts for entry in policy.matcher.entries_of_host(Host(host))]
    return {
        entry.endpoint.pattern.text
        for entry in entries
        if isinstance(entry.endpoint, ListedEndpoint)
        and (entry.app, entry.endpoint.evidence) == (names.app, (names.source,))
    }


def _blocking(policy: Policy, app: App, endpoint: Endpoint, now: datetime) -> Iterator[Rule | None]:
    """The rules that may block *endpoint* from *now* on; None, the default, where none need hold and it blocks."""
    for rule in policy.rules_of[app.id]:
        if rule.shadow or not _may_hold(policy, rule, app, endpoint, now):
            continue
        if rule.action is Action.BLOCK:
            yield rule
        if always_holds(rule, now):
            return
    if policy.settings.default is Action.BLOCK:
        yield None


def _may_hold(policy: Policy, rule: Rule, app: App, endpoint: Endpoint, now: datetime) -> bool:
    if not rule.fits(endpoint.role, endpoint.shared):
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


def always_holds(rule: Rule, now: datetime) -> bool:
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
        or (rule.lets_through and rule.lacks)  # an order may come into force against it
    )


def _names(rule: Rule | None, pattern: Pattern) -> Iterator[tuple[Why, str, bool]]:
    """What a block by *rule* opens of *pattern*: why, name, and whether all below it too."""
    hosts = rule.hosts if rule is not None else ()
    surfaces = rule.surfaces if rule is not None else frozenset()
    whole = _opened_for(rule)
    for met, why in _met(pattern, hosts):
        if why is Why.PATH:
            if not surfaces or surfaces & _INSIDE:
                yield Why.PATH, met.text, False
        elif whole is not None:
            yield whole, met.text, met.kind is Kind.DOMAIN


def _opened_for(rule: Rule | None) -> Why | None:
    """What a block by *rule* opens a name for of which no single path is banned; None: it stays closed."""
    if rule is None:
        return Why.PAGE
    if not rule.surfaces or Surface.CONNECT in rule.surfaces:
        return Why.PAGE if response_on(rule.respond, Surface.CONNECT) is not Respond.RESET else None
    return Why.INSIDE if rule.surfaces & _INSIDE else None


def _met(pattern: Pattern, hosts: tuple[Pattern, ...]) -> Iterator[tuple[Pattern, Why]]:
    """Where *pattern* and *hosts* (any, where there are none) meet."""
    own = Pattern(Kind.HOST, pattern.host) if pattern.kind is Kind.URL else pattern
    why = Why.PATH if pattern.kind is Kind.URL else Why.PAGE
    if not hosts:
        yield own, why
    for other in hosts:
        if other.kind not in _NAMED:
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
