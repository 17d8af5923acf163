"""A name as a request carries it: the host that it spells, its port, or nothing where it is malformed."""

import pytest

from embargo.core.request import Name, Source

NAMES = {  # case: (text, default port, canonical host or None, port)
    "a name": ("Example.COM", 80, "example.com", 80),
    "its own port wins": ("example.com:8443", 80, "example.com", 8443),
    "an address in brackets": ("[2001:DB8::1]:53", None, "2001:db8::1", 53),
    "no port at all": ("example.com", None, "example.com", None),
    "malformed": ("a..b", 80, None, 80),
    "longer than any name": ("a" * 300, 80, None, 80),
    "empty": ("", 443, None, 443),
}


@pytest.mark.parametrize(("text", "given", "host", "port"), NAMES.values(), ids=NAMES)
def test_parse(text: str, given: int | None, host: str | None, port: int | None) -> None:
    name = Name.parse(Source.HOST, text, given)
    assert (name.source, name.text, name.host and name.host.text, name.port) == (Source.HOST, text, host, port)
