"""Trying a policy: what is wrong with a text, what it would change, the patch; and that no text does harm."""

import base64
import io
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from console import a_week
from console.a_site import a_site
from console.signed_in import Browser, signed_in
from embargo.console import tried, trying
from embargo.console.access.rights import Role

TEXT = a_week.POLICY
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(9)
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return a_site(tmp_path_factory.mktemp("site"), count=10)


@pytest.fixture(scope="module")
def admin(app: Flask) -> Browser:
    return signed_in(app, Role.ADMIN)


def attempt(browser: Browser, text: str | bytes = "", **fields: str) -> Any:
    data: dict[str, Any] = {"csrf_token": browser.csrf, "file": "0", "days": "30", **fields}
    if text:
        data["text"] = (io.BytesIO(text if isinstance(text, bytes) else text.encode()), "site.yaml")
    return browser.post("/policy/try", data=data, content_type="multipart/form-data")


def asked(policy: Path, text: bytes = b"", revision: str | None = None) -> dict[str, Any]:
    """What the process says that tries a text, without one."""
    return trying.answer(
        {
            "policy": [str(policy)],
            "log": "",
            "now": "2026-11-24T10:00:00+00:00",
            "days": 0,
            "text": base64.b64encode(text).decode(),
            "file": str(policy),
            "revision": revision,
        }
    )


def files(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.is_file() and "accounts.sqlite" not in path.name}


def test_what_an_edit_would_change(admin: Browser, app: Flask, tmp_path: Path) -> None:
    policy = app.extensions["embargo"].settings.policy[0]
    before = files(policy.parent.parent)
    new = policy.read_text().replace(
        "apps: [temu]\n    action: block\n    shadow: true", "apps: [temu, qq]\n    action: block"
    )
    page = attempt(admin, new).text
    assert "It changes verdicts" in page and "Newly blocked" in page and "Collateral" in page
    host = re.search(r'href="(/log\?q=since[^"]+)"><bdi class="break">', page)
    assert host is not None
    assert 'data-total="0"' not in admin.get(host[1]).text
    found = re.search(r'href="data:text/x-patch;base64,([^"]+)" download', page)
    assert found is not None
    (tmp_path / "site.yaml").write_text(policy.read_text())
    patch = base64.b64decode(found[1])
    subprocess.run(["git", "apply", "-"], input=patch, cwd=tmp_path, check=True)
    assert (tmp_path / "site.yaml").read_text() == new
    assert files(policy.parent.parent) == before  # nothing is kept


HARMLESS = {  # case: (text, what is said of it)
    "a mistake, with its place": (TEXT.replace("role: messaging", "role: msg"), "unknown-role"),
    "no text": (b"\x00\xff\xfe{{{", "line"),
    "a bomb of aliases": (BOMB, "line"),
    "a tag that would make an object": ("!!python/object/apply:os.system ['touch /tmp/x']", "tag"),
    "a file that is none of the policy's": (f"include: [/etc/passwd]\n{TEXT}", "is no file of the policy in force"),
    "a list elsewhere": (TEXT.replace("endpoints: [temu.com]", "endpoints_from: ../../etc/hosts"), "foreign-file"),
    "deep nesting": ("[" * 50_000, "line"),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_no_text_does_harm(app: Flask, case: str) -> None:
    text, said = HARMLESS[case]
    policy = app.extensions["embargo"].settings.policy[0]
    found = asked(policy, text=text if isinstance(text, bytes) else text.encode())
    assert found["problems"] and said in str(found["problems"])
    assert "root:x:0" not in str(found)


SHOWN = {  # case: (text, status, what the page says)
    "markup": (TEXT.replace("id: no-short-video", "id: <script>alert(9)</script>"), 200, "&lt;script&gt;alert(9)"),
    "nothing": ("", 422, "choose a file to upload"),
    "too much": ("#" * (tried.LARGEST + 1), 422, "is not tried here"),
}


@pytest.mark.parametrize("case", SHOWN)
def test_what_is_refused_is_said(admin: Browser, case: str) -> None:
    text, status, said = SHOWN[case]
    answer = attempt(admin, text)
    assert answer.status_code == status
    assert said in answer.text and "<script>alert" not in answer.text


def test_a_revision_of_git(admin: Browser, app: Flask) -> None:
    policy = app.extensions["embargo"].settings.policy[0]
    assert "not a git repository" in asked(policy, revision="HEAD")["refused"]
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], cwd=policy.parent, check=True)
    assert "It changes nothing" in attempt(admin, revision="HEAD", days="0").text
    for odd in ("--upload-pack=x", "../../etc/passwd", "HEAD:/etc/passwd", "-x", "HEAD\n", "\0"):
        assert "refused" in asked(policy, revision=odd), odd


def test_one_at_a_time_and_not_for_ever(app: Flask, admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tried, "_LIMIT", 0.05)
    with pytest.raises(tried.NotTried, match="longer than"):
        tried.tried([Path("x.yaml")], Path("log"), app.extensions["embargo"].settings.now(), 0, text=b"x", limit=0.05)
    assert tried._turn.acquire(blocking=False)
    try:
        answer = attempt(admin, TEXT)
        assert answer.status_code == 422 and "somebody else is trying" in answer.text
    finally:
        tried._turn.release()
