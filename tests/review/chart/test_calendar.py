from datetime import UTC, datetime
from pathlib import Path

from embargo.core.inquiry import Inquiry
from embargo.policy.load import load
from embargo.review.calendar import calendar as course
from embargo.review.chart.calendar import calendar
from review.chart.pictures import agreed, parsed

POLICY = """\
version: 1
authorities:
  order: {title: Order, timeline: {2026-02-01: in-force, 2026-08-01: revoked}}
apps:
  bad: {named_in: order, endpoints: [bad.example]}
rules:
  - {id: lunch, apps: bad, action: allow, schedule: {days: [mon, tue], hours: "12:00-13:00"}}
  - {id: banned, apps: bad, authority: in-force, action: block}
"""


def test_as_agreed(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    policy = load([tmp_path / "p.yaml"]).policy
    time = datetime(2026, 3, 1, tzinfo=UTC)
    found = [course(policy, Inquiry(request=name, time=time)) for name in ("bad.example", "fine.example")]
    text = calendar("calendar", "Verdicts", found)
    states = ["".join(row.itertext()) for row in parsed(text).findall(".//tbody/tr")]
    assert sum("block" in state for state in states) == 1
    assert any("allow mon tue 12:00–13:00" in state for state in states)
    agreed("calendar.html", text)
