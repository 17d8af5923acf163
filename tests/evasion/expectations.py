"""What must hold of a case behind embargo."""

from evasion.attempt import Outcome
from evasion.bare import RACES
from evasion.campaign import Pair
from evasion.case import Case


def check(case: Case, pair: Pair, bare: str) -> None:
    """*bare* is what mitmproxy does by itself there: L where the banned flow leaks, W where its twin works."""
    banned, twin = pair.banned, pair.twin
    assert not banned.leaked, f"what is banned got out: {banned}"
    assert not (case.alone and banned.bytes_out), f"bytes of a banned flow got out: {banned}"
    assert banned.outcome in (Outcome.REFUSED, Outcome.CLOSED), f"no refusal and no end: {banned}"
    assert "L" not in bare or banned.refusals or case.name in RACES, f"no record: {banned}"
    if case.odd:
        assert twin.outcome is not Outcome.HUNG, f"the table says {case.odd!r}: {twin}"
        return
    assert not twin.refusals, f"an innocent is refused: {twin}"
    assert "W" not in bare or twin.outcome is Outcome.ANSWERED, f"an innocent does not get through: {twin}"
