"""What an exception is for, as people name it: apps by their ids, or places by what endpoints are called."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embargo.core.catalogue import App
from embargo.core.hostname import Host
from embargo.core.pattern import Kind, Pattern
from embargo.core.rules import Policy
from embargo.policy.domains import cidr_pattern, domain_name, domain_pattern, host_name, network, url_pattern
from embargo.policy.problem import Mistake, nearest

ALL = "all"
_HINT = "`embargo apps ID` lists what an app has"
_NAMED = (Kind.DOMAIN, Kind.HOST, Kind.URL)


class Unselectable(ValueError):
    """A name that selects nothing; says what could be meant."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Apps, and where in them: everywhere, where there are no patterns."""

    apps: tuple[str, ...]  # ids in the order in which they were named; `all` alone
    patterns: tuple[Pattern, ...] = ()

    def chosen(self, policy: Policy) -> tuple[App, ...]:
        """The apps of *policy* that are selected."""
        return tuple(policy.apps.values()) if self.apps == (ALL,) else tuple(policy.apps[name] for name in self.apps)


def select(policy: Policy, names: Sequence[str]) -> Selection:
    """What *names* stand for: ids of apps, `all`, or domains, hosts, URLs and networks of apps. Raises Unselectable."""
    apps = tuple(dict.fromkeys(name for name in names if name == ALL or name in policy.apps))
    places = tuple(dict.fromkeys(name for name in names if name not in apps))
    if apps and places:
        app, place = apps[0], places[0]
        known = nearest(place, policy.apps) if "." not in place else "except them one after the other"
        raise Unselectable(f"{app!r} is an app and {place!r} is none; {known or 'name apps, or endpoints'}")
    if ALL in apps and len(apps) > 1:
        raise Unselectable(f"{ALL!r} is every app: name no other beside it")
    if apps:
        return Selection(apps)
    patterns = tuple(_pattern(policy, place) for place in places)
    owners: dict[str, None] = {}
    for place, pattern in zip(places, patterns, strict=True):
        found = list(_owners(policy, pattern))
        if not found:
            raise Unselectable(f"no app has an endpoint at {place!r}, so nothing stands against it; {_HINT}")
        owners |= dict.fromkeys(found)
    return Selection(tuple(owners), patterns)


def as_hosts(patterns: Sequence[Pattern]) -> tuple[dict[str, str], ...]:
    """*patterns* as a rule's `hosts` spell them."""
    return tuple({pattern.kind.key: pattern.text} for pattern in patterns)


def _pattern(policy: Policy, text: str) -> Pattern:
    kind, colon, rest = text.partition(":")
    try:
        match kind if colon else "":
            case "domain":
                return domain_pattern(domain_name(rest))
            case "host":
                return Pattern(Kind.HOST, host_name(rest))
            case "url" | "https" | "http":
                return url_pattern(rest.removeprefix("//"))
            case "cidr":
                return cidr_pattern(network(rest), None, None)
            case "user_agent":
                raise Unselectable(f"{text!r}: a rule cannot be for a user agent; name the app")
        if _is_network(text):
            return cidr_pattern(network(text), None, None)
        if "/" in text:
            return url_pattern(text)
        name = domain_name(text, whole_suffix=True)
        if any(
            endpoint.pattern == Pattern(Kind.HOST, name) for app in policy.apps.values() for endpoint in app.endpoints
        ):
            return Pattern(Kind.HOST, name)
        return domain_pattern(domain_name(text))
    except Mistake as mistake:
        known = nearest(text, policy.apps) if "." not in text else ""
        message = f"{text!r} is no app of this policy" if "." not in text else f"{text!r}: {mistake}"
        raise Unselectable(f"{message}; {known or _HINT}") from mistake


def _is_network(text: str) -> bool:
    try:
        network(text)
    except Mistake as mistake:
        return mistake.code == "not-a-network" and "bits set" in str(mistake)
    return True


def _owners(policy: Policy, pattern: Pattern) -> Iterator[str]:
    """The apps that *pattern* touches: with an endpoint above it, at it or below it."""
    name = pattern.host if pattern.kind is Kind.URL else pattern.text
    if pattern.kind in _NAMED:
        yield from (entry.app for entry in policy.matcher.entries_of_host(Host(name)) if not entry.excluded)
    for app in policy.apps.values():
        if any(narrower(pattern, endpoint.pattern) is not None for endpoint in app.endpoints):
            yield app.id


def narrower(one: Pattern, other: Pattern) -> Pattern | None:
    """Of two patterns the one that lies within the other; None where neither does."""
    for inner, outer in ((one, other), (other, one)):
        if inner.network is not None and outer.network is not None:
            if inner.network.version == outer.network.version and inner.network.subnet_of(outer.network):  # type: ignore[arg-type]  # of one version
                return inner
        elif Kind.USER_AGENT not in (inner.kind, outer.kind) and inner.network is outer.network:
            name, above = inner.host or inner.text, outer.host or outer.text
            below = outer.kind is Kind.DOMAIN and name.endswith("." + above)
            if below or (name == above and inner.kind >= outer.kind):
                return inner
    return None
