"""Going back to a policy that was: the same files, tried out before they are written, and nothing else touched."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from embargo.policy.load import load
from embargo.policy.problem import PolicyError
from embargo.policy.replacement import LockedFile, NotWritten
from embargo.review.restoring import NotRestorable, Plan, plan, restore
from policy_files import write

NOW = datetime(2026, 11, 24, tzinfo=UTC)
BASE = "version: 1\napps: {a: {endpoints: [a.example], endpoints_from: [a.txt]}}\n"
OLD = {
    "base.yaml": BASE,
    "a.txt": "one.example\n",
    "site.yaml": "version: 1\ninclude: [base.yaml]\nrules: [{id: r, apps: a, action: block}]\n",
}
NEW = OLD | {
    "a.txt": "two.example\n",
    "site.yaml": "version: 1\ninclude: [base.yaml]\nrules: [{id: r, apps: a, action: log}]\n",
}
EXCEPTIONS = "version: 1\nrules: [{id: e, apps: a, users: eve, action: log, until: 2027-01-01, reason: why}]\n"


def text(directory: Path, files: dict[str, str], last: str = "site.yaml") -> bytes:
    """The stored text of a policy of *files*, which are left in *directory*."""
    write(directory, files)
    return b"".join(load([directory / last]).bundle())


def files_of(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir() if path.is_file() and path.name[0] != "."}


def planned(directory: Path, old: dict[str, str], new: dict[str, str], *, exceptions: bool = False) -> Plan:
    data = text(directory, old)
    write(directory, new)
    return plan([directory / "site.yaml"], data, NOW, exceptions=exceptions)


def test_back(tmp_path: Path) -> None:
    digest = load([tmp_path / "site.yaml"]).digest if text(tmp_path, OLD) else ""
    found = planned(tmp_path, OLD, NEW)
    assert [each.path.name for each in found.replaced] == ["site.yaml", "a.txt"]
    assert found.now is not None
    assert (found.now.policy.rules[0].action, found.then.policy.rules[0].action) == ("log", "block")
    assert files_of(tmp_path) == NEW, "a plan writes nothing"
    restore(found, "a test")
    assert files_of(tmp_path) == OLD
    assert load([tmp_path / "site.yaml"]).digest == digest == found.then.digest


def test_what_is_that_policy_already(tmp_path: Path) -> None:
    assert planned(tmp_path, OLD, OLD).replaced == ()


def test_from_files_that_do_not_load(tmp_path: Path) -> None:
    found = planned(tmp_path, OLD, OLD | {"site.yaml": "version: 1\nrulez: []\n"})
    assert found.now is None
    restore(found, "a test")
    assert files_of(tmp_path) == OLD


def test_a_file_that_is_gone_comes_back(tmp_path: Path) -> None:
    data = text(tmp_path, OLD)
    (tmp_path / "a.txt").unlink()
    restore(plan([tmp_path / "site.yaml"], data, NOW), "a test")
    assert files_of(tmp_path) == OLD


def test_exceptions_stay(tmp_path: Path) -> None:
    found = planned(tmp_path, OLD, NEW | {"exceptions.yaml": EXCEPTIONS})
    restore(found, "a test")
    assert files_of(tmp_path) == OLD | {"exceptions.yaml": EXCEPTIONS}


def test_exceptions_that_are_asked_for_too(tmp_path: Path) -> None:
    found = planned(tmp_path, OLD, NEW | {"exceptions.yaml": EXCEPTIONS}, exceptions=True)
    restore(found, "a test")
    assert files_of(tmp_path) == OLD | {"exceptions.yaml": "version: 1\n"}


def test_an_old_exception_does_not_come_back_by_itself(tmp_path: Path) -> None:
    data = text(tmp_path, OLD | {"exceptions.yaml": EXCEPTIONS})
    (tmp_path / "exceptions.yaml").unlink()
    assert plan([tmp_path / "site.yaml"], data, NOW).replaced == ()


def test_what_fails_its_tests_now_is_not_written(tmp_path: Path) -> None:
    tested = OLD["site.yaml"] + "tests: [{request: a.example, expect: block}]\n"
    stored = text(tmp_path, OLD | {"site.yaml": tested}).replace(b"expect: block", b"expect: allow")
    with pytest.raises(NotRestorable, match="one of its tests fails"):
        plan([tmp_path / "site.yaml"], stored, NOW)


def test_what_does_not_load_now_is_not_written(tmp_path: Path) -> None:
    stored = text(tmp_path, OLD).replace(b"action: block", b"action: blorg")
    with pytest.raises(PolicyError, match="blorg"):
        plan([tmp_path / "site.yaml"], stored, NOW)


def test_a_policy_of_other_files(tmp_path: Path) -> None:
    data = text(tmp_path / "other", {"other.yaml": "version: 1\n"}, "other.yaml")
    write(tmp_path, OLD)
    with pytest.raises(NotRestorable, match=r"no file of that policy, which has other\.yaml"):
        plan([tmp_path / "site.yaml"], data, NOW)


def test_a_file_elsewhere_is_written_only_where_the_policy_names_it(tmp_path: Path) -> None:
    site, shared = tmp_path / "site", tmp_path / "shared.yaml"
    shared.write_text("version: 1\n")
    (site).mkdir()
    (site / "site.yaml").write_text("version: 1\ninclude: [../shared.yaml]\n")
    data = b"".join(load([site / "site.yaml"]).bundle())
    shared.write_text("version: 1\nsettings: {mode: monitor}\n")
    assert [each.path.resolve() for each in plan([site / "site.yaml"], data, NOW).replaced] == [shared]
    (site / "site.yaml").write_text("version: 1\n")
    with pytest.raises(NotRestorable, match="lies outside"):
        plan([site / "site.yaml"], data, NOW)


def test_somebody_edits_meanwhile(tmp_path: Path) -> None:
    found = planned(tmp_path, OLD, NEW)
    (tmp_path / "a.txt").write_text("three.example\n")
    before = files_of(tmp_path)
    with pytest.raises(NotRestorable, match="somebody else changed it"):
        restore(found, "a test")
    assert files_of(tmp_path) == before


def test_files_that_the_named_ones_do_not_lead_to(tmp_path: Path) -> None:
    """They would be written untried."""
    data = text(tmp_path, OLD)
    write(tmp_path, NEW)
    with pytest.raises(NotRestorable, match=r"has site\.yaml too, .* name its files by --policy"):
        plan([tmp_path / "base.yaml"], data, NOW)


def test_layers_in_another_order(tmp_path: Path) -> None:
    layers = {"a.yaml": BASE.replace(", endpoints_from: [a.txt]", ""), "b.yaml": "version: 1\n"}
    write(tmp_path, layers)
    data = b"".join(load([tmp_path / "a.yaml", tmp_path / "b.yaml"]).bundle())
    with pytest.raises(NotRestorable, match=r"another order: a\.yaml, b\.yaml"):
        plan([tmp_path / "b.yaml", tmp_path / "a.yaml"], data, NOW)


def test_a_problem_names_the_file_where_it_would_be(tmp_path: Path) -> None:
    exception = EXCEPTIONS.replace("apps: a", "apps: later")
    later = NEW | {"base.yaml": BASE + "  later: {endpoints: [later.example]}\n", "exceptions.yaml": exception}
    later["base.yaml"] = BASE.replace("apps: {", "apps: {later: {endpoints: [later.example]}, ")
    with pytest.raises(PolicyError) as refused:
        planned(tmp_path, OLD, later)
    problem = refused.value.problems[0]
    assert (problem.file, problem.code) == (str(tmp_path / "exceptions.yaml"), "unknown-app")


FORGED = ["/etc/embargo.yaml", "a/../../x.yaml", "./site.yaml", "a\\u0000.yaml", ""]


@pytest.mark.parametrize("name", FORGED)
def test_a_stored_name_that_is_none(tmp_path: Path, name: str) -> None:
    data = text(tmp_path, OLD) + f'embargo-policy-file "{name}" 0\n'.encode() + b"\n"
    with pytest.raises(NotRestorable, match="none of ours"):
        plan([tmp_path / "site.yaml"], data, NOW)


def test_a_directory_that_is_gone_comes_back(tmp_path: Path) -> None:
    nested = {"site.yaml": BASE.replace("a.txt", "lists/a.txt"), "lists/a.txt": "one.example\n"}
    data = text(tmp_path, nested)
    (tmp_path / "lists/a.txt").unlink()
    (tmp_path / "lists").rmdir()
    restore(plan([tmp_path / "site.yaml"], data, NOW), "a test")
    assert (tmp_path / "lists/a.txt").read_text() == "one.example\n"


@pytest.mark.parametrize("gone", [False, True], ids=["one that changed", "one that is gone"])
def test_all_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, gone: bool) -> None:
    """The last cannot be put in its place: what took its place before is taken back."""
    found = planned(tmp_path, OLD, NEW)
    if gone:
        (tmp_path / "site.yaml").unlink()
        found = plan([tmp_path / "site.yaml"], text(tmp_path / "again", OLD), NOW)
    before = files_of(tmp_path)
    assert [each.path.name for each in found.replaced] == ["site.yaml", "a.txt"]
    replace = LockedFile.replace

    def fail(self: LockedFile, **options: bool) -> None:
        if self.path.name == "a.txt":
            raise NotWritten("no more")
        replace(self, **options)

    monkeypatch.setattr(LockedFile, "replace", fail)
    with pytest.raises(NotWritten, match="no more"):
        restore(found, "a test")
    assert files_of(tmp_path) == before
