"""What differs between two policies, as values and as tables."""

from datetime import timedelta
from pathlib import Path

import pytest

from embargo.core.seen import Seen, Unread
from embargo.review.collateral import TrafficEffect
from embargo.review.difference import Difference, Side, difference
from embargo.review.difference_tables import escaped, markdown, summary, tables
from embargo.review.judge import Assumed, Judge
from policy_files import loaded
from sample import NOW

BASE = """\
version: 1
settings: {default: log}
authorities: {eo: {timeline: {2021-01-05: issued}}}
apps:
  alipay:
    named_in: [eo]
    endpoints: [alipay.com, {domain: cdn.example, shared: true}]
    endpoints_from: [names.txt]
groups: {lab: {clients: [10.0.0.0/8]}}
rules:
  - {id: ban, apps: alipay, shared: false, action: block}
"""
NAMES = "one.example\ntwo.example\n"


def sides(tmp_path: Path, edit: dict[str, str], names: str = NAMES) -> tuple[Side, Side]:
    text = BASE
    for old, new in edit.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    before = loaded(tmp_path / "old", {"policy.yaml": BASE, "names.txt": NAMES})
    after = loaded(tmp_path / "new", {"policy.yaml": text, "names.txt": names})
    return Side(label="old", loaded=before), Side(label="new", loaded=after)


def found(tmp_path: Path, edit: dict[str, str], names: str = NAMES, traffic: tuple[str, ...] = ()) -> Difference:
    old, new = sides(tmp_path, edit, names)
    judged = None
    if traffic:
        judged = TrafficEffect(*(Judge(side.policy, Assumed(time=NOW), at=NOW) for side in (old, new)))
        judged.add(Seen(request=host) for host in traffic)
    return difference(old, new, NOW, NOW + timedelta(days=365), judged)


def told(difference: Difference) -> list[str]:
    return [f"{table.title}: {' | '.join(row)}" for table in tables(difference) for row in table.rows]


SPAN = "2026-11-24T12:00:00Z | 2027-11-24T12:00:00Z"
TOLD = {  # case: (edit, names of the list, rows)
    "nothing": ({}, NAMES, []),
    "a comment": ({"version: 1": "version: 1 # one"}, NAMES, []),
    "an endpoint in place of another": (
        {"[alipay.com,": "[ali.example,"},
        NAMES,
        [
            "Endpoints: removed | alipay | domain:alipay.com | api | block | pass | policy.yaml:7",
            "Endpoints: added | alipay | domain:ali.example | api | pass | block | policy.yaml:7",
        ],
    ),
    "an endpoint that is shared now": (
        {"[alipay.com,": "[{domain: alipay.com, shared: true},"},
        NAMES,
        ["Endpoints: changed | alipay | domain:alipay.com | api -> api shared | block | log | policy.yaml:7"],
    ),
    "a list": (
        {},
        "one.example\nthree.example\n",
        ["Lists: alipay | names.txt | 1: three.example | 1: two.example | 1 pass -> block, 1 block -> pass"],
    ),
    "a rule": (
        {"shared: false, action: block": "shared: false, action: log"},
        NAMES,
        [
            f"Verdicts: {SPAN} | alipay (what is not shared) | block | log",
            "Endpoints: same | alipay | domain:alipay.com | api | block | log | policy.yaml:7",
            "Rules: changed | ban | action: block -> log | policy.yaml:11",
        ],
    ),
    "settings and authorities": (
        {"default: log": "default: block, decrypt: needed", "2021-01-05: issued": "2021-01-05: revoked"},
        NAMES,
        [
            f"Verdicts: {SPAN} | alipay (what is shared) | log | block",
            "Endpoints: same | alipay | domain:cdn.example | api shared | log | block | policy.yaml:7",
            "Catalogue and settings: authority eo | 2021-01-05 issued | 2021-01-05 revoked",
            "Catalogue and settings: settings.default | log | block",
            "Catalogue and settings: settings.decrypt | all | needed",
        ],
    ),
    "the mode": (
        {"default: log": "mode: monitor"},
        NAMES,
        [
            f"Verdicts: {SPAN} | alipay (what is not shared) | block | log",
            "Catalogue and settings: settings.mode | enforce | monitor",
        ],
    ),
    "an app": (
        {"groups:": "  vmate: {endpoints: [vmate.com]}\ngroups:"},
        NAMES,
        [
            "Endpoints: added | vmate | domain:vmate.com | api | pass | log | policy.yaml:9",
            "Catalogue and settings: app vmate | - | there",
        ],
    ),
    "an exclude": (
        {"endpoints_from": "exclude: [open.alipay.com]\n    endpoints_from"},
        NAMES,
        ["Endpoints: excluded | alipay | domain:open.alipay.com | - | block | pass | -"],
    ),
}


@pytest.mark.parametrize(("edit", "names", "rows"), TOLD.values(), ids=TOLD)
def test_told(edit: dict[str, str], names: str, rows: list[str], tmp_path: Path) -> None:
    assert told(found(tmp_path, edit, names)) == rows


