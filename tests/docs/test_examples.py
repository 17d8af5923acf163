"""Every YAML example of the manual loads, and its tests pass.

Whole policies stand by themselves, beside the shipped files and the other files of their page; a block marked
`fragment` is a layer on top of the shipped policy, one marked `tests` a test file for it.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from docs.pages import ROOT, Block, blocks, policies
from embargo.policy.cases import cases_of, read_cases, run
from embargo.policy.load import load

EXAMPLES = policies()
SHIPPED = ("domains.yaml", "follow-the-law.yaml")


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_loads_and_its_tests_pass(block: Block, tmp_path: Path) -> None:
    for name in SHIPPED:
        shutil.copy(ROOT / name, tmp_path)
    for other in blocks(block.page):
        if other.file is not None and other.file not in (*SHIPPED, "exceptions.yaml"):
            file = tmp_path / other.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(other.text, encoding="utf-8")
    domains, example = tmp_path / "domains.yaml", tmp_path / (block.file or "example.yaml")
    if "fragment" in block.marks:
        assert "version:" not in block.text, "a whole file is no fragment"
        example.write_text(f"version: 1\n{block.text}", encoding="utf-8")
        loaded = load([domains, example])
    else:
        example.write_text(block.text, encoding="utf-8")
        loaded = load([domains if "tests" in block.marks else example])
    cases = read_cases([example], loaded) if "tests" in block.marks else list(cases_of(loaded))
    results = [result for result in run(loaded, cases, datetime.now(UTC)) if result.case.file == str(example)]
    assert [str(result) for result in results if not result.passed] == []
    assert results or "\ntests:" not in block.text


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20
    assert {mark for block in EXAMPLES for mark in block.marks} == {"fragment", "tests"}, "a mark that nothing reads"
