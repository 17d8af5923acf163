"""The devices: which client has which app, installed or only visited, and what has gone quiet for so long as to prove
that it was removed. By `review.devices`; the page filters, sorts and pages its rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from flask import Blueprint, Response, abort, current_app, render_template, request, url_for

from embargo.console.access.desk import desk
from embargo.console.access.rights import Right, requires
from embargo.console.context import account, may, now, store
from embargo.console.counting import WORDS, Counted, Number
from embargo.console.enforced import gaps_within
from embargo.console.freshness import refresh
from embargo.console.masking import masked, pseudonym
from embargo.console.selection import term
from embargo.console.spans import Span, chosen
from embargo.journal.query import Query
from embargo.journal.table import csv_line
from embargo.review.devices import QUIET, Device, Presence, devices

blueprint = Blueprint("devices", __name__)

PAGE = 40  # rows; each is counted by class
_MOST_QUIET = 30  # days: as far back as gaps of the log are known
_STATES: Mapping[str, tuple[str, Callable[[Device], bool]]] = {
    "": ("all", lambda _: True),
    "installed": ("installed", lambda each: each.presence is Presence.INSTALLED and not each.gone),
    "visited": ("visited", lambda each: each.presence is Presence.VISITED),
    "gone": ("gone", lambda each: each.gone),
    "silent": ("silent", lambda each: each.silent),
}
_ORDERS: Mapping[str, tuple[str, Callable[[Device], Any], bool]] = {  # label, key, whether the greatest comes first
    "": (
        "installed first",
        lambda each: (each.presence is Presence.VISITED, each.client, each.user or "", each.app),
        False,
    ),
    "last": ("last seen", lambda each: each.last, True),
    "first": ("first seen", lambda each: each.first, True),
    "attempts": ("attempts", lambda each: each.attempts, True),
    "client": ("client", lambda each: (each.client, each.user or "", each.app), False),
    "app": ("app", lambda each: (each.app, each.client, each.user or ""), False),
}
_COLUMNS = ("client", "user", "app", "presence", "gone", "silent", "first", "last", "attempts", "machine_hours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the address says."""

    span: Span
    quiet: int  # days
    app: str
    who: str  # text in the client or user
    state: str
    sort: str

    def values(self) -> dict[str, Any]:
        """As parameters of an address."""
        return {
            "span": None if self.span.name == self.span.usual else self.span.name,
            "quiet": None if self.quiet == QUIET.days else self.quiet,
            "app": self.app or None,
            "who": self.who or None,
            "state": self.state or None,
            "sort": self.sort or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A device on the page."""

    device: Device
    client: str
    user: str
    word: str  # what it is
    numbers: tuple[Number, ...]  # its requests in the period by class


@blueprint.get("/devices")
@requires(Right.COUNTS)
def show() -> str:
    """A row for each client and app."""
    refresh()
    asked, counted = _asked(request.args), Counted.now(now())
    every = _every(asked, counted)
    found = _chosen(every, asked)
    begin = min(_whole(request.args.get("from", ""), 0), max(0, len(found) - 1)) // PAGE * PAGE
    return render_template(
        "devices.html",
        asked=asked,
        presets=list(asked.span.presets("devices.show", **{**asked.values(), "span": None})),
        states=[
            (name, label, sum(map(takes, every)), url_for("devices.show", **{**asked.values(), "state": name or None}))
            for name, (label, takes) in _STATES.items()
        ],
        orders=[(name, label) for name, (label, _, _) in _ORDERS.items()],
        words=list(WORDS.values()),
        rows=[_row(each, asked, counted) for each in found[begin : begin + PAGE]],
        apps=sorted({each.app for each in every}),
        begin=begin,
        total=len(found),
        everything=len(every),
        masked=masked(),
        may_export=may(Right.EXPORT),
        previous=_page(asked, begin - PAGE) if begin else None,
        following=_page(asked, begin + PAGE) if begin + PAGE < len(found) else None,
        snapshot=counted.snapshot,
    )


@blueprint.post("/devices/export")
@requires(Right.EXPORT)
def export() -> Response:
    """The rows of a filter as CSV, for the management of devices."""
    refresh()
    asked, counted = _asked(request.form), Counted.now(now())
    found = _chosen(_every(asked, counted), asked)
    who, moment = account(), now()
    if who is None:
        abort(403)
    filtered = " ".join(f"{name}={value}" for name, value in asked.values().items() if value is not None)
    desk().record("export", details={"filter": f"devices {filtered}".strip(), "rows": len(found), "form": "csv"})
    head = {
        "devices": filtered or "all",
        "period": f"{_iso(asked.span.since)} to {_iso(asked.span.until)}",
        "gone after": f"{asked.quiet} days without a request",
        "rows": str(len(found)),
        "by": who.name,
        "at": _iso(moment),
    }
    lines = [csv_line((f"# {name}: {text}",)) for name, text in head.items()]
    lines += [csv_line(_COLUMNS), *map(_csv, found)]
    answer = Response("".join(lines), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="embargo-devices-{moment:%Y%m%dT%H%M%SZ}.csv"'
    return answer


def _asked(given: Mapping[str, str]) -> Asked:
    state, sort = given.get("state", ""), given.get("sort", "")
    return Asked(
        span=chosen(given=given),
        quiet=min(max(1, _whole(given.get("quiet", ""), QUIET.days)), _MOST_QUIET),
        app=given.get("app", "").strip()[:100],
        who="" if masked() else given.get("who", "").strip()[:200],
        state=state if state in _STATES else "",
        sort=sort if sort in _ORDERS and not (masked() and sort == "client") else "",
    )


def _every(asked: Asked, counted: Counted) -> list[Device]:
    """All devices of the period: kept while one sorts and pages, since a million rows take a second."""
    key = (counted.snapshot, asked.span.since, asked.span.until, asked.quiet)
    kept: _Kept = current_app.extensions.setdefault("embargo-devices", _Kept())
    if (found := kept.of(key)) is None:
        query = counted.query("verdict:*", "client:*", since=asked.span.since, until=asked.span.until)
        end = min(asked.span.until, now())
        gaps = gaps_within(asked.span.since, end)
        found = devices(store().sightings(query, counted.snapshot), end, quiet=timedelta(days=asked.quiet), gaps=gaps)
        kept.keep(key, found)
    return found


class _Kept:
    """What was found last. Safe across threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: object = None
        self._found: list[Device] = []

    def of(self, key: object) -> list[Device] | None:
        with self._lock:
            return self._found if self._key == key else None

    def keep(self, key: object, found: list[Device]) -> None:
        with self._lock:
            self._key, self._found = key, found


def _chosen(every: Sequence[Device], asked: Asked) -> list[Device]:
    _, takes = _STATES[asked.state]
    _, key, greatest = _ORDERS[asked.sort]
    wanted = asked.who.casefold()
    found = [
        each
        for each in every
        if takes(each)
        and (not asked.app or each.app == asked.app)
        and (not wanted or wanted in each.client.casefold() or wanted in (each.user or "").casefold())
    ]
    if masked():  # in the order of what is seen, which tells nothing of what is not
        found.sort(key=lambda each: (_person("client", each.client), each.app))
    elif not asked.sort:
        return sorted(found, key=key)
    return sorted(found, key=key, reverse=greatest) if asked.sort else found


def _row(device: Device, asked: Asked, counted: Counted) -> Row:
    return Row(
        device=device,
        client=_person("client", device.client),
        user=_person("user", device.user) if device.user is not None else "",
        word="gone" if device.gone else str(device.presence),
        numbers=tuple(_numbers(device, asked, counted)),
    )


def _numbers(device: Device, asked: Asked, counted: Counted) -> Iterator[Number]:
    query = _query(device, asked, counted)
    classes = store().classes(query, counted.snapshot)
    yield from counted.of_classes(query, classes)


def _query(device: Device, asked: Asked, counted: Counted) -> Query:
    of_user = "-user:*" if device.user is None else f"user:={device.user}"
    return counted.query(
        f"app:={device.app}",
        term("client", device.client),
        of_user,
        "verdict:*",
        since=asked.span.since,
        until=asked.span.until,
    )


def _person(kind: str, name: str) -> str:
    return pseudonym(kind, name) if masked() else name


def _csv(device: Device) -> str:
    return csv_line(
        (
            device.client,
            device.user or "",
            device.app,
            str(device.presence),
            "yes" if device.gone else "no",
            "yes" if device.silent else "no",
            _iso(device.first),
            _iso(device.last),
            str(device.attempts),
            str(device.machine_hours),
        )
    )


def _page(asked: Asked, begin: int) -> str:
    return url_for("devices.show", **{**asked.values(), "from": max(0, begin) or None})


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else otherwise


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
