"""RELP's frames, however the network cuts them; the sessions are held by test_rsyslog.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.sink import Sink
from embargo.sinks.message import Composer
from embargo.sinks.receiver import Unreachable
from embargo.sinks.relp import Answer, Frames, Relp
from sinks.spooled import NOW, lines, sink

STREAM = b"1 rsp 35 200 OK\nrelp_version=0\ncommands=sysl\n2 rsp 6 200 OK\n3 rsp 9 500 error\n0 serverclose 0\n"
ANSWERS = [
    Answer(1, "rsp", b"200 OK\nrelp_version=0\ncommands=sysl"),
    Answer(2, "rsp", b"200 OK"),
    Answer(3, "rsp", b"500 error"),
    Answer(0, "serverclose", b""),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8).map(sorted))
def test_frames_however_they_are_cut(cuts: list[int]) -> None:
    frames, found = Frames(), []
    for begin, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
        frames.feed(STREAM[begin:end])
        while (answer := frames.next()) is not None:
            found.append(answer)
    assert found == ANSWERS


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad",
        b"1 rsp 99999999999 ",
        b"1 rsp 6 200 OKxx",
        b"1 rsp 5\n",
        b"\x00",
        b"1 rsp 999999999 x",
    ],
)
def test_what_is_no_frame(data: bytes) -> None:
    frames = Frames()
    frames.feed(data)
    with pytest.raises(Unreachable, match="does not speak RELP"):
        frames.next()


class Peer:
    """A server in memory: answers each frame as *codes* say, then closes."""

    def __init__(self, codes: list[bytes]) -> None:
        self.codes, self.sent, self.closed = codes, b"", False

    def send(self, data: bytes) -> None:
        self.sent += data

    def receive(self) -> bytes:
        if not self.codes:
            raise Unreachable("the receiver closed the connection")
        return self.codes.pop(0)

    def ended(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def relp(codes: list[bytes]) -> tuple[Relp, Peer, list[Sink]]:
    peer, opened = Peer(codes), []

    def connect(to: Sink) -> Peer:
        opened.append(to)
        return peer

    return Relp(sink("relp://siem.example.com"), connect), peer, opened  # type: ignore[arg-type]


def test_what_is_answered_with_an_error_is_sent_again() -> None:
    made, _, _ = relp([b"1 rsp 6 200 OK\n", b"2 rsp 6 200 OK\n3 rsp 7 500 nay\n4 rsp 6 200 OK\n"])
    delivery = made.deliver(Composer(sink("relp://a"), NOW).messages(lines(1, 3)))
    assert (delivery.again, delivery.why) == ((1,), "the receiver answers 500 nay")


def test_what_was_answered_before_the_end_is_done() -> None:
    answers = b"".join(b"%d rsp 6 200 OK\n" % number for number in range(2, 130))
    made, peer, _ = relp([b"1 rsp 6 200 OK\n", answers])
    delivery = made.deliver(Composer(sink("relp://a"), NOW).messages(lines(1, 200)))
    assert delivery.again == tuple(range(128, 200))
    assert peer.closed


def test_nothing_is_known_where_the_first_window_breaks() -> None:
    made, peer, opened = relp([b"1 rsp 6 200 OK\n", b"2 rsp 6 200 OK\n0 serverclose 0\n"])
    with pytest.raises(Unreachable, match="closed the session"):
        made.deliver(Composer(sink("relp://a"), NOW).messages(lines(1, 3)))
    assert peer.closed
    assert len(opened) == 1
