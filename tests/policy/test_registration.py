import pytest

from embargo.policy.registration import registered_name

NAMES = {  # case: (host, registered name, registered name without the private division)
    "a name below one label": ("www.example.com", "example.com", "example.com"),
    "the name itself": ("example.com", "example.com", "example.com"),
    "a suffix of two labels": ("a.b.example.co.uk", "example.co.uk", "example.co.uk"),
    "a private suffix": ("x.alice.github.io", "alice.github.io", "github.io"),
    "a name at home": ("nas.alice.synology.me", "alice.synology.me", "synology.me"),
    "a suffix": ("co.uk", None, None),
    "a private suffix itself": ("github.io", None, "github.io"),
    "a single label": ("printer", None, None),
    "a top-level domain that does not exist": ("alices-laptop.local", None, None),
    "a device of a home network (RFC 8375)": ("alices-laptop.home.arpa", None, None),
    "an address in reverse": ("7.2.0.192.in-addr.arpa", None, None),
    "an A-label": ("www.xn--bcher-kva.example.com", "example.com", "example.com"),
    "an IPv4 address": ("192.0.2.1", None, None),
    "an IPv6 address": ("2001:db8::1", None, None),
}


@pytest.mark.parametrize(("host", "name", "icann"), NAMES.values(), ids=NAMES)
def test_registered_name(host: str, name: str | None, icann: str | None) -> None:
    assert registered_name(host) == name
    assert registered_name(host, private=False) == icann
