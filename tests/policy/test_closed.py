"""What a final rule closes, a later layer cannot open from beside: told where it tries, and nothing else is refused."""

# ruff: noqa: E501 - a case a line
from pathlib import Path

import pytest

from policy_files import Files, golden, problems

APPS = """\
version: 1
authorities: {eo: {timeline: {2021-01-05: in-force}}, other: {timeline: {2021-01-05: in-force}}}
apps:
  a: {endpoints: [a.example], vendor: V, named_in: eo}
  b: {endpoints: [b.example]}
groups: {lab: {users: alice}, staff: {users: bob}}
"""


def stack(rule: str, later: str, *more: str) -> Files:
    """A company's layer with a final *rule*, and later layers."""
    return {
        "company.layer.yaml": f"{APPS}rules: [{{id: closed, action: block, final: true, {rule}}}]\n",
        **{f"{number}.layer.yaml": f"version: 1\n{text}\n" for number, text in enumerate([later, *more])},
    }


REFUSED: dict[str, Files] = {
    "an exclude": stack("apps: a", "apps: {a: {extend: true, exclude: [x.a.example]}}"),
    "an exclude beside what is added": stack("apps: a", "apps: {a: {extend: true, endpoints: [c.example], exclude: [x.a.example]}}"),
    "an app replaced": stack("apps: a", "apps: {a: {endpoints: [c.example]}}"),
    "an app replaced, closed with all": stack("apps: all", "apps: {b: {endpoints: [c.example]}}"),
    "an app replaced, closed by its vendor": stack("apps: {vendor: V}", "apps: {a: {endpoints: [c.example]}}"),
    "an app replaced, closed by an order": stack("apps: {named_in: eo}", "apps: {a: {endpoints: [c.example]}}"),
    "an app of the layer between": stack(
        "apps: all", "apps: {c: {endpoints: [c.example]}}", "apps: {c: {extend: true, exclude: [x.c.example]}}"
    ),
    "a group that is spared": stack("apps: a, not_groups: lab", "groups: {lab: {clients: 0.0.0.0/0}}"),
    "a group that is meant": stack("apps: a, groups: lab", "groups: {lab: {users: nobody}}"),
    "an authority's timeline": stack("apps: {named_in: eo}, authority: in-force", "authorities: {eo: {timeline: {2021-01-05: revoked}}}"),
    "an authority's timeline, by state alone": stack("apps: a, authority: in-force", "authorities: {eo: {}}"),
}  # fmt: skip

TAKEN: dict[str, Files] = {
    "an app that is not closed": stack("apps: a", "apps: {b: {extend: true, exclude: [x.b.example]}}"),
    "what is added to a closed app": stack("apps: a", "apps: {a: {extend: true, endpoints: [c.example], named_in: other}}"),
    "an app of one's own": stack("apps: all", "apps: {c: {endpoints: [c.example], exclude: [x.c.example]}}"),
    "a group that the rule does not ask for": stack("apps: a, not_groups: lab", "groups: {staff: {users: carol}}"),
    "a group that the company leaves to the site": {
        "company.layer.yaml": "version: 1\napps: {a: {endpoints: [a.example]}}\nrules: [{id: closed, apps: a, not_groups: site, action: block, final: true}]\n",
        "site.layer.yaml": "version: 1\ngroups: {site: {users: alice}}\n",
    },
    "an authority whose state is not asked for": stack("apps: {named_in: eo}", "authorities: {eo: {title: The Order}}"),
    "an authority that names none of its apps": stack("apps: a, authority: in-force", "authorities: {other: {}}"),
    "a rule that is off": stack("apps: a, enabled: false", "apps: {a: {endpoints: [c.example]}}"),
    "a shadow rule": stack("apps: a, shadow: true", "apps: {a: {endpoints: [c.example]}}"),
    "in the same file": f"{APPS}rules: [{{id: closed, apps: a, action: block, final: true}}]\n".replace("[a.example]", "[a.example], exclude: [x.a.example]"),
}  # fmt: skip


def test_refused(tmp_path: Path) -> None:
    found = {case: problems(tmp_path / str(number), files) for number, (case, files) in enumerate(REFUSED.items())}
    golden("closed", found)
    assert [case for case, lines in found.items() if len(lines) != 1 or "final-rule" not in lines[0]] == []


@pytest.mark.parametrize("files", TAKEN.values(), ids=TAKEN)
def test_taken(tmp_path: Path, files: Files) -> None:
    assert problems(tmp_path, files) == []
