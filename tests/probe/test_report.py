"""What a probe comes to, by its exit code."""

import pytest

from embargo.core.pattern import Kind
from embargo.core.request import Surface
from embargo.probe.outcome import Finding, Outcome
from embargo.probe.report import Control, Report, Result
from embargo.probe.targets import Target
from embargo.probe.ways import WAYS

TARGET = Target(
    app="bad", endpoint="host:x", kind=Kind.HOST, host="x", port=443, path="/", user_agent="", blocked={}
)  # fmt: skip
PASSED = Control("outward", True, "a tunnel: opened")
SILENT = Control("inward", False, "a tunnel back: nothing came through")
REFUSED = Control(Surface.TLS, False, "an innocent ClientHello: refused", refused=True)

EXITS = {  # case: (controls, outcomes, exit)
    "all refused": ([PASSED], [Outcome.REFUSED], 0),
    "a leak": ([PASSED], [Outcome.REFUSED, Outcome.LEAKED], 1),
    "nothing asked": ([PASSED], [], 2),
    "nothing but what is not opened": ([PASSED], [Outcome.UNOPENED], 2),
    "the way back is closed": ([PASSED, SILENT], [Outcome.REFUSED], 0),
    "what is innocent is refused too": ([PASSED, REFUSED], [Outcome.REFUSED], 2),
    "that, and a leak": ([PASSED, REFUSED], [Outcome.REFUSED, Outcome.LEAKED], 1),
}


@pytest.mark.parametrize(("controls", "outcomes", "code"), EXITS.values(), ids=EXITS)
def test_exit(controls: list[Control], outcomes: list[Outcome], code: int) -> None:
    results = [Result(TARGET, WAYS[0], Finding(outcome, "")) for outcome in outcomes]
    report = Report(proxy="127.0.0.1:8080", controls=controls, results=results)
    assert (report.exit, report.document()["exit"]) == (code, code)
    assert (report.refused_innocent is not None) is (REFUSED in controls)
