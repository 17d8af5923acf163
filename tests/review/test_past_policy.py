"""What a stored policy said: of a rule, with its lines, and of an endpoint."""

from pathlib import Path

import pytest

from embargo.policy.load import load
from embargo.review.history import NoSuchPolicy
from embargo.review.past_policy import past_policy

BASE = """\
version: 1
apps:
  chat:
    name: Chat
    endpoints:
      - domain: chat.example
        evidence: [https://chat.example/docs]
    endpoints_from: [lists/chat.txt]
rules:
  - id: no-chat   # why: the order
    apps: [chat]
    action: block

  - id: after
    apps: [chat]
    action: log
"""
SITE = """\
version: 1
include: base.yaml
rules:
  - {id: ours, apps: [chat], action: allow, clients: [10.1.0.0/16]}
"""
EXCEPTION = """\
version: 1
rules:
  - id: except-1
    apps: [chat]
    action: log
    users: [alice]
    until: 2099-01-01
    reason: press review
"""
RULES = {  # case: (id, file, line, text)
    "a rule over several lines": (
        "no-chat", "base.yaml", 10, "  - id: no-chat   # why: the order\n    apps: [chat]\n    action: block",
    ),
    "the last one of a file": ("after", "base.yaml", 14, "  - id: after\n    apps: [chat]\n    action: log"),
    "in one line": ("ours", "site.yaml", 4, "  - {id: ours, apps: [chat], action: allow, clients: [10.1.0.0/16]}"),
    "an exception": ("except-1", "exceptions.yaml", 3, EXCEPTION.partition("rules:\n")[2].rstrip()),
}  # fmt: skip


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, str]:
    policy, log = tmp_path / "policy", tmp_path / "log"
    (policy / "lists").mkdir(parents=True)
    (log / "policies").mkdir(parents=True)
    (policy / "base.yaml").write_text(BASE)
    (policy / "site.yaml").write_text(SITE)
    (policy / "exceptions.yaml").write_text(EXCEPTION)
    (policy / "lists/chat.txt").write_text("a.example\nb.example\n")
    loaded = load([policy / "site.yaml"])
    (log / "policies" / loaded.digest).write_bytes(b"".join(loaded.bundle()))
    return log, loaded.digest


@pytest.mark.parametrize(("rule", "file", "line", "text"), RULES.values(), ids=RULES)
def test_the_rule_as_it_was(stored: tuple[Path, str], rule: str, file: str, line: int, text: str) -> None:
    found = past_policy(*stored).rule_text(rule)
    assert found is not None
    assert (found.file, found.line, found.text) == (file, line, text)


def test_it_is_that_policy(stored: tuple[Path, str]) -> None:
    found = past_policy(*stored)
    assert found.trouble is None
    assert found.policy is not None and found.policy.digest == stored[1]
    assert found.evidence("chat", "domain:chat.example") == ("https://chat.example/docs",)
    assert found.evidence("chat", "domain:no.example") == ()
    assert found.rule_text("default") is None
    assert found.rule("ours") is not None and found.rule("none") is None


def test_a_text_that_this_release_refuses_is_still_read(tmp_path: Path) -> None:
    import hashlib

    text = b"version: 1\nrules:\n  - id: old\n    apps: [gone]\n    action: block\n"
    data = b'embargo-policy-file "old.yaml" %d\n' % len(text) + text
    digest = hashlib.sha256(data).hexdigest()
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / digest).write_bytes(data)
    found = past_policy(tmp_path, digest)
    assert found.policy is None and found.trouble is not None and "refuses" in found.trouble
    assert found.rule_text("old") is not None


def test_none_is_stored(tmp_path: Path) -> None:
    with pytest.raises(NoSuchPolicy):
        past_policy(tmp_path, "ab" * 32)
