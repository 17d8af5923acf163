"""The census of one process: what the gate lets pass is counted, and a thread of its own writes it down.

A flow counts once under the host that it asks for: a connection (CONNECT, TLS, QUIC, raw) as one, HTTP by requests,
of which the first stands for its connection as well, DNS by questions. The hook's part is a few look-ups in memory; a
disk that is full or slow costs the census, never the traffic.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from embargo.core.request import Name, Request, Source, Surface
from embargo.enforce.census.anonymity import Rest, told
from embargo.enforce.census.tally import Tally
from embargo.enforce.connection import Connection
from embargo.journal.clock import utc_now
from embargo.paths import private_directory
from embargo.traffic.census import day_of, hour_of, new_name, trim, write

FLUSH = 300.0  # seconds: the most that a crash can lose
_logger = logging.getLogger("embargo")
_REVERSE = ".arpa"  # names of addresses, which no app owns, and which would tell addresses
_ORDER = (  # of several names of a flow, which is asked for: the innermost
    Source.AUTHORITY,
    Source.HOST,
    Source.URL,
    Source.QUESTION,
    Source.SNI,
    Source.RESOLVED,
    Source.CONNECT,
)
_HTTP, _WEBSOCKET, _DNS = Surface.HTTP, Surface.WEBSOCKET, Surface.DNS


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusState:
    """How the census fares, for status."""

    hosts: int  # names counted in the current hour
    others: int  # requests in the current hour that found no room
    error: str | None  # why it cannot be written; None where it can


class Census:
    """Counts and writes. `passed` is for the event loop; the rest for any thread."""

    def __init__(self, directory: Path, *, now: Callable[[], datetime] = utc_now, flush: float = FLUSH) -> None:
        """Touches no file: `start` does."""
        self._directory = directory
        self._now = now
        self._flush = flush
        self._tally = Tally()
        self._counting = False
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._error: str | None = None
        self._failure: str | None = None
        self._faulty = False  # the last attempt to write came upon a fault of ours
        self._begin(now())

    # --- the event loop's

    def passed(self, connection: Connection, request: Request) -> None:
        """Count *request*, which passed; where it belongs to a flow that was counted, do nothing."""
        if not self._counting:
            return
        names = request.names
        name = names[0] if len(names) == 1 else _asked(names)
        if name is None or name.host is None:
            return
        host, surface, tally = name.host.text, request.surface, self._tally
        counts = tally.hosts
        if surface is _HTTP or surface is _WEBSOCKET:  # a set would have to call the enumeration's hash
            if connection.counted == host:
                connection.counted = None  # the connection's own count stands for its first request
                return
        elif surface is _DNS:
            if host.endswith(_REVERSE):
                return
            counts = tally.questions
        elif connection.counted == host:
            return
        else:
            connection.counted = host
        marked = connection.marked
        if marked is None or marked[0] is not tally.era or marked[1] is not connection.client:
            connection.marked = marked = (tally.era, connection.client, tally.mark(connection.client))
        mark = marked[2]
        if (counted := counts.get(host)) is None and (counted := tally.new(counts, host, mark)) is None:
            return
        counted.requests += 1
        if counted.latest != mark:
            counted.latest = mark
            counted.add(mark)

    def fail(self, error: Exception) -> None:
        """Counting raised: it is given up, and status says so until the process ends."""
        self._failure = f"counting failed and was given up: {type(error).__name__}: {error}"
        _logger.warning("embargo: the census counts no longer", exc_info=error)

    # --- life

    def start(self) -> None:
        """Start writing; once."""
        assert self._thread is None, "started twice"
        self._thread = threading.Thread(target=self._run, name="embargo-census", daemon=True)
        self._thread.start()

    def follow(self, counting: bool) -> None:
        """Count from now on, or no longer; then what is in memory alone is dropped. Old files are deleted in time."""
        if self._counting is not counting:
            self._counting = counting
            self._wake.set()

    def close(self, timeout: float = 2.0) -> bool:
        """Write what is counted, and stop; False where that took longer than *timeout* seconds or failed."""
        self._closing = True
        self._wake.set()
        if self._thread is None:
            return False
        self._thread.join(timeout)
        return not self._thread.is_alive() and self._error is None

    def state(self) -> CensusState | None:
        """A snapshot; None where nothing is counted."""
        if not self._counting:
            return None
        tally = self._tally
        return CensusState(hosts=len(tally), others=tally.others, error=self._failure or self._error)

    # --- the thread's

    def _begin(self, now: datetime) -> None:
        self._hour, self._day = hour_of(now), day_of(now)
        self._hour_file, self._day_file = new_name(self._hour), new_name(self._day)
        self._rest = Rest()  # of the day's hours that are over

    def _run(self) -> None:
        going_on = True
        while going_on:
            with suppress(SystemExit):  # mitmproxy's, where it cannot print what is logged
                going_on = self._turn()

    def _turn(self) -> bool:
        """Wait, and write; False: closed, and all is written."""
        until_the_hour = (self._hour.end - self._now()).total_seconds()
        if not self._closing:
            self._wake.wait(self._flush if self._faulty else max(0.0, min(self._flush, until_the_hour)))
            self._wake.clear()
        closing = self._closing
        self._faulty = True
        try:
            self.store()
            self._faulty = False
        except Exception as failure:  # noqa: BLE001 - a thread's top: say so, go on
            self._say(f"{type(failure).__name__}: {failure}")
        return not closing

    def store(self) -> None:
        """Write what was counted so far, and begin anew where the hour is over. Never raises OSError."""
        now = self._now()
        tally, over = self._tally, hour_of(now) != self._hour
        if over or not self._counting:
            self._tally = Tally()  # what the event loop adds to the old one in this instant is lost
        if not self._counting:
            self._begin(now)  # should it be counted again, then into other files: these hold more
            tally, over = self._tally, False
        hosts, rest = told(tally)
        rest.add(self._rest)
        try:
            if hosts or rest:
                self._directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the log's
                private_directory(self._directory)
            if hosts:
                write(self._directory / self._hour_file, self._hour, hosts, 0)
            if rest:
                write(self._directory / self._day_file, self._day, rest.counts(), rest.others)
            if self._directory.is_dir():
                trim(self._directory, now)
        except OSError as failure:
            self._say(failure.strerror or str(failure))
        else:
            self._say(None)
        if over:
            self._turn_over(now, rest)

    def _turn_over(self, now: datetime, rest: Rest) -> None:
        if day_of(now) != self._day:
            self._begin(now)
            return
        self._hour, self._hour_file, self._rest = hour_of(now), new_name(hour_of(now)), rest

    def _say(self, error: str | None) -> None:
        if error is not None and self._error is None:
            _logger.warning("embargo: cannot write the census to %s: %s", self._directory, error)
        elif error is None and self._error is not None:
            _logger.warning("embargo: writing the census to %s again", self._directory)
        self._error = error


def _asked(names: tuple[Name, ...]) -> Name | None:
    """The one of several names that the flow asks for; an address only where there is no name."""
    address: Name | None = None
    best: Name | None = None
    rank = len(_ORDER)
    for name in names:
        if name.host is None:
            continue
        if name.host.address is not None:
            address = address or name
        elif name.source in _ORDER and (place := _ORDER.index(name.source)) < rank:
            best, rank = name, place
    return best or address
