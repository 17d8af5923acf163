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


TIMES = 8  # a proxy that is late joins pieces that were sent apart, and then no evasion is seen


def column(subject: str, results: Callable[..., Results], known: dict[str, str] | None = None) -> dict[str, str]:
    """What was seen at any time; what is as *known* already is not asked for again."""
    options, modes, mode = SUBJECTS[subject]
    names, found = tuple(CASES), dict[str, str]()
    for time in range(1, TIMES + 1):
        for name, pair in results(options, modes, names, time)[mode].items():
            found[name] = bare.both(found.get(name, "-"), bare.mark_of(pair))
        if known is not None:
            names = tuple(name for name in found if found[name] != known.get(name) and name not in bare.RACES)
            modes = (mode,)
        if not names:
            break
    return found


def test_the_table(bare_results: Callable[..., Results]) -> None:
    """Written anew where the environment asks for it; else whole."""
    if bare.RENEW:
        bare.write({subject: column(subject, bare_results) for subject in SUBJECTS})
    table = bare.read()
    assert list(table) == list(SUBJECTS)
    assert set().union(*table.values()) == set(CASES)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_mitmproxy_does_by_itself(bare_results: Callable[..., Results], subject: str) -> None:
    table = bare.read()[subject]
    found = column(subject, bare_results, table)
    assert found.keys() == table.keys()
    assert {name: mark for name, mark in found.items() if table[name] != mark and name not in bare.RACES} == {}


def test_most_cases_leak_past_block_list() -> None:
    """Else they were no evasions."""
    column = bare.read()["block_list"]
    assert sum("L" in mark for mark in column.values()) > 40
