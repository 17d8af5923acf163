"""Clients that reject our certificate: believed at once where they say so, bounded, forgotten after a day."""

from datetime import timedelta

import pytest
from mitmproxy.test.tflow import tclient_conn

from embargo.core.decision import PASS
from embargo.enforce.connection import Connection, Page
from embargo.enforce.tls.rejections import LISTED, MOST, REJECTED_FOR, Rejections
from sample import NOW

SAID = "The client does not trust the proxy's certificate for banned.test (OpenSSL Error([('SSL routines', '', '{}')]))"
LEFT = "The client disconnected during the handshake. If this happens consistently for banned.test, …"
EARLY = "connection closed early"


def client(agent: str | None = "Mozilla/5.0", *, page: bool = True) -> Connection:
    known = Connection.of(tclient_conn())
    known.user_agent = agent
    known.page = Page("", PASS) if page else None
    return known


REASONS = {  # OpenSSL's text: what is told
    "tlsv1 alert unknown ca": "unknown ca",
    "sslv3 alert bad certificate": "bad certificate",
    "ssl/tls alert bad certificate": "bad certificate",
    "sslv3 alert certificate unknown": "certificate unknown",
    "sslv3 alert certificate expired": "certificate expired",
    "sslv3 alert certificate revoked": "certificate revoked",
    "sslv3 alert unsupported certificate": "unsupported certificate",
    "tlsv1 alert access denied": "access denied",
}


@pytest.mark.parametrize(("alert", "why"), REASONS.items(), ids=REASONS)
def test_who_says_so_is_believed_at_once(alert: str, why: str) -> None:
    rejections = Rejections()
    rejections.failed(client(), SAID.format(alert), NOW)
    assert rejections.rejects(client(), NOW)
    (listed,) = rejections.describe(NOW)["listed"]
    assert (listed["why"], listed["times"], listed["client"]) == (why, 1, "127.0.0.1")


@pytest.mark.parametrize("error", [LEFT, EARLY])
def test_who_goes_away_is_believed_the_second_time(error: str) -> None:
    rejections = Rejections()
    rejections.failed(client(), error, NOW)
    assert not rejections.rejects(client(), NOW)
    assert rejections.describe(NOW) == {"clients": 0, "handshakes": 0, "listed": []}
    rejections.failed(client(), error, NOW)
    assert rejections.rejects(client(), NOW)
    assert rejections.describe(NOW)["listed"][0]["why"] == "went away"


BEFORE = {"went away": [EARLY], "went away twice": [EARLY, EARLY], "said so": [SAID.format("unknown ca")]}


@pytest.mark.parametrize("errors", BEFORE.values(), ids=BEFORE)
def test_what_failed_without_a_page_withholds_none(errors: list[str]) -> None:
    rejections = Rejections()
    for error in errors:
        rejections.failed(client(page=False), error, NOW)
    rejections.failed(client(), EARLY, NOW)
    assert not rejections.rejects(client(), NOW), "the page itself was left once"
    rejections.failed(client(), EARLY, NOW)
    assert rejections.rejects(client(), NOW)


@pytest.mark.parametrize(
    "error", ["no shared cipher", "Client and mitmproxy cannot agree on a TLS version to use.", ""]
)
def test_other_failures_say_nothing_of_the_certificate(error: str) -> None:
    rejections = Rejections()
    for _ in range(3):
        rejections.failed(client(), error, NOW)
    assert rejections.describe(NOW)["clients"] == 0


def test_it_ends_after_a_day() -> None:
    rejections = Rejections()
    rejections.failed(client(), SAID.format("unknown ca"), NOW)
    assert rejections.rejects(client(), NOW + REJECTED_FOR - timedelta(seconds=1))
    assert not rejections.rejects(client(), NOW + REJECTED_FOR)
    assert rejections.describe(NOW + REJECTED_FOR)["clients"] == 0
    assert rejections.describe(NOW + REJECTED_FOR)["handshakes"] == 1, "the count is since the start"


def test_again_is_counted_and_lasts_longer() -> None:
    rejections = Rejections()
    later = NOW + timedelta(hours=5)
    rejections.failed(client(), SAID.format("unknown ca"), NOW)
    rejections.failed(client(), SAID.format("bad certificate"), later)
    (listed,) = rejections.describe(later)["listed"]
    assert listed == {
        "client": "127.0.0.1",
        "user_agent": "Mozilla/5.0",
        "since": NOW.isoformat(),
        "until": (later + REJECTED_FOR).isoformat(),
        "times": 2,
        "why": "bad certificate",
    }


def test_clients_are_told_apart_by_user_agent() -> None:
    rejections = Rejections()
    rejections.failed(client("one"), SAID.format("unknown ca"), NOW)
    assert not rejections.rejects(client("another"), NOW)
    assert not rejections.rejects(client(None), NOW)
    assert rejections.rejects(client("one"), NOW)


def test_a_pinned_app_without_a_page_is_listed_and_not_refused() -> None:
    rejections = Rejections()
    rejections.failed(client(page=False), SAID.format("unknown ca"), NOW)
    assert not rejections.rejects(client(), NOW)
    assert rejections.describe(NOW)["listed"][0]["until"] is None


def test_memory_is_bounded() -> None:
    rejections = Rejections()
    for number in range(MOST + 10):
        rejections.failed(client(f"left {number}"), EARLY, NOW)
        rejections.failed(client(f"said {number}" + "x" * 5000), SAID.format("unknown ca"), NOW)
    told = rejections.describe(NOW)
    assert (told["clients"], len(told["listed"])) == (MOST, LISTED)
    assert told["listed"][0]["user_agent"].startswith(f"said {MOST + 9}x")
    assert max(len(each["user_agent"]) for each in told["listed"]) == 256
    assert len(rejections._left) == MOST


def test_who_goes_away_a_day_later_has_done_so_once() -> None:
    rejections = Rejections()
    rejections.failed(client(), LEFT, NOW)
    rejections.failed(client(), LEFT, NOW + REJECTED_FOR)
    assert not rejections.rejects(client(), NOW + REJECTED_FOR)
    rejections.failed(client(), LEFT, NOW + REJECTED_FOR + timedelta(hours=1))
    assert rejections.rejects(client(), NOW + REJECTED_FOR + timedelta(hours=1))


def test_who_was_refused_for_a_day_has_to_go_away_twice_again() -> None:
    rejections = Rejections()
    rejections.failed(client(), SAID.format("unknown ca"), NOW)
    rejections.failed(client(), LEFT, NOW + REJECTED_FOR)
    assert not rejections.rejects(client(), NOW + REJECTED_FOR)


def test_what_is_old_is_forgotten_without_being_asked_for() -> None:
    rejections = Rejections()
    for agent in ("one", "two"):
        rejections.failed(client(agent), SAID.format("unknown ca"), NOW)
        rejections.failed(client(agent + " left"), LEFT, NOW)
    rejections.failed(client("three"), LEFT, NOW + REJECTED_FOR)
    assert (len(rejections._clients), len(rejections._left)) == (0, 1)


def test_who_was_refused_for_a_day_has_to_leave_a_page_twice_though_seen_since() -> None:
    rejections = Rejections()
    rejections.failed(client(), SAID.format("unknown ca"), NOW)
    rejections.failed(client(page=False), SAID.format("unknown ca"), NOW + timedelta(hours=20))
    rejections.failed(client(), LEFT, NOW + REJECTED_FOR)
    assert not rejections.rejects(client(), NOW + REJECTED_FOR)
