from datetime import UTC, datetime

import pytest

from embargo.review.chart.lanes import Lane, Span, lanes
from embargo.review.chart.look import ENFORCEMENT, STATES
from review.chart.pictures import DAY, HOSTILE, START, agreed, days, parsed

END = START + 4 * DAY
ISSUED, FORCED, REVOKED = (datetime(2021, month, day, tzinfo=UTC) for month, day in ((1, 5), (2, 19), (6, 9)))
ORDER = Lane(
    label="Executive Order 13971: Applications and Other Software Developed or Controlled by Chinese Companies",
    spans=[
        Span(start=ISSUED, end=FORCED, state="issued"),
        Span(start=FORCED, end=REVOKED, state="in-force"),
        Span(
            start=REVOKED, end=END, state="revoked", detail="by Executive Order 14034", href="https://law.example/14034"
        ),
    ],
)


def test_an_order_as_agreed() -> None:
    text = lanes("orders", "Orders", datetime(2020, 1, 1, tzinfo=UTC), END, [ORDER], STATES)
    parsed(text)
    agreed("lanes.html", text)


def test_over_traffic_as_agreed() -> None:
    proxy = Lane(
        label="the proxy",
        spans=[
            Span(start=START, end=START + DAY, state="enforced"),
            Span(start=START + DAY, end=START + DAY * 1.5, state="gap", detail="no heartbeat"),
            Span(start=START + DAY * 1.5, end=END, state="monitored"),
        ],
    )
    traffic = days({"blocked": 5}, {"blocked": 2, "logged": 1}, {}, {"would-block": 9})
    text = lanes("enforced", "Enforcement", START, END, [proxy], ENFORCEMENT, traffic=traffic)
    parsed(text)
    agreed("lanes-over-traffic.html", text)


def test_what_lies_outside_is_not_drawn_but_told() -> None:
    root = parsed(lanes("orders", "Orders", START, END, [ORDER], STATES))
    assert len(root.findall(".//g/rect")) == 1
    assert len(root.findall(".//tbody/tr")) == 3


def test_no_time_at_all() -> None:
    with pytest.raises(ValueError, match="ends before"):
        lanes("orders", "Orders", END, END, [ORDER], STATES)


def test_hostile_words() -> None:
    lane = Lane(label=HOSTILE, spans=[Span(start=START, end=END, state="issued", detail=HOSTILE)])
    parsed(lanes("orders", HOSTILE, START, END, [lane, Lane(label="", spans=[])], STATES))
