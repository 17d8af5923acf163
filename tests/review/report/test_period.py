from datetime import UTC, datetime, timedelta

import pytest

from embargo.journal.terms import BadTerm
from embargo.review.report.period import Period

START = datetime(2026, 11, 23, tzinfo=UTC)
END = START + timedelta(days=7)


def test_queries() -> None:
    period = Period(start=START, end=END, apps=("qq", "wechat"))
    assert str(period.query("verdict:block")) == (
        "app:qq app:wechat verdict:block since:2026-11-23T00:00:00Z until:2026-11-30T00:00:00Z"
    )
    assert str(period.everything()) == "since:2026-11-23T00:00:00Z until:2026-11-30T00:00:00Z"
    assert period.words == "23 Nov 2026 to 30 Nov 2026 UTC"


def test_what_is_no_period() -> None:
    with pytest.raises(ValueError, match="ends before"):
        Period(start=END, end=START)


def test_what_is_no_app() -> None:
    with pytest.raises(BadTerm):
        Period(start=START, end=END, apps=("",)).query()
