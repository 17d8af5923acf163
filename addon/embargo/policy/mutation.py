"""Edits that a policy's tests should notice: each rule removed, flipped, loosened; each entry of the catalogue removed.

An edit is made as in the file: where a rule goes that replaced an earlier layer's, that one is back. Only rules change,
so the matcher is shared with the policy as it is; for an entry it is thinned. What no test notices either loses
something, which `witness` shows by a request that is then judged otherwise, or has no effect.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from embargo.core.rules import Action, AppSelector, Policy, Recording, Rule
from embargo.core.thinned import thinned
from embargo.policy.cases import Case, Result, enforcing, judge
from embargo.policy.coverage import Touch, met_by, of_exceptions, touch, touches_of
from embargo.policy.entries import CatalogueEntry, Sort, entries_of
from embargo.policy.load import Loaded
from embargo.policy.witness import Aspect, Search, Witness, search

_FLIPPED = {Action.BLOCK: Action.LOG, Action.LOG: Action.BLOCK, Action.ALLOW: Action.BLOCK}
_CRITERIA = (  # field of Rule, key of a policy file
    ("hosts", "hosts"),
    ("roles", "roles"),
    ("shared", "shared"),
    ("surfaces", "surfaces"),
    ("groups", "groups"),
    ("not_groups", "not_groups"),
    ("users", "users"),
    ("clients", "clients"),
    ("schedule", "schedule"),
    ("authority", "authority"),
    ("since", "from"),
    ("until", "until"),
)
_NOTHING = Rule(id="nothing", apps=AppSelector(), action=Action.LOG)  # has every criterion empty


class Outcome(StrEnum):
    """What became of a mutation."""

    NOTICED = "noticed"  # a test fails
    SURVIVED = "survived"  # no test fails, and a request is judged otherwise
    NO_EFFECT = "no-effect"  # no test fails, and no request that was tried is judged otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One edit."""

    what: str  # `rule banned-apps`, `settings.default`, `alipay domain:alipay.com`
    change: str  # `removed`, `action: log`, `until dropped`
    file: str
    line: int  # from 1
    apps: frozenset[str] | None  # those whose verdicts may change; None: any
    rule: str | None = None  # id of the rule that is edited
    entry: CatalogueEntry | None = None  # that is removed
    lowest: int = 0  # the first layer whose policy is another
    policy_of: Callable[[int], Policy] = field(repr=False, compare=False)  # the edited policy up to a layer

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}: {self.change}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A mutation that was tried."""

    mutation: Mutation
    outcome: Outcome
    by: Case | None = None  # of a noticed one the test that fails
    witness: Witness | None = None  # of one that survived
    tried: int = 0  # requests, of one without effect
    whole: bool = True  # whether they stand for all there are


class Mutations:
    """The mutations of a policy, and the tests that are to notice them."""

    def __init__(self, loaded: Loaded, results: Sequence[Result], now: datetime) -> None:
        """*results*: of all tests, at *now* (aware, UTC); all have passed."""
        self._loaded, self._now, self._results = loaded, now, results
        self._top = len(loaded.layers) - 1
        self._own_rules: dict[int, tuple[tuple[Rule, ...], ...]] = {}

    @cached_property
    def _search(self) -> Search:
        return Search(self._loaded, enforcing(self._loaded.policy), self._now)

    def _own(self, height: int) -> tuple[tuple[Rule, ...], ...]:
        """The rules of each layer up to *height*, as they stand there."""
        if height not in self._own_rules:
            self._own_rules[height] = self._loaded.assembly.own_rules(height + 1)
        return self._own_rules[height]

    def of_rules(self) -> Iterator[Mutation]:
        """Each rule removed and changed in turn, and what holds where no rule does."""
        for layer, rules in enumerate(self._own(self._top)):
            for number, rule in enumerate(rules):
                if of_exceptions(rule):
                    continue
                yield self._edited(layer, number, rule, "removed", None)
                for change, edited in _changes(rule):
                    yield self._edited(layer, number, rule, change, edited)
        yield self._default()

    def of_entries(self, apps: Sequence[str] = ()) -> Iterator[Mutation]:
        """Each entry of the catalogue removed in turn; of *apps* alone where any are named."""
        for entry in entries_of(self._loaded):
            if not apps or entry.app in apps:
                yield Mutation(
                    what=f"{entry.app} {entry.text}",
                    change="removed",
                    file=entry.file,
                    line=entry.line,
                    apps=None if entry.sort is Sort.EXCLUDE else frozenset({entry.app}),
                    entry=entry,
                    policy_of=lambda layer, entry=entry: thinned(enforcing(self._loaded.policy_of(layer)), entry.is_of),  # type: ignore[misc]
                )

    def attempt(self, mutation: Mutation) -> Trial:
        """Try *mutation*: the tests, until one notices; then the search for what it changes."""
        for result in self._likely(mutation):
            case = result.case
            if not judge(mutation.policy_of(case.layer), case, self._now).passed:
                return Trial(mutation=mutation, outcome=Outcome.NOTICED, by=case)
        before, after = enforcing(self._loaded.policy), mutation.policy_of(self._top)
        if mutation.entry is None and before.rules_of == after.rules_of and before.settings == after.settings:
            return Trial(mutation=mutation, outcome=Outcome.NO_EFFECT)  # another layer replaces it
        aspect = Aspect.VERDICT if mutation.entry is not None else Aspect.ALL
        found = search(self._search, after, aspect, apps=mutation.apps, entry=mutation.entry)
        if found.witness is not None:
            return Trial(mutation=mutation, outcome=Outcome.SURVIVED, witness=found.witness)
        return Trial(mutation=mutation, outcome=Outcome.NO_EFFECT, tried=found.tried, whole=found.whole)

    def _likely(self, mutation: Mutation) -> list[Result]:
        """The tests that may notice, those first that the edited rule decides."""
        if mutation.entry is not None:
            return [result for each in touches_of(mutation.entry) for result in self._meeting.get(each, ())]
        asked = [result for result in self._results if result.case.layer >= mutation.lowest]
        return sorted(asked, key=lambda result: result.decision.rule_id != mutation.rule)

    @cached_property
    def _meeting(self) -> dict[Touch, list[Result]]:
        """The tests by what they meet at any surface."""
        found: dict[Touch, list[Result]] = {}
        for result in self._results:
            policy = enforcing(self._loaded.policy_of(result.case.layer))
            for met in {touch(entry) for entry in met_by(policy, result.case, self._now)}:
                found.setdefault(met, []).append(result)
        return found

    def _edited(self, layer: int, number: int, rule: Rule, change: str, edited: Rule | None) -> Mutation:
        made: dict[int, Policy] = {}

        def policy_of(height: int) -> Policy:
            if height not in made:
                own = list(self._own(height))
                if height >= layer:
                    rules = own[layer]
                    changed = (_like(rules[number], rule, edited),) if edited is not None else ()
                    own[layer] = (*rules[:number], *changed, *rules[number + 1 :])
                stacked = self._loaded.assembly.stacked(own)
                made[height] = enforcing(self._loaded.policy_of(height)).varied(rules=stacked)
            return made[height]

        apps = self._loaded.policy.apps.values()
        selected = frozenset(app.id for app in apps if rule.apps.selects(app))
        return Mutation(
            what=f"rule {rule.id}", change=change, file=rule.layer, line=rule.line,
            apps=selected, rule=rule.id, lowest=layer, policy_of=policy_of,
        )  # fmt: skip

    def _default(self) -> Mutation:
        flipped = _FLIPPED[self._loaded.policy.settings.default]
        layers = self._loaded.layers
        said = [layer for layer in layers if layer.form and layer.form.settings and layer.form.settings.default]
        document = said[-1].document if said else layers[-1].document

        def policy_of(height: int) -> Policy:
            policy = enforcing(self._loaded.policy_of(height))
            return policy.varied(settings=replace(policy.settings, default=flipped))

        return Mutation(
            what="settings.default", change=str(flipped), file=document.name,
            line=document.position(("settings", "default"))[0] if said else 1,
            apps=None, rule="default", policy_of=policy_of,
        )  # fmt: skip


def _changes(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """*rule*, changed in one way each, with the change in words."""
    if not rule.enabled:
        yield "enabled: true", replace(rule, enabled=True)
        return
    flipped = _FLIPPED[rule.action]
    yield f"action: {flipped}", replace(rule, action=flipped)
    for name, key in _CRITERIA:
        if getattr(rule, name) != getattr(_NOTHING, name):
            yield f"{key} dropped", replace(rule, **{name: getattr(_NOTHING, name)})
    if rule.respond:
        yield "respond dropped", replace(rule, respond=())
    other = Recording.FULL if rule.record is Recording.ANONYMOUS else Recording.ANONYMOUS
    yield f"record: {other}", replace(rule, record=other)
    yield f"shadow: {str(not rule.shadow).lower()}", replace(rule, shadow=not rule.shadow)
    if rule.final:
        yield "final: false", replace(rule, final=False)
    yield from _narrower(rule)


def _narrower(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """*rule* for fewer apps: without one of those that it names."""
    apps = rule.apps
    if len(apps.ids) + len(apps.named_in) + len(apps.vendors) < 2:
        return
    for name in sorted(apps.ids):
        yield f"apps without {name}", replace(rule, apps=replace(apps, ids=apps.ids - {name}))
    for name in apps.named_in:
        left = tuple(other for other in apps.named_in if other != name)
        yield f"apps without named_in {name}", replace(rule, apps=replace(apps, named_in=left))
    for name in sorted(apps.vendors):
        yield f"apps without vendor {name}", replace(rule, apps=replace(apps, vendors=apps.vendors - {name}))


def _like(rule: Rule, whole: Rule, edited: Rule) -> Rule:
    """*rule*, as a lower layer has it, with what *edited* has otherwise than *whole*."""
    changed = {
        name: getattr(edited, name)
        for name in Rule.__dataclass_fields__
        if getattr(edited, name) != getattr(whole, name)
    }
    return replace(rule, **changed)