def test_the_collateral_comes_first(tmp_path: Path) -> None:
    traffic = ("mail.qq.com", "www.alipay.com", "example.org")
    result = found(tmp_path, {"[alipay.com,": "[qq.com,"}, traffic=traffic)
    first, *others = told(result)
    assert first == (
        "Collateral: hosts that no app owned, or only shared ones, and that are hit now: "
        "mail.qq.com | pass | block | alipay | domain:qq.com | ban | ? | 1"
    )
    assert others[-1] == "Newly free: www.alipay.com | block | pass | alipay | domain:alipay.com | ban | ? | 1"
    assert summary(result)[-1] == "3 requests of the past: 1 collateral, 1 freed"


def test_an_empty_collateral_is_said(tmp_path: Path) -> None:
    [table] = list(tables(found(tmp_path, {}, traffic=("example.org",))))
    assert (table.title[:10], table.rows) == ("Collateral", ())


def test_nothing_differs(tmp_path: Path) -> None:
    result = found(tmp_path, {})
    assert result.is_empty and not result.changes_verdicts
    assert summary(result)[1:] == ["no difference in effect"]


def test_a_difference_without_effect_on_verdicts(tmp_path: Path) -> None:
    result = found(tmp_path, {"default: log": "default: log, organization: Example Corp"})
    assert not result.is_empty and not result.changes_verdicts
    assert summary(result)[1:] == ["no verdict changes"]


def test_an_exclude_changes_verdicts(tmp_path: Path) -> None:
    result = found(tmp_path, {"endpoints_from": "exclude: [open.alipay.com]\n    endpoints_from"})
    assert result.changes_verdicts
    assert result.document()["excludes"]["added"] == [
        {"app": "alipay", "endpoint": "domain:open.alipay.com", "from": "block", "to": "pass"}
    ]


def test_markdown(tmp_path: Path) -> None:
    lines = list(markdown(found(tmp_path, {"[alipay.com,": "[qq.com,"}, traffic=("m.qq.com", "a|b<i>.qq.com"))))
    assert lines[0] == "## Policy: changes verdicts"
    assert lines[4].startswith("- 2 requests") or lines[3].startswith("- 2 requests")
    start = lines.index("### Collateral: hosts that no app owned, or only shared ones, and that are hit now")
    assert lines[start + 2 : start + 5] == [
        "| host | before | after | app | endpoint | rule | clients | requests |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| m.qq.com | pass | block | alipay | domain:qq.com | ban | ? | 1 |",
    ]
    assert all("<i>" not in line for line in lines)


LINKS = {  # what would be a link or a mention on a code host by itself: in Markdown
    "see http://evil.example/": "see http\\://evil.example/",
    "HTTPS://evil.example": "HTTPS\\://evil.example",
    "www.evil.example": "www\\.evil.example",
    "@everyone": "@\N{ZERO WIDTH SPACE}everyone",
    "a&lt;b": "a\\&lt;b",
    "a|`b`": "a\\|\\`b\\`",
    "a\x1b[31m\u202eb": "a\N{REPLACEMENT CHARACTER}\\[31m\N{REPLACEMENT CHARACTER}b",
}


@pytest.mark.parametrize(("text", "written"), LINKS.items(), ids=LINKS)
def test_nothing_in_markdown_is_a_link_or_a_mention_by_itself(text: str, written: str) -> None:
    assert escaped(text) == written


def test_what_could_not_be_read_is_a_line_each(tmp_path: Path) -> None:
    result = found(tmp_path, {}, traffic=("example.org",))
    assert result.traffic is not None
    result.traffic.add(Unread(f"list, line {number}", "no host") for number in range(12))
    lines = summary(result)
    start = lines.index("12 could not be read, among them:")
    assert len(lines) == start + 11
    assert lines[start + 1] == "  list, line 0: no host"
    assert "  - list, line 0: no host" in list(markdown(result))


def test_as_an_object(tmp_path: Path) -> None:
    document = found(tmp_path, {"[alipay.com,": "[qq.com,"}, traffic=("m.qq.com",)).document()
    assert document["changes_verdicts"] is True
    assert [(each["endpoint"], each["from"], each["to"], each["place"]) for each in document["endpoints"]] == [
        ("domain:alipay.com", "block", "pass", "policy.yaml:7"),
        ("domain:qq.com", "pass", "block", "policy.yaml:7"),
    ]
    assert document["traffic"]["hosts"][0]["effect"] == "collateral"
    assert document["rules"] == document["lists"] == document["settings"] == []


def test_long_tables_are_cut_and_said(tmp_path: Path) -> None:
    many = ", ".join(f"n{number}.example" for number in range(150))
    result = found(tmp_path, {"[alipay.com,": f"[alipay.com, {many},"})
    [table] = [each for each in tables(result) if each.title == "Endpoints"]
    assert (len(table.rows), table.note) == (100, "and 50 more (--json has them)")
    assert "and 50 more (--json has them)" in list(markdown(result))
    assert len(result.document()["endpoints"]) == 150
