"""Git repositories for tests: commits from files, with a configuration of their own."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


def git(directory: Path, *words: str) -> str:
    """What git prints in *directory*."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    ran = subprocess.run(
        ["git", *words], cwd=directory, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return ran.stdout


def commit(directory: Path, files: Mapping[str, str | None]) -> None:
    """A commit in which *files* hold those texts, or are gone where it is None; the first makes the repository."""
    if not (directory / ".git").exists():
        git(directory, "init", "-q", "-b", "main", ".")
    for name, text in files.items():
        path = directory / name
        if text is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(directory, "add", "-A")
    git(directory, "commit", "-q", "--allow-empty", "-m", "a change")
