"""The program that a client runs to look for ways round the proxy: `from_client`, with what it is to try filled in."""

import pprint
from collections.abc import Iterable
from pathlib import Path

from embargo import __version__
from embargo.core.pattern import Kind
from embargo.probe.channel import Address
from embargo.probe.targets import Target

_PROGRAM = Path(__file__).with_name("from_client.py")
_PLAN = "PLAN: Dict[str, Any] = {}\n"
_NAMED = frozenset({Kind.DOMAIN, Kind.HOST})


def source(targets: Iterable[Target], *, control: Address, proxy: Address | None) -> str:
    """One self-contained Python file that tries to reach some of *targets*, and *control*, past *proxy*."""
    blocked = [[target.app, target.endpoint.partition(":")[2]] for target in targets if target.kind in _NAMED]
    plan = {
        "version": __version__,
        "blocked": blocked,
        "control": list(control),
        "proxy": list(proxy) if proxy is not None else None,
    }
    text = _PROGRAM.read_text(encoding="utf-8")
    before, found, after = text.partition(_PLAN)
    assert found, "the program has a place for its plan"
    return f"{before}PLAN: Dict[str, Any] = {pprint.pformat(plan, width=100, sort_dicts=False)}\n{after}"
