"""A policy's tests: what it must say to a request, and what it does say.

A layer's tests are judged on that layer and those beneath it, in mode enforce, at the test's `at:`; those of
a separate test file on the whole policy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from embargo.core.decision import Decision
from embargo.core.inquiry import Answer, Inquiry, answer
from embargo.core.rules import Mode, Policy
from embargo.policy.document import Document, parse
from embargo.policy.load import Loaded
from embargo.policy.problem import Mistake, PolicyError, Problem, path_text
from embargo.policy.reading import read
from embargo.policy.references import check_cases
from embargo.policy.rejection import validate
from embargo.policy.schema import TestForm

_EXPECTATIONS = ("expect", "app", "rule", "endpoint", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test, and where it stands."""

    form: TestForm
    layer: int  # the policy is judged up to this layer, from 0
    file: str
    line: int  # from 1
    column: int  # from 1
    path: str  # `tests[3]`

    def inquiry(self, now: datetime) -> Inquiry:
        """The question that the test asks, at *now* (aware, UTC) where it names no time."""
        form = self.form
        return Inquiry(
            request=form.request,
            time=form.at or now,
            client=form.client.network_address if form.client is not None else None,
            user=form.user,
            user_agent=form.user_agent,
            surface=form.surface,
        )


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An expectation that did not come true."""

    key: str  # as the test has it: expect, app, rule, endpoint, status
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Result:
    """A test that was run."""

    case: Case
    decision: Decision
    mismatches: tuple[Mismatch, ...]

    @property
    def passed(self) -> bool:
        """Whether all expectations came true."""
        return not self.mismatches

    def __str__(self) -> str:
        case = self.case
        where = f"{case.file}:{case.line}:{case.column}: failed-test {case.path}: {case.form.request}"
        return f"{where}: {self.explanation}"

    @property
    def explanation(self) -> str:
        """What was expected and what came, in words; empty where the test passed."""
        found = [f"{mismatch.key}: expected {mismatch.expected}, got {mismatch.got}" for mismatch in self.mismatches]
        if not found:
            return ""
        keys = {mismatch.key for mismatch in self.mismatches}
        if "expect" in keys and "rule" not in keys and (rule := self.decision.rule_id) is not None:
            found.append(f"by rule {rule}")
        return "; ".join(found)


def cases_of(loaded: Loaded) -> Iterator[Case]:
    """The tests of every layer, the earliest layer's first."""
    for number, layer in enumerate(loaded.layers):
        for index, form in enumerate(layer.form.tests if layer.form is not None else ()):
            yield _case(layer.document, index, form, number)


def _case(document: Document, index: int, form: TestForm, layer: int) -> Case:
    line, column = document.position(("tests", index))
    path = path_text(("tests", index))
    return Case(form=form, layer=layer, file=document.name, line=line, column=column, path=path)


def read_cases(paths: Sequence[Path], loaded: Loaded) -> list[Case]:
    """The tests of separate test files, which hold `version` and `tests` only.

    Raises PolicyError with all problems of all files.
    """
    cases: list[Case] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            document = parse(read(str(path), path))
        except Mistake as mistake:
            problems.append(Problem(str(path), 1, 1, mistake.code, "", mistake.message, mistake.hint))
            continue
        form, found = validate(document)
        problems += found
        problems += check_cases(loaded.layers, document)
        for key in document.root:
            if key not in ("version", "tests"):
                hint = "give a policy file by --policy"
                message = f"{key!r} does not belong into a test file, which holds version and tests"
                problems.append(document.problem((key,), "not-a-test-file", message, hint, key=True))
        if form is not None:
            top = len(loaded.layers) - 1
            cases += [_case(document, index, test, top) for index, test in enumerate(form.tests)]
    if problems:
        raise PolicyError(problems)
    return cases


def run(loaded: Loaded, cases: Sequence[Case], now: datetime) -> list[Result]:
    """The result of each of *cases*, in their order; *now* (aware, UTC) is when those without `at:` are judged."""
    enforcing: dict[int, Policy] = {}
    results = []
    for case in cases:
        if case.layer not in enforcing:
            enforcing[case.layer] = _enforcing(loaded.policy_of(case.layer))
        results.append(_run(enforcing[case.layer], case, now))
    return results


def _enforcing(policy: Policy) -> Policy:
    if policy.settings.mode is Mode.ENFORCE:
        return policy
    return replace(policy, settings=replace(policy.settings, mode=Mode.ENFORCE))


def _run(policy: Policy, case: Case, now: datetime) -> Result:
    found = answer(policy, case.inquiry(now))
    decision = found.decision
    form = case.form
    mismatches = []
    for key in _EXPECTATIONS:
        if key in form.model_fields_set:
            expected = getattr(form, key)
            got = _got(found, key, expected)
            if got != _shown(expected):
                mismatches.append(Mismatch(key, _shown(expected), got))
    return Result(case, decision, tuple(mismatches))


def _got(found: Answer, key: str, expected: object) -> str:
    """What *found* says of *key*; where several apps tie, or a pattern has two spellings, the expected one."""
    decision = found.decision
    match key:
        case "expect":
            return str(decision.verdict)
        case "app":
            return str(expected) if expected in decision.apps else ", ".join(decision.apps) or _shown(None)
        case "rule":
            return _shown(decision.rule_id)
        case "endpoint":
            endpoint = decision.endpoint
            return str(expected) if endpoint is not None and expected == endpoint.pattern.text else _shown(endpoint)
        case _:
            return _shown(decision.status_on(found.request.surface))


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
