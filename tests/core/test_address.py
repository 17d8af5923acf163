"""Every spelling of a literal address that a resolver or a socket accepts is one value."""

from ipaddress import ip_address

import pytest

from embargo.core.address import is_loopback, parse_address, parse_ipv4, parse_ipv6, plain

IPV4 = {  # case: (text, address or None)
    "four decimal parts": ("203.0.113.9", "203.0.113.9"),
    "three parts: the last fills 16 bits": ("203.0.29", "203.0.0.29"),
    "three parts, full": ("203.0.28937", "203.0.113.9"),
    "two parts: the last fills 24 bits": ("203.28937", "203.0.113.9"),
    "one part": ("3405803785", "203.0.113.9"),
    "one part, hexadecimal": ("0xcb007109", "203.0.113.9"),
    "two parts, hexadecimal": ("0xcb.0x7109", "203.0.113.9"),
    "three parts, hexadecimal": ("0xcb.0x0.0x7109", "203.0.113.9"),
    "four parts, hexadecimal": ("0xcb.0x00.0x71.0x09", "203.0.113.9"),
    "one part, octal": ("031300070411", "203.0.113.9"),
    "two parts, octal": ("0313.070411", "203.0.113.9"),
    "three parts, octal": ("0313.00.070411", "203.0.113.9"),
    "four parts, octal": ("0313.0.0161.011", "203.0.113.9"),
    "parts of all three bases": ("0xcb.0.0161.9", "203.0.113.9"),
    "leading zeros make it octal": ("010.0.0.1", "8.0.0.1"),
    "many leading zeros": ("0000000000313.0.0161.011", "203.0.113.9"),
    "hexadecimal with leading zeros": ("0x000000cb007109", "203.0.113.9"),
    "a bare 0x is zero": ("127.0.0x.1", "127.0.0.1"),
    "zero": ("0", "0.0.0.0"),
    "the last address": ("4294967295", "255.255.255.255"),
    "shortened loopback": ("127.1", "127.0.0.1"),
    "one beyond the last address": ("4294967296", None),
    "a part of 256": ("256.0.0.1", None),
    "a last part of 256": ("203.0.113.256", None),
    "two parts, the last too large": ("203.16777216", None),
    "five parts": ("203.0.113.9.1", None),
    "an empty part": ("203..113.9", None),
    "a digit that is not octal": ("08.0.0.1", None),
    "a letter that is not hexadecimal": ("0xcg.0.0.1", None),
    "something behind it": ("203.0.113.9 x", None),
    "a blank behind it": ("203.0.113.9 ", None),
    "a sign": ("+203.0.113.9", None),
    "an underscore, which int() takes": ("2_03.0.113.9", None),
    "digits of another script, which int() takes": ("٢٠٣.0.113.9", None),
    "a megabyte of zeros": ("0" * 1_000_000 + "1", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("text", "expected"), IPV4.values(), ids=IPV4)
def test_ipv4(text: str, expected: str | None) -> None:
    found = parse_ipv4(text)
    assert (None if found is None else str(found)) == expected


IPV6 = {  # case: (text, address or None)
    "RFC 5952": ("2001:db8::1", "2001:db8::1"),
    "written out": ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
    "capitals": ("2001:DB8::A", "2001:db8::a"),
    "another place for the gap": ("2001:db8:0:0::1", "2001:db8::1"),
    "IPv4-mapped, dotted": ("::ffff:203.0.113.9", "203.0.113.9"),
    "IPv4-mapped, hexadecimal": ("::ffff:cb00:7109", "203.0.113.9"),
    "IPv4-mapped, written out": ("0:0:0:0:0:ffff:cb00:7109", "203.0.113.9"),
    "IPv4-compatible is its own address": ("::203.0.113.9", "::cb00:7109"),
    "a zone": ("fe80::1%eth0", "fe80::1"),
    "unspecified": ("::", "::"),
    "two gaps": ("2001::db8::1", None),
    "a group of five digits": ("2001:0db80::1", None),
    "nine groups": ("1:2:3:4:5:6:7:8:9", None),
    "a name": ("alipay.com", None),
}


@pytest.mark.parametrize(("text", "expected"), IPV6.values(), ids=IPV6)
def test_ipv6(text: str, expected: str | None) -> None:
    found = parse_ipv6(text)
    assert (None if found is None else str(found)) == expected


NAMES = {
    "a name": "alipay.com",
    "a name whose first label is a number": "163.com",
    "a name that ends in letters behind digits": "203.0.113.9.example",
    "nothing": "",
    "a last label of letters that are hexadecimal digits": "1.2.3.abc",
    "a last label that is empty": "203.0.113.9.",
}


@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES)
def test_a_name_is_no_address(text: str) -> None:
    assert parse_address(text) is None


PLAIN = {
    "IPv4": ("203.0.113.9", "203.0.113.9"),
    "IPv4-mapped, the peer of a dual-stack listener": ("::ffff:203.0.113.9", "203.0.113.9"),
    "IPv6": ("2001:db8::1", "2001:db8::1"),
}


@pytest.mark.parametrize(("given", "expected"), PLAIN.values(), ids=PLAIN)
def test_plain(given: str, expected: str) -> None:
    assert plain(ip_address(given)) == ip_address(expected)


LOOPBACK = {  # case: (host, whether it is this machine to itself)
    "IPv4": ("127.0.0.1", True),
    "the rest of 127/8": ("127.9.9.9", True),
    "IPv6": ("::1", True),
    "mapped": ("::ffff:127.0.0.1", True),
    "the name": ("LocalHost", True),
    "a name that looks alike": ("localhost.example.com", False),
    "no address at all": ("0.0.0.0", False),
    "another": ("10.0.0.1", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("host", "expected"), LOOPBACK.values(), ids=LOOPBACK)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
