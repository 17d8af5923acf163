"""What counts as near an app, as its anchor, as one visit; and that memory is bounded."""

import tracemalloc
from datetime import timedelta
from ipaddress import ip_address

import pytest

from embargo.core.catalogue import Role
from embargo.core.rules import Policy
from embargo.core.seen import Seen
from embargo.review.nearness import Nearness
from sample import NOW, app, endpoint, policy

CATALOGUE = policy(
    [
        app(
            "chat",
            "chat.example.com",
            endpoint("cdn.example.net"),
            endpoint("shared.example.org", Role.CDN, shared=True),
            endpoint("url:pages.example.com/chat"),
            endpoint("url:store.example.com/app/1", Role.STORE),
            endpoint("user_agent:ChatClient/"),
            exclude=["free.chat.example.com"],
        ),
        app("other", "other.example.com"),
    ]
)


def seen(host: str, second: float = 0, client: int | None = 1, **more: object) -> Seen:
    return Seen(
        request=host if "/" in host else f"https://{host}/",
        time=NOW + timedelta(seconds=second),
        client=ip_address(f"10.0.0.{client}") if client is not None else None,
        **more,  # type: ignore[arg-type]
    )


def taken(*traffic: Seen, rules: Policy = CATALOGUE) -> Nearness:
    found = Nearness(rules)
    for each in traffic:
        found.take(each)
    return found


NEAR = {  # case: (traffic, visits of x.test that are near chat)
    "right after its host": ([seen("chat.example.com"), seen("x.example", 2)], 1),
    "right before it": ([seen("x.example"), seen("chat.example.com", 2)], 1),
    "too late": ([seen("chat.example.com"), seen("x.example", 11)], 0),
    "too early": ([seen("x.example"), seen("chat.example.com", 11)], 0),
    "by another client": ([seen("chat.example.com"), seen("x.example", 2, 2)], 0),
    "by no known client": ([seen("chat.example.com", 0, None), seen("x.example", 2, None)], 0),
    "by a known user": ([seen("chat.example.com", 0, None, user="a"), seen("x.example", 2, None, user="a")], 1),
    "repeats count once": ([seen("chat.example.com"), *(seen("x.example", second) for second in range(5))], 1),
    "between two of its own": ([seen("chat.example.com"), seen("x.example", 2), seen("chat.example.com", 4)], 1),
    "a second visit": ([seen(host, at) for at in (0, 60) for host in ("chat.example.com", "x.example")], 2),
    "after what others share": ([seen("shared.example.org"), seen("x.example", 2)], 0),
    "after what is excluded": ([seen("free.chat.example.com"), seen("x.example", 2)], 0),
    "after its URL": ([seen("https://pages.example.com/chat/a"), seen("x.example", 2)], 1),
    "after another page there": ([seen("https://pages.example.com/else"), seen("x.example", 2)], 0),
    "after its listing in a store": ([seen("https://store.example.com/app/1"), seen("x.example", 2)], 0),
    "after its user agent elsewhere": ([seen("y.example", user_agent="ChatClient/7"), seen("x.example", 2)], 1),
    "after another app": ([seen("other.example.com"), seen("x.example", 2)], 0),
    "by a server name that differs": ([seen("192.0.2.1", names=("chat.example.com",)), seen("x.example", 2)], 1),
}  # fmt: skip


@pytest.mark.parametrize(("traffic", "near"), NEAR.values(), ids=NEAR)
def test_near(traffic: list[Seen], near: int) -> None:
    visited = taken(*traffic).visited["x.example"]
    assert (visited.apps["chat"].near if "chat" in visited.apps else 0) == near


def test_no_candidate_is_what_an_app_owns_or_frees() -> None:
    hosts = ["chat.example.com", "free.chat.example.com", "shared.example.org", "pages.example.com", "192.0.2.1", "a b"]
    assert taken(*map(seen, hosts)).visited == {}


def test_the_hosts_of_a_registered_name_are_counted_together() -> None:
    found = taken(
        seen("chat.example.com"),
        *(seen(f"p{number}.shards.com", number) for number in range(3)),
        seen("p1.shards.com", 60),
    )
    together = found.visited["*.shards.com"]
    assert (together.hosts, together.visits, together.apps["chat"].near) == (3, 2, 1)
    assert (found.bases["chat"].of_users, found.bases["chat"].near) == (4, 3), "each host's visits, and no name's"


CERTIFICATES = {  # case: (traffic, what proves x.example.io)
    "its certificate names a host of the app": (
        [seen("x.example.io", certificate_names=("*.example.io", "chat.example.com"))],
        "chat.example.com",
    ),
    "a wildcard below the app's domain": (
        [seen("x.example.io", certificate_names=("*.chat.example.com",))],
        "chat.example.com",
    ),
    "a CDN's": (
        [
            seen(
                "x.example.io", certificate_names=("chat.example.com", *(f"a.site{number}.com" for number in range(30)))
            )
        ],
        None,
    ),
    "one that names what is shared": ([seen("x.example.io", certificate_names=("shared.example.org",))], None),
    "none": ([seen("x.example.io")], None),
}


@pytest.mark.parametrize(("traffic", "name"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_certificates(traffic: list[Seen], name: str | None) -> None:
    apps = taken(*traffic).visited["x.example.io"].apps
    assert (apps["chat"].certificate if "chat" in apps else None) == name


def test_the_certificate_of_the_apps_own_host_names_others() -> None:
    found = taken(seen("cdn.example.net", certificate_names=("cdn.example.net", "*.example.io")))
    assert found.bases["chat"].proven == {"cdn.example.net": "cdn.example.net", "example.io": "cdn.example.net"}


def test_memory_is_bounded() -> None:
    found = Nearness(CATALOGUE, most_hosts=500)
    tracemalloc.start()
    grown = []
    for number in range(9_000):
        found.take(seen(f"h{number}.site{number}.com", number / 100, number % 200))
        found.take(seen("often.example.info", number / 100, number % 200))
        if number % 3_000 == 2_999:
            grown.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert len(found.visited) <= 500
    assert grown[2] < grown[1] * 1.5
    assert found.visited["often.example.info"].visits > 500, "what is met often is kept, so that it stays common"
