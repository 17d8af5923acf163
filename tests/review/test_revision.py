"""A policy as a revision has it: read from git's objects, the work tree untouched."""

from pathlib import Path

import pytest

from embargo.policy.layers import DEEPEST_INCLUDE
from embargo.review.revision import RevisionError, find_revision, materialize
from repositories import commit, git

BASE = "version: 1\napps: {a: {endpoints: [a.example]}}\n"
SITE = "version: 1\ninclude: [../base.yaml]\napps: {x: {endpoints_from: [lists/x.txt]}}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "repository"
    top.mkdir()
    commit(top, {"base.yaml": BASE, "site/policy.yaml": SITE, "site/lists/x.txt": "x.example\n", "other.txt": "o"})
    commit(top, {"site/lists/x.txt": "x.example\ny.example\n", "site/exceptions.yaml": "version: 1\n"})
    return top


def written(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def read(repository: Path, revision: str, file: str, to: Path) -> dict[str, str]:
    found = find_revision(revision, repository)
    paths = materialize(found, [repository / file], to)
    assert paths == [to / file]
    return written(to)


def test_all_that_a_policy_names_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    assert read(repository, "HEAD~1", "site/policy.yaml", tmp_path / "old") == {
        "base.yaml": BASE,
        "site/policy.yaml": SITE,
        "site/lists/x.txt": "x.example\n",
    }


def test_exceptions_beside_it_count(repository: Path, tmp_path: Path) -> None:
    found = read(repository, "main", "site/policy.yaml", tmp_path / "new")
    assert found["site/exceptions.yaml"] == "version: 1\n"
    assert found["site/lists/x.txt"] == "x.example\ny.example\n"


def test_the_work_tree_is_neither_read_nor_touched(repository: Path, tmp_path: Path) -> None:
    (repository / "site/policy.yaml").write_text("broken: [")
    (repository / "base.yaml").unlink()
    before = git(repository, "status", "--porcelain")
    assert read(repository, "HEAD", "site/policy.yaml", tmp_path / "new")["site/policy.yaml"] == SITE
    assert git(repository, "status", "--porcelain") == before


def test_a_symbolic_link_within_is_followed(repository: Path, tmp_path: Path) -> None:
    (repository / "link.yaml").symlink_to("site/../base.yaml")
    (repository / "outside.yaml").symlink_to("/etc/hostname")
    (repository / "loop.yaml").symlink_to("loop.yaml")
    commit(repository, {})
    assert read(repository, "HEAD", "link.yaml", tmp_path / "a") == {"link.yaml": BASE}
    assert read(repository, "HEAD", "outside.yaml", tmp_path / "b") == {}
    assert read(repository, "HEAD", "loop.yaml", tmp_path / "c") == {}


OUTSIDE = {  # text of a policy at the top of the repository: what of it lies outside
    "include: [../../secret.yaml]": "../../secret.yaml",
    "include: /etc/hostname": "/etc/hostname",
    "include: [./x/../../../y.yaml]": "./x/../../../y.yaml",
    "apps: {a: {endpoints_from: ../names.txt}}": "../names.txt",
}


@pytest.mark.parametrize(("text", "named"), OUTSIDE.items(), ids=OUTSIDE)
def test_what_a_policy_names_outside_is_refused(repository: Path, tmp_path: Path, text: str, named: str) -> None:
    """What lies outside is no part of the revision: the machine's own files must not be taken for it."""
    commit(repository, {"p.yaml": f"version: 1\n{text}\n"})
    with pytest.raises(RevisionError, match="outside the repository") as refused:
        read(repository, "HEAD", "p.yaml", tmp_path / "deep" / "er")
    assert f"HEAD:p.yaml names {named!r}" in str(refused.value)


def test_links_to_directories_are_followed(repository: Path, tmp_path: Path) -> None:
    (repository / "now").symlink_to("site")
    commit(repository, {"p.yaml": "include: now/lists/../policy.yaml\n"})
    assert read(repository, "HEAD", "p.yaml", tmp_path / "a")["now/policy.yaml"] == SITE


def test_a_name_that_goes_through_a_directory_of_nothing_else(repository: Path, tmp_path: Path) -> None:
    commit(repository, {"p.yaml": "include: d/../base.yaml\n", "d/other.txt": "o"})
    assert "base.yaml" in read(repository, "HEAD", "p.yaml", tmp_path / "a")
    assert (tmp_path / "a" / "d/../base.yaml").read_text() == BASE


def test_a_chain_of_includes_ends_where_that_of_the_loader_does(repository: Path, tmp_path: Path) -> None:
    commit(repository, {f"c{number}.yaml": f"include: c{number + 1}.yaml\n" for number in range(60)})
    assert len(read(repository, "HEAD", "c0.yaml", tmp_path / "a")) == DEEPEST_INCLUDE + 1


def test_includes_that_go_round_end(repository: Path, tmp_path: Path) -> None:
    commit(repository, {"p.yaml": "include: q.yaml\n", "q.yaml": "include: [p.yaml]\n"})
    assert set(read(repository, "HEAD", "p.yaml", tmp_path / "a")) == {"p.yaml", "q.yaml"}


def test_a_file_that_is_gone_today(repository: Path, tmp_path: Path) -> None:
    commit(repository, {"base.yaml": None, "site/policy.yaml": None})
    assert "site/policy.yaml" in read(repository, "HEAD~1", "site/policy.yaml", tmp_path / "a")
    assert read(repository, "HEAD", "site/policy.yaml", tmp_path / "b") == {"site/exceptions.yaml": "version: 1\n"}


UNKNOWN = ["gone", "HEAD~99", "--output=x", "-h", "", "HEAD:base.yaml", "main..main"]


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_is_no_revision(repository: Path, text: str) -> None:
    with pytest.raises(RevisionError):
        find_revision(text, repository)


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))  # whatever stands there, the files say which repository
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(RevisionError, match="not a git repository"):
        find_revision("HEAD", tmp_path / "elsewhere")


def test_a_file_outside_the_repository(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(BASE)
    with pytest.raises(RevisionError, match="outside the repository"):
        materialize(find_revision("HEAD", repository), [tmp_path / "site.yaml"], tmp_path / "a")


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(RevisionError, match="git is not installed"):
        find_revision("HEAD", repository)


def test_nothing_of_the_repository_runs(repository: Path, tmp_path: Path) -> None:
    """Text conversion and filters are set up by the repository; reading objects runs neither."""
    mark = tmp_path / "ran"
    for name in ("diff.x.textconv", "filter.x.smudge", "filter.x.clean"):
        git(repository, "config", name, f"touch {mark}; cat")
    commit(repository, {".gitattributes": "*.yaml diff=x\n"})
    git(repository, "config", "core.fsmonitor", f"touch {mark}")
    read(repository, "HEAD", "base.yaml", tmp_path / "a")
    assert not mark.exists()
