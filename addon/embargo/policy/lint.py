"""Warnings: what a policy that loads whole should still not hold. For `check` and the console, never for a load.

What is judged is the policy in effect, each warning at the place in a file that would mend it. A domain that
covers another app's endpoint is told where that may be a mistake. It is none where one vendor's apps share a name
tree (WeChat lies below qq.com), nor where a later layer adds an app below an earlier one's domain: the more specific
endpoint wins there. Unless the covered app is named by no rule: then the covering app's rules decide.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from embargo.core.catalogue import App, Role
from embargo.core.criteria import selecting_authorities
from embargo.core.matcher import suffixes
from embargo.core.pattern import Kind, Pattern
from embargo.core.rules import Rule
from embargo.policy.build import MOST_INLINE
from embargo.policy.document import Document
from embargo.policy.load import Loaded
from embargo.policy.patterns import endpoint_of
from embargo.policy.precedence import shadowing
from embargo.policy.problem import Path, Problem, Severity
from embargo.policy.schema import AppForm

REVIEW = timedelta(days=180)  # after which an authority's timeline is asked about


def lint(loaded: Loaded, now: datetime) -> tuple[Problem, ...]:
    """The warnings on a policy as of *now* (aware, UTC), by file, line and column."""
    return tuple(sorted(set(_Linter(loaded, now).warnings())))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an app's endpoint stands."""

    app: str
    layer: int  # from 0
    path: Path
    pattern: Pattern
    evidence: bool


