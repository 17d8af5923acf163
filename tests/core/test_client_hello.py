"""A ClientHello is put together from records, however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clienthello import client_hello as written
from clienthello import in_records_of
from embargo.core.client_hello import LONGEST, client_hello
from embargo.core.server_names import server_names

HELLO = written("www.alipay.com")


def test_whole() -> None:
    found = client_hello(HELLO + b"\x14\x03\x03\0\1\1")
    assert found is not None
    assert (server_names(found.message), found.end) == (("www.alipay.com",), len(HELLO))


@given(st.integers(0, len(HELLO) - 1), st.sampled_from((HELLO, in_records_of(7, HELLO), in_records_of(100, HELLO))))
def test_it_waits_until_it_is_whole(cut: int, data: bytes) -> None:
    """Cut anywhere, in one record or many, it is never taken for anything else, nor for whole."""
    assert client_hello(data[: cut % len(data)]) is None
    found = client_hello(data)
    assert found is not None and server_names(found.message) == ("www.alipay.com",)


OTHER = {
    "another record": b"\x17" + HELLO[1:],
    "another message": HELLO[:5] + b"\x02" + HELLO[6:],
    "no TLS": b"\x16\x02" + HELLO[2:],
    "a record without content": b"\x16\x03\x01\0\0" + HELLO,
    "one without end": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(LONGEST),
}


@pytest.mark.parametrize("data", OTHER.values(), ids=OTHER)
def test_no_hello(data: bytes) -> None:
    with pytest.raises(ValueError):
        client_hello(data)
