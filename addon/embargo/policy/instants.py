"""Times as policy files write them: dates and instants, durations, sizes, hours of a day, time zones."""

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from embargo.policy.problem import Mistake, nearest, quoted

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
_HOURS = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)")
_MIDNIGHT = 24 * 60  # minutes
DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}  # seconds
SIZES = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # bytes  # fmt: skip


def instant(text: str) -> datetime:
    """The instant (UTC) of a date (00:00 UTC) or an RFC 3339 time with offset. Raises Mistake: not-a-time."""
    example = "expected a date such as 2021-02-19 or a time such as 2021-02-19T08:00:00Z"
    found = _INSTANT.fullmatch(text)
    if found is not None and found[1] is None:
        raise Mistake("not-a-time", f"{quoted(text)} has no offset from UTC", "add Z or an offset such as +08:00")
    if found is None and _DATE.fullmatch(text) is None:
        raise Mistake("not-a-time", f"found {quoted(text)}, {example}")
    try:
        if found is None:
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as refused:
        raise Mistake("not-a-time", f"{quoted(text)} is no day or time: {refused}") from None


def moment(text: str) -> datetime:
    """The instant (UTC) at which a request is judged: one that every time zone can tell. Raises Mistake: not-a-time."""
    found = instant(text)
    if not 1 < found.year < 9999:
        raise Mistake("not-a-time", f"{quoted(text)} lies too far away, expected a year from 0002 to 9998")
    return found


def day(text: str) -> date:
    """The date in *text*. Raises Mistake: not-a-time."""
    if _DATE.fullmatch(text) is None:
        raise Mistake("not-a-time", f"found {quoted(text)}, expected a date such as 2021-02-19")
    return instant(text).date()


def hours(text: str) -> tuple[int, int]:
    """Minutes of the day of `HH:MM-HH:MM`, the end up to 24:00. Raises Mistake: not-hours."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise Mistake("not-hours", f'found {quoted(text)}, expected hours such as "22:00-06:00"')
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start >= _MIDNIGHT or end > _MIDNIGHT:
        raise Mistake("not-hours", f"{quoted(text)} has a time that no day has", "a day runs from 00:00 to 24:00")
    if start == end:
        raise Mistake("not-hours", f"{quoted(text)} begins and ends at once", 'write "00:00-24:00" for the whole day')
    return start, end


def timezone(text: str) -> ZoneInfo:
    """The time zone of that IANA name. Raises Mistake: unknown-timezone."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zones = available_timezones()
        hint = nearest(text, zones) or _nearest_zone(text, zones) or "use a name such as Europe/Berlin or UTC"
        raise Mistake("unknown-timezone", f"found {quoted(text)}, expected the name of a time zone", hint) from None


def _nearest_zone(text: str, zones: set[str]) -> str:
    lowered = {zone.lower(): zone for zone in zones}
    hint = nearest(text, lowered)
    for lower, zone in lowered.items():
        if repr(lower) in hint:
            return f"did you mean {zone!r}?"
    return ""


def duration(text: str) -> float:
    """Seconds of `200ms`, `5s`, `10m`, `1h`, `1d`, `2w`. Raises Mistake: not-a-duration."""
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in DURATIONS:
        units = ", ".join(DURATIONS)
        raise Mistake(
            "not-a-duration", f"found {quoted(text)}, expected a number with one of {units}", "such as 200ms or 365d"
        )
    return float(found[1]) * DURATIONS[found[2]]


def size(text: str) -> int:
    """Bytes of `256MiB`. Raises Mistake: not-a-size."""
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in SIZES:
        units = ", ".join(SIZES)
        raise Mistake("not-a-size", f"found {quoted(text)}, expected a number with one of {units}", "such as 256MiB")
    return int(float(found[1]) * SIZES[found[2]])
