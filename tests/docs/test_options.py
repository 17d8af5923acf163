"""Addon options, the settings of `embargo run` and environment variables stand in the reference, and no other."""

import ast
import re

from mitmproxy.test import taddons

from docs.pages import ROOT, first_cells, section
from embargo.enforce.addon import Embargo
from embargo.enforce.process.launcher import COMPANY_SETTINGS

PAGE = ROOT / "docs/reference/options.md"


def test_addon_options() -> None:
    with taddons.context() as context:
        context.master.addons.add(Embargo())
        declared = {option for option in context.options.keys() if option.startswith("embargo_")}  # noqa: SIM118
    assert declared
    assert set(first_cells(section(PAGE, "Options of the addon"))) == declared


def test_company_settings() -> None:
    rows = first_cells(section(PAGE, "Two ways to run it"))
    assert {setting.partition("=")[0] for setting in COMPANY_SETTINGS} <= set(rows)
    text = "\n".join(section(PAGE, "Two ways to run it"))
    for setting in COMPANY_SETTINGS:
        option, _, value = setting.partition("=")
        assert f"| `{option}` | `{value}` |" in text


def variables() -> set[str]:
    """Every environment variable that the source reads: what is looked up there by a constant name."""
    found: set[str] = set()
    for file in (ROOT / "addon").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            text = ast.unparse(node) if isinstance(node, ast.Call | ast.Subscript) else ""
            if text.startswith(("os.environ.get(", "os.getenv(", "os.environ[", "_xdg(")):
                found |= set(re.findall(r"'([A-Z][A-Z0-9_]+)'", text))
    return found


def test_environment_variables() -> None:
    assert "XDG_STATE_HOME" in variables(), "the search itself is broken"
    assert set(first_cells(section(PAGE, "Environment variables"))) == variables()
