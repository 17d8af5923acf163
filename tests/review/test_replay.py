"""A replay counts what a policy makes of past requests."""

from datetime import timedelta
from ipaddress import ip_address

from embargo.core.decision import Verdict
from embargo.core.request import Surface
from embargo.core.rules import Mode, Policy
from embargo.core.seen import Seen, Unread
from embargo.review.judge import Assumed, Judge
from embargo.review.recorded import Recorded
from embargo.review.replay import By, Change, Replay, Summary
from embargo.review.tally import BLOCK, LOG, PASS, WOULD
from sample import NOW, app, policy, rule

APPS = [app("bad", "bad.test"), app("seen", "seen.test"), app("tried", "tried.test")]
RULES = [
    rule("try", "block", "tried", shadow=True),
    rule("watch", "log", "seen tried"),
    rule("ban", "block", "bad"),
]
POLICY = policy(APPS, RULES)
HOUR = timedelta(hours=1)


def replayed(*items: Seen | Unread, judged_by: Policy = POLICY) -> Summary:
    replay = Replay(Judge(judged_by, Assumed(time=NOW)))
    replay.source = "hosts.txt"
    replay.take_all(items)
    return replay.summary()


def rows(summary: Summary, by: By) -> dict[str, list[int]]:
    return {row.key: row.counts for row in summary.tables[by].rows}


def seen(request: str, client: str | None = None, **members: object) -> Seen:
    return Seen(request=request, client=ip_address(client) if client else None, **members)  # type: ignore[arg-type]


def test_counts() -> None:
    summary = replayed(
        seen("https://www.bad.test/x", "10.0.0.1", time=NOW),
        seen("www.bad.test", "10.0.0.2", time=NOW + HOUR, user="bob"),
        seen("seen.test", "10.0.0.1", time=NOW, count=5),
        seen("innocent.test", "10.0.0.3"),
    )
    assert summary.requests == 8
    assert (summary.counts[BLOCK], summary.counts[LOG], summary.counts[PASS]) == (2, 5, 1)
    assert rows(summary, By.APP) == {"bad": [2, 0, 0, 0, 0], "seen": [0, 0, 5, 0, 0]}
    assert rows(summary, By.RULE) == {"ban": [2, 0, 0, 0, 0], "watch": [0, 0, 5, 0, 0]}
    assert rows(summary, By.HOST) == {
        "www.bad.test": [2, 0, 0, 0, 0],
        "seen.test": [0, 0, 5, 0, 0],
        "innocent.test": [0, 0, 0, 0, 1],
    }
    assert rows(summary, By.CLIENT) == {
        "10.0.0.1": [1, 0, 5, 0, 0],
        "10.0.0.2": [1, 0, 0, 0, 0],
        "10.0.0.3": [0, 0, 0, 0, 1],
    }
    assert rows(summary, By.USER) == {"bob": [1, 0, 0, 0, 0]}
    assert rows(summary, By.HOUR) == {"2026-11-24T12:00Z": [1, 0, 5, 0, 0], "2026-11-24T13:00Z": [1, 0, 0, 0, 0]}
    assert (summary.first, summary.last) == (NOW, NOW + HOUR)
    assert summary.clients == 2
    assert {row.key: row.clients for row in summary.tables[By.APP].rows} == {"bad": 2, "seen": 1}


def test_what_a_shadow_rule_would_block() -> None:
    summary = replayed(seen("tried.test", "10.0.0.1"))
    assert (summary.counts[LOG], summary.counts[WOULD], summary.requests) == (1, 1, 1)
    assert rows(summary, By.RULE) == {"try": [0, 1, 0, 0, 0], "watch": [0, 0, 1, 0, 0]}
    assert rows(summary, By.APP) == {"tried": [0, 1, 1, 0, 0]}
    assert rows(summary, By.CLIENT) == {"10.0.0.1": [0, 1, 1, 0, 0]}


def test_what_enforce_would_block_in_place_of_monitor() -> None:
    summary = replayed(seen("bad.test"), judged_by=policy(APPS, RULES, mode=Mode.MONITOR))
    assert (summary.counts[BLOCK], summary.counts[LOG], summary.counts[WOULD]) == (0, 1, 1)
    assert rows(summary, By.RULE) == {"ban": [0, 1, 1, 0, 0]}


def test_what_is_malformed_is_blocked_as_the_proxy_would() -> None:
    summary = replayed(seen("https://a..b/"))
    assert rows(summary, By.RULE) == {"malformed": [1, 0, 0, 0, 0]}


def test_what_cannot_be_read_is_counted_and_shown() -> None:
    summary = replayed(*(Unread(f"line {number}", "why") for number in range(1, 30)), seen("ftp://bad.test/"))
    assert (summary.unread, summary.requests, len(summary.examples)) == (30, 0, 10)
    assert summary.examples[0] == ("hosts.txt", Unread("line 1", "why"))


def then(host: str, verdict: Verdict) -> Recorded:
    return Recorded(request=host, surface=Surface.CONNECT, then=verdict)


def test_before_and_after() -> None:
    summary = replayed(
        then("bad.test", Verdict.LOG),
        then("bad.test", Verdict.LOG),
        then("www.bad.test", Verdict.LOG),
        then("gone.test", Verdict.BLOCK),
        then("seen.test", Verdict.LOG),
    )
    assert summary.recorded == 5
    assert summary.changes == (
        Change(then=Verdict.LOG, now=Verdict.BLOCK, count=3, hosts=(("bad.test", 2), ("www.bad.test", 1))),
        Change(then=Verdict.BLOCK, now=Verdict.PASS, count=1, hosts=(("gone.test", 1),)),
    )


def test_document() -> None:
    document = replayed(seen("bad.test", "10.0.0.1", time=NOW), seen("seen.test"), Unread("line 3", "why")).document(1)
    assert (document["requests"], document["block"], document["log"], document["pass"]) == (2, 1, 1, 0)
    assert document["by"]["host"]["rows"] == [
        {"key": "bad.test", "block": 1, "log": 0, "allow": 0, "pass": 0, "would_block": 0, "clients": None}
    ]
    assert document["first"] == "2026-11-24T12:00:00Z"
    assert document["unread"] == {
        "count": 1,
        "examples": [{"source": "hosts.txt", "where": "line 3", "why": "why"}],
    }
