"""How many distinct values were seen, estimated in 256 bytes and without keeping one of them (HyperLogLog).

P. Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm" (2007): each value
is hashed to a register and a rank (how many zero bits its hash begins with), and a register keeps the highest rank.
Few values are counted linearly, by the registers that are taken (K.-Y. Whang et al., 1990).
"""

from math import log

REGISTERS = 256  # the standard error is 1.04 / sqrt(256), 6.5 %; up to some 600 values it is less
DIGEST = 8  # bytes of a hash that make a mark
_BIAS = 0.7213 / (1 + 1.079 / REGISTERS)  # Flajolet et al., figure 3
_LINEAR = 2.5 * REGISTERS  # up to here the registers that are taken tell more

type Mark = int  # register, and rank (from 1) times 256


def mark_of(digest: bytes) -> Mark:
    """Where the value whose hash is *digest* (`DIGEST` bytes, evenly distributed) leaves its mark."""
    number = int.from_bytes(digest)
    rest = number >> 8
    return (DIGEST * 8 - 8 - rest.bit_length() + 1) * REGISTERS + number % REGISTERS


class Distinct:
    """Distinct values, each given by its mark. One alone, which is what most hosts have, needs no registers."""

    __slots__ = ("_first", "_registers")

    def __init__(self) -> None:
        self._first: Mark | None = None
        self._registers: bytearray | None = None  # None: at most one mark was seen

    def add(self, mark: Mark) -> None:
        """Count the value with *mark*, unless it was counted."""
        registers = self._registers
        if registers is None:
            if mark == self._first:
                return
            if self._first is None:
                self._first = mark
                return
            registers = self._registers = bytearray(REGISTERS)
            registers[self._first & 0xFF] = self._first >> 8
        if registers[mark & 0xFF] < mark >> 8:
            registers[mark & 0xFF] = mark >> 8

    def merge(self, other: "Distinct") -> None:
        """Count what *other* counted, under the same key."""
        if other._first is not None:
            self.add(other._first)
        if other._registers is not None:
            self._registers = bytearray(map(max, self._taken(), other._registers))

    @property
    def at_least(self) -> int:
        """How many values there were for certain: never more than there were."""
        if self._registers is None:
            return 0 if self._first is None else 1
        return REGISTERS - self._registers.count(0)

    @property
    def estimate(self) -> int:
        """About how many values there were; never less than `at_least`."""
        if self._registers is None:
            return self.at_least
        zeros = self._registers.count(0)
        raw = _BIAS * REGISTERS**2 / sum(2.0**-rank for rank in self._registers)
        if zeros and raw <= _LINEAR:
            raw = REGISTERS * log(REGISTERS / zeros)
        return max(round(raw), REGISTERS - zeros)

    def _taken(self) -> bytearray:
        """The registers, made where one mark alone was seen."""
        if self._registers is None:
            self._registers = bytearray(REGISTERS)
            if self._first is not None:
                self._registers[self._first & 0xFF] = self._first >> 8
        return self._registers
