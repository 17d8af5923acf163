from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.journal.record import Encoder
from embargo.journal.seal.chain import START, chain_name, content_of, seal_after, seal_of, sealed
from recorded import EVENTS, OBSERVER

LINES = [Encoder(OBSERVER).line(event, sequence=number) for number, event in enumerate(EVENTS.values(), 1)]


def test_a_seal_is_the_hash_of_the_seal_before_and_of_the_bytes_before_it() -> None:
    first, second = sealed([b'{"embargo":{"a":1}}\n', b'{"embargo":{"b":2}}\n'], START)
    one = sha256(b"0" * 64 + b'{"embargo":{"a":1').hexdigest()
    two = sha256(one.encode() + b'{"embargo":{"b":2').hexdigest()
    assert first == b'{"embargo":{"a":1,"seal":"%b"}}\n' % one.encode()
    assert second == b'{"embargo":{"b":2,"seal":"%b"}}\n' % two.encode()


def test_every_kind_of_record_can_be_sealed_and_read_back() -> None:
    done = sealed(LINES, START)
    previous = START
    for line, bare in zip(done, LINES, strict=True):
        assert content_of(line) + b"}}\n" == bare
        assert seal_of(line) == seal_after(previous, content_of(line))
        previous = seal_of(line) or b""


UNSEALED = {  # case: line
    "not sealed": LINES[0],
    "no line feed": sealed(LINES[:1], START)[0][:-1],
    "upper case": sealed(LINES[:1], START)[0].replace(b'"seal":"', b'"seal":"A')[:-6] + b'"}}\n',
    "too short a seal": b'{"embargo":{"a":1,"seal":"abc"}}\n',
    "another member": b'{"embargo":{"a":1,"soul":"%b"}}\n' % (b"0" * 64),
    "empty": b"\n",
}


@pytest.mark.parametrize("line", UNSEALED.values(), ids=UNSEALED)
def test_what_is_not_sealed(line: bytes) -> None:
    assert seal_of(line) is None


@given(st.data())
def test_any_byte_changed_changes_the_seal_that_is_due_or_the_one_claimed(data: st.DataObject) -> None:
    """Law: of a sealed line no byte can be another and the claimed seal still be the one that is due."""
    (line,) = sealed([LINES[0]], START)
    place = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[place]))
    changed = line[:place] + bytes([other]) + line[place + 1 :]
    claimed = seal_of(changed)
    assert claimed is None or claimed != seal_after(START, content_of(changed))


def test_chains_are_named_as_their_live_file() -> None:
    assert [chain_name("decisions", 1), chain_name("decisions", 2)] == ["decisions", "decisions.2"]
