"""What a `final` rule closes, no later layer takes out from under it.

A later layer's rule comes too late by its place. But a layer could also free a name by `exclude`, replace the app, or
redefine a group or an authority on which the rule depends. That is refused, since it would open what is closed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embargo.core.rules import Action
from embargo.policy.layers import Layer
from embargo.policy.problem import Problem
from embargo.policy.schema import AppForm, PolicyForm, RuleForm

_HINT = "ask for it in that file"


@dataclass(frozen=True, slots=True)
class _Closing:
    """A final rule that blocks, and the file in which it stands."""

    rule: RuleForm
    file: str

    def __str__(self) -> str:
        return f"the final rule {self.rule.id!r} of {self.file}"


def undone(layers: Sequence[Layer]) -> list[Problem]:
    """A problem for each thing in *layers*, the earliest first, that opens what a final rule of an earlier one closes.

    Layers that have problems of their own are not looked at.
    """
    problems: list[Problem] = []
    closing: list[_Closing] = []
    apps: dict[str, list[AppForm]] = {}  # of each app, the forms in effect so far
    groups: set[str] = set()  # defined so far; a group that an earlier layer leaves to later ones is theirs
    authorities: set[str] = set()
    for layer in layers:
        form = layer.form
        if form is None:
            continue
        if closing:
            problems += _apps(layer, form, closing, apps)
            problems += _groups(layer, groups & form.groups.keys(), closing)
            problems += _authorities(layer, authorities & form.authorities.keys(), closing, apps)
        for identifier, app in form.apps.items():
            apps[identifier] = [*apps.get(identifier, ()), app] if app.extend else [app]
        groups |= form.groups.keys()
        authorities |= form.authorities.keys()
        closing += [_Closing(rule, layer.name) for rule in form.rules if _closes(rule)]
    return problems


def _closes(rule: RuleForm) -> bool:
    return rule.final and rule.enabled and not rule.shadow and rule.action is Action.BLOCK


def _apps(layer: Layer, form: PolicyForm, closing: list[_Closing], apps: dict[str, list[AppForm]]) -> Iterator[Problem]:
    for identifier, app in form.apps.items():
        if identifier not in apps or (app.extend and not app.exclude):
            continue
        if not app.extend and not (app.endpoints or app.endpoints_from or app.stores):
            continue  # meant to extend, and told so
        rule = next((each for each in closing if _selects(each.rule, identifier, apps[identifier])), None)
        if rule is None:
            continue
        path = ("apps", identifier)
        if app.extend:
            message = f"`exclude` takes names out of the app {identifier!r}, which {rule} blocks"
            yield layer.document.problem((*path, "exclude"), "final-rule", message, _HINT, key=True)
        else:
            message = f"replaces the app {identifier!r}, which {rule} blocks"
            yield layer.document.problem(path, "final-rule", message, "`extend: true` adds to it", key=True)


def _groups(layer: Layer, redefined: set[str], closing: list[_Closing]) -> Iterator[Problem]:
    for identifier in redefined:
        rule = next(
            (each for each in closing if identifier in (*(each.rule.groups or ()), *(each.rule.not_groups or ()))), None
        )
        if rule is not None:
            message = f"replaces the group {identifier!r}, on which {rule} depends"
            yield layer.document.problem(
                ("groups", identifier), "final-rule", message, "define a group of another id", key=True
            )


def _authorities(
    layer: Layer, redefined: set[str], closing: list[_Closing], apps: dict[str, list[AppForm]]
) -> Iterator[Problem]:
    for identifier in redefined:
        rule = next((each for each in closing if identifier in _timelines(each.rule, apps)), None)
        if rule is not None:
            message = f"replaces the authority {identifier!r}, whose state decides whether {rule} holds"
            yield layer.document.problem(("authorities", identifier), "final-rule", message, _HINT, key=True)


def _timelines(rule: RuleForm, apps: dict[str, list[AppForm]]) -> set[str]:
    """The authorities whose states decide whether *rule* holds."""
    if not rule.authority:
        return set()
    own = {name for selector in rule.apps if not isinstance(selector, str) for name in selector.named_in or ()}
    return own or {
        name
        for identifier, forms in apps.items()
        if _selects(rule, identifier, forms)
        for form in forms
        for name in form.named_in
    }


def _selects(rule: RuleForm, identifier: str, forms: list[AppForm]) -> bool:
    """Whether *rule* is for the app *identifier*, whose forms in effect are *forms*."""
    named_in = {name for form in forms for name in form.named_in}
    for selector in rule.apps:
        if isinstance(selector, str):
            if selector in ("all", identifier):
                return True
        elif named_in & set(selector.named_in or ()) or forms[0].vendor in (selector.vendor or ()):
            return True
    return False
