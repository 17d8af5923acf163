"""What a CA may sign for: subtrees of names and networks (RFC 5280, 4.2.1.10)."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.hostname import canonical
from embargo.core.name_constraints import NameConstraints, permits

NONE = NameConstraints()
PAGES = NameConstraints(
    permitted_names=frozenset({"banned.test", "pages.test"}),
    excluded_names=frozenset({"open.banned.test"}),
    excluded_networks=(ip_network("0.0.0.0/0"), ip_network("::/0")),
)
NAMES_ALONE = NameConstraints(permitted_names=frozenset({"banned.test"}))
NETWORK = NameConstraints(
    permitted_networks=(ip_network("192.0.2.0/24"),), excluded_networks=(ip_network("192.0.2.7"),)
)
DOTTED = NameConstraints(permitted_names=frozenset({".banned.test"}))
NOT_DOTTED = NameConstraints(excluded_names=frozenset({".banned.test"}))
CASES = {  # case: (constraints, host, permitted)
    "none: any name": (NONE, "bank.test", True),
    "none: any address": (NONE, "192.0.2.1", True),
    "the name itself": (PAGES, "banned.test", True),
    "below it": (PAGES, "a.b.banned.test", True),
    "another spelling": (PAGES, "WWW.Banned.Test.", True),
    "a look-alike on the left": (PAGES, "notbanned.test", False),
    "a look-alike on the right": (PAGES, "banned.test.example", False),
    "its parent": (PAGES, "test", False),
    "excluded": (PAGES, "open.banned.test", False),
    "below the excluded": (PAGES, "www.open.banned.test", False),
    "every address excluded": (PAGES, "192.0.2.1", False),
    "every IPv6 address excluded": (PAGES, "2001:db8::1", False),
    "addresses are another form": (NAMES_ALONE, "192.0.2.1", True),
    "a permitted network": (NETWORK, "192.0.2.1", True),
    "an excluded address in it": (NETWORK, "192.0.2.7", False),
    "an address outside it": (NETWORK, "198.51.100.1", False),
    "an IPv6 address, where only IPv4 is permitted": (NETWORK, "2001:db8::1", False),
    "names are another form": (NETWORK, "bank.test", True),
    "a dot permits what lies below": (DOTTED, "www.banned.test", True),
    "a dot does not permit the name itself": (DOTTED, "banned.test", False),
    "a dot excludes what lies below": (NOT_DOTTED, "www.banned.test", False),
    "a dot excludes the name itself, since clients differ": (NOT_DOTTED, "banned.test", False),
    "every name permitted": (NameConstraints(permitted_names=frozenset({""})), "bank.test", True),
    "every name excluded": (NameConstraints(excluded_names=frozenset({""})), "bank.test", False),
    "a form that no leaf meets": (NameConstraints(unmet="directory names"), "banned.test", False),
}


@pytest.mark.parametrize(("constraints", "host", "permitted"), CASES.values(), ids=CASES)
def test_permits(constraints: NameConstraints, host: str, permitted: bool) -> None:
    assert constraints.permits(canonical(host)) is permitted


def test_every_certificate_of_a_chain_has_to_permit() -> None:
    assert permits([PAGES, NAMES_ALONE], canonical("banned.test"))
    assert not permits([PAGES, NAMES_ALONE], canonical("pages.test"))
    assert permits([], canonical("bank.test"))


LIMITS = {
    "none": (NONE, False),
    "permitted": (PAGES, True),
    "excluded": (NOT_DOTTED, True),
    "networks": (NETWORK, False),
}


@pytest.mark.parametrize(("constraints", "limits"), LIMITS.values(), ids=LIMITS)
def test_limits_names(constraints: NameConstraints, limits: bool) -> None:
    assert constraints.limits_names is limits


LABEL = st.text("abc", min_size=1, max_size=2)
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join)


@given(NAME, st.frozensets(NAME, min_size=1, max_size=4))
def test_a_subtree_is_the_name_and_whole_labels_below_it(name: str, subtrees: frozenset[str]) -> None:
    expected = any(name == subtree or name.endswith("." + subtree) for subtree in subtrees)
    assert NameConstraints(permitted_names=subtrees).permits(canonical(name)) is expected
    assert NameConstraints(excluded_names=subtrees).permits(canonical(name)) is not expected
