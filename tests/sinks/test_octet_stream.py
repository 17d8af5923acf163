"""Frames over TCP: what a receiver had not read when it ended comes again."""

import socket

from embargo.sinks.message import Composer, Message
from embargo.sinks.octet_stream import OctetStream, framed
from recorded import until
from sinks.spooled import NOW, lines, sink


def messages(first: int, last: int) -> list[Message]:
    return Composer(sink("tcp://a"), NOW).messages(lines(first, last))


def unframed(data: bytes) -> list[bytes]:
    found = []
    while data:
        length, _, rest = data.partition(b" ")
        found.append(rest[: int(length)])
        data = rest[int(length) :]
    return found


def received(peer: socket.socket, count: int) -> list[bytes]:
    data = b""
    peer.settimeout(20)
    while data.count(b"[embargo@") < count or len(unframed(data)[-1]) < 100:
        data += peer.recv(1 << 16)
    return unframed(data)


def test_octets_are_counted_not_characters() -> None:
    (message,) = messages(1, 1)
    length, _, rest = framed(message).partition(b" ")
    assert int(length) == len(rest)


def test_what_was_never_read_is_sent_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        now = [0.0]
        stream = OctetStream(sink(f"tcp://127.0.0.1:{server.getsockname()[1]}"), clock=lambda: now[0])
        stream.deliver(messages(1, 2))
        stream.deliver(messages(3, 3))
        peer, _ = server.accept()
        peer.close()  # with all of it unread
        until(lambda: (stream.idle(), stream._connection is None)[1])
        stream.deliver(messages(4, 4))
        peer, _ = server.accept()
        with peer:
            assert received(peer, 4) == [message.text.encode() for message in messages(1, 4)]
        stream.close()


def test_what_was_sent_long_before_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        now = [0.0]
        stream = OctetStream(sink(f"tcp://127.0.0.1:{server.getsockname()[1]}"), clock=lambda: now[0])
        stream.deliver(messages(1, 2))
        now[0] = 61.0
        peer, _ = server.accept()
        peer.close()
        until(lambda: (stream.idle(), stream._connection is None)[1])
        stream.deliver(messages(3, 3))
        peer, _ = server.accept()
        with peer:
            assert received(peer, 1) == [messages(3, 3)[0].text.encode()]
        stream.close()
