"""The texts of policies beside a log: each that a record names has to be there, with the SHA-256 that is its name."""

import re
from collections.abc import Mapping, Sequence
from hashlib import file_digest
from pathlib import Path

from embargo.journal.regular import open_regular
from embargo.journal.seal.finding import Finding, Kind

_DIGEST = re.compile(rb"[0-9a-f]{64}")

type Named = Mapping[bytes, tuple[str, int]]
"""Digests, with file and line of the first record that names each."""


class Policies:
    """The directory `policies` beside a log. A text that was found unchanged is looked at again only when it is not."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, tuple[int, int]] = {}  # digest: size and time of change, where the text is that

    def check(self, chains: Sequence[tuple[str, Named]], *, commands: str) -> tuple[int, list[Finding]]:
        """How many are as they should be, and what is wrong with others.

        In chains of the stem *commands* a policy may be named that no proxy ever took up, and that nobody stored.
        """
        places: dict[str, tuple[str, str, int]] = {}
        for chain, named in sorted(chains, key=lambda each: each[0].startswith(commands)):
            for digest, (file, line) in named.items():
                if _DIGEST.fullmatch(digest):
                    places.setdefault(digest.decode(), (chain, file, line))
        good, found = 0, []
        for name, (chain, file, line) in places.items():
            kind = self._wrong(name)
            if kind is None:
                good += 1
                continue
            if kind is Kind.POLICY_MISSING and chain.startswith(commands):
                kind = Kind.POLICY_UNKNOWN
            found.append(Finding(kind=kind, message=_said(kind, name), chain=chain, file=file, line=line))
        return good, found

    def _wrong(self, digest: str) -> Kind | None:
        path = self._directory / digest
        try:
            with open_regular(path) as text:
                status = path.stat()
                stamp = (status.st_size, status.st_mtime_ns)
                if self._known.get(digest) == stamp:
                    return None
                if file_digest(text, "sha256").hexdigest() != digest:
                    return Kind.POLICY_CHANGED
        except OSError:
            return Kind.POLICY_MISSING
        self._known[digest] = stamp
        return None


def _said(kind: Kind, digest: str) -> str:
    if kind is Kind.POLICY_CHANGED:
        return f"the text of policy {digest}, which this record names, is not what its name says"
    if kind is Kind.POLICY_UNKNOWN:
        return f"the text of policy {digest}, which this record of a command names, is not stored"
    return f"the text of policy {digest}, which this record names, is not in policies/"
