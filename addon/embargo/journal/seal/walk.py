"""One walk along a chain, line by line and file by file: what holds, up to where it is signed, and what does not hold.

The usual line costs a hash and a few comparisons of bytes at known places; whatever differs goes to `disorder`. Lines
of other records than decisions are parsed, for they may be checkpoints.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from hashlib import sha256

from embargo.journal.seal import checkpoint
from embargo.journal.seal.chain import START
from embargo.journal.seal.disorder import Disorder
from embargo.journal.seal.finding import Finding, Kind
from embargo.journal.seal.line import Line
from embargo.journal.seal.signed import Signed, seconds
from embargo.journal.seal.tally import Head, Tally
from embargo.journal.seal.trust import Trust

_REMEMBERED = 256  # records, to which a line may be compared that stands behind them
_BACK = 2.0  # seconds by which the clock may go back unsaid: records wait in a queue
_MOST_NAMED = 100  # of a kind in a chain; more are counted
_NEVER = 1 << 62


class Walk:
    """A chain that is verified. `begin` a file, `feed` it its lines, `end` at the last."""

    def __init__(self, chain: str, trust: Trust, heads: Iterable[Head] = ()) -> None:
        self.chain = chain
        self.tally = Tally()
        self.findings: list[Finding] = []
        self.policies: dict[bytes, tuple[str, int]] = {}  # digests that records name: where first
        self.tombstones: list[Line] = []
        self.seal: bytes | None = None  # of the last record that holds; None: not known
        self.sequence = 0  # of that record
        self.stamp = b""  # its time, as it stands there
        self.signed = Signed(chain, trust, self.report)
        self.disorder = Disorder(self)
        self.begun = False  # a sealed record has come
        self.file = ""
        self.number = 0  # of the last line in it
        self.rest = b""  # what stands in it behind the last line feed
        self.files: dict[bytes, str] = {}  # files by the seal of their first line
        self.first_seal: bytes | None = None  # of the chain, where its beginning is there
        self.sealed_since = b""  # time of that record
        self.named_first: int | None = None  # of the file, by its name
        self._whole = False  # the file before ends as a rotation ends a file
        self._ended = ("", 0)  # the file before, and the last record in it
        self._recent: deque[tuple[bytes, str, int, int]] = deque(maxlen=_REMEMBERED)  # seal, file, line, sequence
        self._heads = sorted(heads, key=lambda head: -head.sequence)
        self._ruleset = b""
        self._named: Counter[Kind] = Counter()

    # --- what is read

    def enter(self, sequence: int, seal: bytes) -> None:
        """Begins behind a record that is not read."""
        self.sequence, self.seal, self.begun, self.signed.entered = sequence, seal, True, True

    def begin(self, file: str, first: int | None) -> None:
        """The lines that follow are those of *file*, whose first record has the number *first* by its name."""
        self.torn(live=False)
        self._whole = self.signed.rotated_at == self.sequence > self._ended[1]
        self._ended = (self.file, self.sequence)
        self.file, self.number, self.named_first = file, 0, first
        self.tally.files += 1

    def feed(self, lines: list[bytes]) -> None:
        """Whole lines, without their line feeds."""
        seal, sequence, stamp, number = self.seal, self.sequence, self.stamp, self.number
        remember, ruleset, begun = self._recent.append, self._ruleset, self.number
        file, suspects, head = self.file, self.disorder.suspects, self._next_head()
        if not number:
            self.files.setdefault(lines[0][-67:-3], file)
        for line in lines:
            number += 1
            claimed = line[-67:-3]
            if (
                seal is not None
                and line.startswith(b'"event":{"sequence":%d,' % (sequence + 1), 41)
                and sha256(seal + line[:-76]).hexdigest().encode() == claimed
                and line[-76:-67] == b',"seal":"'
                and line[-3:] == b'"}}'
                and not suspects
                and sequence + 1 != head
                and line[15:39] >= stamp
            ):
                seal = claimed
                sequence += 1
                stamp = line[15:39]
                remember((claimed, file, number, sequence))
                place = line.find(b'"ruleset":"')
                if place >= 0 and (digest := line[place + 11 : place + 75]) != ruleset:
                    ruleset = digest
                    self.policies.setdefault(digest, (file, number))
                continue
            self._took(sequence, lines, number - begun - 1)
            self.seal, self.sequence, self.stamp, self.number, self._ruleset = seal, sequence, stamp, number, ruleset
            self._slowly(Line(line + b"\n", file, number))
            seal, sequence, stamp, ruleset = self.seal, self.sequence, self.stamp, self._ruleset
            suspects, head = self.disorder.suspects, self._next_head()
        self._took(sequence, lines, len(lines))
        self.seal, self.sequence, self.stamp, self.number, self._ruleset = seal, sequence, stamp, number, ruleset

    def torn(self, *, live: bool) -> None:
        """What stands behind the last line feed of the file, a *live* one or one that was rotated."""
        rest, self.rest = self.rest, b""
        if not rest:
            return
        line = Line(rest[:-1] + b"\n", self.file, self.number + 1)
        if line.claimed is not None:  # whole, but for the line feed, which is another byte
            sequence = line.sequence
            self.report(Kind.CHANGED, line, sequence, sequence, "its line feed was changed")
            self.sequence, self.seal = sequence or self.sequence + 1, line.claimed
            return
        self.tally.torn += len(rest)
        why = "is being written, or was left unfinished by a crash" if live else "was left unfinished by a crash"
        self.report_at(Kind.TORN, self.file, self.number + 1, None, None, f"a last line of {len(rest)} bytes {why}")

    def unreadable(self, why: str) -> None:
        """The file cannot be read from here on."""
        self.report_at(Kind.FILE_DAMAGED, self.file, self.number + 1, None, None, why)

    def end(self, *, limited: bool) -> None:
        """There is nothing more; *limited*: or it is not to be read."""
        self.disorder.end()
        if limited:
            return
        for head in self._heads:
            if head.sequence > self.sequence > 0:  # of a chain of which nothing is left, `vanished` tells
                self.report_at(
                    Kind.TRUNCATED, self.file, None, self.sequence + 1, head.sequence,
                    f"the end was cut off: {{records}} missing, known from {head.source}",
                )  # fmt: skip
                break
        if (missed := self.signed.missed(self.stamp.decode("ascii", "replace"))) is not None:
            kind, why = missed
            self.report_at(kind, self.file, None, self.sequence - self.signed.chained + 1, self.sequence, why)

    # --- what holds

    def accept(self, line: Line, previous: bytes | None) -> None:
        """*line* holds, behind the record whose seal is *previous*."""
        assert line.claimed is not None
        self.seal = line.claimed
        self.sequence = line.sequence if line.sequence is not None else self.sequence + 1
        self._counts(line)
        stamp = self.stamp
        self._time(line)
        while self._heads and self._heads[-1].sequence <= self.sequence:
            self._compare(self._heads.pop(), line)
        if line.action == checkpoint.ACTION:
            self.signed.checkpoint(line, self.sequence, previous, stamp.decode("ascii", "replace"))
        elif line.action == "log-deleted":
            self.tombstones.append(line)
        elif line.action == "seal-unsigned":
            self.report(Kind.KEY_UNUSABLE, line, self.sequence, self.sequence, "a process could not sign, and said why")
        self._digests(line)

    def stand(self, line: Line, number: int, *, gap: bool) -> None:
        """*line* stands where record *number* should, changed, or behind a *gap*: the chain goes on from its claim."""
        self.seal, self.sequence = line.claimed, number
        self._counts(line)
        if gap:
            self._time(line)
            if line.action == checkpoint.ACTION:
                self.signed.checkpoint(line, self.sequence, None, "")

    def back_to(self, sequence: int) -> None:
        """What was taken after the record *sequence* does not hold."""
        self.tally.records -= self.sequence - sequence
        self.signed.back(self.sequence - sequence)
        self.sequence = sequence
        while self._recent and self._recent[-1][3] > sequence:
            self._recent.pop()

    def recent(self, sequence: int) -> tuple[bytes, str, int] | None:
        """Seal, file and line of a record lately taken."""
        behind = self.sequence - sequence
        if not 0 <= behind < len(self._recent):
            return None
        seal, file, number, found = self._recent[-1 - behind]
        return (seal, file, number) if found == sequence else None

    def _took(self, sequence: int, lines: list[bytes], end: int) -> None:
        """Counts what the fast way has taken up to *sequence*: lines before *end*."""
        if taken := sequence - self.sequence:
            stamp = lines[end - taken][15:39].decode("ascii", "replace")
            self.tally.records += taken
            self.signed.take(taken, stamp)
            if not self.tally.first:
                self.tally.first, self.tally.since = self.sequence + 1, self.tally.since or stamp

    def _counts(self, line: Line) -> None:
        self.tally.records += 1
        self.signed.take(1, line.stamp)
        if not self.tally.first:
            self.tally.first, self.tally.since = self.sequence, self.tally.since or line.stamp
        if self.seal is not None:
            self._recent.append((self.seal, line.file, line.number, self.sequence))

    def _slowly(self, line: Line) -> None:
        if line.claimed is None and not self.begun:
            self._unsealed(line)
        elif not self.begun and line.after(START):
            self.begun = True
            if self.tally.unsealed and line.sequence is not None and line.sequence != self.sequence + 1:
                self.report(
                    Kind.REMOVED if line.sequence > self.sequence else Kind.INSERTED, line, self.sequence + 1,
                    line.sequence - 1, "the numbers before it, not yet sealed, do not lead to it",
                )  # fmt: skip
            self.accept(line, START)
            self.first_seal, self.sealed_since = line.claimed, self.stamp
        else:
            if not self.begun:
                self.begun = True
                self.seal = START if not self.tally.unsealed else None
            self.disorder.take(line)

    def _unsealed(self, line: Line) -> None:
        self.tally.unsealed += 1
        self.tally.since = self.tally.since or line.stamp
        if line.sequence is not None:
            self.sequence = line.sequence
        self.stamp = line.stamp.encode("ascii", "replace")
        if line.document is None:
            self.report(Kind.INSERTED, line, None, None, "it is no record")

    def _time(self, line: Line) -> None:
        stamp = line.stamp.encode("ascii", "replace")
        if self.stamp and stamp < self.stamp and (back := seconds(self.stamp.decode(), line.stamp)) > _BACK:
            self.report(Kind.CLOCK, line, line.sequence, line.sequence, f"the clock went back by {back:.0f} s")
        self.stamp = stamp

    def _digests(self, line: Line) -> None:
        document: Mapping[str, object] = line.document or {}
        if isinstance(rule := document.get("rule"), dict) and isinstance(digest := rule.get("ruleset"), str):
            refused = line.action == "policy-load" and isinstance(document.get("error"), dict)
            if not refused:
                self.policies.setdefault(digest.encode("ascii", "replace"), (line.file, line.number))

    def _compare(self, head: Head, line: Line) -> None:
        if head.sequence == self.sequence and line.claimed != head.seal.encode():
            self.report(
                Kind.REWRITTEN, line, head.sequence, head.sequence, f"{{records}} not the one that {head.source} knows"
            )

    def _next_head(self) -> int:
        return self._heads[-1].sequence if self._heads else _NEVER

    # --- what does not hold

    def report(self, kind: Kind, line: Line, first: int | None, last: int | None, why: str) -> Finding:
        """Something about *line*."""
        return self.report_at(kind, line.file, line.number, first, last, why)

    def report_at(
        self, kind: Kind, file: str, number: int | None, first: int | None, last: int | None, why: str
    ) -> Finding:
        """Something at a place; one that goes on where the last one ended lengthens it."""
        self.tally.findings += kind.tampering
        before = self.findings[-1] if self.findings else None
        if (
            before is not None
            and before.kind is kind
            and before.message == why
            and before.file == file
            and first is not None
            and before.last == first - 1
        ):
            before.last = last
            return before
        found = Finding(kind=kind, message=why, chain=self.chain, file=file, line=number, first=first, last=last)
        self._named[kind] += 1
        if self._named[kind] <= _MOST_NAMED:
            self.findings.append(found)
        return found

    def report_gap(self, first: int, last: int, line: Line) -> Finding:
        """Records are missing before *line*."""
        file, ended = self._ended
        if line.file != self.file or first != ended + 1:
            return self.report(Kind.REMOVED, line, first, last, "{records} missing before it")
        if self.named_first is not None and self.named_first <= first:
            return self.report(Kind.REMOVED, line, first, last, "{records} missing at the beginning of the file")
        if not file:
            return self.report(Kind.FILE_MISSING, line, first, last, "{records} missing, and no tombstone explains it")
        if self._whole or self.signed.proven is None:
            return self.report(Kind.FILE_MISSING, line, first, last, f"a file is missing behind {file}: {{records}}")
        return self.report(
            Kind.TRUNCATED, line, first, last, f"the end of {file} was cut off, or a file behind it too: {{records}}"
        )
