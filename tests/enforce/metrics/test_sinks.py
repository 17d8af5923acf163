import json
from pathlib import Path

from embargo.enforce.metrics.sinks import sink_series


def test_what_was_told_last(tmp_path: Path) -> None:
    sink = {"name": "siem", "to": "tls://siem.example:6514", "delivered": 9, "failures": 2, "lag_records": 4}
    (tmp_path / "sinks").mkdir()
    (tmp_path / "sinks" / "status.json").write_text(json.dumps({"sinks": [sink | {"lag_seconds": 1.5, "error": "no"}]}))
    assert sink_series(tmp_path) == {
        ("embargo_sink_records", ("siem",)): 9,
        ("embargo_sink_failures", ("siem",)): 2,
        ("embargo_sink_lag_records", ("siem",)): 4,
        ("embargo_sink_lag_seconds", ("siem",)): 1.5,
    }


def test_nothing_was_ever_told(tmp_path: Path) -> None:
    assert sink_series(tmp_path) == {}
