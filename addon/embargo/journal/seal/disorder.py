"""What is wrong where a chain does not hold: found by trying which line goes on from which.

A line that is not the next is suspect until one comes that goes on from a known seal: from the last good line (then the
suspects do not belong there), from a suspect's own claim (then the suspects stand where they should, changed, or lines
before them are gone), or from inside a gap (then it was moved). Each test is one hash, so a wrong line costs a few.
"""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embargo.journal.seal.chain import START, content_of, seal_after
from embargo.journal.seal.finding import Finding, Kind
from embargo.journal.seal.line import Line

if TYPE_CHECKING:
    from embargo.journal.seal.walk import Walk

_MOST = 4096  # suspects that are held, and displaced lines
_LOOK = 8  # suspects whose claims are tried


@dataclass(slots=True)
class Gap:
    """Records that are missing where they should stand."""

    first: int
    last: int
    before: bytes | None  # seal of the record before it; None: not known
    after: Line | None  # the line behind it
    finding: Finding
    moved: int = 0  # of them, that were found elsewhere


class Disorder:
    """The lines of a chain that do not fit, and the gaps in it."""

    def __init__(self, walk: "Walk") -> None:
        self._walk = walk
        self.suspects: list[Line] = []
        self._displaced: deque[Line] = deque()
        self.gaps: list[Gap] = []

    def take(self, line: Line) -> None:
        """A line that the fast way did not take."""
        walk = self._walk
        if line.claimed is None:
            self._suspect(line)
        elif self._follows(line):
            self._displaced += self.suspects
            self.suspects = []
            walk.accept(line, walk.seal)
            self._pull()
        elif self._fills(line):
            return
        elif self._pull() and self._follows(line):
            walk.accept(line, walk.seal)
        elif (found := self._predecessor(line)) is not None:
            position, behind = found
            run, later = self.suspects[: position + 1], self.suspects[position + 1 :]
            self.suspects = []
            self._displaced += later
            self._settle(run, line, behind)
            self._pull()
        elif self._forks(line):
            return
        elif walk.sequence and line.after(START):
            self._settle(self._held(), None)
            walk.report(Kind.BEGUN_ANEW, line, line.sequence, line.sequence, "a chain begins here, within the chain")
            walk.accept(line, START)
        else:
            self._suspect(line)

    def end(self) -> None:
        """No line comes any more."""
        self._settle(self._held(), None)
        self._pull()
        while self._displaced:
            self._reject(self._displaced.popleft())

    def _follows(self, line: Line) -> bool:
        return line.sequence == self._walk.sequence + 1 and line.after(self._walk.seal)

    def _suspect(self, line: Line) -> None:
        self.suspects.append(line)
        if len(self.suspects) >= _MOST:
            self._settle(self._held(), None)

    def _held(self) -> list[Line]:
        held, self.suspects = self.suspects, []
        return held

    def _predecessor(self, line: Line) -> tuple[int, bytes] | None:
        """Which of the suspects *line* goes on from, and the seal: as that claims, or as it should have claimed."""
        for position in range(len(self.suspects) - 1, max(-1, len(self.suspects) - 1 - _LOOK), -1):
            claimed = self.suspects[position].claimed
            if claimed is not None and line.after(claimed):
                return position, claimed
        if not self.suspects:
            return None
        last = len(self.suspects) - 1
        before = self.suspects[-2].claimed if last else self._walk.seal
        if before is None:
            return None
        due = seal_after(before, content_of(self.suspects[-1].raw))  # where the seal alone was changed
        return (last, due) if line.after(due) else None

    def _pull(self) -> bool:
        """Takes those displaced lines that go on from here; whether there were any."""
        pulled = False
        while (line := next((each for each in self._displaced if self._follows(each)), None)) is not None:
            self._displaced.remove(line)
            self._walk.report(Kind.REORDERED, line, line.sequence, line.sequence, "it stands in the wrong place")
            self._walk.accept(line, self._walk.seal)
            pulled = True
        return pulled

    def _fills(self, line: Line) -> bool:
        """Whether *line* is one that was missing elsewhere."""
        for gap in self.gaps:
            if line.sequence == gap.first and gap.first <= gap.last and line.after(gap.before):
                gap.first += 1
                gap.moved += 1
                gap.before = line.claimed
                if gap.moved == 1:
                    gap.finding.kind = Kind.REORDERED
                    gap.finding.message = f"{{records}} moved to {line.file}:{line.number}"
                self._walk.tally.records += 1
                return True
        return False

    def _forks(self, line: Line) -> bool:
        """Whether *line* goes on from a record before the last: what was taken after that, or it, does not belong."""
        walk = self._walk
        if line.sequence is None or line.sequence > walk.sequence:
            return False
        before, taken = walk.recent(line.sequence - 1), walk.recent(line.sequence)
        if before is None or taken is None or not line.after(before[0]):
            return False
        if taken[0] == line.claimed:
            walk.report(Kind.DUPLICATE, line, line.sequence, line.sequence, f"it stands at line {taken[2]} already")
            return True
        for number in range(line.sequence, walk.sequence + 1):
            if (other := walk.recent(number)) is not None:
                walk.report_at(Kind.INSERTED, other[1], other[2], number, number, "the chain does not hold it")
        self._displaced += self._held()
        walk.back_to(line.sequence - 1)
        walk.accept(line, before[0])
        return True

    def _settle(self, run: list[Line], follower: Line | None, behind: bytes | None = None) -> None:
        """Says what is wrong with the suspects *run*.

        *follower* goes on from the last of them, whose seal is *behind*; None: nothing follows.
        """
        walk = self._walk
        before = sequence = walk.sequence
        seal = walk.seal
        missing = None if follower is None or follower.sequence is None else follower.sequence - sequence - 1
        in_place = len(run) == missing and all(
            line.sequence is None or line.sequence == sequence + 1 + index for index, line in enumerate(run)
        )
        for index, line in enumerate(run):
            number = sequence + 1 if in_place else line.sequence
            if number is None and missing is not None and missing > 0 and index == len(run) - 1:
                number = before + missing  # it is the one that the follower goes on from
            if line.claimed is None and not in_place:
                self._reject(line)
            elif number is None or number <= sequence or (missing is not None and number > before + missing):
                self._displaced.append(line)
            else:
                gap = number > sequence + 1
                if gap:
                    self._gap(sequence + 1, number - 1, seal, line)
                else:
                    walk.report(Kind.CHANGED, line, number, number, "it, or the line before it, is not what was sealed")
                sequence, seal = number, line.claimed
                walk.stand(line, number, gap=gap)
        while len(self._displaced) > _MOST:
            self._reject(self._displaced.popleft())
        if follower is not None:
            if follower.sequence is not None and follower.sequence > sequence + 1:
                self._gap(sequence + 1, follower.sequence - 1, None, None, at=follower)
            walk.accept(follower, behind)

    def _gap(self, first: int, last: int, before: bytes | None, after: Line | None, at: Line | None = None) -> None:
        place = after or at
        assert place is not None
        self.gaps.append(Gap(first, last, before, after, self._walk.report_gap(first, last, place)))

    def _reject(self, line: Line) -> None:
        if line.claimed is None and line.document is not None:
            self._walk.report(
                Kind.UNSEALED, line, line.sequence, line.sequence, "it is not sealed, though those before it are"
            )
        elif line.document is None:
            self._walk.report(Kind.INSERTED, line, None, None, "it is no record")
        else:
            self._walk.report(Kind.INSERTED, line, line.sequence, line.sequence, "the chain does not hold it")
