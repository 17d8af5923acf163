"""Policies with sinks, for the tests."""

from pathlib import Path


def policy(path: Path, **sinks: str) -> Path:
    """A policy that names *sinks*, put in place by rename as an editor does."""
    entries = "".join(f"      {name}: {text}\n" for name, text in sinks.items())
    fresh = path.with_suffix(".new")
    fresh.write_text(f"version: 1\nsettings:\n  log:\n    sinks:\n{entries}", "utf-8")
    return fresh.rename(path)
