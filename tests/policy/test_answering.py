"""Answers that cannot be given, and texts that nobody is shown."""

from pathlib import Path

import pytest

from policy_files import Files, golden, warned

APPS = "version: 1\napps: {a: {endpoints: [{domain: a.example, evidence: e}]}}\n"
CODES = ("unused-answer", "no-default-language")


def block(text: str) -> Files:
    return f"{APPS}rules: [{{id: r, apps: a, action: block, {text}}}]\n"


TOLD: dict[str, Files] = {
    "an answer of DNS on HTTP": block("surfaces: [connect, http], respond: nxdomain"),
    "a page in DNS": block("surfaces: dns, respond: [nxdomain, page]"),
    "a page on TLS": block("surfaces: tls, respond: page"),
    "one behind another that fits wherever it would": block("respond: [reset, page]"),
    "two of DNS": block("respond: [page, nxdomain, refused]"),
    "a log that responds": block("respond: page").replace("block", "log"),
    "an allow with a message": block("message: No.").replace("block", "allow"),
    "a message where nobody is told anything": block("surfaces: [tls, quic, dns], message: No."),
    "languages without one for all others": block("message: {de: Nein, fr: Non}"),
    "a variant of English alone": block("message: {en-GB: No, fr: Non}"),
}  # fmt: skip
UNTOLD: dict[str, Files] = {
    "one for each family of surfaces": block("respond: [page, nxdomain]"),
    "reset fits everywhere": block("surfaces: [tls, quic, tcp], respond: reset"),
    "a page, and closing where there is none": block("respond: [page, refused, reset]"),
    "a message": block("message: No."),
    "one language": block("message: {de: Nein}"),
    "English for all others": block("message: {de: Nein, en: No}"),
    "a text for all others": block('message: {de: Nein, "*": Non}'),
    "a rule that is off": block("enabled: false, surfaces: tls, respond: page"),
}  # fmt: skip


def told(directory: Path, files: Files) -> list[str]:
    return [line for line in warned(directory, files) if line.split()[1] in CODES]


def test_told(tmp_path: Path) -> None:
    found = {case: told(tmp_path / str(number), files) for number, (case, files) in enumerate(TOLD.items())}
    golden("answering", found)
    assert [case for case, lines in found.items() if not lines] == []


@pytest.mark.parametrize("files", UNTOLD.values(), ids=UNTOLD)
def test_untold(tmp_path: Path, files: Files) -> None:
    assert told(tmp_path, files) == []
