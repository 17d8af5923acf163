"""Nothing banned passes and nothing innocent is refused, in any mode of mitmproxy."""

from collections.abc import Callable

import pytest

from evasion import bare
from evasion.all_cases import CASES
from evasion.attempt import Outcome
from evasion.conftest import Results
from evasion.expectations import check
from evasion.subjects import PROXIES

TABLE = bare.read()
APPLIES = [
    (modes, mode, name) for modes in PROXIES for mode in modes for name, case in CASES.items() if mode in case.modes
]


@pytest.mark.parametrize(("modes", "mode", "name"), APPLIES, ids=[f"{mode}-{name}" for _, mode, name in APPLIES])
def test_nothing_banned_passes(
    embargo_results: Callable[..., Results], modes: tuple[str, ...], mode: str, name: str
) -> None:
    pair = embargo_results("all", (), modes)[mode][name]
    assert not pair.banned.leaked, f"what is banned got out: {pair.banned}"
    if Outcome.HUNG in (pair.banned.outcome, pair.twin.outcome):
        # A tunnel made for the test may have stalled as a whole: once more, in a new one. The option is the default.
        pair = embargo_results("all", ("connection_strategy=eager",), (mode,))[mode][name]
    check(CASES[name], pair, TABLE[mode][name])
