"""How far the sinks are, as metrics."""

import json
from pathlib import Path

from embargo.enforce.metrics.sinks import sink_series

TOLD = {  # of a sink, as the process that delivers writes it
    "name": "siem",
    "to": "tls://siem.example:6514",
    "format": "ecs",
    "state": "delivering",
    "delivered": 9,
    "filtered": 0,
    "dead_letters": 0,
    "missing": 0,
    "broken": 0,
    "failures": 2,
    "error": None,
    "last_error": "no",
    "last_error_time": None,
    "lag_records": 4,
    "lag_seconds": 1.5,
}


def test_what_was_told_last(tmp_path: Path) -> None:
    (tmp_path / "sinks").mkdir()
    (tmp_path / "sinks" / "status.json").write_text(json.dumps({"sinks": [TOLD]}))
    assert sink_series(tmp_path) == {
        ("embargo_sink_records", ("siem",)): 9,
        ("embargo_sink_failures", ("siem",)): 2,
        ("embargo_sink_lag_records", ("siem",)): 4,
        ("embargo_sink_lag_seconds", ("siem",)): 1.5,
    }


def test_nothing_was_ever_told(tmp_path: Path) -> None:
    assert sink_series(tmp_path) == {}
