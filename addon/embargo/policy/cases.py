"""A policy's tests: what it must say to a request, and what it does say.

A layer's tests are judged on that layer and those beneath it, in mode enforce, at the test's `at:`; those of
a separate test file on the whole policy. A test with several requests, or with `cases`, is as many tests.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path as FilePath

from embargo.core.address import Address
from embargo.core.decision import Decision
from embargo.core.inquiry import Answer, Inquiry, answer
from embargo.core.rules import Group, Mode, Policy
from embargo.policy.document import Document, parse
from embargo.policy.expectations import Mismatch, mismatches
from embargo.policy.load import Loaded
from embargo.policy.problem import Mistake, Path, PolicyError, Problem, path_text
from embargo.policy.reading import read
from embargo.policy.references import check_cases
from embargo.policy.rejection import validate
from embargo.policy.schema import CaseForm, TestForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test, and where it stands."""

    request: str
    form: CaseForm  # a row of a table with what holds for all its rows
    layer: int  # the policy is judged up to this layer, from 0
    file: str
    line: int  # from 1
    column: int  # from 1
    path: str  # `tests[3]`, `tests[3].request[0]`, `tests[3].cases[1]`

    @property
    def place(self) -> str:
        """`policy.yaml:12:5`."""
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def givens(self) -> dict[str, str]:
        """What is given beside the request, by key, as a test file would write it."""
        form = self.form
        given = {
            "surface": form.surface.value if form.surface else None,
            "client": str(form.client.network_address) if form.client is not None else None,
            "user": form.user,
            "group": form.group,
            "user_agent": form.user_agent,
            "at": form.at.isoformat() if form.at else None,
        }
        return {key: value for key, value in given.items() if value}

    def inquiry(self, policy: Policy, now: datetime) -> Inquiry | None:
        """The question that the test asks, at *now* (aware, UTC) where it names no time.

        None where it asks for a member of a group that has none in *policy*.
        """
        form = self.form
        client, user = form.client.network_address if form.client is not None else None, form.user
        if form.group is not None:
            client, user = _member(policy.groups.get(form.group))
            if client is None and user is None:
                return None
        return Inquiry(
            request=self.request,
            time=form.at or now,
            client=client,
            user=user,
            user_agent=form.user_agent,
            surface=form.surface,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """A test that was run."""

    case: Case
    answer: Answer
    mismatches: tuple[Mismatch, ...]
    seconds: float = field(default=0.0, compare=False)

    @property
    def passed(self) -> bool:
        """Whether all expectations came true."""
        return not self.mismatches

    @property
    def decision(self) -> Decision:
        """What the policy decided."""
        return self.answer.decision

    def __str__(self) -> str:
        case = self.case
        return f"{case.place}: failed-test {case.path}: {case.request}: {self.explanation}"

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
        if layer.form is not None:
            yield from _cases(layer.document, layer.form.tests, number)


def _cases(document: Document, tests: Sequence[TestForm], layer: int) -> Iterator[Case]:
    for index, test in enumerate(tests):
        path: Path = ("tests", index)
        if test.cases is None:
            yield from _requests(document, test, test, path, layer)
        else:
            for number, row in enumerate(test.cases):
                yield from _requests(document, test, row, (*path, "cases", number), layer)


def _requests(document: Document, test: TestForm, row: CaseForm, path: Path, layer: int) -> Iterator[Case]:
    """A test for each request of *row*, or of the whole *test* where the row names none."""
    said = {key: getattr(form, key) for form in (test, row) for key in form.model_fields_set if key != "cases"}
    if row is not test and test.name is not None and row.name is not None:
        said["name"] = f"{test.name}: {row.name}"
    form = CaseForm.model_construct(_fields_set=set(said), **said)
    requests = form.request or ()
    for number, request in enumerate(requests):
        own = (*path, "request", number) if len(requests) > 1 and row.request is not None else path
        line, column = document.position(own)
        yield Case(
            request=request,
            form=form,
            layer=layer,
            file=document.name,
            line=line,
            column=column,
            path=path_text(own),
        )


def read_cases(paths: Sequence[FilePath], loaded: Loaded) -> list[Case]:
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
        if form is not None and not problems:  # a table that is refused may stand for more tests than memory holds
            cases += _cases(document, form.tests, len(loaded.layers) - 1)
    if problems:
        raise PolicyError(problems)
    return cases


def run(loaded: Loaded, cases: Sequence[Case], now: datetime) -> list[Result]:
    """The result of each of *cases*, in their order; *now* (aware, UTC) is when those without `at:` are judged."""
    judges: dict[int, Policy] = {}
    results = []
    for case in cases:
        if case.layer not in judges:
            judges[case.layer] = enforcing(loaded.policy_of(case.layer))
        results.append(judge(judges[case.layer], case, now))
    return results


def enforcing(policy: Policy) -> Policy:
    """*policy* in mode enforce and with nothing on trial, as tests judge it: what it is meant to say."""
    if policy.trials is not None:
        policy = policy.trials.within
    if policy.settings.mode is Mode.ENFORCE:
        return policy
    return policy.varied(settings=replace(policy.settings, mode=Mode.ENFORCE))


def judge(policy: Policy, case: Case, now: datetime) -> Result:
    """*case* by *policy*, which is in mode enforce, at *now* (aware, UTC) where it names no time."""
    began = time.perf_counter()
    inquiry = case.inquiry(policy, now)
    if inquiry is None:
        nobody = Inquiry(request=case.request, time=now, surface=case.form.surface)
        return Result(case, answer(policy, nobody), (Mismatch("group", f"a member of {case.form.group}", "none"),))
    found = answer(policy, inquiry)
    return Result(case, found, mismatches(case.form, found), time.perf_counter() - began)


def _member(group: Group | None) -> tuple[Address | None, str | None]:
    """The client or user that stands for *group*: the first of its clients, or of its users where it has none."""
    if group is not None and group.clients:
        return group.clients[0].network_address, None
    return None, min(group.users) if group is not None and group.users else None
