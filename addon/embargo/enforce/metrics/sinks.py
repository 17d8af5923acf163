"""How far the sinks are, as the process that delivers has told last."""

from pathlib import Path

from embargo.enforce.metrics.readings import Family, Series

COUNTERS = (
    Family("embargo_sink_records", "Records that a sink has been given, since it was set up.", ("sink",)),
    Family("embargo_sink_failures", "Deliveries to a sink that failed.", ("sink",)),
)
GAUGES = (
    Family("embargo_sink_lag_records", "Records that a sink has not been given yet.", ("sink",)),
    Family("embargo_sink_lag_seconds", "Age of the oldest of them.", ("sink",)),
)
_MEMBERS = {
    "embargo_sink_records": "delivered",
    "embargo_sink_failures": "failures",
    "embargo_sink_lag_records": "lag_records",
    "embargo_sink_lag_seconds": "lag_seconds",
}


def sink_series(log: Path) -> Series:
    """Of each sink of the log directory *log*; nothing where none was ever run."""
    from embargo.sinks.status import read  # not before somebody asks

    told = read(log)
    sinks = told["sinks"] if told is not None else ()
    return {(name, (sink["name"],)): float(sink[member]) for sink in sinks for name, member in _MEMBERS.items()}
