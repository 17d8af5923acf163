"""A list of URLs: what is a request, what a comment, and what cannot be read."""

import io

import pytest

from embargo.core.seen import Seen, Unread
from embargo.traffic.url_list import read

LINES: dict[str, tuple[str, Seen | str | None]] = {  # case: (line, request, or a part of why there is none)
    "a URL": ("https://www.alipay.com/x?y=1#z", Seen(request="https://www.alipay.com/x?y=1#z")),
    "a host": ("alipay.com", Seen(request="alipay.com")),
    "a host and a port": ("alipay.com:8443", Seen(request="alipay.com:8443")),
    "an address": ("203.0.113.9", Seen(request="203.0.113.9")),
    "IPv6 as people write it": ("2001:db8::1", Seen(request="2001:db8::1")),
    "capitals": ("HTTPS://Alipay.COM/", Seen(request="HTTPS://Alipay.COM/")),
    "Unicode": ("https://支付宝.中国/支付", Seen(request="https://支付宝.中国/支付")),
    "blanks around it": ("  alipay.com \r", Seen(request="alipay.com")),
    "a comment behind it": ("alipay.com  # the main one", Seen(request="alipay.com")),
    "counted by uniq -c": ("     42 alipay.com", Seen(request="alipay.com", count=42)),
    "counted none": ("0 alipay.com", Seen(request="alipay.com", count=1)),
    "a comment": ("# alipay.com", None),
    "a comment at once": ("#alipay.com", None),
    "blank": ("   ", None),
    "words": ("no host here", "is no URL, host or address"),
    "another scheme": ("ftp://alipay.com/", "is no scheme that a proxy is asked for"),
    "no host": ("https:///x", "has no host"),
    "empty labels": ("a..b", "has no host"),
    "control characters": ("ali\x00pay.com", "has no host"),
    "too long for a host": ("a" * 300, "has no host"),
}


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES)
def test_line(line: str, expected: Seen | str | None) -> None:
    found = list(read(io.BytesIO(f"first.test\n{line}\n".encode())))[1:]
    if isinstance(expected, str):
        (unread,) = found
        assert isinstance(unread, Unread)
        assert unread.where == "line 2"
        assert expected in unread.why
    else:
        assert found == ([] if expected is None else [expected])


def test_a_line_without_end() -> None:
    found = list(read(io.BytesIO(b"x" * 500_000 + b"\nalipay.com\n")))
    assert found == [Unread("line 1", "more than 65536 bytes"), Seen(request="alipay.com")]
