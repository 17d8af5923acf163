"""A policy's text as one stream of bytes: what its digest is of, and what `policies/DIGEST` holds.

For each file a line `embargo-policy-file NAME LENGTH`, then its bytes, then a line break where they end
without one. NAME is relative to the directory of the last policy file, as JSON; LENGTH counts bytes. So the
same files under another directory have the same digest, and `sha256sum` of the stored text is its name.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from embargo.policy.reading import Source


def bundle(sources: Iterable[Source], base: Path) -> Iterator[bytes]:
    """The text of *sources*, in pieces; *base* is the directory that names are relative to."""
    for source in sources:
        name = json.dumps(os.path.relpath(source.path, base))
        yield f"embargo-policy-file {name} {len(source.data)}\n".encode()
        yield source.data
        if not source.data.endswith(b"\n"):
            yield b"\n"


def digest(pieces: Iterable[bytes]) -> str:
    """SHA-256 of *pieces*, hex."""
    hashed = hashlib.sha256()
    for piece in pieces:
        hashed.update(piece)
    return hashed.hexdigest()


_HEAD = re.compile(rb'embargo-policy-file ("(?:[^"\\]|\\.)*") ([0-9]{1,12})\n')


class BrokenBundle(ValueError):
    """Bytes that `bundle` did not make."""


def unbundle(data: bytes) -> list[tuple[str, bytes]]:
    """Each file in *data*, as `bundle` made it: its name, relative to the policy's directory, and its bytes.

    Raises BrokenBundle.
    """
    files: list[tuple[str, bytes]] = []
    at = 0
    while at < len(data):
        head = _HEAD.match(data, at)
        if head is None:
            raise BrokenBundle(f"no file begins at byte {at}")
        start, length = head.end(), int(head[2])
        text = data[start : start + length]
        if len(text) < length:
            raise BrokenBundle(f"the file that begins at byte {at} is cut")
        files.append((json.loads(head[1]), text))
        at = start + length + (not text.endswith(b"\n"))
    return files