class _Linter:
    def __init__(self, loaded: Loaded, now: datetime) -> None:
        self.loaded, self.now, self.policy = loaded, now, loaded.policy
        self.documents = [layer.document for layer in loaded.layers]
        self.forms: dict[str, list[tuple[int, AppForm]]] = {}  # of each app, those in effect
        self.replaced: list[tuple[str, int, int]] = []  # app, the layer that replaces it, the one before
        for number, layer in enumerate(loaded.layers):
            for app, form in layer.form.apps.items() if layer.form is not None else ():
                if form.extend:
                    self.forms[app].append((number, form))
                    continue
                if app in self.forms:
                    self.replaced.append((app, number, self.forms[app][0][0]))
                self.forms[app] = [(number, form)]
        self.unnamed = {app for app in self.policy.apps if not self._named(self.policy.apps[app])}

    def warnings(self) -> Iterator[Problem]:
        """All of them, in no order."""
        yield from self._replaced_apps()
        yield from self._unnamed_apps()
        places = list(self._places())
        yield from self._without_evidence(places)
        yield from self._covering(places)
        yield from self._rules()
        yield from self._groups()
        yield from self._authorities()

    def _warning(
        self, layer: int, path: Path, code: str, message: str, hint: str = "", *, key: bool = False
    ) -> Problem:
        return self.documents[layer].problem(path, code, message, hint, key=key, severity=Severity.WARNING)

    def _named(self, app: App) -> bool:
        """Whether a rule is for *app* by name, or for all of every app's traffic."""
        return any(
            rule.apps.ids or rule.apps.named_in or rule.apps.vendors or not (rule.roles or rule.hosts or rule.shared)
            for rule in self.policy.rules_of[app.id]
        )

    def _replaced_apps(self) -> Iterator[Problem]:
        for app, layer, before in self.replaced:
            message = f"replaces the app {app!r} of {self.documents[before].name} whole"
            yield self._warning(layer, ("apps", app), "replaced-app", message, "`extend: true` adds to it", key=True)

    def _unnamed_apps(self) -> Iterator[Problem]:
        for app in sorted(self.unnamed):
            message = f"no rule names the app {app!r}: {self.policy.settings.default} by settings.default"
            yield self._warning(self.forms[app][0][0], ("apps", app), "app-without-rule", message, key=True)

    def _places(self) -> Iterator[_Place]:
        """The endpoints that stand in the policy files one by one; those of lists are left out."""
        for app, forms in self.forms.items():
            for layer, form in forms:
                endpoints = form.endpoints or []
                listed = sum(isinstance(entry, str) for entry in endpoints) > MOST_INLINE
                for index, entry in enumerate(endpoints):
                    if listed and isinstance(entry, str):
                        continue
                    endpoint = endpoint_of(entry)
                    path = ("apps", app, "endpoints", index)
                    yield _Place(app, layer, path, endpoint.pattern, bool(endpoint.evidence))

    def _without_evidence(self, places: list[_Place]) -> Iterator[Problem]:
        bare: dict[str, list[_Place]] = defaultdict(list)
        for place in places:
            if not place.evidence:
                bare[place.app].append(place)
        for app, found in bare.items():
            first = found[0]
            of = "an endpoint has" if len(found) == 1 else f"{len(found)} endpoints have"
            message = f"{of} no evidence, the first {first.pattern.text!r}" if len(found) > 1 else f"{of} no evidence"
            hint = "say where it is known from: {domain: …, evidence: …}"
            yield self._warning(first.layer, ("apps", app, *first.path[2:]), "no-evidence", message, hint)

    def _covering(self, places: list[_Place]) -> Iterator[Problem]:
        domains: dict[str, list[_Place]] = defaultdict(list)
        for place in places:
            if place.pattern.kind is Kind.DOMAIN:
                domains[place.pattern.text].append(place)
        covered: dict[tuple[str, Path, str], list[_Place]] = defaultdict(list)
        covering: dict[tuple[str, Path, str], _Place] = {}
        for place in places:
            host = place.pattern.host if place.pattern.kind is Kind.URL else place.pattern.text
            if place.pattern.kind in (Kind.CIDR, Kind.USER_AGENT):
                continue
            for above in (found for suffix in suffixes(host) for found in domains.get(suffix, ())):
                if above.app != place.app and self._surprises(above, place) and not self._excluded(above, host):
                    key = (above.app, above.path, place.app)
                    covering[key] = above
                    covered[key].append(place)
        for key, found in covered.items():
            above = covering[key]
            count = "an endpoint" if len(found) == 1 else f"{len(found)} endpoints"
            more = ", the first " if len(found) > 1 else ", "
            message = f"{above.pattern.text!r} covers {count} of the app {key[2]!r}{more}{found[0].pattern.text!r}"
            hint = f"exclude it from {above.app!r}, or name {key[2]!r} in a rule" if key[2] in self.unnamed else ""
            yield self._warning(above.layer, above.path, "covers-endpoint", message, hint)

    def _surprises(self, above: _Place, below: _Place) -> bool:
        if below.app in self.unnamed:
            return above.app not in self.unnamed
        vendor = self.policy.apps[above.app].vendor
        related = vendor is not None and vendor == self.policy.apps[below.app].vendor
        return above.layer > below.layer or (above.layer == below.layer and not related)

    def _excluded(self, above: _Place, host: str) -> bool:
        """Whether the app of *above* excludes *host* more specifically than *above* covers it."""
        return any(
            pattern.kind is Kind.DOMAIN
            and len(pattern.text) >= len(above.pattern.text)
            and (host == pattern.text or host.endswith("." + pattern.text))
            for pattern in (endpoint.pattern for endpoint in self.policy.apps[above.app].exclude)
        )

    def _rules(self) -> Iterator[Problem]:
        layers = {document.name: number for number, document in enumerate(self.documents)}
        for number, rule in enumerate(self.policy.rules):
            if not rule.enabled:
                continue
            layer = layers[rule.layer]
            path = _rule_path(self.documents[layer], rule.id)
            if rule.until is not None and rule.until <= self.now:
                message = f"the rule {rule.id!r} ended on {rule.until:%Y-%m-%d}"
                yield self._warning(layer, (*path, "until"), "rule-ended", message, "delete it, or renew it")
            elif reason := self._never(rule):
                yield self._warning(layer, path, "never-matches", f"the rule {rule.id!r} can never match: {reason}")
            elif earlier := shadowing(self.policy, number, self.now):
                if all(layers[other.layer] > layer for other in earlier):
                    continue  # what a later layer is for
                names = ", ".join(repr(other.id) for other in earlier)
                message = (
                    f"the rule {rule.id!r} can never match: what stands before it ({names}) decides for all its apps"
                )
                yield self._warning(layer, path, "never-matches", message, "move it up, or delete it")

    def _never(self, rule: Rule) -> str:
        """Why *rule* can never hold, whatever the other rules; empty where it can."""
        apps = [app for app in self.policy.apps.values() if rule.apps.selects(app)]
        if not apps:
            return "it selects no app"
        if not any(self._offers(app, rule) for app in apps):
            return "none of its apps has such an endpoint"
        if rule.authority:
            selecting = [authority for app in apps for authority in selecting_authorities(self.policy, rule, app)]
            states = {state for authority in selecting for _, state in authority.timeline.changes}
            if not states & rule.authority:
                return "no authority by which it selects is ever " + " or ".join(sorted(rule.authority))
        if rule.groups and not any(group.clients or group.users for group in rule.groups):
            return "its groups have no members"
        return ""

    def _offers(self, app: App, rule: Rule) -> bool:
        """Whether *app* has an endpoint of the role and sharing that *rule* asks for."""
        return any(rule.fits(role, shared) for role, shared in self.policy.kinds_of(app) or {(Role.API, False)})

    def _groups(self) -> Iterator[Problem]:
        used = {group.id for rule in self.policy.rules for group in (*rule.groups, *rule.not_groups)}
        for name in sorted(set(self.policy.groups) - used):
            layer = self._last("groups", name)
            yield self._warning(layer, ("groups", name), "unused-group", f"no rule uses the group {name!r}", key=True)

    def _authorities(self) -> Iterator[Problem]:
        for authority in self.policy.authorities.values():
            if authority.reviewed is None or self.now.date() - authority.reviewed <= REVIEW:
                continue
            days = (self.now.date() - authority.reviewed).days
            layer = self._last("authorities", authority.id)
            message = f"the authority {authority.id!r} was last reviewed {days} days ago"
            hint = "see what became of it: a rule follows the file, not the court"
            yield self._warning(layer, ("authorities", authority.id, "reviewed"), "not-reviewed", message, hint)

    def _last(self, section: str, name: str) -> int:
        """The latest layer whose *section* has *name*: the one in effect."""
        return max(number for number, document in enumerate(self.documents) if name in document.root.get(section, ()))


def _rule_path(document: Document, identifier: str) -> Path:
    rules = document.root["rules"]
    return ("rules", next(index for index, rule in enumerate(rules) if rule["id"] == identifier))
