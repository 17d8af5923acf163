"""The verdict is the same whatever the operator has set, and in whatever measure TLS is opened."""

from collections.abc import Callable

import pytest

from evasion import bare
from evasion.all_cases import CASES
from evasion.case import Case
from evasion.conftest import Results
from evasion.expectations import check

TABLE = bare.read()
OPEN, CLOSED = "opened", "closed"  # whether TLS to innocents is
VARIANTS = {  # options: (settings.decrypt, options of mitmproxy, whether TLS is opened)
    "connection_strategy=lazy": ("all", ("connection_strategy=lazy",), OPEN),
    "ignore_hosts": ("all", ("ignore_hosts=.*",), OPEN),
    "allow_hosts": ("all", ("allow_hosts=nothing[.]example",), OPEN),
    "tcp_hosts": ("all", ("tcp_hosts=.*",), OPEN),
    "stream_large_bodies=1": ("all", ("stream_large_bodies=1",), OPEN),
    "upstream_cert=false": ("all", ("upstream_cert=false",), OPEN),
    "rawtcp=false": ("all", ("rawtcp=false",), OPEN),
    "http2=false": ("all", ("http2=false",), OPEN),
    "validate_inbound_headers=false": ("all", ("validate_inbound_headers=false",), OPEN),
    "decrypt: needed": ("needed", (), CLOSED),
    "decrypt: none": ("none", (), CLOSED),
}


MEANINGLESS = {  # options: cases that they leave nothing of
    "connection_strategy=lazy": lambda case: case.greeted,  # no server is asked before its client has spoken
    "http2=false": lambda case: case.surface.startswith("http/2"),
    "rawtcp=false": lambda case: case.surface == "upgrade",  # mitmproxy itself ends such streams
}


def applies(variant: str, case: Case) -> bool:
    """What is inside TLS that stays closed nobody sees."""
    closed = VARIANTS[variant][2] is CLOSED and case.opened
    return "regular" in case.modes and not closed and not MEANINGLESS.get(variant, lambda _: False)(case)


APPLIES = [(variant, name) for variant in VARIANTS for name, case in CASES.items() if applies(variant, case)]


@pytest.mark.parametrize(("variant", "name"), APPLIES)
def test_the_verdict_is_the_same(embargo_results: Callable[..., Results], variant: str, name: str) -> None:
    decrypt, options, _ = VARIANTS[variant]
    cases = tuple(name for name, case in CASES.items() if applies(variant, case))
    found = embargo_results(decrypt, options, ("regular",), cases)
    check(CASES[name], found["regular"][name], TABLE["regular"][name])
