"""A newer catalogue in place of the installed one, before it is put there: what it would do, or why it may not.

The catalogue is the layer that says when it was `released`. What is proposed is loaded under all other layers as they
are and their tests are run, so that nothing is put in place that the proxy would refuse. Endpoints that the installed
one does not enforce come in on trial (`settings.new_endpoints: shadow`), as `catalogue_trials` has it.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from embargo.core.rules import NewEndpoints, Policy
from embargo.policy.cases import Result, cases_of, run
from embargo.policy.document import Document, parse
from embargo.policy.layers import Layer
from embargo.policy.load import Loaded, load
from embargo.policy.marks import marked, unmarked
from embargo.policy.problem import Mistake, PolicyError, Problem
from embargo.policy.problem import Path as DocumentPath
from embargo.policy.reading import read
from embargo.policy.rejection import validate
from embargo.policy.schema import PolicyForm
from embargo.review.catalogue_trials import Entry, Introduction, Kept, entries_of, introduced, kept_for
from embargo.review.endpoint_changes import Comparison, compare, enforcing
from embargo.review.own_app import endpoint_text
from embargo.review.verdict_changes import Period, verdict_changes

CATALOGUE = "domains.yaml"  # what it is called where no layer says when it was released
_AHEAD = timedelta(days=366)  # looked at for what rules change
PREVIOUS = ".previous"  # behind its name: the one before


class NotUpdated(Exception):
    """The catalogue stays as it is; says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A text for the catalogue's file, judged."""

    policy: tuple[Path, ...]
    target: Path  # the file, as the policy names it
    before: Loaded
    after: Loaded
    old: bytes
    new: bytes
    released: tuple[date | None, date | None]  # of the installed one, of the new one
    comparison: Comparison
    failed: tuple[Result, ...]  # tests that fail with it
    verdicts: tuple[Period, ...] = ()  # what rules, groups, settings and authorities change; for a year to come
    on_trial: tuple[Entry, ...] = ()  # that come in so
    kept: tuple[Kept, ...] = ()  # beside them: what is enforced now stays so
    at_once: tuple[Entry, ...] = ()  # new ones that come in enforced: they are no wider than what is blocked now

    @property
    def unchanged(self) -> bool:
        """Whether the file would stay as it is, byte for byte."""
        return self.old == self.new


def catalogue_of(loaded: Loaded, named: Path | None = None) -> Layer:
    """The layer of *loaded* that is the catalogue, or that is the file *named*. Raises NotUpdated."""
    layers = loaded.layers
    if named is not None:
        real = os.path.realpath(named)
        found = [layer for layer in layers if os.path.realpath(layer.document.source.path) == real]
        if not found:
            raise NotUpdated(f"{named} is no file of the policy; its files are {_names(layers)}")
        return found[0]
    found = [layer for layer in layers if layer.form is not None and layer.form.released is not None]
    if not found:
        found = [layer for layer in layers if Path(layer.name).name == CATALOGUE]
    if len(found) != 1:
        several = f"several layers say when they were released: {_names(found)}" if found else "no layer is a catalogue"
        raise NotUpdated(f"{several}; name the file by --catalogue: the policy has {_names(layers)}")
    return found[0]


def _names(layers: Sequence[Layer]) -> str:
    return ", ".join(layer.name for layer in layers)


def propose_update(
    policy: Sequence[Path], file: Path, now: datetime, *, catalogue: Path | None = None, older: bool = False
) -> Proposal:
    """*file* in place of the catalogue of *policy*, as of *now* (aware, UTC); *older*: though it be no newer one.

    Raises PolicyError, with the problems of *file* or of the policy with it, and NotUpdated.
    """
    before = load(policy)
    layer = catalogue_of(before, catalogue)
    target = layer.document.source.path
    if file.exists() and file.samefile(target):
        raise NotUpdated(f"{file} is the installed catalogue itself")
    document, form = _read(file)
    if not form.apps:
        raise NotUpdated(f"{file} holds no apps: it is no catalogue")
    assert layer.form is not None, "a policy that loads has no broken layer"
    _check_age(file, layer.form.released, form.released, older=older)
    _loaded(policy, target, document.source.data, file)
    coming = Introduction((), (), ())
    if before.policy.settings.new_endpoints is NewEndpoints.SHADOW:  # as the site has it: the new file has no say

        def judged(trials: Sequence[Entry], kept: Sequence[Kept]) -> Policy:
            return load(policy, instead={target: _with(document, trials, kept)}).policy

        coming = introduced(layer.form, form, before.policy, judged, now)
    data = _with(document, coming.on_trial, coming.kept)
    proposal = propose(policy, before, target, data, now, called=file)
    return replace(
        proposal,
        released=(layer.form.released, form.released),
        on_trial=coming.on_trial,
        kept=coming.kept,
        at_once=coming.at_once,
    )


def _with(document: Document, trials: Sequence[Entry], kept: Sequence[Kept]) -> bytes:
    """The text of *document* with *trials* marked and those *kept* beside them. Raises NotUpdated."""
    beside: dict[DocumentPath, list[str]] = defaultdict(list)
    for each in kept:
        beside[each.wider.path].append(endpoint_text(each.endpoint))
    try:
        return marked(document, [entry.path for entry in trials if not entry.endpoint.shadow], beside)
    except Mistake as mistake:
        hint = "or let them in at once by `new_endpoints: enforce` in the settings"
        raise NotUpdated(f"{document.name}: {mistake}, {hint}") from mistake


