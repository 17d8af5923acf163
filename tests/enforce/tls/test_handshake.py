"""The handshake of TLS that stays closed: a second ClientHello is found, and nothing is held for long."""

import pytest

from clienthello import client_hello, in_records_of
from embargo.enforce.streams.passage import Passage
from embargo.enforce.tls.handshake import Handshake

FIRST, SECOND = client_hello("first.test"), client_hello("second.test")
CHANGE = b"\x14\x03\x03\x00\x01\x01"
EARLY = b"\x17\x03\x03\x00\x03abc"
KEYS = b"\x16\x03\x03\x00\x04\x10\0\0\0"
FOUND = ("second.test",)
UNREADABLE = "a second ClientHello that cannot be read"
RETRY = b"\x16\x03\x03\x00\x80\x02\0\0\x7c\x03\x03" + bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)
HELLO = RETRY[:11] + bytes(32)

MESSAGES: dict[str, tuple[list[bytes], list[Passage]]] = {  # case: (the client's messages, what becomes of each)
    "none": ([FIRST, CHANGE + EARLY], [Passage(FIRST), Passage(CHANGE + EARLY)]),
    "a second": ([FIRST, SECOND], [Passage(FIRST), Passage(SECOND, snis=FOUND)]),
    "at once": ([FIRST + SECOND], [Passage(FIRST + SECOND, snis=FOUND)]),
    "behind early data": (
        [FIRST + EARLY[:6], EARLY[6:] + CHANGE + SECOND],
        [Passage(FIRST + EARLY[:6]), Passage(EARLY[6:] + CHANGE + SECOND, snis=FOUND)],
    ),
    "in pieces": (
        [FIRST + SECOND[:3], SECOND[3:50], SECOND[50:]],
        [Passage(FIRST), Passage(b""), Passage(SECOND, snis=FOUND)],
    ),
    "both in records of one byte": (
        [in_records_of(1, FIRST), in_records_of(1, SECOND)],
        [Passage(in_records_of(1, FIRST)), Passage(in_records_of(1, SECOND), snis=FOUND)],
    ),
    "keys end the search": ([FIRST + KEYS, SECOND], [Passage(FIRST + KEYS), Passage(SECOND)]),
    "so does anything else": ([FIRST, b"hello", SECOND], [Passage(FIRST), Passage(b"hello"), Passage(SECOND)]),
    "more in the first one's record": (
        [FIRST[:3] + (len(FIRST) - 1).to_bytes(2) + FIRST[5:] + b"junk"],
        [Passage(FIRST[:3] + (len(FIRST) - 1).to_bytes(2) + FIRST[5:] + b"junk", refuse=UNREADABLE)],
    ),
    "one that cannot be read": (
        [FIRST, SECOND[:43] + b"\xff" * (len(SECOND) - 43)],
        [Passage(FIRST), Passage(SECOND[:43] + b"\xff" * (len(SECOND) - 43), refuse=UNREADABLE)],
    ),
}


@pytest.mark.parametrize(("messages", "passages"), MESSAGES.values(), ids=MESSAGES)
def test_messages(messages: list[bytes], passages: list[Passage]) -> None:
    handshake = Handshake()
    assert [handshake.feed(message) for message in messages] == passages


ANSWERS: dict[str, tuple[list[bytes], bool]] = {  # case: (the server's messages, whether the search is over)
    "a ServerHello": ([HELLO], True),
    "a ServerHello in pieces": ([HELLO[:1], HELLO[1:20], HELLO[20:]], True),
    "a part of it": ([HELLO[:42]], False),
    "a HelloRetryRequest": ([RETRY], False),
    "a HelloRetryRequest in pieces, and more": ([RETRY[:7], RETRY[7:], HELLO], False),
    "an alert": ([b"\x15\x03\x03\x00\x02\x02\x28"], True),
}


@pytest.mark.parametrize(("messages", "over"), ANSWERS.values(), ids=ANSWERS)
def test_answers(messages: list[bytes], over: bool) -> None:
    handshake = Handshake()
    assert handshake.feed(FIRST) == Passage(FIRST)
    for message in messages:
        handshake.answered(message)
    assert handshake.over is over
    assert handshake.feed(SECOND) == Passage(SECOND, snis=None if over else FOUND)
