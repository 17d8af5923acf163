"""Rules that cannot see what they block, since TLS stays closed."""

# ruff: noqa: E501 - a case a line
from pathlib import Path

import pytest

from policy_files import Files, golden, warned

CODES = ("blind-rule",)


def policy(settings: str, rule: str, more: str = "") -> Files:
    return f"""\
version: 1
settings: {{{settings}}}
apps:
  a:
    endpoints:
      - {{domain: a.example, evidence: e}}
      - {{url: u.example/a/*, evidence: e}}
      - {{url: v.example/a/*, shared: true, evidence: e}}
rules: [{more}{{id: r, apps: a, action: block{rule}}}]
"""


TOLD: dict[str, Files] = {
    "urls": policy("decrypt: none", ""),
    "urls that nothing before it takes": policy("decrypt: none", "", "{id: s, apps: all, shared: true, action: log}, "),
    "surfaces inside": policy("decrypt: none", ", surfaces: [http, websocket]"),
    "hosts that are urls": policy("decrypt: none", ", hosts: [{url: a.example/pay/*}]"),
    "a host that is never opened": policy("decrypt: all, never_decrypt: [u.example]", ""),
    "a host below one": policy("never_decrypt: [example.com, {host: v.example}]", ""),
    "urls of the rule at a host that is never opened": policy("never_decrypt: [a.example]", ", hosts: [{url: a.example/pay/*}]"),
}  # fmt: skip
UNTOLD: dict[str, Files] = {
    "all is opened": policy("decrypt: all", ""),
    "what is needed is opened": policy("decrypt: needed", ""),
    "no url of its own": policy("decrypt: none", ", hosts: [a.example], surfaces: [connect, tls]"),
    "a rule before it takes them": policy("decrypt: none", ", shared: true", "{id: s, apps: all, shared: true, action: log}, "),
    "a log": policy("decrypt: none", "").replace("block", "log"),  # type: ignore[union-attr]
    "hosts that meet no url": policy("decrypt: none", ", hosts: [a.example]"),
    "a rule that never matches": policy("decrypt: none", ", hosts: [elsewhere.example]"),
    "another host is never opened": policy("never_decrypt: [bank.example]", ""),
}  # fmt: skip


def told(directory: Path, files: Files) -> list[str]:
    return [line for line in warned(directory, files) if line.split()[1] in CODES]


def test_told(tmp_path: Path) -> None:
    found = {case: told(tmp_path / str(number), files) for number, (case, files) in enumerate(TOLD.items())}
    golden("blindness", found)
    assert [case for case, lines in found.items() if not lines] == []


@pytest.mark.parametrize("files", UNTOLD.values(), ids=UNTOLD)
def test_untold(tmp_path: Path, files: Files) -> None:
    assert told(tmp_path, files) == []
