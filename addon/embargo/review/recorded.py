"""The decision log as a source of past requests: each record that decided something is one, with what it decided."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from embargo.core.address import Address, plain
from embargo.core.decision import Verdict
from embargo.core.request import Surface
from embargo.core.seen import Seen, Unread
from embargo.journal.record import BrokenRecord, Record

_VERDICTS = {str(verdict): verdict for verdict in Verdict}
_SURFACES = {surface.value: surface for surface in Surface}
_WITH_URL = frozenset({Surface.HTTP, Surface.WEBSOCKET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded(Seen):
    """A request of the decision log."""

    then: Verdict  # what was decided


def read_lines(lines: Iterable[tuple[int, str | None]]) -> Iterator[Seen | Unread]:
    """What numbered *lines* of a log file hold; a last one that is still being written counts as broken."""
    for number, line in lines:
        if line is None:
            yield Unread(f"line {number}", "too long for a record")
        elif line.strip():
            try:
                found = recorded(Record.parse(line))
            except BrokenRecord as broken:
                yield Unread(f"line {number}", str(broken)[:200])
                continue
            if found is not None:
                yield found


def recorded(record: Record) -> Recorded | None:
    """The request that *record* is about; None where it tells of something else, or of no request that has a name.

    It is judged at the surface of the record alone, where it was judged then.
    """
    then = _VERDICTS.get(record.verdict or "")
    surface = _SURFACES.get(record.surface or "")
    if then is None or surface is None:
        return None
    names = [name for name in record.hosts if name != record.host]
    request = record.url if surface in _WITH_URL and record.url is not None else _authority(record, surface)
    if not request:
        return None
    return Recorded(
        request=request,
        time=record.time,
        client=_address(record.client) if not record.masked else None,
        user=record.user,
        user_agent=record.user_agent,
        surface=surface,
        names=tuple(_bracketed(name) for name in names),
        then=then,
    )


def _authority(record: Record, surface: Surface) -> str:
    host = record.host or ""
    if surface is Surface.DNS or not host:
        return host
    port = record.destination_port
    return f"{_bracketed(host)}:{port}" if port is not None else _bracketed(host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _address(text: str | None) -> Address | None:
    """The client, where it is an address: a masked one is none."""
    try:
        return plain(ip_address(text)) if text is not None else None
    except ValueError:
        return None
