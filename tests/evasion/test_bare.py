"""The suite can see a leak: what mitmproxy lets out by itself, in each case and mode, is what the table says."""

from collections.abc import Callable

import pytest

from evasion import bare
from evasion.all_cases import CASES
from evasion.conftest import Results
from evasion.subjects import PROXIES

SUBJECTS = {  # column: (options, the proxy's modes, the mode)
    **{mode: ((), modes, mode) for modes in PROXIES for mode in modes},
    "block_list": (("block_list=/~d [.]banned[.]test$ | ~d ^10[.]66[.]/403",), ("regular",), "regular"),
}


def column(subject: str, results: Callable[..., Results]) -> dict[str, str]:
    options, modes, mode = SUBJECTS[subject]
    return {name: bare.mark_of(pair) for name, pair in results(options, modes)[mode].items()}


def test_the_table(bare_results: Callable[..., Results]) -> None:
    """Written anew where the environment asks for it; else whole."""
    if bare.RENEW:
        bare.write({subject: column(subject, bare_results) for subject in SUBJECTS})
    table = bare.read()
    assert list(table) == list(SUBJECTS)
    assert set().union(*table.values()) == set(CASES)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_mitmproxy_does_by_itself(bare_results: Callable[..., Results], subject: str) -> None:
    assert column(subject, bare_results) == bare.read()[subject]


def test_most_cases_leak_past_block_list() -> None:
    """Else they were no evasions."""
    column = bare.read()["block_list"]
    assert sum("L" in mark for mark in column.values()) > 40
