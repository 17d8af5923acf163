from datetime import UTC, date, datetime

from embargo.core.catalogue import App, Authority
from embargo.core.rules import Policy
from embargo.review.report.catalogue_age import catalogue_age
from sample import endpoint

AT = datetime(2026, 12, 1, tzinfo=UTC)


def test_age() -> None:
    app = App(id="bad", name="Bad", endpoints=(endpoint("bad.example"), endpoint("worse.example")))
    fresh, old, never = (
        Authority(id=name, title=name, reviewed=reviewed)
        for name, reviewed in (("fresh", date(2026, 11, 1)), ("old", date(2026, 1, 1)), ("never", None))
    )
    policy = Policy(
        apps={"bad": app}, authorities={each.id: each for each in (fresh, old, never)}, released=date(2026, 11, 1)
    )
    found = catalogue_age(policy, AT)
    assert (found.days, found.apps, found.endpoints, found.unreviewed) == (30, 1, 2, ("old", "never"))
    assert catalogue_age(Policy(), AT).days is None
