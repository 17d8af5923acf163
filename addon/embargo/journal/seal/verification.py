"""Verifies a log directory: its files and a public key are all that it takes; nothing is written.

    result = Verifier(log, keys).run()

A verifier that is kept reads at its next `run` only what has been written since, as the console does it; that the
files it has read are still what they were, it looks up at the end of the last one alone. `heads` are facts that
somebody else keeps, such as an anchor: only by one of them can a cut end be known.
"""

import copy
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from embargo.journal.files import AUDIT_STEM, STEMS, LogFile, log_files
from embargo.journal.livefile import last_record
from embargo.journal.regular import open_regular
from embargo.journal.retention.tombstone import Tombstone, tombstone_of
from embargo.journal.seal.across import explain, find_copies, find_gone, tell_unsealed
from embargo.journal.seal.chain import chain_name
from embargo.journal.seal.finding import Finding, Kind
from embargo.journal.seal.naming import Names
from embargo.journal.seal.pieces import Damaged, Piece, pieces
from embargo.journal.seal.policies import Policies
from embargo.journal.seal.reading import Reading
from embargo.journal.seal.result import ChainResult, Verification
from embargo.journal.seal.tally import Head
from embargo.journal.seal.trust import Trust
from embargo.journal.seal.vanished import vanished
from embargo.journal.seal.walk import Walk

type Progress = Callable[[int, int], None]
"""Called with the bytes on the disk that were read, and those that are to be read."""


