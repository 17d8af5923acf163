"""The report as JSON values, for machines."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from embargo.journal.ecs import timestamp
from embargo.review.enforcement import Enforcement
from embargo.review.report.report import Report


def document(report: Report) -> dict[str, Any]:
    """The object that `report --format json` prints: the members of `Report` and of what it holds, by their names.

    Times are RFC 3339 in UTC, lengths are seconds.
    """
    found = _plain(report)
    assert isinstance(found, dict)
    return found


def _plain(value: object) -> Any:
    match value:
        case Enforcement():
            return value.document()
        case Enum():
            return value.value
        case datetime():
            return timestamp(value)
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case tuple() | list():
            return [_plain(each) for each in value]
        case _ if is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value
