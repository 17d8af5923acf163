"""The browser's bench on a log that is large for a test, so that no page of it is at fault."""

from pathlib import Path

from tests.bench.browsing import PAGES, measure


def test_every_page_over_ten_thousand_records(tmp_path: Path) -> None:
    assert [each.name for each in measure(tmp_path, 10_000, rounds=1, depth=2)] == [*PAGES, "log, the next page"]
