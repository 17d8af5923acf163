"""Counts by key stay exact until there are too many keys, and their sum stays right for ever."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from embargo.review.tally import BLOCK, LOG, MOST_KEYS, PASS, WOULD, Clients, Tally, judged_in, no_counts

PLACES = st.sampled_from((BLOCK, LOG, PASS))


@given(st.lists(st.tuples(st.integers(0, 40).map(str), PLACES, st.integers(1, 5)), max_size=300), st.integers(2, 60))
def test_the_sum_is_right_and_the_keys_bounded(added: list[tuple[str, int, int]], most: int) -> None:
    """Whatever is put together: no count is lost or made up, and no key has more than it had."""
    tally, expected, by_key = Tally(most), no_counts(), Counter[str]()
    for key, place, count in added:
        tally[key][place] += count
        expected[place] += count
        by_key[key] += count
        assert len(tally.counts) <= most
    found = [sum(column) for column in zip(tally.others, *tally.counts.values(), strict=True)]
    assert found == expected
    assert all(judged_in(counts) <= by_key[key] for key, counts in tally.counts.items())
    if len(by_key) <= most:
        assert not tally.put_together and {key: judged_in(counts) for key, counts in tally.counts.items()} == by_key


def test_what_is_blocked_is_put_together_last() -> None:
    tally = Tally(100)
    tally["blocked.test"][BLOCK] += 1
    for number in range(1000):
        tally[f"passing{number % 500}.test"][PASS] += 9
    assert tally.ranked()[0] == ("blocked.test", [1, 0, 0, 0, 0])
    assert tally.put_together


def test_rank() -> None:
    tally = Tally()
    for key, place, count in (("p", PASS, 9), ("l", LOG, 5), ("b", BLOCK, 1), ("a", BLOCK, 1), ("w", WOULD, 1)):
        tally[key][place] += count
    assert [key for key, _ in tally.ranked()] == ["a", "b", "w", "l", "p"]


def test_clients_are_exact_and_then_estimated() -> None:
    clients = Clients()
    assert clients.number is None
    for number in range(900):
        clients.add(str(number % 450))
    assert clients.number == 450
    for number in range(20_000):
        clients.add(str(number))
    assert clients.number is not None and abs(clients.number - 20_000) < 4000  # three standard errors


def test_clients_that_a_source_only_counts() -> None:
    clients = Clients()
    clients.at_least(12)
    clients.at_least(7)
    clients.add("10.0.0.1")
    assert clients.number == 12


def test_the_bound_is_the_one_that_the_manual_names() -> None:
    assert MOST_KEYS == 20_000