class Verifier:
    """Verifies one log directory, again and again."""

    def __init__(
        self,
        log: Path,
        keys: Iterable[Ed25519PublicKey],
        *,
        own_key: bool = False,
        heads: Iterable[Head] = (),
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        """*own_key*: the keys were found in *log* itself. Files wholly before *since* or after *until* are not read."""
        self._log = log
        self._trust = Trust(keys)
        self._own_key = own_key
        self._heads = tuple(heads)
        self._since, self._until = since, until
        self._chains: dict[str, Reading] = {}
        self._was_whole = False  # at the last run
        self._remembered: dict[str, Head] = {}  # how far each chain went when it was whole
        self._policies = Policies(log / "policies")
        self._unreadable: list[Finding] = []

    def run(self, progress: Progress | None = None) -> Verification:
        """Reads what has not been read yet. Raises OSError where the directory cannot be listed.

        Where that is not whole and what was read before was, everything is read anew, which then counts: files may have
        been renamed while they were read.
        """
        result = self._run(progress)
        if self._was_whole and not result.whole:
            self._chains.clear()
            result = self._run(progress)
        self._was_whole = result.whole
        if result.whole:
            self._remembered = {
                chain.chain: Head(chain.chain, chain.last, chain.seal, "an earlier look")
                for chain in result.chains
                if chain.seal is not None and chain.last
            }
        return result

    def _run(self, progress: Progress | None) -> Verification:
        begun = time.monotonic()
        self._unreadable = []
        with ExitStack() as opened:
            found = self._files(opened)
            for gone in self._chains.keys() - found.keys():
                del self._chains[gone]
            plans = [(chain, plan) for chain, files in found.items() if (plan := self._plan(chain, files))]
            total = sum(_size(piece) for _, plan in plans for piece in plan)
            done = 0

            def advance(read: int) -> None:
                nonlocal done
                done += read
                if progress is not None:
                    progress(done, total)

            for chain, plan in plans:
                for piece in plan:
                    self._read(self._chains[chain], piece, advance)
        return self._result(time.monotonic() - begun)

    def _files(self, opened: ExitStack) -> dict[str, list[Piece]]:
        """Each chain's files, oldest first; the live ones open, so that a rotation meanwhile changes nothing."""
        live: dict[str, Piece] = {}
        for file in self._listed():
            if file.rotated is None:
                try:
                    source = opened.enter_context(open_regular(file.path))
                except FileNotFoundError:
                    continue
                except OSError as failure:
                    self._refused(file, failure)
                    continue
                live[chain_name(*file.chain)] = Piece(file, source)
        ours = {piece.identity() for piece in live.values()}
        chains: dict[str, list[Piece]] = {}
        for file in sorted(self._listed(), key=lambda file: (file.first, file.rotated is None, str(file.rotated))):
            piece = Piece(file, None)
            if file.rotated is not None and piece.identity() not in ours:
                chains.setdefault(chain_name(*file.chain), []).append(piece)
        for chain, piece in live.items():
            if piece.rotated_since() and (first := piece.first()) is not None:
                # it, and what was rotated after it, may be listed too, and even be compressed: what is open counts
                chains[chain] = [each for each in chains.get(chain, []) if each.file.first < first]
            chains.setdefault(chain, []).append(piece)
        audit = {chain: pieces for chain, pieces in chains.items() if chain.startswith(AUDIT_STEM)}
        return audit | chains  # tombstones and new keys first

    def _listed(self) -> list[LogFile]:
        return [file for stem in STEMS for file in log_files(self._log, stem)]

    def _plan(self, name: str, files: list[Piece]) -> list[Piece]:
        """What of *files* is to be read, where to begin included; makes the chain where it is new."""
        chain = self._chains.get(name)
        if chain is not None and (rest := chain.rest(files)) is not None:
            return rest  # else what was read is not what it was: all anew
        heads = [head for head in self._heads if head.chain == name]
        if (known := self._remembered.get(name)) is not None:
            heads.append(known)
        walk = Walk(name, self._trust, heads)
        self._chains[name] = Reading(walk, Names(walk))
        begin = next((index for index, piece in enumerate(files) if not self._before(piece.file)), len(files))
        if begin:
            last = last_record(files[begin - 1].file)
            if last is not None:
                walk.enter(last.sequence, last.seal)
        end = next((index for index, piece in enumerate(files) if index and self._after(files[index - 1].file)), None)
        return files[begin:end]

    def _before(self, file: LogFile) -> bool:
        """Whether *file* was written before the time from which is read."""
        named_to = timedelta(seconds=1)  # its name says the instant of rotation to the second, cut
        return self._since is not None and file.rotated is not None and file.rotated + named_to < self._since

    def _after(self, file: LogFile) -> bool:
        """Whether what follows *file* was written after the time up to which is read."""
        return self._until is not None and file.rotated is not None and file.rotated > self._until

    def _read(self, chain: Reading, piece: Piece, advance: Callable[[int], None]) -> None:
        walk, file = chain.walk, piece.file
        fresh = not piece.resumed
        if piece.resumed:
            walk.file = file.path.name
            chain.names.go_on(file)
        else:
            if (other := self._copied(walk, piece)) is not None:
                walk.report_at(Kind.DUPLICATE, file.path.name, 1, None, None, f"the file is a copy of {other}")
                return
            walk.begin(file.path.name, file.first if file.rotated is not None else None)
            chain.names.begin(file)
            chain.first = file.first if file.rotated is not None else walk.sequence + 1
        chain.file, chain.identity, chain.offset = file, piece.identity(), piece.offset
        try:
            for lines, rest in pieces(piece, advance):
                if lines:
                    if fresh:
                        chain.names.first(lines[0])
                        fresh = False
                    walk.feed(lines)
                    taken = sum(map(len, lines)) + len(lines)
                    chain.offset += taken
                    walk.tally.bytes += taken
                if rest is not None:
                    walk.rest = rest
            chain.names.end()
        except Damaged as damaged:
            walk.unreadable(str(damaged))
        except FileNotFoundError:
            pass  # deleted meanwhile; what follows tells
        except OSError as failure:
            self._refused(file, failure)

    def _copied(self, walk: Walk, piece: Piece) -> str | None:
        """The file of the chain that *piece* is a copy of."""
        if piece.file.rotated is None or piece.file.first > walk.sequence:
            return None
        seal = piece.first_seal()
        return walk.files.get(seal) if seal is not None else None

    def _refused(self, file: LogFile, failure: OSError) -> None:
        why = failure.strerror or str(failure)
        chain = chain_name(*file.chain)
        self._unreadable.append(Finding(kind=Kind.UNREADABLE, message=why, chain=chain, file=file.path.name))

    def _result(self, seconds: float) -> Verification:
        limited = self._since is not None or self._until is not None
        walks = []
        for chain in self._chains.values():
            walk = copy.deepcopy(chain.walk, {id(self._trust): self._trust})  # it may go on: only its copy ends
            walk.torn(live=chain.file is not None and chain.file.rotated is None)
            walk.end(limited=self._until is not None)
            walks.append(walk)
        stones = [
            stone
            for walk in walks
            for line in walk.tombstones
            if (stone := tombstone_of(line.document or {})) is not None and self._holds(stone)
        ]
        for walk in walks:
            explain(walk, [stone for stone in stones if stone.chain == walk.chain])
        find_copies(walks)
        tell_unsealed(walks)
        if not limited:
            find_gone(walks, {chain_name(*file.chain) for file in self._listed()}, stones)
        named = [finding for walk in walks for finding in walk.findings] + self._unreadable
        heads = [*self._heads, *self._remembered.values()]
        gone = vanished(heads, {walk.chain for walk in walks if walk.sequence}, stones) if not self._until else []
        named += gone
        policies, about_policies = self._policies.check(
            [(walk.chain, walk.policies) for walk in walks], commands=AUDIT_STEM
        )
        named += about_policies
        if not walks and (self._log / "seal").is_dir():
            why = "there is a key of the seal, and not one record"
            self._unreadable.append(Finding(kind=Kind.FILE_MISSING, message=why))
            named += self._unreadable[-1:]
        found = sum(walk.tally.findings for walk in walks) + len(self._unreadable) + len(gone)
        return Verification(
            log=str(self._log),
            chains=tuple(ChainResult.of(walk) for walk in sorted(walks, key=lambda walk: walk.chain)),
            findings=tuple(finding for finding in named if finding.kind.tampering),
            notes=tuple(finding for finding in named if not finding.kind.tampering),
            found=found + sum(finding.kind.tampering for finding in about_policies),
            keys=tuple(self._trust.keys),
            own_key=self._own_key,
            anchors=len(self._heads),
            policies=policies,
            limited=limited,
            bytes=sum(walk.tally.bytes for walk in walks),
            seconds=seconds,
        )

    def _holds(self, stone: Tombstone) -> bool:
        key = self._trust.keys.get(stone.key)
        return key is not None and stone.holds(key)


def verify(
    log: Path,
    keys: Iterable[Ed25519PublicKey],
    *,
    own_key: bool = False,
    heads: Iterable[Head] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Progress | None = None,
) -> Verification:
    """The verification of the log directory *log*, once. Raises OSError where it cannot be listed."""
    return Verifier(log, keys, own_key=own_key, heads=heads, since=since, until=until).run(progress)


def _size(piece: Piece) -> int:
    return max(piece.size() - (0 if piece.file.compressed else piece.offset), 0)
