"""Nothing banned passes and nothing innocent is refused, in any mode of mitmproxy."""

from collections.abc import Callable

import pytest

from evasion import bare
from evasion.all_cases import CASES
from evasion.conftest import Results
from evasion.expectations import check
from evasion.subjects import MODES

TABLE = bare.read()
APPLIES = [(mode, name) for mode in MODES for name, case in CASES.items() if mode in case.modes]


@pytest.mark.parametrize(("mode", "name"), APPLIES)
def test_nothing_banned_passes(embargo_results: Callable[..., Results], mode: str, name: str) -> None:
    found = embargo_results("all", (), tuple(MODES))
    check(CASES[name], found[mode][name], TABLE[mode][name])
