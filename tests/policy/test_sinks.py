"""The sinks of a policy: what is taken, what is refused and where, what is warned of."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from embargo.core.sink import Address, Batch, Sink, SinkFormat, Transport
from embargo.policy import sinks
from embargo.policy.editor import json_schema
from embargo.policy.lint import lint
from embargo.policy.load import load
from embargo.policy.problem import Mistake, PolicyError

EDITOR = Draft202012Validator(json_schema())
NOW = datetime(2026, 11, 29, tzinfo=UTC)
ADDRESSES = {  # what `to` says: (transport, host, port, path)
    "udp://10.0.0.1": (Transport.UDP, "10.0.0.1", 514, ""),
    "tls://siem.example.com": (Transport.TLS, "siem.example.com", 6514, ""),
    "RELPS://siem.example.com:2515": (Transport.RELPS, "siem.example.com", 2515, ""),
    "tcp://[2001:db8::7]:601": (Transport.TCP, "2001:db8::7", 601, ""),
    "https://es.example.com": (Transport.HTTPS, "es.example.com", 443, ""),
    "https://es.example.com:9200/prefix/": (Transport.HTTPS, "es.example.com", 9200, "/prefix"),
    "http://127.0.0.1:8088/services/collector?channel=1": (
        Transport.HTTP, "127.0.0.1", 8088, "/services/collector?channel=1",
    ),
    "/var/log/embargo/cef.log": (Transport.FILE, "", 0, "/var/log/embargo/cef.log"),
}  # fmt: skip


@pytest.mark.parametrize("text", ADDRESSES)
def test_address(text: str) -> None:
    transport, host, port, path = ADDRESSES[text]
    assert sinks.address(text) == Address(transport=transport, host=host, port=port, path=path)


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_can_be_read_again(text: str) -> None:
    assert sinks.address(str(sinks.address(text))) == sinks.address(text)


REFUSED = {  # what a sink says: the code of the error
    "to: relpz://siem.example.com": "wrong-sink",
    "to: siem.example.com:6514": "wrong-sink",
    "to: 'tls://'": "wrong-sink",
    "to: tls://a.example:99999": "wrong-sink",
    "to: https://user:secret@es.example.com": "wrong-sink",
    "to: https://user:secret@es.example.com:99999": "wrong-sink",
    "to: 'https://user:secret@es.example.com/a b'": "wrong-sink",
    "to: htps://user:secret@es.example.com": "wrong-sink",
    "to: tls://a.example/path": "wrong-sink",
    "to: 'tls://a b'": "wrong-sink",
    "to: export.jsonl": "wrong-sink",
    "to: /var/log/": "relative-path",
    "{to: 'tls://a.example', ca_file: ca.pem}": "relative-path",
    "{to: /tmp/x, index: embargo}": "sink-key",
    "{to: 'tls://a.example', token_file: /etc/token}": "sink-key",
    "{to: 'https://a.example', facility: 4}": "sink-key",
    "{to: 'https://a.example', index: embargo}": "sink-key",
    "{to: 'https://a.example', batch: splunk, format: cef}": "sink-key",
    "{to: 'tls://a.example', key_file: /etc/key}": "sink-key",
    "{to: 'udp://a.example', facility: 24}": "wrong-facility",
    "{to: /tmp/x, rotate_keep: 0}": "not-a-count",
    "{to: 'udp://a.example', fromat: cef}": "unknown-key",
    "{to: 'udp://a.example', format: leef}": "unknown-format",
    "{to: 'https://a.example', batch: bulk}": "unknown-batch",
    "format: cef": "missing-key",
}


def written(path: Path, sink: str, name: str = "siem") -> Path:
    sink = sink if sink.startswith("{") else f"{{{sink}}}"
    path.write_text(f"version: 1\nsettings:\n  log:\n    sinks:\n      {name}: {sink}\n", "utf-8")
    return path


@pytest.mark.parametrize("sink", REFUSED)
def test_refused_with_its_place(tmp_path: Path, sink: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load((written(tmp_path / "p.yaml", sink),))
    problem = refused.value.problems[0]
    assert (problem.code, problem.line) == (REFUSED[sink], 5)
    assert problem.path.startswith("settings.log.sinks.siem")
    assert "secret" not in problem.message.replace("holds no secret", "")


WARNED = {  # what a sink says: the code of the warning, if there is one
    "to: udp://siem.example.com": "unproven-sink",
    "to: tcp://siem.example.com": "sink-in-the-clear",
    "to: relp://10.0.0.1": "sink-in-the-clear",
    "to: http://10.0.0.1:9200": "sink-in-the-clear",
    "to: udp://127.0.0.1": None,
    "to: http://localhost:9200": None,
    "to: relps://siem.example.com": None,
    "to: /var/log/x": None,
    "{to: 'udp://siem.example.com', enabled: false}": None,
}
KNOWN_TO_EDITORS = [sink for sink, code in REFUSED.items() if code not in ("wrong-sink", "not-a-count")]


@pytest.mark.parametrize("sink", KNOWN_TO_EDITORS)
def test_editors_underline_it_too(tmp_path: Path, sink: str) -> None:
    assert list(EDITOR.iter_errors(yaml.safe_load(written(tmp_path / "p.yaml", sink).read_text("utf-8"))))


@pytest.mark.parametrize("sink", [*WARNED, *(f"to: '{text}'" for text in ADDRESSES)])
def test_editors_take_what_loads(tmp_path: Path, sink: str) -> None:
    path = written(tmp_path / "p.yaml", sink)
    load((path,))
    assert list(EDITOR.iter_errors(yaml.safe_load(path.read_text("utf-8")))) == []


def test_a_later_layer_adds_and_replaces(tmp_path: Path) -> None:
    first = written(tmp_path / "a.yaml", "{to: 'udp://a.example', format: cef}")
    second = written(tmp_path / "b.yaml", "{to: 'relps://b.example'}")
    third = written(tmp_path / "c.yaml", "{to: 'https://c.example', batch: elasticsearch}", "elastic")
    assert load((first, second, third)).policy.settings.log.sinks == (
        Sink(id="siem", to=sinks.address("relps://b.example")),
        Sink(id="elastic", to=sinks.address("https://c.example"), batch=Batch.ELASTICSEARCH),
    )


def test_a_sink_says_what_it_is() -> None:
    to = sinks.address("https://es.example.com:9200")
    sink = Sink(id="elastic", to=to, batch=Batch.ELASTICSEARCH, filter="verdict:block")
    assert str(sink) == "elastic (https://es.example.com:9200, ecs, filter=verdict:block, batch=elasticsearch)"


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    (sink,) = load((written(tmp_path / "p.yaml", "to: /var/log/x.jsonl"),)).policy.settings.log.sinks
    assert (sink.format, sink.filter, sink.facility, sink.enabled) == (SinkFormat.ECS, "", 13, True)


@pytest.mark.parametrize("sink", WARNED)
def test_warned(tmp_path: Path, sink: str) -> None:
    found = lint(load((written(tmp_path / "p.yaml", sink),)), NOW)
    assert [(each.code, each.line) for each in found] == ([(WARNED[sink], 5)] if WARNED[sink] else [])


def test_the_warning_stands_in_the_layer_that_counts(tmp_path: Path) -> None:
    first = written(tmp_path / "a.yaml", "to: relps://a.example")
    second = written(tmp_path / "b.yaml", "to: udp://b.example")
    (found,) = lint(load((first, second)), NOW)
    assert found.file.endswith("b.yaml")


def test_a_secret_stands_in_no_message() -> None:
    with pytest.raises(Mistake) as refused:
        sinks.address("https://user:hunter2@es.example.com")
    assert "hunter2" not in str(refused.value)
