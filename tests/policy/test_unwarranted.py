"""`check` tells of exceptions that do not hold, since an order stands against them, and of those that will not."""

from pathlib import Path

import pytest

from embargo.policy.lint import lint
from policy_files import loaded
from sample import instant

POLICY = """\
version: 1
settings: {bound_by: [order, coming]}
authorities:
  order: {timeline: {2020-01-01: in-force, 2027-06-01: revoked}}
  coming: {timeline: {2026-12-01: in-force}}
apps:
  pay: {named_in: [order], endpoints: [{domain: pay.test, evidence: e}]}
  qq: {named_in: [coming], endpoints: [{domain: qq.test, evidence: e}]}
  free: {endpoints: [{domain: free.test, evidence: e}]}
rules: [{id: banned, apps: all, action: block}]
"""
EXCEPTION = "version: 1\nrules:\n- {{id: e, apps: {}, users: ann, action: log, until: {}, reason: r{}}}\n"
WHOLE = ", author: ann, approved_by: ben, ticket: T, basis: license"

WARNED = {  # case: (apps, until, more, what is warned of)
    "an order in force": (
        "pay", "2027-01-01", "",
        "exceptions.yaml:3:3: exception-without-basis rules[0]: the exception 'e' does not hold for 'pay': order is in "
        "force and binds this organization; it needs an author, an approver other than the author, a basis, a ticket",
    ),
    "all that it needs": ("pay", "2027-01-01", WHOLE, None),
    "an approver missing": (
        "pay", "2027-01-01", WHOLE.replace("ben", "Ann"),
        "exceptions.yaml:3:3: exception-without-basis rules[0]: the exception 'e' does not hold for 'pay': order is in "
        "force and binds this organization; it needs an approver other than the author",
    ),
    "an order to come": (
        "qq", "2027-01-01", WHOLE.replace("ticket: T, ", ""),
        "exceptions.yaml:3:3: exception-without-basis rules[0]: the exception 'e' does not hold for 'qq' from "
        "2026-12-01 on: coming is in force and binds this organization; it needs a ticket",
    ),
    "an order that comes when it is over": ("qq", "2026-12-01", "", None),
    "no order": ("free", "2027-01-01", "", None),
    "it is over": (
        "pay", "2026-11-01", "",
        "exceptions.yaml:3:54: rule-ended rules[0].until: the exception 'e' ended on 2026-11-01; delete it; the log "
        "keeps its history",
    ),
    "it is disabled": ("pay", "2027-01-01", ", enabled: false", None),
}  # fmt: skip


@pytest.mark.parametrize(("apps", "until", "more", "expected"), WARNED.values(), ids=WARNED)
def test_warned(apps: str, until: str, more: str, expected: str | None, tmp_path: Path) -> None:
    files = {"policy.yaml": POLICY, "exceptions.yaml": EXCEPTION.format(apps, until, more)}
    found = lint(loaded(tmp_path, files), instant("2026-11-24"))
    assert [str(each) for each in found if each.file == "exceptions.yaml" and each.code != "rule-ends"] == (
        [expected] if expected is not None else []
    )


def test_a_rule_elsewhere_is_no_exception(tmp_path: Path) -> None:
    files = {"policy.yaml": POLICY, "other.layer.yaml": EXCEPTION.format("pay", "2027-01-01", "")}
    found = lint(loaded(tmp_path, files), instant("2026-11-24"))
    assert [each.code for each in found if each.code == "exception-without-basis"] == []
