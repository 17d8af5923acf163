"""Endpoints that meet others: of another app, of the same, and of one that a final rule closes."""

# ruff: noqa: E501 - a case a line
from pathlib import Path

import pytest

from policy_files import Files, golden, warned

CODES = ("covers-endpoint", "redundant-endpoint", "below-final")


def app(*endpoints: str, more: str = "") -> str:
    return f"{{{more}endpoints: [{', '.join(f'{{{each}}}' for each in endpoints)}]}}"


def one(*apps: str) -> str:
    named = "".join(f"  {identifier}: {each}\n" for identifier, each in zip("abc", apps, strict=False))
    return f"version: 1\napps:\n{named}rules: [{{id: r, apps: all, action: block}}]\n"


CLOSED = {
    "0.layer.yaml": f"version: 1\napps:\n  a: {app('domain: a.example, evidence: e')}\nrules: [{{id: closed, apps: a, action: block, final: true}}]\n",
}
TOLD: dict[str, Files] = {
    "a domain below one of the same app": one(app("domain: a.example", "domain: x.a.example")),
    "a host below one": one(app("domain: a.example", "host: x.a.example")),
    "the same twice": one(app("domain: a.example, evidence: e", "domain: a.example, evidence: f")),
    "a host twice": one(app("host: a.example, evidence: e", "host: a.example, evidence: f")),
    "several are one warning": one(app("domain: a.example", "domain: x.a.example", "host: y.a.example")),
    "of a later layer, with evidence": {"0.layer.yaml": one(app("domain: a.example, evidence: e")), "1.layer.yaml": f"version: 1\napps:\n  a: {app('host: x.a.example, evidence: e', more='extend: true, ')}\n"},
    "below the nearest of several": one(app("domain: a.example, role: cdn", "domain: x.a.example", "domain: y.x.a.example")),
    "a later app below a closed one": CLOSED | {"1.layer.yaml": f"version: 1\napps:\n  mine: {app('host: x.a.example, evidence: e')}\nrules: [{{id: mine, apps: mine, action: allow}}]\n"},
    "a later layer's first rule for an app below a closed one": {
        "0.layer.yaml": f"version: 1\napps:\n  a: {app('domain: a.example, evidence: e', more='vendor: V, ')}\n  b: {app('domain: x.a.example, evidence: e', more='vendor: V, ')}\nrules: [{{id: closed, apps: a, action: block, final: true}}]\n",
        "1.layer.yaml": "version: 1\nrules: [{id: first, apps: b, action: log}]\n",
    },
    "a later url at a closed one": CLOSED | {"1.layer.yaml": f"version: 1\napps:\n  mine: {app('url: x.a.example/p, evidence: e')}\nrules: [{{id: mine, apps: mine, action: allow}}]\n"},
}  # fmt: skip
UNTOLD: dict[str, Files] = {
    "another role": one(app("domain: a.example", "host: x.a.example, role: cdn")),
    "shared": one(app("domain: a.example", "host: x.a.example, shared: true")),
    "evidence of its own in the same file": one(app("domain: a.example, evidence: e", "host: x.a.example, evidence: f")),
    "an exclude in between": one(app("domain: a.example", "domain: y.x.a.example", more="exclude: [x.a.example], ")),
    "another app in between": one(
        app("domain: a.example, evidence: e", "domain: y.x.a.example, evidence: e", more="vendor: V, "),
        app("domain: x.a.example, evidence: e", more="vendor: V, "),
    ),
    "another app that ties": one(
        app("domain: a.example, evidence: e", "domain: x.a.example", more="vendor: V, "),
        app("domain: x.a.example", more="vendor: V, "),
    ),
    "the role between differs": one(app("domain: a.example", "domain: x.a.example, role: cdn", "domain: y.x.a.example")),
    "a look-alike": one(app("domain: a.example", "domain: xa.example")),
    "a path": one(app("domain: a.example", "url: x.a.example/p")),
    "a later layer that adds to the closed app": CLOSED | {"1.layer.yaml": f"version: 1\napps:\n  a: {app('host: y.b.example, evidence: e', more='extend: true, ')}\n"},
    "a later rule for an app that had one": {
        "0.layer.yaml": f"version: 1\napps:\n  a: {app('domain: a.example, evidence: e', more='vendor: V, ')}\n  b: {app('domain: x.a.example, evidence: e', more='vendor: V, ')}\nrules: [{{id: closed, apps: a, action: block, final: true}}, {{id: own, apps: b, action: log}}]\n",
        "1.layer.yaml": "version: 1\nrules: [{id: more, apps: b, action: allow, users: eve}]\n",
    },
    "a later app elsewhere": CLOSED | {"1.layer.yaml": f"version: 1\napps:\n  mine: {app('host: x.b.example, evidence: e')}\nrules: [{{id: mine, apps: mine, action: allow}}]\n"},
}  # fmt: skip


def told(directory: Path, files: Files) -> list[str]:
    return [line for line in warned(directory, files) if line.split()[1] in CODES]


def test_told(tmp_path: Path) -> None:
    found = {case: told(tmp_path / str(number), files) for number, (case, files) in enumerate(TOLD.items())}
    golden("overlap", found)
    assert [case for case, lines in found.items() if not lines] == []


@pytest.mark.parametrize("files", UNTOLD.values(), ids=UNTOLD)
def test_untold(tmp_path: Path, files: Files) -> None:
    assert told(tmp_path, files) == []
