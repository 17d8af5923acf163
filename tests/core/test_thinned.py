"""A thinned matcher finds what a matcher of a catalogue without those entries finds."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from embargo.core.catalogue import DomainList, ListedEndpoint
from embargo.core.matcher import DomainTable, Entry, Matcher
from embargo.core.rules import Policy
from embargo.core.thinned import ThinnedMatcher
from sample import app, policy, request
from strategies import policies, requests


@given(policies(), st.lists(requests(), min_size=1, max_size=5), st.data())
def test_as_if_it_had_never_stood_there(drawn: Policy, asked: list, data: st.DataObject) -> None:
    apps = sorted(drawn.apps)
    chosen = drawn.apps[data.draw(st.sampled_from(apps))] if apps else None
    if chosen is None or not chosen.endpoints:
        return
    pattern = data.draw(st.sampled_from([endpoint.pattern for endpoint in chosen.endpoints]))

    def gone(entry: Entry) -> bool:
        listed = isinstance(entry.endpoint, ListedEndpoint)
        return entry.app == chosen.id and not entry.excluded and not listed and entry.endpoint.pattern == pattern

    left = replace(chosen, endpoints=tuple(each for each in chosen.endpoints if each.pattern != pattern))
    expected = Matcher((drawn.apps | {chosen.id: left}).values(), drawn.lists, drawn.listed)
    thinned = ThinnedMatcher(drawn.matcher, gone)
    for one in asked:
        for name in one.names:
            assert thinned.owners(name, one) == expected.owners(name, one)


def test_every_kind_of_entry_can_go() -> None:
    patterns = ("qq.com", "host:x.qq.com", "url:qq.com/p/*", "cidr:203.0.113.0/24", "user_agent:Client")
    whole = policy(apps=[app("qq", *patterns)])
    asked = [
        request("a.qq.com"),
        request("qq.com", target="/p/1"),
        request("203.0.113.9"),
        request("x.org", user_agent="Client"),
    ]
    assert all(whole.matcher.owners(one.names[0], one) for one in asked)
    nothing = ThinnedMatcher(whole.matcher, lambda entry: entry.app == "qq")
    assert not any(nothing.owners(one.names[0], one) for one in asked)


def test_a_list_can_go() -> None:
    lists = (DomainList("a", "one.txt", 1), DomainList("a", "two.txt", 1))
    whole = Matcher([], lists, DomainTable([["a.example"], ["b.example"]]))
    thinned = ThinnedMatcher(whole, lambda entry: entry.endpoint.evidence == ("one.txt",))
    for host, owned in (("a.example", False), ("b.example", True)):
        asked = request(host)
        assert bool(thinned.owners(asked.names[0], asked)) is owned
