"""The formats that a sink can send in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from embargo.formats import cef, ecs, eve, ocsf, syslog
from embargo.journal.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One language."""

    write: Callable[[Record], str]  # one line without line feed
    standard: str  # what it follows


FORMATS: Mapping[str, Format] = {
    "ecs": Format(write=ecs.write, standard="Elastic Common Schema 8.11: the record as it is"),
    "ocsf": Format(write=ocsf.write, standard="Open Cybersecurity Schema Framework 1.8"),
    "cef": Format(write=cef.write, standard="Common Event Format 1"),
    "eve": Format(write=eve.write, standard="Suricata's EVE"),
    "syslog": Format(write=syslog.write, standard="RFC 5424, with words for people"),
}
