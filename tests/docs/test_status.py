"""docs/reference/status.md names every field of a proxy's answer, and no other."""

from datetime import UTC, datetime
from pathlib import Path

from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.test import taddons

from docs.pages import ROOT, first_cells, section
from embargo.core.rules import Policy
from embargo.enforce.census.recorder import Census
from embargo.enforce.reload.break_glass import Glass
from embargo.enforce.reload.reloader import Refused, Reloader
from embargo.enforce.runtime import Runtime
from embargo.journal.ecs import Observer
from embargo.journal.status import Liveness
from embargo.journal.writer import Journal
from recorded import GLASS

PAGE = ROOT / "docs/reference/status.md"


def test_status_fields(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with taddons.context(config := TlsConfig(), loadcore=False) as context:
        context.options.confdir = str(tmp_path)
        config.configure({"confdir"})
        runtime = Runtime()
        runtime.gate.take(Policy(digest="5f" * 32))
        runtime.glass = Glass(runtime.gate, tmp_path, tmp_path)
        runtime.glass.current = GLASS
        runtime.journal = Journal(tmp_path, observer=Observer(hostname="proxy1", version="0.1.0", pid=1))
        runtime.census = Census(tmp_path)
        runtime.census.follow(True)
        runtime.reloader = Reloader(runtime.gate, (), tmp_path, tmp_path)
        runtime.reloader.refused = Refused(now, ("no",), ("domains.yaml",))
        said = runtime.describe()
    fields = set(said) | {f"{key}.{below}" for key, value in said.items() if isinstance(value, dict) for below in value}
    documented = first_cells(section(PAGE, "Of the process"))
    assert set(documented) == fields
    assert len(documented) == len(fields)


def test_states() -> None:
    text = "\n".join(section(PAGE, "Of the asking"))
    assert [state for state in Liveness if f"`{state.value}`" not in text] == []
