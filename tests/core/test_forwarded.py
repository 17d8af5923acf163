"""Whom the headers of a front proxy name."""

from ipaddress import ip_address, ip_network

import pytest

from embargo.core.address import Address
from embargo.core.forwarded import LONGEST_USER, client_named, user_named

USERS = {  # case: (values, user)
    "a name": (["alice"], "alice"),
    "a Kerberos principal": (["alice@EXAMPLE.COM"], "alice@EXAMPLE.COM"),
    "not ASCII": (["zoë"], "zoë"),
    "blanks around": (["  alice "], "alice"),
    "no header": ([], None),
    "an empty one": ([""], None),
    "Squid's sign for nobody": (["-"], None),
    "the same twice": (["alice", "alice"], "alice"),
    "two that differ": (["alice", "bob"], None),
    "nobody, and one of the client's own": (["-", "bob"], None),
    "the longest": (["a" * LONGEST_USER], "a" * LONGEST_USER),
    "endless": (["a" * (LONGEST_USER + 1)], None),
    "a control character": (["ali\x07ce"], None),
    "a folded line": (["ali\r\n ce"], None),
    "bytes that are no UTF-8": (["ali\ufffd"], None),
}


@pytest.mark.parametrize(("values", "user"), USERS.values(), ids=USERS)
def test_user(values: list[str], user: str | None) -> None:
    assert user_named(values) == user


OURS = ip_network("10.0.9.0/24")

CLIENTS = {  # case: (values, client)
    "one": (["192.0.2.7"], "192.0.2.7"),
    "IPv6": (["2001:db8::7"], "2001:db8::7"),
    "IPv4-mapped": (["::ffff:192.0.2.7"], "192.0.2.7"),
    "with a port": (["192.0.2.7:51000"], "192.0.2.7"),
    "in brackets": (["[2001:db8::7]"], "2001:db8::7"),
    "in brackets, with a port": (["[2001:db8::7]:51000"], "2001:db8::7"),
    "what the client sent itself stands before": (["203.0.113.1, 192.0.2.7"], "192.0.2.7"),
    "two header lines": (["203.0.113.1", "192.0.2.7"], "192.0.2.7"),
    "named proxies behind it": (["192.0.2.7, 10.0.9.1,10.0.9.2"], "192.0.2.7"),
    "all are named": (["10.0.9.1, 10.0.9.2"], "10.0.9.1"),
    "no header": ([], None),
    "empty": ([""], None),
    "unknown": (["unknown"], None),
    "an empty end": (["192.0.2.7, "], None),
    "no address at the end": (["192.0.2.7, evil"], None),
    "no address behind a named proxy": (["evil, 10.0.9.1"], None),
    "a long list": ([", ".join(["203.0.113.1"] * 10_000 + ["192.0.2.7"])], "192.0.2.7"),
}


@pytest.mark.parametrize(("values", "client"), CLIENTS.values(), ids=CLIENTS)
def test_client(values: list[str], client: str | None) -> None:
    def believed(address: Address) -> bool:
        return address in OURS

    assert client_named(values, believed) == (ip_address(client) if client else None)
