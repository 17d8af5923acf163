"""The two sides of a comparison, by the words that name them."""

from pathlib import Path

import pytest

from embargo.policy.problem import PolicyError
from embargo.review.sides import NoSuchSide, read_sides
from repositories import commit
from sample import NOW

OLD = "version: 1\napps: {a: {endpoints: [a.example]}}\n"
NEW = "version: 1\napps: {a: {endpoints: [b.example]}}\n"
LAYER = "version: 1\napps: {z: {endpoints: [z.example]}}\n"
DEFAULT = Path("domains.yaml")


@pytest.fixture(autouse=True)
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(tmp_path, {"domains.yaml": OLD, "site.yaml": LAYER})
    commit(tmp_path, {"domains.yaml": NEW})
    (tmp_path / "domains.yaml").write_text(NEW.replace("b.example", "c.example"))
    (tmp_path / "trial.yaml").write_text(NEW.replace("b.example", "d.example"))
    monkeypatch.chdir(tmp_path)


NAMED = {  # case: (old, new, files, what each has)
    "two files": ("domains.yaml", "trial.yaml", [], ["c.example"], ["d.example"]),
    "layers": ("domains.yaml", "domains.yaml,site.yaml", [], ["c.example"], ["c.example", "z.example"]),
    "two revisions": ("HEAD~1", "HEAD", [], ["a.example"], ["b.example"]),
    "two revisions, with files": ("HEAD~1", "HEAD", ["site.yaml"], ["z.example"], ["z.example"]),
    "two revisions, with layers": (
        "HEAD~1", "HEAD", ["domains.yaml", "site.yaml"], ["a.example", "z.example"], ["b.example", "z.example"],
    ),
    "a revision and what is there now": ("HEAD", None, [], ["b.example"], ["c.example"]),
    "a revision and the same file now": ("HEAD", "domains.yaml", [], ["b.example"], ["c.example"]),
    "a revision's own file": ("HEAD~1:domains.yaml", "trial.yaml", [], ["a.example"], ["d.example"]),
    "a revision's own layers": (
        "HEAD~1:domains.yaml,site.yaml", "HEAD:site.yaml", [], ["a.example", "z.example"], ["z.example"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "files", "before", "after"), NAMED.values(), ids=NAMED)
def test_named(old: str, new: str | None, files: list[str], before: list[str], after: list[str]) -> None:
    sides = read_sides(old, new, [Path(file) for file in files], DEFAULT)
    assert [
        sorted(endpoint.pattern.text for app in side.policy.apps.values() for endpoint in app.endpoints)
        for side in sides
    ] == [before, after]


def test_a_file_before_a_revision_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "main").write_text(LAYER)
    old, _ = read_sides("main", "domains.yaml", [], DEFAULT)
    assert list(old.policy.apps) == ["z"]


def test_places_are_told_as_the_user_knows_them() -> None:
    old, _ = read_sides("HEAD~1", "HEAD", [], DEFAULT)
    [place] = old.places(NOW).values()
    assert place == "HEAD~1:domains.yaml:2"


REFUSED = {  # case: (old, new, exception, said)
    "neither a file nor a revision": ("gone", "HEAD", NoSuchSide, "'gone' is neither a file nor a revision"),
    "no file of the revision": ("HEAD:", "HEAD", NoSuchSide, "names no file"),
    "a file that is not there": ("gone.yaml", "HEAD", PolicyError, "gone.yaml:1:1: missing-file"),
    "a file that the revision lacks": ("HEAD:gone.yaml", "HEAD", PolicyError, "HEAD:gone.yaml:1:1: missing-file"),
}


@pytest.mark.parametrize(("old", "new", "exception", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(old: str, new: str, exception: type[Exception], said: str) -> None:
    with pytest.raises(exception, match=said):
        read_sides(old, new, [], DEFAULT)


def test_a_mistake_in_a_revision_is_told_in_its_words(tmp_path: Path) -> None:
    commit(tmp_path, {"domains.yaml": OLD.replace("a.example", "com.cn"), "x.yaml": "version: 1\ninclude: [no.yaml]\n"})
    with pytest.raises(PolicyError) as refused:
        read_sides("HEAD", "HEAD~1", [], DEFAULT)
    [problem] = refused.value.problems
    assert str(problem).startswith("HEAD:domains.yaml:2:24: public-suffix apps.a.endpoints[0]: 'com.cn'")
    with pytest.raises(PolicyError, match=r"HEAD:x\.yaml:2:11: missing-file .*: 'HEAD:no\.yaml'"):
        read_sides("HEAD:x.yaml", "HEAD~1", [], DEFAULT)
