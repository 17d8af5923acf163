"""The oracle of the fuzzers finds a name in each reading, and in nothing that only looks like it."""

import pytest

from clienthello import client_hello, in_records_of
from fuzz.exchange import BANNED, SPELLINGS, Spelling
from fuzz.readings import arrived

HELLO = client_hello("www.banned.test")

CASES = {  # case: (bytes, whether some server may read the banned name in them)
    "a Host": (b"GET / HTTP/1.1\r\nHost: banned.test\r\n\r\n", True),
    "a Host with space before the colon": (b"GET / HTTP/1.1\nhost \t: a, x.BANNED.test:80\n\n", True),
    "a Host behind a bare carriage return": (b"GET / HTTP/1.1\r\nX: a\rHost: banned.test\r\n\r\n", True),
    "a folded Host": (b"GET / HTTP/1.1\r\nHost:\r\n banned.test\r\n\r\n", True),
    "a folded line, which is no Host": (b"GET / HTTP/1.1\r\nX: y\r\n Host: banned.test\r\n\r\n", False),
    "an absolute target": (b"GET ftp://u@banned.test:21/ HTTP/1.1\r\nHost: a.test\r\n\r\n", True),
    "a CONNECT": (b"CONNECT banned.test:443 HTTP/1.1\r\n\r\n", True),
    "a ClientHello": (HELLO, True),
    "a ClientHello in records of one byte": (in_records_of(1, HELLO), True),
    "a ClientHello behind other bytes": (b"junk" + HELLO, True),
    "a look-alike on the left": (b"GET / HTTP/1.1\r\nHost: notbanned.test\r\n\r\n", False),
    "a look-alike on the right": (b"GET / HTTP/1.1\r\nHost: banned.test.example.org\r\n\r\n", False),
    "a path": (b"GET /banned.test HTTP/1.1\r\nHost: a.test\r\n\r\n", False),
    "a query": (b"GET /?u=http%3A%2F%2Fbanned.test HTTP/1.1\r\nHost: a.test\r\n\r\n", False),
    "another header": (b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Host: banned.test\r\n\r\n", False),
    "a look-alike ClientHello": (client_hello("banned.test.example.org"), False),
    "text behind two bytes that might be its length": (b"\0\x20" + b"x y banned.test".ljust(32), False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("data", "answer"), CASES.values(), ids=CASES)
def test_arrived(data: bytes, answer: bool) -> None:
    assert arrived(data, BANNED) is answer


@pytest.mark.parametrize("spelling", SPELLINGS, ids=repr)
def test_every_spelling_is_read(spelling: Spelling) -> None:
    assert arrived(b"GET / HTTP/1.1\r\nHost: " + spelling.write(BANNED) + b"\r\n\r\n", BANNED)
