"""`embargo apps new`: flags or questions to a layer that is checked, and never written over another."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli import own_app
from embargo.cli.layer_file import write_new
from embargo.cli.main import main
from embargo.policy.cases import cases_of
from embargo.policy.cases import run as run_cases
from embargo.policy.load import load
from sample import NOW

POLICY = """\
version: 1
apps: {known: {endpoints: [known.test]}}
rules:
  - {id: shared-infrastructure, apps: all, shared: true, action: log}
  - {id: known, apps: known, action: block}
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("domains.yaml").write_text(POLICY, encoding="utf-8")
    return tmp_path


def run(*arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(main, ["apps", "new", *arguments], input=answers)


def test_flags_make_a_layer_that_loads_and_passes(directory: Path) -> None:
    result = run(
        "--id", "drop", "--name", "Drop", "--vendor", "Example Ltd", "--domain", "drop.test",
        "--domain", "cdn.test,cdn,shared", "--host", "h.test,login", "--url", "shop.test/drop/*",
        "--cidr", "192.0.2.0/24",
        "--user-agent", "Drop/2", "--apple", "123456789", "--evidence", "vendor's page", "--message", "No.",
    )  # fmt: skip
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines()[0] == "written: apps/drop.yaml"
    loaded = load([Path("domains.yaml"), Path("apps/drop.yaml")])
    results = run_cases(loaded, list(cases_of(loaded)), NOW)
    assert [str(each) for each in results if not each.passed] == []
    assert len(results) == 7
    app = loaded.policy.apps["drop"]
    assert [f"{each} {each.role} {each.shared}" for each in app.endpoints[:3]] == [
        "domain:drop.test api False",
        "domain:cdn.test cdn True",
        "host:h.test login False",
    ]
    assert all(each.evidence == ("vendor's page",) for each in app.endpoints[:6])
    assert loaded.policy.rules[-1].message == {"": "No."}


def test_to_standard_output(directory: Path) -> None:
    result = run("--id", "drop", "--domain", "drop.test", "--action", "log", "--out", "-")
    assert result.exit_code == 0
    assert "action: log\n" in result.stdout
    assert not Path("apps").exists()


def test_never_over_another_without_force(directory: Path) -> None:
    arguments = ("--id", "drop", "--domain", "drop.test", "--out", "drop.yaml")
    Path("drop.yaml").write_text("mine\n", encoding="utf-8")
    result = run(*arguments)
    assert result.exit_code == 2
    assert "drop.yaml is there already; --force replaces it" in result.stderr
    assert Path("drop.yaml").read_text() == "mine\n"
    assert run(*arguments, "--force").exit_code == 0
    assert "drop.test" in Path("drop.yaml").read_text()


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "link", b"x", force=False)
    write_new(tmp_path / "link", b"x", force=True)
    assert not (tmp_path / "elsewhere").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link"]


REFUSED = {  # case: (arguments, exit, told)
    "an app that is there": (["--id", "known", "--domain", "x.test"], 2, "the policy has an app 'known' already"),
    "a public suffix": (["--id", "x", "--domain", "com.cn"], 2, "'com.cn' is a public suffix"),
    "a domain with a scheme": (["--id", "x", "--domain", "https://x.test"], 2, "write `x.test`"),
    "no network": (["--id", "x", "--cidr", "x.test"], 2, "--cidr: found 'x.test'"),
    "an id that leads elsewhere": (["--id", "../x", "--domain", "x.test"], 2, "'../x' is no id"),
    "a reserved id": (["--id", "all", "--domain", "x.test"], 2, "'all' means every app"),
    "no endpoint, and nobody to ask": (["--id", "x"], 2, "on a terminal it is asked for"),
    "no id, and nobody to ask": (["--domain", "x.test"], 2, "give --id"),
    "a user agent of nothing": (["--id", "x", "--user-agent", " "], 2, "--user-agent: empty text"),
    "a wrong store id": (["--id", "x", "--apple", "abc"], 1, "wrong-store-id"),
}


@pytest.mark.parametrize(("arguments", "code", "told"), REFUSED.values(), ids=REFUSED)
def test_refused(directory: Path, arguments: list[str], code: int, told: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, told in " ".join(result.output.split())) == (code, True), result.output
    assert not Path("apps").exists()


def test_a_terminal_is_asked(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_app, "on_terminal", lambda: True)
    answers = "drop\nDrop\nExample Ltd\ndrop.test\ncdn.test,cdn,shared\n\nvendor's page\nblock\n"
    result = run(answers=answers)
    assert result.exit_code == 0, result.output
    app = load([Path("domains.yaml"), Path("apps/drop.yaml")]).policy.apps["drop"]
    assert (app.name, app.vendor) == ("Drop", "Example Ltd")
    assert [(str(each), each.shared, each.evidence) for each in app.endpoints] == [
        ("domain:drop.test", False, ("vendor's page",)),
        ("domain:cdn.test", True, ("vendor's page",)),
    ]


def test_a_terminal_is_asked_again_where_an_answer_is_wrong(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_app, "on_terminal", lambda: True)
    answers = "../x\nknown\ndrop\n\n\n\ncom.cn\ndrop.test\n\n\n\n"
    result = run("--out", "-", answers=answers)
    assert result.exit_code == 0, result.output
    for words in ("'../x' is no id", "has an app 'known' already", "an app has one at least", "is a public suffix"):
        assert words in result.stderr
    assert result.stdout.startswith("# drop: made by")


def test_on_trial(directory: Path) -> None:
    assert run("--id", "drop", "--domain", "drop.test", "--shadow").exit_code == 0
    assert load([Path("domains.yaml"), Path("apps/drop.yaml")]).policy.trials is not None
