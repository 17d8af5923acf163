"""What addresses mean to those who asked for them: never an innocent's harm."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest

from embargo.core.address import Address
from embargo.core.decide import decide
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Mode
from embargo.enforce.dns.resolved import LONGEST, MOST_ADDRESSES, MOST_NAMES, SHORTEST, Resolved
from sample import NOW, app, policy, rule

CLIENT, OTHER, ADDRESS = (ip_address(text) for text in ("10.0.0.1", "10.0.0.2", "192.0.2.80"))
POLICY = policy(
    [app("bad", "banned.test"), app("seen", "watched.test")],
    [rule("ban", "block", "bad"), rule("watch", "log", "seen")],
)


def stream(*names: str, client: Address | None = CLIENT, later: float = 0.0) -> Request:
    return Request(
        surface=Surface.TCP,
        time=NOW + timedelta(seconds=later),
        names=tuple(Name.parse(Source.DESTINATION, name, 443) for name in names),
        client=client,
    )


AT = str(ADDRESS)


def learnt(*names: str, client: Address = CLIENT, ttl: float = 60.0) -> Resolved:
    memory = Resolved()
    for name in names:
        memory.learn(client, name, [ADDRESS], ttl, NOW)
    return memory


JUDGED = {  # case: (memory, request, the name that was added, verdict)
    "asked for a banned name alone": (learnt("www.banned.test"), stream(AT), "www.banned.test", "block"),
    "asked for an innocent name too": (learnt("innocent.test", "banned.test"), stream(AT), "innocent.test", "pass"),
    "in the other order": (learnt("banned.test", "innocent.test"), stream(AT), "innocent.test", "pass"),
    "asked for a logged name too": (learnt("watched.test", "banned.test"), stream(AT), "watched.test", "log"),
    "the newest of equals": (learnt("a.banned.test", "b.banned.test"), stream(AT), "b.banned.test", "block"),
    "asked by another client": (learnt("banned.test", client=OTHER), stream(AT), None, "pass"),
    "a client that is not known": (learnt("banned.test"), stream(AT, client=None), None, "pass"),
    "another address": (learnt("banned.test"), stream("192.0.2.81"), None, "pass"),
    "a stream that shows a name": (learnt("banned.test"), stream(AT, "innocent.test"), None, "pass"),
    "a name that cannot be read": (learnt("banned.test"), stream(AT, "a b"), None, "pass"),
    "no name at all": (learnt("banned.test"), stream(), None, "block"),
    "within the time": (learnt("banned.test", ttl=1000), stream(AT, later=999), "banned.test", "block"),
    "when it is over": (learnt("banned.test", ttl=1000), stream(AT, later=1000), None, "pass"),
    "a short TTL is stretched": (learnt("banned.test", ttl=0), stream(AT, later=SHORTEST - 1), "banned.test", "block"),
    "a long one is cut": (learnt("banned.test", ttl=1e9), stream(AT, later=LONGEST), None, "pass"),
}  # fmt: skip


@pytest.mark.parametrize(("memory", "request_", "added", "verdict"), JUDGED.values(), ids=JUDGED)
def test_judged(memory: Resolved, request_: Request, added: str | None, verdict: str) -> None:
    named = memory.named(request_, lambda request: decide(POLICY, request))
    assert [name.text for name in named.names if name.source is Source.RESOLVED] == ([added] if added else [])
    assert named.names[: len(request_.names)] == request_.names
    assert str(decide(POLICY, named).verdict) == verdict


def test_monitor_takes_the_name_that_enforce_would() -> None:
    monitor = replace(POLICY, settings=replace(POLICY.settings, mode=Mode.MONITOR))
    named = learnt("watched.test", "banned.test").named(stream(AT), lambda request: decide(monitor, request))
    assert named.names[-1].text == "watched.test"
    assert decide(monitor, named).would is None


def test_it_is_bounded() -> None:
    memory = Resolved()
    first = ip_address("10.0.0.1")
    for number in range(MOST_ADDRESSES + 10):
        memory.learn(first, "a.test", [ip_address(number)], 60, NOW)
    assert len(memory) == MOST_ADDRESSES
    assert memory.names(first, ip_address(9), NOW) == ()
    assert memory.names(first, ip_address(10), NOW) == ("a.test",)
    for number in range(MOST_NAMES + 1):
        memory.learn(CLIENT, f"n{number}.test", [ADDRESS], 60, NOW)
    names = memory.names(CLIENT, ADDRESS, NOW)
    assert (len(names), names[0], names[-1]) == (MOST_NAMES, f"n{MOST_NAMES}.test", "n1.test")


def test_what_is_over_is_forgotten() -> None:
    memory = learnt("banned.test")
    assert memory.names(CLIENT, ADDRESS, NOW + timedelta(days=2)) == ()
    assert len(memory) == 0
