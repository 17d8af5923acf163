"""Every server name of a ClientHello is told, also where mitmproxy tells none."""

import pytest

from clienthello import client_hello, with_server_names
from embargo.enforce.tls.first_bytes import Kind, read

HELLO = client_hello("innocent.test")
NAMES = {  # case: (names in the extension, names told)
    "one": ((b"banned.test",), ("banned.test",)),
    "two, the second banned": ((b"innocent.test", b"banned.test"), ("innocent.test", "banned.test")),
    "a trailing dot": ((b"banned.test.",), ("banned.test.",)),
    "capitals and an underscore": ((b"A_b.Banned.test",), ("A_b.Banned.test",)),
    "full-width letters in UTF-8": (("ａlipay.com".encode(),), ("ａlipay.com",)),
    "a label that ends in a hyphen": ((b"a-.banned.test",), ("a-.banned.test",)),
    "no name in the list": ((), ()),
}


@pytest.mark.parametrize(("sent", "told"), NAMES.values(), ids=NAMES)
def test_names(sent: tuple[bytes, ...], told: tuple[str, ...]) -> None:
    reading = read(with_server_names(HELLO, *sent))
    assert (reading.kind, reading.names) == (Kind.TLS, told)


def test_a_hello_without_the_extension() -> None:
    assert read(client_hello(None)).names == ()


BROKEN = {  # case: what replaces the last bytes of the extension's content
    "a name that does not end": (b"\x00\x0bbanned.test", b"\x00\x3bbanned.test"),
    "a list that is longer than it says": (b"\x00\x0e\x00\x00\x0b", b"\x00\x04\x00\x00\x0b"),
}


@pytest.mark.parametrize(("right", "wrong"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_is_refused(right: bytes, wrong: bytes) -> None:
    hello = with_server_names(HELLO, b"banned.test")
    assert right in hello
    assert read(hello.replace(right, wrong)).kind is Kind.MALFORMED
