"""The policy in effect with the places in its files: what each kind of warning is found in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from embargo.core.catalogue import App, Endpoint, Role
from embargo.core.pattern import Pattern
from embargo.core.rules import Policy, Rule
from embargo.policy.build import MOST_INLINE
from embargo.policy.document import Document
from embargo.policy.load import Loaded
from embargo.policy.patterns import endpoint_of
from embargo.policy.problem import Path, Problem, Severity
from embargo.policy.schema import AppForm


@dataclass(frozen=True, slots=True)
class Place:
    """Where an app's endpoint stands."""

    app: str
    layer: int  # from 0
    path: Path
    endpoint: Endpoint

    @property
    def pattern(self) -> Pattern:
        """The endpoint's pattern."""
        return self.endpoint.pattern


class Survey:
    """A policy as of an instant, seen from its files. Made once for all warnings."""

    def __init__(self, loaded: Loaded, now: datetime) -> None:
        self.loaded, self.now = loaded, now
        self.policy: Policy = loaded.policy
        self.documents: list[Document] = [layer.document for layer in loaded.layers]
        self.forms: dict[str, list[tuple[int, AppForm]]] = {}  # of each app, those in effect, with their layers
        self.replaced: list[tuple[str, int, int]] = []  # app, the layer that replaces it, the one before
        for number, layer in enumerate(loaded.layers):
            for app, form in layer.form.apps.items() if layer.form is not None else ():
                if form.extend:
                    self.forms[app].append((number, form))
                    continue
                if app in self.forms:
                    self.replaced.append((app, number, self.forms[app][0][0]))
                self.forms[app] = [(number, form)]
        self._layers = {document.name: number for number, document in enumerate(self.documents)}

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The endpoints that stand in the policy files one by one; those of lists are left out."""
        return tuple(self._places())

    def _places(self) -> Iterator[Place]:
        for app, forms in self.forms.items():
            for layer, form in forms:
                endpoints = form.endpoints or []
                listed = sum(isinstance(entry, str) for entry in endpoints) > MOST_INLINE
                for index, entry in enumerate(endpoints):
                    if not (listed and isinstance(entry, str)):
                        yield Place(app, layer, ("apps", app, "endpoints", index), endpoint_of(entry))

    @cached_property
    def unnamed(self) -> frozenset[str]:
        """The apps that no rule is for by name, or for all of every app's traffic."""
        return frozenset(
            app
            for app in self.policy.apps
            if not any(
                rule.apps.ids
                or rule.apps.named_in
                or rule.apps.vendors
                or not (rule.roles or rule.hosts or rule.shared)
                for rule in self.policy.rules_of[app]
            )
        )

    def apps_of(self, rule: Rule) -> list[App]:
        """The apps that *rule* is for."""
        return [app for app in self.policy.apps.values() if rule.apps.selects(app)]

    def kinds_of(self, app: App) -> set[tuple[Role, bool]]:
        """Role and sharing of the endpoints that *app* has."""
        return self.policy.kinds_of(app) or {(Role.API, False)}

    def layer_of(self, rule: Rule) -> int:
        """The number of the layer, from 0, in which *rule* stands."""
        return self._layers[rule.layer]

    def last(self, section: str, name: str) -> int:
        """The latest layer whose *section* has *name*: the one in effect."""
        return max(number for number, document in enumerate(self.documents) if name in document.root.get(section, ()))

    def where(self, rule: Rule) -> str:
        """*rule* as a message names it, with its place: `'banned-apps' (domains.yaml:41)`."""
        return f"{rule.id!r} ({rule.layer}:{rule.line})"

    def warning(self, layer: int, path: Path, code: str, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """A warning at *path* of *layer*; at its key where *key*."""
        return self.documents[layer].problem(path, code, message, hint, key=key, severity=Severity.WARNING)

    def of_rule(self, rule: Rule, code: str, message: str, hint: str = "", *steps: str | int) -> Problem:
        """A warning about *rule*: at the rule, or at what *steps* lead to inside it."""
        layer = self.layer_of(rule)
        rules = self.documents[layer].root["rules"]
        number = next(index for index, entry in enumerate(rules) if entry["id"] == rule.id)
        return self.warning(layer, ("rules", number, *steps), code, message, hint)


def counted(number: int, noun: str) -> str:
    """*number* of *noun* with its article: `an endpoint`, `3 endpoints`."""
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}" if number == 1 else f"{number} {noun}s"
