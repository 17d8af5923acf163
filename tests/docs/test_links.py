"""No relative link of the manual is dead, and every page says for whom it is."""

import re
from pathlib import Path

import pytest

from docs.pages import PAGES, ROOT, anchors, links, name, prose

MANUAL = [page for page in PAGES if page.is_relative_to(ROOT / "docs")]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links(page: Path) -> None:
    dead = []
    for line, target in links(page):
        if re.match(r"[a-z]+:", target):
            continue  # elsewhere: no test here reaches the network
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            dead.append(f"{name(page)}:{line}: {target}")
    assert dead == []


@pytest.mark.parametrize("page", MANUAL, ids=name)
def test_says_for_whom(page: Path) -> None:
    opening = " ".join(line for _, line in prose(page)[:12]).lower()
    readers = ("operator", "admin", "auditor", "developer", "whoever", "everyone")
    assert any(reader in opening for reader in readers)


@pytest.mark.parametrize("page", MANUAL, ids=name)
def test_is_reached_from_the_index(page: Path) -> None:
    index = ROOT / "docs/index.md"
    reached = {(index.parent / target.partition("#")[0]).resolve() for _, target in links(index)}
    assert page == index or page.resolve() in reached
