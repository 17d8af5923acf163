"""What the report says of an order: its states, and each endpoint counted once."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from embargo.policy.load import load
from embargo.review.report.orders import NEVER_OPENED, NO_EVIDENCE, SHARED, Order, orders

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
POLICY = """\
version: 1
settings: {{{settings}}}
authorities:
  order: {{title: Order, timeline: {{{timeline}}}}}
apps:
  bad: {{named_in: order, endpoints: [{endpoints}]}}
  other: {{endpoints: [other.example]}}
rules:
  - {{id: shared, apps: all, shared: true, action: log}}
  - {{id: watched, apps: all, roles: [cdn], action: log}}
  - {{id: banned, apps: bad, action: block}}
"""
SOURCE = "evidence: [a list]"


def told(
    tmp_path: Path, *, settings: str = "", timeline: str = "2020-01-01: in-force", endpoints: str = "bad.example"
) -> Order:
    path = tmp_path / "p.yaml"
    path.write_text(POLICY.format(settings=settings, timeline=timeline, endpoints=endpoints))
    [order] = orders(load([path]).policy, START, END, {"bad": {"blocked": 7}})
    return order


ENDPOINTS = {  # case: (settings, endpoint, what it counts as)
    "blocked": ("", f"{{domain: bad.example, {SOURCE}}}", "blocked"),
    "only logged": ("", f"{{domain: bad.example, role: cdn, {SOURCE}}}", "logged"),
    "of monitor": ("mode: monitor", f"{{domain: bad.example, {SOURCE}}}", "logged"),
    "on trial": ("", f"{{domain: bad.example, shadow: true, {SOURCE}}}", "logged"),
    "shared": ("", f"{{domain: cdn.example, shared: true, {SOURCE}}}", SHARED),
    "no evidence": ("", "bad.example", NO_EVIDENCE),
    "a url": ("", f'{{url: "shop.example/bad/*", {SOURCE}}}', "blocked"),
    "a url, and nothing is opened": ("decrypt: none", f'{{url: "shop.example/bad/*", {SOURCE}}}', NEVER_OPENED),
    "a url that is never opened": (
        "never_decrypt: [shop.example]",
        f'{{url: "www.shop.example/bad/*", {SOURCE}}}',
        NEVER_OPENED,
    ),
    "an agent, and nothing is opened": (
        "decrypt: none",
        f"{{user_agent: BadApp, role: client, {SOURCE}}}",
        NEVER_OPENED,
    ),
}


@pytest.mark.parametrize(("settings", "endpoint", "kind"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_an_endpoint_counts_once(tmp_path: Path, settings: str, endpoint: str, kind: str) -> None:
    [app] = told(tmp_path, settings=settings, endpoints=endpoint).apps
    counted = {"blocked": app.blocked, "logged": app.logged, **app.unverifiable}
    assert {name: count for name, count in counted.items() if count} == {kind: 1}
    assert app.hits == {"blocked": 7}


STATES = {  # case: (timeline, states of the course, states within the period)
    "in force before": ("2020-01-01: in-force", ["in-force"], ["in-force"]),
    "not yet": ("2027-01-01: in-force", ["none"], ["none"]),
    "no dates": ("", ["none"], ["none"]),
    "begins within": (
        "2020-01-01: issued, 2026-11-10: in-force",
        ["issued", "in-force"],
        ["issued", "in-force"],
    ),
    "stayed again and again": (
        "2020-01-01: in-force, 2026-11-10: stayed, 2026-11-20: stayed",
        ["in-force", "stayed"],
        ["in-force", "stayed"],
    ),
    "over before": ("2020-01-01: in-force, 2021-01-01: revoked", ["in-force", "revoked"], ["revoked"]),
}


@pytest.mark.parametrize(("timeline", "course", "within"), STATES.values(), ids=STATES)
def test_states(tmp_path: Path, timeline: str, course: list[str], within: list[str]) -> None:
    order = told(tmp_path, timeline=timeline)
    assert [each.state for each in order.course] == course
    assert [each.state for each in order.within] == within
    assert order.state == within[-1]
    assert (order.within[0].start, order.within[-1].end, order.course[-1].end) == (START, END, END)
    for part in (order.course, order.within):
        assert [each.end for each in part[:-1]] == [each.start for each in part[1:]]


def test_a_list_counts_its_names(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("one.example\ntwo.example\n")
    path = tmp_path / "p.yaml"
    text = POLICY.format(settings="", timeline="2020-01-01: in-force", endpoints="bad.example")
    path.write_text(text.replace("endpoints: [bad.example]", "endpoints_from: [names.txt]"))
    [order] = orders(load([path]).policy, START, END)
    assert order.apps[0].blocked == 2
