"""What is left of an app, as a person reads it."""

import pytest

from docs.pages import ROOT
from embargo.core.catalogue import Role
from embargo.core.rules import Mode
from embargo.policy.load import load
from embargo.review.catalogue import account
from embargo.review.remainder import remainder
from embargo.review.remaining import WIDTH, remaining
from sample import NOW, app, endpoint, policy, rule

APP = app("a", "a.example", endpoint("cdn.example", Role.CDN, shared=True))
MANY = app("a", *(f"{number}.example" for number in range(10)))

LINES = {  # case: (app, rules, settings, lines)
    "all of it is blocked": (APP, [rule("banned", "block")], {}, ["not blocked: nothing"]),
    "some of it": (
        APP,
        [rule("shared", "log", shared=True, reason="others use it"), rule("banned", "block")],
        {},
        [
            "not blocked",
            "  1 endpoint: log by shared",
            "    it is for endpoints that others use too; its reason: others use it; it stands before banned,",
            "    which would block",
            "    domain:cdn.example",
            "",
            "to block the rest, put this in a file of your own, such as site.yaml, which then takes the place of",
            "domains.yaml",
            "",
            "version: 1",
            "include: [domains.yaml]",
            "rules:",
            "  - id: block-a",
            "    apps: a",
            "    action: block",
            "    # To spare what others use too:",
            "    # shared: false",
            "",
            "it would hit",
            "  1 endpoint that others use too: domain:cdn.example",
            "  1 endpoint that banned blocks already: message and status would be this rule's",
        ],
    ),
    "more than are named": (
        MANY,
        [],
        {},
        [
            "not blocked",
            "  10 endpoints: log by default",
            "    no rule holds, and settings.default is log",
            f"    {', '.join(f'domain:{number}.example' for number in range(5))},",
            f"    {', '.join(f'domain:{number}.example' for number in range(5, 8))} and 2 more",
        ],
    ),
}


@pytest.mark.parametrize(("judged", "rules", "settings", "lines"), LINES.values(), ids=LINES)
def test_lines(judged: object, rules: list[object], settings: dict[str, object], lines: list[str]) -> None:
    found = policy([judged], rules, **settings)  # type: ignore[list-item]
    printed = list(remaining(remainder(found, account(found, found.apps["a"], NOW), NOW)))
    assert printed[0] == ""
    assert printed[1 : len(lines) + 1] == lines


def test_monitor_is_told() -> None:
    found = policy([APP], [rule("banned", "block")], mode=Mode.MONITOR)
    printed = list(remaining(remainder(found, account(found, found.apps["a"], NOW), NOW)))
    assert printed == [
        "",
        "monitor mode: nothing is blocked; below is what enforcing would leave",
        "",
        "not blocked: nothing",
    ]


def test_no_line_of_any_shipped_app_is_too_long() -> None:
    for file in ("domains.yaml", "follow-the-law.yaml"):
        shipped = load([ROOT / file]).policy
        for each in shipped.apps.values():
            lines = list(remaining(remainder(shipped, account(shipped, each, NOW), NOW)))
            assert [line for line in lines if len(line) > WIDTH and str(ROOT) not in line] == []


def test_a_long_name_is_not_broken() -> None:
    long = "x" * 60 + "." + "y" * 60 + ".example"
    found = policy([app("a", long)], [])
    printed = list(remaining(remainder(found, account(found, found.apps["a"], NOW), NOW)))
    assert f"    domain:{long}" in printed
