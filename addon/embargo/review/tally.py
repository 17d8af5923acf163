"""Requests counted by some key and by what becomes of them, in bounded memory.

Exact up to `MOST_KEYS` keys. Where there are more, half of them are put together as `others` as often as it takes:
the mildest first, and of these the rarest, so that what is blocked is told to the end. A key that comes again after
that counts from where it comes again; `others` holds what it had before, so the sums are always right.
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from operator import itemgetter

from embargo.core.cardinality import DIGEST, Distinct, mark_of
from embargo.core.decision import Verdict

MOST_KEYS = 20_000
_COUNTS = itemgetter(1)
_MOST_EXACT = 1000  # clients that are remembered before they are estimated

# Where a number of `Counts` stands: the weightiest first, so that lists compare by weight. `WOULD`: of those that
# are not blocked, how many a shadow rule, a trial, or enforce in place of monitor would have blocked.
BLOCK, WOULD, LOG, ALLOW, PASS = range(5)
AT = {Verdict.BLOCK: BLOCK, Verdict.LOG: LOG, Verdict.ALLOW: ALLOW, Verdict.PASS: PASS}
type Counts = list[int]


def no_counts() -> Counts:
    """Nothing counted yet."""
    return [0, 0, 0, 0, 0]


def judged_in(counts: Counts) -> int:
    """How many requests *counts* has, whatever became of them."""
    return sum(counts) - counts[WOULD]


class Tally:
    """The counts of each key."""

    __slots__ = ("_most", "counts", "others", "put_together")

    def __init__(self, most: int = MOST_KEYS) -> None:
        self.counts: dict[str, Counts] = {}
        self.others = no_counts()
        self.put_together = 0  # keys in `others`; one that came again is counted again
        self._most = most

    def __getitem__(self, key: str) -> Counts:
        """The counts of *key*, to be added to at once."""
        found = self.counts.get(key)
        if found is None:
            if len(self.counts) >= self._most:
                self._put_together()
            found = self.counts[key] = no_counts()
        return found

    def ranked(self) -> list[tuple[str, Counts]]:
        """The keys, the heaviest first; of equal ones by name."""
        by_name = sorted(self.counts.items())
        by_name.sort(key=_COUNTS, reverse=True)  # stable
        return by_name

    def _put_together(self) -> None:
        lightest = sorted(self.counts.items(), key=_COUNTS)[: -(self._most // 2)]
        others = self.others
        for key, counts in lightest:
            del self.counts[key]
            for place in range(5):
                others[place] += counts[place]
        self.put_together += len(lightest)


@dataclass(slots=True)
class Clients:
    """How many different clients there were: exact up to a thousand, then to some 7 in a hundred."""

    _exact: set[str] | None = field(default_factory=set)
    _many: Distinct = field(default_factory=Distinct)
    _told: int = 0  # the most that one request of a source said that it stands for

    def add(self, client: str) -> None:
        """Count *client*, unless it was counted."""
        if self._exact is None:
            self._many.add(_mark(client))
            return
        self._exact.add(client)
        if len(self._exact) > _MOST_EXACT:
            for each in self._exact:
                self._many.add(_mark(each))
            self._exact = None

    def at_least(self, number: int) -> None:
        """A source counted *number* of them, and names none."""
        self._told = max(self._told, number)

    @property
    def number(self) -> int | None:
        """How many; None where nothing was said of any."""
        found = len(self._exact) if self._exact is not None else self._many.estimate
        return max(found, self._told) or None


def _mark(client: str) -> int:
    return mark_of(blake2b(client.encode("utf-8", "replace"), digest_size=DIGEST).digest())
