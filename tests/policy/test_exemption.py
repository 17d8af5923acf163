"""Exemptions that are for everybody, and those that are as wide as they say."""

# ruff: noqa: E501 - a case a line
from pathlib import Path

import pytest

from policy_files import Files, golden, warned

APPS = "version: 1\napps: {a: {endpoints: [{domain: a.example, evidence: e}]}}\n"
CODES = ("wide-exemption",)


def rule(text: str, groups: str = "{}") -> Files:
    return f"{APPS}groups: {groups}\nrules: [{{id: counsel, apps: a, {text}}}, {{id: r, apps: a, action: block}}]\n"


TOLD: dict[str, Files] = {
    "all of IPv4": rule('action: log, clients: 0.0.0.0/0, reason: counsel, one machine'.replace(", one", " and one")),
    "all of IPv6": rule('action: allow, clients: ["10.0.0.7", "::/0"]'),
    "the IPv6 internet": rule('action: allow, clients: "2000::/3"'),
    "two halves": rule("action: log, clients: [0.0.0.0/1, 128.0.0.0/1]"),
    "half of it and a little": rule("action: log, clients: [0.0.0.0/1, 192.0.2.0/24]"),
    "many pieces, one of them inside another": rule("action: log, clients: [0.0.0.0/2, 64.0.0.0/2, 64.0.0.0/8, 128.0.0.0/2, 192.0.0.0/2]"),
    "a group": rule("action: log, groups: lab", "{lab: {clients: [0.0.0.0/0]}}"),
    "two groups together": rule("action: log, groups: [lab, home]", "{lab: {clients: [0.0.0.0/1]}, home: {clients: [128.0.0.0/1]}}"),
    "a group that a block spares": rule("action: block, not_groups: lab", "{lab: {clients: [0.0.0.0/0, \"::/0\"]}}"),
}  # fmt: skip
UNTOLD: dict[str, Files] = {
    "a network": rule("action: log, clients: 10.0.0.0/8"),
    "every private network": rule('action: log, clients: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, "fc00::/7"]'),
    "nobody is named: it says so": rule("action: log, hosts: [x.a.example]"),
    "a block for all clients that are known": rule("action: block, clients: 0.0.0.0/0"),
    "all clients, but one user": rule("action: log, users: alice, clients: 0.0.0.0/0"),
    "all clients of a group": rule("action: log, groups: lab, clients: 0.0.0.0/0", "{lab: {clients: [10.20.0.0/16], users: [bob]}}"),
    "a group of all, from one network": rule("action: log, groups: lab, clients: 10.0.0.0/8", "{lab: {clients: [0.0.0.0/0]}}"),
    "a shadow rule": rule("action: log, shadow: true, clients: 0.0.0.0/0"),
    "a rule that is off": rule("action: log, enabled: false, clients: 0.0.0.0/0"),
    "a group of users": rule("action: log, groups: lab", "{lab: {users: [alice]}}"),
}  # fmt: skip


def told(directory: Path, files: Files) -> list[str]:
    return [line for line in warned(directory, files) if line.split()[1] in CODES]


def test_told(tmp_path: Path) -> None:
    found = {case: told(tmp_path / str(number), files) for number, (case, files) in enumerate(TOLD.items())}
    golden("exemption", found)
    assert [case for case, lines in found.items() if not lines] == []


@pytest.mark.parametrize("files", UNTOLD.values(), ids=UNTOLD)
def test_untold(tmp_path: Path, files: Files) -> None:
    assert told(tmp_path, files) == []
