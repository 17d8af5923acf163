"""Finding a policy again without parsing it: only where nothing at all has changed."""

from collections.abc import Callable
from contextlib import chdir
from datetime import timedelta
from pathlib import Path

import pytest

from embargo.policy.compile import compile_policy
from embargo.policy.reuse import find
from policy_files import write
from sample import NOW

FILES = {
    "policy.yaml": "version: 1\ninclude: [base.yaml]\nrules: [{id: r, apps: a, action: log, until: 2026-12-01}]\n"
    "tests: [{request: a.example, rule: r}]\n",
    "base.yaml": "version: 1\napps: {a: {endpoints: [a.example]}}\n",
}
PATHS = [Path("policy.yaml")]


def replace_by_link(directory: Path) -> None:
    (directory / "base.yaml").rename(directory / "moved.yaml")
    (directory / "base.yaml").symlink_to("moved.yaml")


CHANGES: dict[str, Callable[[Path], object]] = {
    "an included file": lambda directory: (directory / "base.yaml").write_text("version: 1\n"),
    "a file that is gone": lambda directory: (directory / "base.yaml").unlink(),
    "exceptions that came": lambda directory: (directory / "exceptions.yaml").write_text("version: 1\n"),
    "a file that became a link": replace_by_link,
    "a memory that is damaged": lambda directory: [
        path.write_text("[]") for path in (directory / "state" / "snapshots").glob(".files-*")
    ],
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    with chdir(tmp_path):
        assert compile_policy(PATHS, Path("state"), None, NOW)["failed_tests"] == []
    return tmp_path


def test_nothing_changed(directory: Path) -> None:
    with chdir(directory):
        found = find(Path("state"), PATHS, NOW)
    assert found is not None
    assert [source.name for source in found.sources] == ["base.yaml", "policy.yaml"]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_something_changed(directory: Path, change: Callable[[Path], object]) -> None:
    change(directory)
    with chdir(directory):
        assert find(Path("state"), PATHS, NOW) is None


def test_a_date_that_may_change_a_test(directory: Path) -> None:
    with chdir(directory):
        assert find(Path("state"), PATHS, NOW + timedelta(days=6)) is not None
        assert find(Path("state"), PATHS, NOW + timedelta(days=7)) is None
        answer = compile_policy(PATHS, Path("state"), None, NOW + timedelta(days=7))
    assert len(answer["failed_tests"]) == 1


def test_other_files(directory: Path) -> None:
    with chdir(directory):
        assert find(Path("state"), [Path("base.yaml")], NOW) is None
