"""How often endpoints on trial were met, by the decision log: what somebody looks at before enforcing them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from embargo.journal.files import STEM
from embargo.journal.reader import Reader

_SIGN = b'"trial":{'  # in the raw line of each record that is wanted, and in hardly any other
_MOST_CLIENTS = 10_000  # of one endpoint that are told apart; more are that many
_MOST_HOSTS = 5


@dataclass(slots=True)
class Hits:
    """What was met by one endpoint."""

    count: int = 0  # records: of connections, requests and questions
    clients: set[str] = field(default_factory=set)  # addresses, as far as they are recorded
    hosts: dict[str, int] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None

    @property
    def top(self) -> tuple[str, ...]:
        """The hosts met most often."""
        return tuple(sorted(self.hosts, key=lambda host: (-self.hosts[host], host))[:_MOST_HOSTS])


@dataclass(frozen=True, slots=True)
class HitsOfLog:
    """Those of a whole log directory."""

    by_endpoint: Mapping[tuple[str, str], Hits]  # by app and `KIND:PATTERN`
    broken: int  # lines that are no records


def hits_in(directory: Path) -> HitsOfLog | None:
    """The hits in the log *directory*; None where there is none. Raises OSError where it cannot be listed."""
    if not directory.is_dir():
        return None
    found: dict[tuple[str, str], Hits] = {}
    reader = Reader(directory, (STEM,), sift=lambda line: _SIGN in line)
    for entry in reader.entries(lambda record: record.trial is not None):
        record = entry.record
        assert record.trial is not None, "others were left out"
        hits = found.setdefault(record.trial, Hits())
        hits.count += 1
        hits.first, hits.last = hits.first or record.time, record.time
        if record.client is not None and len(hits.clients) < _MOST_CLIENTS:
            hits.clients.add(record.client)
        if record.host is not None and (record.host in hits.hosts or len(hits.hosts) < _MOST_CLIENTS):
            hits.hosts[record.host] = hits.hosts.get(record.host, 0) + 1
    return HitsOfLog(found, reader.broken.count)
