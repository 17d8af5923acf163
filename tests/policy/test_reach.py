"""Rules whose own criteria never meet, whatever the other rules."""

# ruff: noqa: E501 - a case a line
from pathlib import Path

import pytest

from policy_files import Files, golden, warned

CODES = ("never-matches",)


def rule(text: str, more: str = "") -> Files:
    return f"""\
version: 1
authorities: {{eo: {{reviewed: 2026-11-24, timeline: {{2021-01-05: issued, 2021-02-19: in-force, 2021-06-09: revoked}}}}}}
apps:
  a:
    named_in: eo
    endpoints: [{{domain: a.example, evidence: e}}, {{cidr: 203.0.113.0/24, port: 443, evidence: e}}]
  paths: {{endpoints: [{{url: u.example/p/*, role: web, evidence: e}}]}}
  agents: {{endpoints: [{{user_agent: Pay/, role: client, evidence: e}}]}}
  listed: {{endpoints_from: [list.txt]}}
groups: {{lab: {{clients: [10.20.0.0/16]}}, staff: {{users: [alice, bob]}}, both: {{clients: [10.0.0.0/8], users: [alice, bob]}}}}
rules: [{{id: r, action: log, {text}}}, {{id: all, apps: all, action: block}}]
{more}"""


def files(text: str) -> Files:
    return {"policy.yaml": str(rule(text)), "list.txt": "l.example\nm.l.example\n"}


TOLD: dict[str, Files] = {
    case: files(text)
    for case, text in {
        "a role that its app has not": "apps: a, roles: cdn",
        "a path where none is seen": "apps: paths, surfaces: [connect, tls, dns]",
        "an agent where none is seen": "apps: agents, surfaces: [dns, quic]",
        "hosts that are paths, where none is seen": "apps: a, hosts: [{url: a.example/p}], surfaces: [connect, dns]",
        "a host that is not its app's": "apps: a, hosts: [b.example]",
        "a look-alike": "apps: a, hosts: [xa.example, {host: a.example.org}]",
        "the domain above a host": "apps: paths, hosts: [{host: example}, {host: v.u.example}]",
        "another network": "apps: a, hosts: [{cidr: 198.51.100.0/24}]",
        "another port": "apps: a, hosts: [{cidr: 203.0.113.0/24, port: 80}]",
        "another family": "apps: a, hosts: [{cidr: '2001:db8::/32'}]",
        "a host that is in no list": "apps: listed, hosts: [xl.example, {host: k.example}]",
        "a state that never comes": "apps: a, authority: stayed",
        "a state before it came": "apps: a, authority: in-force, until: 2021-02-19".replace("until: 2021-02-19", "from: 2021-06-09"),
        "a schedule that does not come round": 'apps: a, schedule: {days: sat, hours: "10:00-12:00"}, until: 2026-11-27',
        "a schedule of an hour that is left out": 'apps: a, schedule: {days: sun, hours: "02:10-02:50", timezone: America/New_York}, from: 2027-03-13, until: 2027-03-15',
        "a group inside one that is spared": "apps: a, groups: lab, not_groups: both",
        "the same group": "apps: a, groups: [lab, staff], not_groups: [staff, lab]",
        "users of another group": "apps: a, groups: staff, users: carol",
        "clients of another network": "apps: a, groups: lab, clients: 10.21.0.0/16",
        "users all of whom are spared": "apps: a, users: [alice], not_groups: staff",
        "clients all of whom are spared": "apps: a, clients: [10.20.1.0/24], not_groups: lab",
    }.items()
}  # fmt: skip
UNTOLD: dict[str, Files] = {
    case: files(text)
    for case, text in {
        "a path inside": "apps: paths, surfaces: [connect, http]",
        "an agent of a CONNECT": "apps: agents, surfaces: connect",
        "a host below its app's": "apps: a, hosts: [{host: x.a.example}]",
        "a domain above its app's": "apps: a, hosts: [{domain: example, whole_suffix: true}]",
        "a path at its app's host": "apps: a, hosts: [{url: x.a.example/p}]",
        "a part of its network": "apps: a, hosts: [{cidr: 203.0.113.128/25}]",
        "any host of an agent": "apps: agents, hosts: [b.example]",
        "a listed name": "apps: listed, hosts: [{host: l.example}]",
        "a name below a listed one": "apps: listed, hosts: [x.l.example]",
        "a name above a listed one": "apps: listed, hosts: [{domain: example, whole_suffix: true}]",
        "an order that has been": "apps: a, authority: in-force",
        "an order within its time": "apps: a, authority: in-force, from: 2021-03-01",
        "a schedule that comes round": 'apps: a, schedule: {days: sat, hours: "10:00-12:00"}, until: 2026-11-29',
        "a schedule that began already": 'apps: a, schedule: {hours: "10:00-14:00"}, until: 2026-11-25',
        "a group of which some are spared": "apps: a, groups: both, not_groups: lab",
        "users of a group": "apps: a, groups: staff, users: [alice, carol]",
        "a group by client, a user of another": "apps: a, groups: lab, users: carol",
        "users of whom some are spared": "apps: a, users: [alice, carol], not_groups: staff",
    }.items()
}  # fmt: skip


def told(directory: Path, files: Files) -> list[str]:
    return [line for line in warned(directory, files) if line.split()[1] in CODES]


def test_told(tmp_path: Path) -> None:
    found = {case: told(tmp_path / str(number), files) for number, (case, files) in enumerate(TOLD.items())}
    golden("reach", found)
    assert [case for case, lines in found.items() if not lines] == []


@pytest.mark.parametrize("files", UNTOLD.values(), ids=UNTOLD)
def test_untold(tmp_path: Path, files: Files) -> None:
    assert told(tmp_path, files) == []
