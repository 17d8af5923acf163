"""Files to a policy: what comes with it, and what comes with a refusal."""

from contextlib import chdir
from pathlib import Path

import pytest

from embargo.paths import shipped
from embargo.policy.cases import cases_of, run
from embargo.policy.load import load
from embargo.policy.problem import PolicyError
from policy_files import loaded, write
from sample import NOW


def test_all_that_comes_with_a_policy(tmp_path: Path) -> None:
    files = {
        "0.layer.yaml": "version: 1\napps: {a: {endpoints_from: [a.txt]}}\n",
        "1.layer.yaml": "version: 1\n",
        "a.txt": "a.example\n",
    }
    found = loaded(tmp_path, files)
    assert found.policy.files == ("0.layer.yaml", "1.layer.yaml")
    assert found.policy.digest == found.digest
    assert found.policy_of(1) is found.policy
    assert found.policy_of(0).files == ("0.layer.yaml",)
    assert {path.name for path in found.watched} == {*files, "exceptions.yaml"}


def test_all_problems_of_all_files_at_once(tmp_path: Path) -> None:
    files = {
        "0.layer.yaml": "version: 2\n",
        "1.layer.yaml": "version: 1\nrules: [{id: r, apps: gone, action: blok}]\n"
        "apps: {a: {endpoints_from: [a.txt]}}\n",
        "a.txt": "co.uk\n",
    }
    paths = write(tmp_path, files)
    with chdir(tmp_path), pytest.raises(PolicyError) as refused:
        load(paths)
    assert [(problem.file, problem.code) for problem in refused.value.problems] == [
        ("0.layer.yaml", "unknown-version"),
        ("1.layer.yaml", "unknown-app"),
        ("1.layer.yaml", "unknown-action"),
        ("a.txt", "public-suffix"),
    ]
    assert {path.name for path in refused.value.watched} == {*files, "exceptions.yaml"}


@pytest.mark.parametrize("name", ["domains.yaml", "follow-the-law.yaml"])
def test_shipped_policies_load_and_pass_their_tests(name: str) -> None:
    found = load([shipped(name)])
    results = run(found, list(cases_of(found)), NOW)
    assert len(results) > 100
    assert [str(result) for result in results if not result.passed] == []
