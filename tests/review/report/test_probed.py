import json
from pathlib import Path

import pytest

from embargo.probe.outcome import Outcome
from embargo.probe.report import Report
from embargo.review.report.probed import UnreadableProbe, read_probe


def test_what_the_probe_prints_is_read(tmp_path: Path) -> None:
    path = tmp_path / "probe.json"
    path.write_text(
        json.dumps(Report(proxy="127.0.0.1:8080", policy="aa", enforced=("aa",), mode="enforce").document())
    )
    found = read_probe(path)
    assert (found.file, found.exit, found.proxy, found.policy, found.mode) == (
        "probe.json",
        2,
        "127.0.0.1:8080",
        "aa",
        "enforce",
    )
    assert "proves nothing" in found.words
    assert set(found.counts) <= {each.value for each in Outcome}


BASE = {"exit": 0, "proxy": "p", "counts": {"refused": 3, "leaked": 0}, "findings": [], "unasked": [{"count": 2}]}
LEAK = {"app": "qq", "endpoint": "domain:qq.com", "way": "tls", "outcome": "leaked"}


def test_words(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(BASE))
    assert (read_probe(path).words, read_probe(path).counts, read_probe(path).unasked) == (
        "Everything that was asked for was refused.",
        {"refused": 3},
        2,
    )
    path.write_text(json.dumps(BASE | {"exit": 1, "findings": [LEAK]}))
    assert read_probe(path).words == "1 attempt was not refused."


BROKEN = {  # case: content
    "empty": "",
    "no JSON": "hello",
    "no object": "[]",
    "another object": "{}",
    "deep": "[" * 100_000,
    "no number": json.dumps(BASE | {"exit": "x"}),
    "findings of another form": json.dumps(BASE | {"findings": [3]}),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_no_probe(tmp_path: Path, content: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(UnreadableProbe, match=r"p\.json"):
        read_probe(path)
