"""Every shell example of the manual is run as it is written, and does not fail."""

from pathlib import Path

import pytest

from docs.machine import run_page
from docs.pages import PAGES, ROOT, blocks, name

WITH_COMMANDS = [page for page in PAGES if any(block.language == "console" for block in blocks(page))]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_page(page: Path, tmp_path: Path) -> None:
    results = run_page(page, tmp_path)
    failed = [
        f"{name(page)}:{result['line']}: $ {result['command']}\nexit {result['code']}\n{result['output']}"
        for result in results
        if result["code"] not in result["expected"]  # type: ignore[operator]
    ]
    assert not failed, "\n".join(failed)


def test_pages_have_commands() -> None:
    assert len(WITH_COMMANDS) > 10
    assert ROOT / "README.md" in WITH_COMMANDS
