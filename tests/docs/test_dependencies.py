"""docs/dependencies.md gives a reason for every package that pyproject.toml names, and for no other."""

import itertools
import re
import tomllib

from docs.pages import ROOT, prose


def test_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    required = [*project["project"]["dependencies"], *itertools.chain(*project["dependency-groups"].values())]
    names = {re.split(r"[\[>=<~! ]", text)[0].lower() for text in required}
    page = ROOT / "docs/dependencies.md"
    rows = [line.split("|")[1].strip() for _, line in prose(page) if line.startswith("|")]
    assert {row for row in rows if row not in ("package", "---")} == names
