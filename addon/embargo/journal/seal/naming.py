"""What the names of a chain's files say, held against their records: readers go by a name where a time is asked for.

A name is in no seal, and a file that is renamed is left out of what is asked of a week.
"""

from datetime import datetime, timedelta

from embargo.journal.files import LogFile
from embargo.journal.seal.finding import Kind
from embargo.journal.seal.line import Line
from embargo.journal.seal.walk import Walk

_EARLY = timedelta(minutes=1)  # by which a rotation may be named before the last record: processes took turns
_LATE = timedelta(hours=1)  # and after the next one: records wait where a disk stalls


class Names:
    """Those of the files of one chain, as they are walked along."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._file: LogFile | None = None
        self._before: LogFile | None = None

    def begin(self, file: LogFile) -> None:
        """The lines that follow are those of *file*."""
        self._file, self._before = file, self._file

    def go_on(self, file: LogFile) -> None:
        """What was read in part is *file* by now."""
        self._file = file

    def first(self, raw: bytes) -> None:
        """*raw*, without its line feed, is the first line of the file, and not taken yet."""
        walk, file, before = self._walk, self._file, self._before
        line = Line(raw + b"\n", walk.file, 1)
        if file is None or line.sequence != walk.sequence + 1 or not line.after(walk.seal):
            return  # what is wrong then is told by the lines
        if file.rotated is not None and file.first != line.sequence:
            self._wrong(file, f"its first record is {file.first}, and it is {line.sequence}")
        last, begun = walk.stamp.decode("ascii", "replace"), _instant(line.stamp)
        if before is None or before.rotated is None or begun is None or line.stamp < last:  # a clock that was set back
            return
        if begun + _LATE < before.rotated:
            why = f"it was rotated at {_told(before.rotated)}, and the record behind it is of {_told(begun)}"
            self._wrong(before, why)

    def end(self) -> None:
        """The file has been read to its end."""
        file, last = self._file, _instant(self._walk.stamp.decode("ascii", "replace"))
        if file is not None and file.rotated is not None and last is not None and file.rotated + _EARLY < last:
            self._wrong(file, f"it was rotated at {_told(file.rotated)}, and its last record is of {_told(last)}")

    def _wrong(self, file: LogFile, why: str) -> None:
        self._walk.report_at(Kind.RENAMED, file.path.name, None, None, None, f"its name says that {why}")


def _instant(stamp: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _told(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}"
