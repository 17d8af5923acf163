"""What is told of hosts that few clients met: no name of their own, no hour, no number."""

from ipaddress import ip_address
from itertools import count

import pytest

from embargo.core.request import Surface
from embargo.enforce.census.anonymity import Rest, told
from embargo.enforce.census.tally import Tally
from embargo.traffic.census import FEWEST_CLIENTS, HostCount


def tally(*met: tuple[str, int], question: bool = False, first: int = 0) -> Tally:
    """Each host with how many clients met it, once each; none of whose marks meet."""
    while True:
        made = Tally()
        marks = [made.mark(ip_address(0x0A000000 + number)) for number in range(first, first + 20)]
        if len({mark & 0xFF for mark in marks}) == len(marks):
            break
    counts = made.questions if question else made.hosts
    for host, clients in met:
        for mark in marks[:clients]:
            found = counts.get(host) or made.new(counts, host, mark)
            assert found is not None
            found.requests += 1
            found.add(mark)
    return made


ALONE = {  # host that fewer clients met: what is told of it
    "device-7f3a.push.example.com": "example.com",
    "alice.github.io": "github.io",
    "nas.alice.synology.me": "synology.me",
    "alices-laptop.local": None,
    "printer": None,
    "192.0.2.7": None,
    "2001:db8::7": None,
    "co.uk": None,
    "www.example.co.uk": "example.co.uk",
}


@pytest.mark.parametrize(("host", "name"), ALONE.items(), ids=ALONE)
@pytest.mark.parametrize("question", [False, True], ids=["connection", "question"])
def test_a_host_that_few_clients_met(host: str, name: str | None, question: bool) -> None:
    hosts, rest = told(tally((host, FEWEST_CLIENTS - 1), question=question))
    assert hosts == []
    surface = Surface.DNS if question else None
    few = FEWEST_CLIENTS - 1
    if name is None:
        assert (list(rest.counts()), rest.others) == ([], few)
    else:
        assert list(rest.counts()) == [HostCount(host=name, below=True, requests=few, surface=surface)]


@pytest.mark.parametrize("host", ALONE)
def test_a_host_that_enough_clients_met(host: str) -> None:
    hosts, rest = told(tally((host, FEWEST_CLIENTS)))
    assert hosts == [HostCount(host=host, requests=FEWEST_CLIENTS, clients=FEWEST_CLIENTS)]
    assert not rest


def test_clients_of_a_registered_name_are_counted_together_and_each_once() -> None:
    _, rest = told(tally(("a.example.com", 3), ("b.example.com", 4), ("c.example.com", 4)))
    assert list(rest.counts()) == [HostCount(host="example.com", below=True, requests=11)]
    made = tally()
    for number, host in enumerate(f"{number}.example.com" for number in range(8)):
        found = made.new(made.hosts, host, 256 + number)
        assert found is not None
        found.requests += 2
        found.add(256 + number)  # a client each
    _, rest = told(made)
    assert list(rest.counts()) == [HostCount(host="example.com", below=True, requests=16, clients=8)]


def test_a_day_adds_its_hours() -> None:
    one, two = (
        Rest({("a.com", False): 3}, {}, 1),
        Rest({("a.com", False): 4, ("b.com", True): 1}, {("a.com", False): 6}, 2),
    )
    day = one.copy()
    day.add(two)
    day.add(Rest({("a.com", False): 1}, {("a.com", False): 5}))
    assert day == Rest({("a.com", False): 8, ("b.com", True): 1}, {("a.com", False): 6}, 3)
    assert one == Rest({("a.com", False): 3}, {}, 1), "a copy is its own"


def test_a_day_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embargo.enforce.census.anonymity._MOST_NAMES", 10)
    day = Rest()
    for number in range(30):
        day.add(Rest({(f"{number}.com", False): 2}, {(f"{number}.com", False): 9}))
    assert len(day.requests) == len(day.clients) == 10
    assert day.others == 40
    day.add(Rest({("often.com", False): 9, ("rare.com", False): 1}))
    assert len(day.requests) == 10
    assert day.requests["often.com", False] == 9, "what was met most is kept"
    assert sum(day.requests.values()) + day.others == 70
    assert day.clients.keys() <= day.requests.keys()


def test_what_was_counted_under_its_registered_name_stays_so() -> None:
    made, marks = Tally(most=2), count(256)
    for host in ("www.full.com", "a.example.com", "b.example.com"):
        found = made.new(made.hosts, host, next(marks))
        assert found is not None
        found.requests += 1
        for client in range(9):
            found.add(256 + client)
    hosts, rest = told(made)
    assert [count.host for count in hosts] == ["www.full.com"]
    assert list(rest.counts()) == [HostCount(host="example.com", below=True, requests=2, clients=9)]
