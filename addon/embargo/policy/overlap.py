"""Warnings on endpoints that meet others: of another app, or of the same.

A domain that covers another app's endpoint is told where that may be a mistake. It is none where one vendor's apps
share a name tree (WeChat lies below qq.com), nor where a later layer adds an app below an earlier one's domain: the
more specific endpoint wins there. Unless the covered app is named by no rule: then the covering app's rules decide.

An endpoint below another of its own app is told where it changes nothing: the same role and sharing, and no exclude
and no other app's endpoint in between that would have the name without it. One that stands in the same file and has
evidence of its own is kept for the record.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain

from embargo.core.matcher import suffixes
from embargo.core.pattern import Kind, Pattern
from embargo.core.rules import Action, Rule
from embargo.policy.problem import Path, Problem
from embargo.policy.survey import Place, Survey, counted


def warnings(survey: Survey) -> Iterator[Problem]:
    """Those on *survey*, in no order."""
    domains: dict[str, list[Place]] = defaultdict(list)
    for place in survey.places:
        if place.pattern.kind is Kind.DOMAIN:
            domains[place.pattern.text].append(place)
    yield from _covering(survey, domains)
    yield from _redundant(survey, domains)
    yield from _below_final(survey, domains)


def _covering(survey: Survey, domains: dict[str, list[Place]]) -> Iterator[Problem]:
    covered: dict[tuple[str, Path, str], list[Place]] = defaultdict(list)
    covering: dict[tuple[str, Path, str], Place] = {}
    for place in survey.places:
        host = place.pattern.host if place.pattern.kind is Kind.URL else place.pattern.text
        if place.pattern.kind in (Kind.CIDR, Kind.USER_AGENT):
            continue
        for above in (found for suffix in suffixes(host) for found in domains.get(suffix, ())):
            if above.app != place.app and _surprises(survey, above, place) and not _excluded(survey, above, host):
                key = (above.app, above.path, place.app)
                covering[key] = above
                covered[key].append(place)
    for key, found in covered.items():
        above = covering[key]
        more = ", the first " if len(found) > 1 else ", "
        count = counted(len(found), "endpoint")
        message = f"{above.pattern.text!r} covers {count} of the app {key[2]!r}{more}{found[0].pattern.text!r}"
        if key[2] in survey.unnamed:
            hint = f"exclude it from {above.app!r}, or name {key[2]!r} in a rule"
        else:
            hint = f"name what is {above.app!r} alone, or leave it to {key[2]!r}"
        yield survey.warning(above.layer, above.path, "covers-endpoint", message, hint)


def _surprises(survey: Survey, above: Place, below: Place) -> bool:
    if below.app in survey.unnamed:
        return above.app not in survey.unnamed
    vendor = survey.policy.apps[above.app].vendor
    related = vendor is not None and vendor == survey.policy.apps[below.app].vendor
    return above.layer > below.layer or (above.layer == below.layer and not related)


def _excluded(survey: Survey, above: Place, host: str) -> bool:
    """Whether the app of *above* excludes *host* more specifically than *above* covers it."""
    return any(
        pattern.kind is Kind.DOMAIN
        and len(pattern.text) >= len(above.pattern.text)
        and (host == pattern.text or host.endswith("." + pattern.text))
        for pattern in (endpoint.pattern for endpoint in survey.policy.apps[above.app].exclude)
    )


def _below_final(survey: Survey, domains: dict[str, list[Place]]) -> Iterator[Problem]:
    """What a later layer has below names that a final rule of an earlier one closes: it opens nothing there."""
    for final in survey.policy.rules:
        if not (final.final and final.enabled and final.action is Action.BLOCK) or final.shadow:
            continue
        layer = survey.layer_of(final)
        closed = {app.id for app in survey.apps_of(final)}
        told: set[str] = set()
        for place in survey.places:
            above = _closed_above(place, final, closed, domains) if place.app not in closed else None
            if above is None:
                continue
            blocks = f"which the final rule {survey.where(final)} blocks"
            if place.layer > layer:
                message = (
                    f"{place.pattern.text!r} lies among the names of the app {above.app!r}, {blocks}: "
                    f"the rules for {place.app!r} open nothing there"
                )
                yield survey.warning(place.layer, place.path, "below-final", message, f"ask for it in {final.layer}")
                continue
            for rule in _first_rules(survey, place, layer):
                if rule.id not in told:
                    told.add(rule.id)
                    message = (
                        f"the rule {rule.id!r} opens nothing at {place.pattern.text!r} of {place.app!r}: it lies among "
                        f"the names of the app {above.app!r}, {blocks}"
                    )
                    yield survey.of_rule(rule, "below-final", message, f"ask for it in {final.layer}")


def _closed_above(place: Place, final: Rule, closed: set[str], domains: dict[str, list[Place]]) -> Place | None:
    """The endpoint that *final* closes and below which *place* lies; None where there is none."""
    if place.pattern.kind not in (Kind.DOMAIN, Kind.HOST, Kind.URL):
        return None
    host = place.pattern.host if place.pattern.kind is Kind.URL else place.pattern.text
    for suffix in suffixes(host):
        for above in domains.get(suffix, ()):
            if above.app in closed and final.fits(above.endpoint.role, above.endpoint.shared):
                return above
    return None


def _first_rules(survey: Survey, place: Place, layer: int) -> Iterator[Rule]:
    """Rules above *layer* that would let *place* through, where none of the layers up to it is for it."""
    fitting = [
        rule
        for rule in survey.policy.rules_of[place.app]
        if rule.fits(place.endpoint.role, place.endpoint.shared) and not rule.shadow
    ]
    if all(survey.layer_of(rule) > layer for rule in fitting):
        yield from (rule for rule in fitting if rule.action is not Action.BLOCK)


def _redundant(survey: Survey, domains: dict[str, list[Place]]) -> Iterator[Problem]:
    hosts: dict[tuple[str, str], Place] = {}  # by app and host: the first that stands there
    found: dict[str, list[tuple[Place, Place]]] = defaultdict(list)
    contenders = _contenders(survey)
    for place in survey.places:
        pattern = place.pattern
        if pattern.kind not in (Kind.DOMAIN, Kind.HOST):
            continue
        above = _next_above(place, domains)
        if pattern.kind is Kind.HOST:
            above = hosts.get((place.app, pattern.text), above)
            hosts.setdefault((place.app, pattern.text), place)
        if above is None or (above.layer == place.layer and place.endpoint.evidence and above.pattern != place.pattern):
            continue
        if _alike(above, place) and not _contended(above, place, contenders):
            found[place.app].append((place, above))
    for pairs in found.values():
        place, above = pairs[0]
        if len(pairs) == 1:
            what = "stands there already" if above.pattern == place.pattern else f"lies below {above.pattern.text!r}"
            message = f"{place.pattern.text!r} {what} and changes nothing"
        else:
            message = (
                f"{len(pairs)} endpoints lie below others of the app and change nothing, "
                f"the first {place.pattern.text!r} below {above.pattern.text!r}"
            )
        hint = "delete it, or give it a role of its own"
        yield survey.warning(place.layer, place.path, "redundant-endpoint", message, hint)


def _next_above(place: Place, domains: dict[str, list[Place]]) -> Place | None:
    """The endpoint of the same app that would have the names of *place* if that did not stand there."""
    text = place.pattern.text
    for suffix in suffixes(text):
        for other in domains.get(suffix, ()):
            if other is place:
                break  # one that stands before it and is the same is the other's to tell
            if other.app == place.app:
                return other
    return None


def _alike(above: Place, place: Place) -> bool:
    return (above.endpoint.role, above.endpoint.shared) == (place.endpoint.role, place.endpoint.shared)


type Contenders = dict[str, list[tuple[str, Pattern, bool]]]  # by host: app, pattern, whether it is an exclude


def _contenders(survey: Survey) -> Contenders:
    """All that competes for names: domains and hosts of every app, and their excludes."""
    contenders: Contenders = defaultdict(list)
    for app in survey.policy.apps.values():
        marked = chain(((each, False) for each in app.endpoints), ((each, True) for each in app.exclude))
        for endpoint, excluded in marked:
            pattern = endpoint.pattern
            if pattern.kind in (Kind.DOMAIN, Kind.HOST):
                contenders[pattern.text].append((app.id, pattern, excluded))
    return contenders


def _contended(above: Place, place: Place, contenders: Contenders) -> bool:
    """Whether something is as specific as *above* or more, and no more so than *place*, at the names of *place*.

    It would win without *place*: an exclude of the same app, or an endpoint of another.
    """
    low, high = above.pattern.specificity, place.pattern.specificity
    for suffix in suffixes(place.pattern.text):
        for app, pattern, excluded in contenders.get(suffix, ()):
            meets = pattern.kind is Kind.DOMAIN or pattern.text == place.pattern.text
            if meets and low <= pattern.specificity <= high and excluded is (app == place.app):
                return True
    return False
