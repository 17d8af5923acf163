import errno
import socket

import pytest

from embargo.enforce.process.port import join, reserve


def listener(port: int, *, shares: bool) -> socket.socket:
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shares:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        opened.bind(("127.0.0.1", port))
    except OSError:
        opened.close()
        raise
    opened.listen()
    return opened


def is_refused(port: int, *, shares: bool) -> bool:
    try:
        listener(port, shares=shares).close()
    except OSError as refused:
        return refused.errno == errno.EADDRINUSE
    return False


def test_who_is_admitted_to_a_reserved_port() -> None:
    (held,) = reserve("127.0.0.1", 0)
    port = held.getsockname()[1]
    with held:
        assert is_refused(port, shares=False), "a stranger"
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: address already in use"):
            reserve("127.0.0.1", port)  # another supervisor
        with listener(port, shares=True), listener(port, shares=True), join(("127.0.0.1", port)):
            assert is_refused(port, shares=False)
            with pytest.raises(OSError, match="address already in use"):
                reserve("127.0.0.1", port)
        assert is_refused(port, shares=False), "also once no worker listens"


def test_those_that_hold_a_port_get_no_connection() -> None:
    """It would wait there for ever: the kernel gives all of them to those that listen."""
    (held,) = reserve("127.0.0.1", 0)
    address = held.getsockname()
    with held, join(address):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        with listener(address[1], shares=True) as worker:
            for _ in range(20):
                socket.create_connection(address, timeout=5).close()
                worker.accept()[0].close()


def test_a_port_in_use_by_those_that_share_is_refused() -> None:
    with listener(0, shares=True) as others, pytest.raises(OSError, match="address already in use"):
        reserve("127.0.0.1", others.getsockname()[1])


def test_a_port_with_connections_of_the_past_is_free() -> None:
    with listener(0, shares=True) as worker:
        address = worker.getsockname()
        client = socket.create_connection(address, timeout=5)
        worker.accept()[0].close()  # ours first, so that TIME_WAIT is here
        client.close()
    for held in reserve(*address):
        held.close()


def test_every_address_of_a_host_has_the_same_port() -> None:
    held = reserve("", 0)
    try:
        assert len({bound.getsockname()[1] for bound in held}) == 1
        assert {bound.family for bound in held} >= {socket.AF_INET}
    finally:
        for bound in held:
            bound.close()


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_a_host_that_is_not_here(host: str) -> None:
    with pytest.raises(OSError):
        reserve(host, 0)