def propose_previous(policy: Sequence[Path], now: datetime, *, catalogue: Path | None = None) -> Proposal:
    """The catalogue before, in place of the one that is installed. Raises PolicyError and NotUpdated."""
    before = load(policy)
    layer = catalogue_of(before, catalogue)
    target = layer.document.source.path
    kept = previous(target)
    if not kept.exists():
        raise NotUpdated(f"there is no {kept}: nothing was updated yet")
    document, form = _read(kept)
    assert layer.form is not None, "a policy that loads has no broken layer"
    proposal = propose(policy, before, target, document.source.data, now, called=kept)
    return replace(proposal, released=(layer.form.released, form.released))


def propose_enforcing(
    policy: Sequence[Path], apps: Sequence[str], now: datetime, *, catalogue: Path | None = None
) -> tuple[Proposal, tuple[Entry, ...]]:
    """The catalogue with the endpoints on trial of *apps* (of all, where none is named) enforced, and those endpoints.

    Raises PolicyError and NotUpdated.
    """
    before = load(policy)
    layer = catalogue_of(before, catalogue)
    target = layer.document.source.path
    assert layer.form is not None, "a policy that loads has no broken layer"
    entries = entries_of(layer.form)
    if unknown := [app for app in apps if app not in layer.form.apps]:
        raise NotUpdated(f"{layer.name} has no app {unknown[0]!r}; `embargo apps` lists them")
    found = tuple(entry for entry in entries if entry.endpoint.shadow and (not apps or entry.app in apps))
    try:
        gone = [entry.path for entry in kept_for(entries, found)]
        data = unmarked(layer.document, [entry.path for entry in found], gone)
    except Mistake as mistake:
        raise NotUpdated(f"{layer.name}: {mistake}") from mistake
    proposal = propose(policy, before, target, data, now, called=target)
    return replace(proposal, released=(layer.form.released, layer.form.released)), found


def propose(
    policy: Sequence[Path], before: Loaded, target: Path, data: bytes, now: datetime, *, called: Path
) -> Proposal:
    """*data* in place of the file *target* of *policy*, loaded under all layers, with its tests run.

    *called*: what problems call it. Raises PolicyError.
    """
    after = _loaded(policy, target, data, called)
    results = run(after, list(cases_of(after)), now)
    old = next(layer.document.source.data for layer in before.layers if layer.document.source.path == target)
    return Proposal(
        policy=tuple(policy),
        target=target,
        before=before,
        after=after,
        old=old,
        new=data,
        released=(None, None),
        comparison=compare(before.policy, after.policy, now),
        verdicts=verdict_changes(enforcing(before.policy), enforcing(after.policy), now, now + _AHEAD).periods,
        failed=tuple(result for result in results if not result.passed),
    )


def still_holds(proposal: Proposal) -> bool:
    """Whether no file of the policy has changed since it was proposed. Raises PolicyError where it does not load."""
    now = _loaded(proposal.policy, proposal.target, proposal.new, proposal.target)
    return now.digest == proposal.after.digest


def previous(target: Path) -> Path:
    """Where the catalogue before the one at *target* is kept: beside the file itself, wherever links lead to it."""
    real = Path(os.path.realpath(target))
    return real.with_name(real.name + PREVIOUS)


def _read(file: Path) -> tuple[Document, PolicyForm]:
    """The policy file at *file*. Raises PolicyError."""
    try:
        source = read(str(file), file, hint="is it a catalogue?")
    except Mistake as mistake:
        raise PolicyError([Problem(str(file), 1, 1, mistake.code, "", mistake.message, mistake.hint)]) from mistake
    document = parse(source)
    form, problems = validate(document)
    if form is None:
        raise PolicyError(problems)
    return document, form


def _check_age(file: Path, installed: date | None, new: date | None, *, older: bool) -> None:
    if older:
        return
    force = "--force-older installs it all the same"
    if new is None:
        raise NotUpdated(f"{file} does not say when it was `released`, so it may be an older one; {force}")
    if installed is not None and new < installed:
        raise NotUpdated(
            f"{file} was released on {new}, before the installed one of {installed}; {force}, and "
            "`embargo catalogue restore` goes back to the one before"
        )


def _loaded(policy: Sequence[Path], target: Path, data: bytes, called: Path) -> Loaded:
    """*policy* with *data* in place of *target*; problems of that file call it *called*. Raises PolicyError."""
    try:
        return load(policy, instead={target: data})
    except PolicyError as refused:
        real = os.path.realpath(target)
        problems = [
            replace(problem, file=str(called)) if os.path.realpath(problem.file) == real else problem
            for problem in refused.problems
        ]
        raise PolicyError(problems, refused.watched) from refused


def marks_by_layer(loaded: Loaded) -> Mapping[str, int]:
    """How many endpoints are on trial, by the file in which they stand."""
    return {name: count for name, count in _marks(loaded) if count}


def _marks(loaded: Loaded) -> Iterator[tuple[str, int]]:
    for layer in loaded.layers:
        if layer.form is not None:
            yield layer.name, sum(entry.endpoint.shadow for entry in entries_of(layer.form))
