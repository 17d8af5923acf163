"""Squid's access.log: lines as Squid 5.7 writes them, and what is none."""

import io
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from embargo.core.seen import Seen, Unread
from embargo.traffic.squid_access import is_line, read

SECOND = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
WHEN = SECOND.replace(microsecond=221_000)
CLIENT = ip_address("10.0.0.7")
NATIVE = "1795521600.221     12 10.0.0.7 {} - HIER_DIRECT/192.0.2.80 text/html"
COMBINED = '10.0.0.7 - - [24/Nov/2026:13:00:00 +0100] "{} HTTP/1.1" 200 604 "-" "Browser/1" TCP_MISS:HIER_DIRECT'
LINES: dict[str, tuple[str, Seen | str]] = {
    "native": (
        NATIVE.format("TCP_MISS/200 604 GET http://a.test/x?"),
        Seen(request="http://a.test/x?", time=WHEN, client=CLIENT, names=("192.0.2.80",)),
    ),
    "native, CONNECT": (
        NATIVE.format("TCP_TUNNEL/200 547 CONNECT a.test:443"),
        Seen(request="a.test:443", time=WHEN, client=CLIENT, names=("192.0.2.80",)),
    ),
    "native, a user": (
        "1795521600.221 0 10.0.0.7 TCP_DENIED/403 3402 GET http://a.test/ al%20ice HIER_NONE/- text/html",
        Seen(request="http://a.test/", time=WHEN, client=CLIENT, user="al ice"),
    ),
    "native, IPv6": (
        "1795521600.221 0 2001:db8::7 TCP_MISS/200 1 GET http://a.test/ - HIER_DIRECT/2001:db8::80 -",
        Seen(
            request="http://a.test/", time=WHEN, client=ip_address("2001:db8::7"), names=("[2001:db8::80]",)
        ),
    ),
    "native, a client's name and a parent's": (
        "1795521600.221 0 pc7.corp.test TCP_MISS/200 1 GET http://a.test/ - FIRSTUP_PARENT/parent.test -",
        Seen(request="http://a.test/", time=WHEN),
    ),
    "native, Unicode in the path": (
        NATIVE.format("TCP_MISS/404 604 GET http://a.test/é"),
        Seen(request="http://a.test/é", time=WHEN, client=CLIENT, names=("192.0.2.80",)),
    ),
    "native, more fields behind": (
        NATIVE.format("TCP_MISS/200 604 GET http://a.test/") + ' "extra" 7',
        Seen(request="http://a.test/", time=WHEN, client=CLIENT, names=("192.0.2.80",)),
    ),
    "combined": (
        COMBINED.format("GET http://a.test/x"),
        Seen(request="http://a.test/x", time=SECOND, client=CLIENT, user_agent="Browser/1"),
    ),
    "combined, CONNECT by a user": (
        COMBINED.format("CONNECT a.test:443").replace("- - [", "- bob ["),
        Seen(request="a.test:443", time=SECOND, client=CLIENT, user="bob", user_agent="Browser/1"),
    ),
    "combined, quotes in the user agent": (
        COMBINED.format("GET http://a.test/").replace("Browser/1", 'My "Agent" \\back'),
        Seen(request="http://a.test/", time=SECOND, client=CLIENT, user_agent='My "Agent" \\back'),
    ),
    "common": (
        '10.0.0.7 - - [24/Nov/2026:12:00:00 +0000] "GET http://a.test/ HTTP/1.1" 200 604 TCP_MISS:HIER_DIRECT',
        Seen(request="http://a.test/", time=SECOND, client=CLIENT),
    ),
    "no request, native": (
        "1795521600.221 0 10.0.0.7 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -",
        "no request: error:transaction-end-before-headers",
    ),
    "no request, combined": (
        '10.0.0.7 - - [24/Nov/2026:12:00:00 +0000] "- error:transaction-end-before-headers NONE/0.0" 0 0 "-" "-" N:H',
        "no request: error:transaction-end-before-headers",
    ),
    "a web server's log": (COMBINED.format("GET /index.html"), "has no host, as in the log of a web server"),
    "ftp": (NATIVE.format("TCP_MISS/200 604 GET ftp://a.test/"), "no scheme that a proxy is asked for"),
    "a day that is none": (COMBINED.format("GET http://a.test/").replace("24/Nov", "34/Nov"), "is no time"),
    "a month that is none": (COMBINED.format("GET http://a.test/").replace("Nov", "Nuv"), "is no time"),
    "a time beyond all": ("9" * 12 + " 0 10.0.0.7 TCP_MISS/200 1 GET http://a.test/ - HIER_NONE/- -", "is no time"),
    "rubbish": ("rubbish", "no line of access.log"),
    "cut": ("1795521600.221     12 10.0.0.7 TCP_MISS/200 60", "no line of access.log"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES)
def test_line(line: str, expected: Seen | str) -> None:
    (found,) = read(io.BytesIO(f"\n# a comment\n{line}\r\n".encode()))
    if isinstance(expected, str):
        assert isinstance(found, Unread)
        assert found.where == "line 3"
        assert expected in found.why
    else:
        assert found == expected
        assert is_line(line)


def test_a_line_made_to_take_long() -> None:
    line = COMBINED.format("GET http://a.test/").replace("Browser/1", '" "' * 20_000)
    (found,) = read(io.BytesIO(line.encode() + b"\n"))
    assert isinstance(found, Seen)


def test_a_line_is_told_from_others() -> None:
    assert not is_line("https://www.alipay.com/")
    assert not is_line("alipay.com")
