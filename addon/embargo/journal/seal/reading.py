"""How far a chain has been read, by a verifier that goes on later, and what of its files is left to read."""

from collections.abc import Sequence
from dataclasses import dataclass

from embargo.journal.files import LogFile
from embargo.journal.seal.naming import Names
from embargo.journal.seal.pieces import Piece
from embargo.journal.seal.walk import Walk


@dataclass(slots=True)
class Reading:
    """A chain, and how far it has been read."""

    walk: Walk
    names: Names
    file: LogFile | None = None  # read last
    identity: tuple[int, int] | None = None  # of that: device and inode
    first: int = 0  # sequence of its first record
    offset: int = 0  # bytes of it that were taken, uncompressed; behind a line feed

    def rest(self, files: Sequence[Piece]) -> list[Piece] | None:
        """What of *files* is not read yet; None where the file that was read last is gone, or not what it was."""
        if self.file is None:
            return list(files)
        for index, piece in enumerate(files):
            same = piece.identity() == self.identity
            compressed = piece.file.compressed and piece.file.first == self.first and self.file.path != piece.file.path
            if same or compressed:
                if same and not piece.goes_on(self.offset, self.walk.seal):
                    return None
                piece.offset, piece.resumed = self.offset, True
                return list(files[index:])
        return None
