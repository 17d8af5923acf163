"""Maps of addresses to users as text: what is read, and where what is wrong stands."""

from ipaddress import ip_address

import pytest

from embargo.policy.identities import MOST_PROBLEMS, parse_identities
from embargo.policy.problem import PolicyError
from sample import instant

NOON = instant("2026-11-24T12:00:00Z")

READ = {  # case: (text, address, user at noon)
    "without times": ("10.1.2.3,alice\n", "10.1.2.3", "alice"),
    "with times": ("10.1.2.3,alice,2026-11-24T08:00:00Z,2026-11-24T18:00:00+02:00\n", "10.1.2.3", "alice"),
    "over": ("10.1.2.3,alice,,2026-11-24T12:00:00Z\n", "10.1.2.3", None),
    "not yet": ("10.1.2.3,alice,2026-11-25\n", "10.1.2.3", None),
    "empty times": ("10.1.2.3,alice,,\n", "10.1.2.3", "alice"),
    "a network": ("10.1.0.0/16,site\n", "10.1.9.9", "site"),
    "IPv6": ("2001:db8::/32,six\n", "2001:db8::1", "six"),
    "IPv4-mapped": ("::ffff:10.1.2.3,alice\n", "10.1.2.3", "alice"),
    "a header": ("address,user,from,until\n10.1.2.3,alice\n", "10.1.2.3", "alice"),
    "a header in another order": ("User, Address\nalice,10.1.2.3\n", "10.1.2.3", "alice"),
    "comments and blank lines": ("# leases\n\n  # of today\n10.1.2.3,alice\n", "10.1.2.3", "alice"),
    "a comment before the header": ("# leases\naddress,user\n10.1.2.3,alice\n", "10.1.2.3", "alice"),
    "blanks around": (" 10.1.2.3 , alice \n", "10.1.2.3", "alice"),
    "quotes": ('"10.1.2.3","Doe, ""Jo"""\n', "10.1.2.3", 'Doe, "Jo"'),
    "lines that end as Windows has it": ("10.1.2.3,alice\r\n10.1.2.4,bob\r\n", "10.1.2.3", "alice"),
    "a byte order mark": ("\ufeff10.1.2.3,alice\n", "10.1.2.3", "alice"),
    "no line's end at the end": ("10.1.2.3,alice", "10.1.2.3", "alice"),
    "not ASCII": ("10.1.2.3,zoë\n", "10.1.2.3", "zoë"),
    "nothing": ("", "10.1.2.3", None),
}


@pytest.mark.parametrize(("text", "address", "user"), READ.values(), ids=READ)
def test_read(text: str, address: str, user: str | None) -> None:
    assert parse_identities(text.encode(), "map.csv").user(ip_address(address), NOON) == user


REFUSED = {  # case: (text, the beginning of what is said)
    "no address": ("ten,alice\n", "map.csv:1:1: not-a-network: found 'ten'"),
    "host bits": ("10.1.2.3/16,alice\n", "map.csv:1:1: not-a-network: found '10.1.2.3/16', expected"),
    "no user": ("10.1.2.3\n", "map.csv:1:9: missing-cell: there is no user"),
    "an empty user": ("10.1.2.3,,2026-11-24\n", "map.csv:1:10: not-a-user: found ''"),
    "a user with a control character": ("10.1.2.3,a\x07b\n", "map.csv:1:10: not-a-user"),
    "no time": ("\n10.1.2.3,alice,noon\n", "map.csv:2:16: not-a-time: found 'noon'"),
    "a time without offset": (
        "10.1.2.3,a,2026-11-24T08:00:00\n",
        "map.csv:1:12: not-a-time: '2026-11-24T08:00:00' has",
    ),
    "an end before the begin": ("10.1.2.3,a,2026-11-24,2026-11-23\n", "map.csv:1:23: ends-before-it-begins"),
    "too many cells": ("10.1.2.3,a,,,x\n", "map.csv:1:14: too-many-cells"),
    "an unknown column": ("address,user,form\n", "map.csv:1:14: unknown-column: found 'form'"),
    "a column twice": ("address,user,user\n", "map.csv:1:14: duplicate-column"),
    "a column that is missing": ("address,from\n", "map.csv:1:1: missing-column: there is no column 'user'"),
    "a header that is not the first line": ("10.1.2.3,a\naddress,user\n", "map.csv:2:1: not-a-network"),
    "a quote without end": ('10.1.2.3,"alice\n', "map.csv:1:10: not-csv: a quote"),
    "text behind a quote": ('10.1.2.3,"a"b,\n', "map.csv:1:13: not-csv: found 'b,'"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_identities(text.encode(), "map.csv")
    assert str(refused.value).startswith(said)


def test_host_bits_have_a_hint() -> None:
    with pytest.raises(PolicyError, match=r"did you mean 10\.1\.0\.0/16\?"):
        parse_identities(b"10.1.2.3/16,alice\n", "map.csv")


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(PolicyError, match=r"map\.csv:2:10: not-utf-8"):
        parse_identities(b"10.1.2.3,a\n10.1.2.4,\xff\n", "map.csv")


def test_all_problems_are_told_up_to_a_bound() -> None:
    with pytest.raises(PolicyError) as two:
        parse_identities(b"ten,alice\n10.1.2.3,a\neleven,bob\n", "map.csv")
    assert [problem.line for problem in two.value.problems] == [1, 3]
    with pytest.raises(PolicyError) as many:
        parse_identities(b"ten,alice\n" * 1000, "map.csv")
    assert len(many.value.problems) == MOST_PROBLEMS + 1
