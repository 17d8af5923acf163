"""What a sink sends of the log's lines: those that its filter takes, in its format."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from embargo.core.sink import Sink, SinkFormat
from embargo.formats import syslog
from embargo.formats.catalogue import FORMATS
from embargo.journal.ecs import timestamp
from embargo.journal.query import BadTerm, Query, parse_query, split_terms
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.spool import time_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One record, ready to be sent."""

    id: str  # event.id: what a receiver tells a record by that comes twice
    record: Record
    text: str  # one line without line feed


class BadFilter(ValueError):
    """A sink's filter cannot be understood; says which and why."""


def query_of(sink: Sink, now: datetime) -> Query:
    """The filter of *sink*; times ago count from *now* (aware). Raises BadFilter."""
    try:
        return parse_query(split_terms(sink.filter), now)
    except BadTerm as bad:
        raise BadFilter(f"the filter of the sink {sink.id!r}: {bad}") from bad


class Composer:
    """Makes a sink's messages."""

    def __init__(self, sink: Sink, now: datetime) -> None:
        """Raises BadFilter."""
        self._query = query_of(sink, now)
        self._sink = sink
        self._site = syslog.Site(facility=sink.facility, enterprise=sink.enterprise)
        since = self._query.since
        self._since = timestamp(since.astimezone(UTC)).encode("ascii") if since is not None else b""
        self.broken = 0  # lines that are no record

    def messages(self, lines: Iterable[bytes]) -> list[Message]:
        """Those of *lines*, in order, that the filter takes."""
        found = []
        for line in lines:
            if not line.strip() or not self._query.may_match(line):
                continue
            if self._since and b"" < time_of(line) < self._since:
                continue  # a sink that is to leave out the past need not parse it
            try:
                record = Record.parse(line)
            except BrokenRecord:
                self.broken += 1
                continue
            if not self._query.matches(record):
                continue
            try:
                found.append(self.message(record))
            except ValueError:  # a number that JSON cannot say, such as 1e999
                self.broken += 1
        return found

    def message(self, record: Record) -> Message:
        """The message of *record*, whatever the filter says."""
        text = FORMATS[self._sink.format].write(record)
        if self._sink.to.transport.is_syslog:
            payload = None if self._sink.format is SinkFormat.SYSLOG else text
            text = syslog.message(record, self._site, payload)
        return Message(id=record.id, record=record, text=text)


def trial(identifier: str, now: datetime, hostname: str, version: str) -> Record:
    """The record that `embargo sinks test` sends: it is in no log."""
    document = {
        "@timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ecs": {"version": "8.11.0"},
        "event": {
            "kind": "event",
            "category": ["process"],
            "type": ["info"],
            "action": "sink-test",
            "sequence": 0,
            "id": identifier,
            "reason": "a test of this sink: no decision",
            "dataset": "embargo.decision",
            "module": "embargo",
        },
        "observer": {
            "type": "proxy",
            "vendor": "embargo",
            "product": "embargo",
            "hostname": hostname,
            "version": version,
        },
        "embargo": {},
    }
    return Record.of(json.loads(json.dumps(document)))
