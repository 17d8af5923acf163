import json
from pathlib import Path

import pytest

from embargo.journal.query import BadTerm, parse_query
from embargo.journal.reader import Reader
from embargo.journal.record import Encoder
from embargo.journal.subject import subject_term, write
from recorded import OBSERVER, TIME, judged

ENCODER = Encoder(OBSERVER)

SUBJECTS = {  # subject: the term, or what is wrong
    "user:alice": "user:alice",
    "user:CORP\\alice": "user:CORP\\alice",
    "client:10.1.2.3": "client:10.1.2.3",
    "client:2001:db8:0::9": "client:2001:db8::9",
    "user:a*": BadTerm("may be several persons"),
    "client:10.0.0.0/8": BadTerm("is no address of one client"),
    "host:qq.com": BadTerm("names no person"),
    "alice": BadTerm("names no person"),
    "user:": BadTerm("names no person"),
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_one_person(subject: str) -> None:
    expected = SUBJECTS[subject]
    if isinstance(expected, str):
        assert subject_term(subject) == expected
    else:
        with pytest.raises(BadTerm, match=str(expected)):
            subject_term(subject)


def test_what_is_written_is_harmless_and_whole(tmp_path: Path) -> None:
    evil = judged(user="alice", target="/<script>alert(1)</script>\x1b[2J", host="<b>.example")
    (tmp_path / "decisions.jsonl").write_bytes(ENCODER.line(evil, sequence=1))
    query = parse_query(["user:alice"], TIME)
    export = write(tmp_path / "alice.jsonl", query, Reader(tmp_path).entries(), TIME)
    lines, page = export.files
    assert export.records == 1
    assert (lines.name, page.name) == ("alice.jsonl", "alice.html")
    assert lines.read_bytes() == ENCODER.line(evil, sequence=1)
    text = page.read_text()
    assert "<script>" not in text and "<b>" not in text and "\x1b" not in text
    assert "&lt;script&gt;" in text and "1 records." in text
    assert [path.stat().st_mode & 0o777 for path in export.files] == [0o600, 0o600]
    with pytest.raises(FileExistsError):
        write(tmp_path / "alice", query, [], TIME)
    assert json.loads(lines.read_bytes())["user"]["name"] == "alice"
