from datetime import timedelta

import pytest

from embargo.core.timeline import State as OrderState
from embargo.review.enforcement import State
from embargo.review.report.orders import NOT_YET
from embargo.review.report.wording import STATES, WORDS, lasting, share

SHARES = {0.0: "0 %", 1.0: "100 %", 0.5: "50.00 %", 0.999999: "99.99 %", 0.0000001: "0.01 %", 0.98765: "98.77 %"}
LENGTHS = {0: "0 s", 8: "8 s", 720: "12 min", 3661: "1 h 1 min", 86_400 * 3 + 3600 * 4 + 60: "3 d 4 h"}


@pytest.mark.parametrize(("part", "text"), SHARES.items())
def test_a_share_is_never_rounded_to_all_or_nothing(part: float, text: str) -> None:
    assert share(part) == text


@pytest.mark.parametrize(("seconds", "text"), LENGTHS.items())
def test_lengths(seconds: int, text: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == text


def test_every_state_has_words() -> None:
    assert set(WORDS) == set(State)
    assert set(STATES) == {NOT_YET, *(state.value for state in OrderState)}
