"""The seal of a line: what it covers, how it is made, and how it is read back (DESIGN 7). Pure.

A line is `{…,"embargo":{…}}` and a line feed; sealed it ends `,"seal":"<64 hex>"}}` and a line feed. The seal is the
SHA-256 of the seal before it (64 ASCII hex digits; 64 zeros where a chain begins) and of the raw bytes of the line
before `,"seal":"`. So each byte of a line is either hashed, or fixed, or the hash: none can be changed unseen, and
which line stands before which is hashed too. Nothing is parsed, and the two measured 1.9 µs a line.
"""

import re
from collections.abc import Iterable
from hashlib import sha256

from embargo.journal.files import live_name

START = b"0" * 64  # stands for the seal before the first
MARK = b'"action":"seal-checkpoint"'  # stands raw in a checkpoint and, since quotes are escaped, in no text of another
_MEMBER = b',"seal":"'
_END = b'"}}\n'
_OPEN = b"}}\n"  # how a line ends that is not sealed yet
_SEALED_END = len(_MEMBER) + 64 + len(_END)
_HEX = re.compile(rb"[0-9a-f]{64}")


def seal_after(previous: bytes, content: bytes) -> bytes:
    """The seal, 64 hex digits, of a line whose bytes before the seal are *content*, behind the seal *previous*."""
    return sha256(previous + content).hexdigest().encode()


def sealed(lines: Iterable[bytes], previous: bytes) -> list[bytes]:
    """*lines* as they come from the encoder, each sealed behind the one before it, the first behind *previous*."""
    done: list[bytes] = []
    for line in lines:
        assert line.endswith(_OPEN), "the last member of a line is `embargo`"
        content = line[:-3]
        previous = sha256(previous + content).hexdigest().encode()
        done.append(b"%b%b%b%b" % (content, _MEMBER, previous, _END))
    return done


def seal_of(line: bytes) -> bytes | None:
    """The seal that *line* (with its line feed) claims, 64 hex digits; None where it is not sealed."""
    if line[-4:] != _END or line[-_SEALED_END : 9 - _SEALED_END] != _MEMBER:
        return None
    claimed = line[-68:-4]
    return claimed if _HEX.fullmatch(claimed) else None


def content_of(line: bytes) -> bytes:
    """What the seal of the sealed *line* (with its line feed) covers of it."""
    return line[:-_SEALED_END]


def chain_name(stem: str, number: int) -> str:
    """The name of a chain, as checkpoints have it: that of its live file, without what it ends in."""
    return live_name(stem, number).removesuffix(".jsonl")
