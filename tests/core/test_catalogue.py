"""Endpoints as values: one made of a list is the endpoint that a policy file would have made."""

import pickle

import pytest

from embargo.core.catalogue import DomainList, Endpoint, ListedEndpoint, Role
from embargo.core.pattern import Kind, Pattern

LIST = DomainList("app", "lists/app.txt", 3, Role.CDN, shared=True)
WHOLE = Endpoint(Pattern(Kind.DOMAIN, "cdn.test"), Role.CDN, True, ("lists/app.txt",))
LISTED = ListedEndpoint("cdn.test", LIST)


def test_a_listed_endpoint_equals_the_whole_one() -> None:
    assert LISTED == WHOLE
    assert hash(LISTED) == hash(WHOLE)
    assert str(LISTED) == str(WHOLE) == "domain:cdn.test"
    assert ListedEndpoint("other.test", LIST) != WHOLE


@pytest.mark.parametrize("member", ["pattern", "role", "shared", "evidence"])
def test_members(member: str) -> None:
    assert getattr(LISTED, member) == getattr(WHOLE, member)


def test_it_survives_a_pickle() -> None:
    assert pickle.loads(pickle.dumps(LISTED)) == LISTED
