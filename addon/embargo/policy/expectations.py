"""What a test expects, held against the answer that the policy gives."""

from dataclasses import dataclass

from embargo.core.decision import Decision, Verdict
from embargo.core.inquiry import Answer
from embargo.core.request import Surface
from embargo.core.rules import Recording, Respond
from embargo.policy.schema import EXPECTATIONS, CaseForm

_USUAL = {  # how a refusal looks where no rule wishes otherwise; elsewhere the connection is closed
    Surface.CONNECT: Respond.PAGE,
    Surface.HTTP: Respond.PAGE,
    Surface.WEBSOCKET: Respond.PAGE,
    Surface.DNS: Respond.NXDOMAIN,
}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An expectation that did not come true."""

    key: str  # as the test has it, one of EXPECTATIONS; `group` where it has no member to judge
    expected: str
    got: str


def expected(form: CaseForm) -> dict[str, str]:
    """What *form* expects, by key, in words."""
    return {key: shown(getattr(form, key)) for key in EXPECTATIONS if key in form.model_fields_set}


def mismatches(form: CaseForm, answer: Answer) -> tuple[Mismatch, ...]:
    """The expectations of *form* that *answer* does not meet."""
    found = []
    for key, wanted in expected(form).items():
        got = _got(answer, key, getattr(form, key))
        if got != wanted:
            found.append(Mismatch(key, wanted, got))
    return tuple(found)


def got(answer: Answer, key: str) -> str:
    """What *answer* says of *key*, in words."""
    return _got(answer, key, None)


def shown(value: object) -> str:
    """*value* as a report has it."""
    return "none" if value is None else str(value)


def _got(answer: Answer, key: str, wanted: object) -> str:
    """What *answer* says of *key*; where several apps tie, or a pattern has two spellings, the *wanted* one."""
    decision, surface = answer.decision, answer.request.surface
    match key:
        case "expect":
            return str(decision.verdict)
        case "app":
            return str(wanted) if wanted in decision.apps else ", ".join(decision.apps) or shown(None)
        case "rule":
            return shown(decision.rule_id)
        case "endpoint":
            endpoint = decision.endpoint
            return str(wanted) if endpoint is not None and wanted == endpoint.pattern.text else shown(endpoint)
        case "status":
            return shown(decision.status_on(surface))
        case "would":
            return shown(decision.would)
        case "respond":
            return shown(_response(decision, surface))
        case _:
            return shown(_recording(decision))


def _response(decision: Decision, surface: Surface) -> Respond | None:
    if not decision.blocked:
        return None
    return decision.response_on(surface) or _USUAL.get(surface, Respond.RESET)


def _recording(decision: Decision) -> Recording | None:
    if decision.verdict is Verdict.PASS:
        return None
    return Recording.ANONYMOUS if decision.anonymous else Recording.FULL
