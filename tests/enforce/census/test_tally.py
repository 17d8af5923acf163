from ipaddress import ip_address
from itertools import count

import pytest

from embargo.core.address import Address
from embargo.enforce.census.tally import Tally


def counted(tally: Tally, host: str, times: int = 1, client: int | None = None) -> None:
    """*client* None: a new one each time."""
    for _ in range(times):
        mark = next(_marks) if client is None else client
        found = tally.hosts.get(host) or tally.new(tally.hosts, host, mark)
        if found is not None:
            found.requests += 1
            found.add(mark)


_marks = count(256)


CLIENTS = {  # case: (one, another, whether they are one client)
    "two IPv4 addresses": ("192.0.2.1", "192.0.2.2", False),
    "one IPv4 address": ("192.0.2.1", "192.0.2.1", True),
    "two addresses of one /64": ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
    "two sites": ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
    "unknown ones": (None, None, True),
    "an unknown one and a known": (None, "192.0.2.1", False),
}


@pytest.mark.parametrize(("one", "another", "same"), CLIENTS.values(), ids=CLIENTS)
def test_who_is_one_client(one: str | None, another: str | None, same: bool) -> None:
    def client(text: str | None) -> Address | None:
        return ip_address(text) if text is not None else None

    agree = {(tally := Tally()).mark(client(one)) == tally.mark(client(another)) for _ in range(5)}
    assert agree == {True} if same else False in agree, "two hashes may meet, but not under each key"


def test_marks_of_two_tallies_have_nothing_in_common() -> None:
    client = ip_address("192.0.2.1")
    assert len({Tally().mark(client) for _ in range(10)}) > 1


def test_more_clients_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embargo.enforce.census.tally._MOST_MARKS", 2)
    tally = Tally()
    clients = [ip_address(f"192.0.2.{number}") for number in range(10)]
    assert [tally.mark(client) for client in clients] == [tally.mark(client) for client in clients]


def test_random_names_of_one_domain_crowd_nobody_out() -> None:
    tally = Tally(most=100)
    for number in range(1000):
        counted(tally, f"{number:x}.random.example.com")
    counted(tally, "www.innocent.example.org", 3)
    assert len(tally) <= 53
    assert tally.hosts["*.example.com"].requests == 950
    assert tally.hosts["*.example.org"].requests == 3
    assert tally.others == 0


def test_what_was_known_before_is_counted_as_before() -> None:
    tally = Tally(most=10)
    counted(tally, "www.example.org")
    for number in range(20):
        counted(tally, f"{number}.example.com")
    counted(tally, "www.example.org")
    assert tally.hosts["www.example.org"].requests == 2


def test_beyond_the_bound_are_others() -> None:
    tally = Tally(most=10)
    for number in range(100):
        counted(tally, f"www.domain{number}.com")
    for number in range(5):
        counted(tally, f"10.0.0.{number}")
    assert len(tally) == 10
    assert tally.others == 95
    assert sum(found.requests for found in tally.hosts.values()) + tally.others == 105


def test_one_client_crowds_nobody_out() -> None:
    """Whatever it asks for: it takes a quarter of the room, and half of that before its names are counted together."""
    tally = Tally(most=1000)
    for number in range(5000):
        counted(tally, f"{number:x}.random.example.com", client=300)
        counted(tally, f"www.domain{number}.com", client=300)
    for number in range(30):
        counted(tally, f"10.0.0.{number}", client=300)
    assert len(tally) == 250
    assert sum(name.startswith("*.") for name in tally.hosts) == 125
    for number in range(250):
        counted(tally, f"www.innocent{number}.org", 6)
    assert tally.hosts["www.innocent249.org"].at_least > 1
    assert sum(found.requests for found in tally.hosts.values()) + tally.others == 10_030 + 1500
