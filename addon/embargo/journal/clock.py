"""The one place where the journal reads the wall clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The instant, aware, in UTC."""
    return datetime.now(UTC)
