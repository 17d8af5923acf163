"""Lists of others as endpoints: canonical, with evidence, without what is there already, and told where they meet."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from embargo.blocklists.formats import Format
from embargo.core.catalogue import Role
from embargo.policy.problem import Mistake
from embargo.policy.reading import NotUtf8
from embargo.review.list_intake import Intake, read_list, take_in
from sample import app, endpoint, policy, rule

WRITTEN = datetime(2026, 11, 20, tzinfo=UTC)
POLICY = policy(
    [
        app("mine", "mine.test", endpoint("cdn.test", shared=True), exclude=["free.other.test"]),
        app("other", "other.test", "host:www.deep.taken.test", "url:shop.taken.test/p", "cidr:203.0.113.0/24"),
    ],
    [rule("ban", "block")],
)


def taken(tmp_path: Path, text: str, identifier: str = "mine", **options: object) -> Intake:
    file = tmp_path / "list.txt"
    file.write_text(text, encoding="utf-8")
    os.utime(file, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    return take_in([read_list(file)], POLICY, identifier, **options)  # type: ignore[arg-type]


def spelled(intake: Intake) -> list[str]:
    return [str(each) for each in intake.endpoints]


def test_evidence_names_list_day_file_and_line(tmp_path: Path) -> None:
    (found,) = taken(tmp_path, "# Title: Theirs\n\nX.Test.\n").endpoints
    assert (str(found), found.evidence) == ("domain:x.test", ("Theirs, 2026-11-20: list.txt line 3",))


def test_attributes_are_evidence_and_may_be_a_role(tmp_path: Path) -> None:
    (found,) = taken(tmp_path, "full:x.test @ads @cn\n").endpoints
    assert (str(found), found.role) == ("host:x.test", Role.ADS)
    assert found.evidence == ("list.txt, 2026-11-20: list.txt line 1 @ads @cn",)


def test_a_day_in_the_list_counts_before_that_of_the_file(tmp_path: Path) -> None:
    (found,) = taken(tmp_path, "# Last updated: 2025-01-02\nx.test\n").endpoints
    assert found.evidence == ("list.txt, 2025-01-02: list.txt line 2",)


def test_evidence_drives_no_terminal(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"a\x1b[31m\xff\n.txt")
    file.write_text("# Title: Th\x1b]0;x\x07\u202ee\x7firs\nx.test\n", encoding="utf-8")
    (found,) = take_in([read_list(file)], POLICY, "mine").endpoints
    assert found.evidence[0].startswith("Th]0;xeirs, ")
    assert found.evidence[0].endswith(": a[31m\ufffd.txt line 2")


STRANGE = {  # case: (text, what is left)
    "all addresses": ("0.0.0.0/0\n::/0\n0.0.0.0/1\n2000::/3\n", []),
    "private ones": ("10.0.0.0/8\n192.168.1.1\n127.0.0.1\nfd00::/8\nfe80::1\n", []),
    "what one owner may have": (
        "17.0.0.0/8\n2a00:1450::/29\n8.8.8.8\n",
        ["17.0.0.0/8", "2a00:1450::/29", "8.8.8.8/32"],
    ),
}


@pytest.mark.parametrize(("text", "left"), STRANGE.values(), ids=STRANGE)
def test_networks_that_are_nobodys_are_refused(tmp_path: Path, text: str, left: list[str]) -> None:
    intake = taken(tmp_path, text)
    assert [each.pattern.text for each in intake.endpoints] == left
    assert {each.code for each in intake.problems} == (set() if left else {"nobodys-network"})
    assert len(intake.problems) == len(text.split()) - len(left)


LEFT_OUT = {  # case: (text, endpoints, (twice, below another), what the app has)
    "twice": ("x.test\nx.test\nX.TEST\n", ["domain:x.test"], (2, 0), 0),
    "below another, whichever comes first": ("a.x.test\nx.test\nfull:b.x.test\n", ["domain:x.test"], (0, 2), 0),
    "a look-alike is not below": ("x.test\nnotx.test\n", ["domain:x.test", "domain:notx.test"], (0, 0), 0),
    "the app has it": ("mine.test\nx.test\n", ["domain:x.test"], (0, 0), 1),
    "the app has one above": ("a.mine.test\n", [], (0, 0), 1),
    "the app has one above, but shared": ("a.cdn.test\n", ["domain:a.cdn.test"], (0, 0), 0),
    "with another role": ("full:a.x.test @ads\nx.test\n", ["host:a.x.test", "domain:x.test"], (0, 0), 0),
}


@pytest.mark.parametrize(("text", "endpoints", "counts", "known"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_left_out(tmp_path: Path, text: str, endpoints: list[str], counts: tuple[int, int], known: int) -> None:
    intake = taken(tmp_path, text)
    assert spelled(intake) == endpoints
    assert (intake.duplicates, intake.covered) == counts
    assert len(intake.known) == known


MEETINGS = {  # case: (text, how, whom, what)
    "the same of another app": ("other.test", "SAME", "other", "domain:other.test"),
    "below another app's": ("a.other.test", "BELOW", "other", "domain:other.test"),
    "above another app's host": ("deep.taken.test", "ABOVE", "other", "host:www.deep.taken.test"),
    "above another app's url": ("shop.taken.test", None, None, None),
    "a network within another app's": ("203.0.113.128/25", "BELOW", "other", "cidr:203.0.113.0/24"),
    "a network around another app's": ("203.0.0.0/16", None, None, None),
    "excluded by this app": ("free.other.test", "EXCLUDED", "mine", "domain:free.other.test"),
    "none": ("x.test", None, None, None),
}


@pytest.mark.parametrize(("text", "how", "whom", "what"), MEETINGS.values(), ids=MEETINGS)
def test_meetings(tmp_path: Path, text: str, how: str | None, whom: str | None, what: str | None) -> None:
    found = {(each.overlap.name, each.app, each.other) for each in taken(tmp_path, text).meetings}
    if how is None:
        assert found == set()
    else:
        assert (how, whom, what) in found


REFUSED = {  # case: (line, code)
    "a public suffix": ("com.cn", "public-suffix"),
    "a top-level domain": ("cn", "public-suffix"),
    "a private suffix": ("github.io", "public-suffix"),
    "no name": ("a..b", "not-a-domain"),
    "a network with bits behind its prefix": ("192.0.2.1/24", "not-a-network"),
    "two words": ("x.test y.test", "unreadable-line"),
}


@pytest.mark.parametrize(("line", "code"), REFUSED.values(), ids=REFUSED)
def test_refused_and_the_rest_taken(tmp_path: Path, line: str, code: str) -> None:
    intake = taken(tmp_path, f"x.test\n  {line}\n")
    assert spelled(intake) == ["domain:x.test"]
    assert [(each.line, each.column, each.code) for each in intake.problems] == [(2, 3, code)]


def test_what_cannot_be_said_is_counted_with_samples(tmp_path: Path) -> None:
    intake = taken(tmp_path, "full:x.test\n" + "".join(f"keyword:k{number}\n" for number in range(9)) + "regexp:a\n")
    assert intake.unsaid == {"keyword": 9, "regular expression": 1}
    assert len(intake.samples["keyword"]) == 5
    assert intake.samples["keyword"][0].endswith("list.txt:2:1: k0")


READINGS = {
    "as the format has it": (None, "host:x.test"),
    "below too": (False, "domain:x.test"),
    "alone": (True, "host:x.test"),
}


@pytest.mark.parametrize(("exact", "expected"), READINGS.values(), ids=READINGS)
def test_how_names_are_taken(tmp_path: Path, exact: bool | None, expected: str) -> None:
    assert spelled(taken(tmp_path, "0.0.0.0 x.test\n", exact=exact)) == [expected]


def test_on_trial_but_never_an_exclude(tmp_path: Path) -> None:
    intake = taken(tmp_path, "||x.test^\n@@||y.x.test^\n", shadow=True)
    assert [(str(each), each.shadow) for each in (*intake.endpoints, *intake.exclude)] == [
        ("domain:x.test", True),
        ("domain:y.x.test", False),
    ]


def test_includes_stay_in_their_directory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "secret").write_text("secret.test\n", encoding="utf-8")
    (tmp_path / "data/b").write_text("b.test\n", encoding="utf-8")
    file = tmp_path / "data/a"
    file.write_text("include:b\ninclude:../secret\n", encoding="utf-8")
    intake = take_in([read_list(file)], POLICY, "mine")
    assert spelled(intake) == ["domain:b.test"]
    assert intake.endpoints[0].evidence[0].endswith(": b line 1")
    assert len(intake.problems) == 1


UNREADABLE = {  # case: (bytes, error)
    "binary": (b"x.test\n\0", Mistake),
    "not UTF-8": (b"x.test\n\xff.test\n", NotUtf8),
}


@pytest.mark.parametrize(("data", "error"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(tmp_path: Path, data: bytes, error: type[Exception]) -> None:
    (tmp_path / "list").write_bytes(data)
    with pytest.raises(error):
        read_list(tmp_path / "list")


def test_a_fifo_does_not_make_it_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list")
    with pytest.raises(Mistake, match="FIFO"):
        read_list(tmp_path / "list")


def test_a_format_that_is_named_counts(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text("0.0.0.0 x.test\n", encoding="utf-8")
    found = read_list(file, form=Format.PLAIN, source="ours")
    assert (found.format, found.source) == (Format.PLAIN, "ours")
