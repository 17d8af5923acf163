"""Catalogues for tests: small ones, and what an update to one would do."""

from pathlib import Path

from embargo.review.catalogue_update import Proposal, propose_update
from sample import NOW

RULES = """\
rules:
  - {id: shared, apps: all, shared: true, action: log}
  - {id: ban, apps: all, action: block}
"""


def catalogue(*endpoints: str, released: str | None = "2026-01-01", more: str = "", app: str = "a") -> str:
    lines = "".join(f"      - {endpoint}\n" for endpoint in endpoints)
    day = f"released: {released}\n" if released else ""
    return f"version: 1\n{day}apps:\n  {app}:\n    endpoints:\n{lines}{more}{RULES}"


def propose(site: Path, text: str, **options: object) -> Proposal:
    file = site.with_name("new.yaml")
    file.write_text(text, encoding="utf-8")
    return propose_update([site], file, NOW, **options)  # type: ignore[arg-type]


def tried(proposal: Proposal) -> list[str]:
    return [str(entry.endpoint) for entry in proposal.on_trial]


def site_on(directory: Path) -> Path:
    """A policy of two layers whose catalogue is `domains.yaml`."""
    (directory / "domains.yaml").write_text(catalogue("old.test", "{host: h.old2.test}"), encoding="utf-8")
    file = directory / "site.yaml"
    file.write_text("version: 1\ninclude: [domains.yaml]\nsettings: {organization: Example Corp}\n", encoding="utf-8")
    return file
