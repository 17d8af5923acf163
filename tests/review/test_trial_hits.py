"""What the log says of endpoints on trial."""

from dataclasses import replace
from pathlib import Path

from embargo.core.decision import Trial, Verdict
from embargo.journal.event import Judged
from embargo.journal.record import Encoder, Observer
from embargo.review.trial_hits import hits_in
from recorded import EVENTS
from sample import endpoint

ENCODER = Encoder(Observer(hostname="proxy1.example.com", version="0.1.0", pid=4711))


def write(directory: Path, *events: Judged, more: bytes = b"") -> None:
    lines = b"".join(ENCODER.line(event, sequence=number) for number, event in enumerate(events, 1))
    directory.mkdir(exist_ok=True)
    (directory / "decisions.jsonl").write_bytes(lines + more)


def met(host: str, client: str, text: str = "new.test") -> Judged:
    event = EVENTS["http-block"]
    assert isinstance(event, Judged)
    trial = Trial(Verdict.BLOCK, "alipay", endpoint(text), "banned-apps", True)
    decision = event.decision._replace(verdict=Verdict.LOG, would=Verdict.BLOCK, trial=trial)
    return replace(event, decision=decision, host=host, destination=host, client=client)


def test_counts_clients_and_hosts(tmp_path: Path) -> None:
    other = EVENTS["http-block"]
    assert isinstance(other, Judged)
    write(
        tmp_path / "log",
        met("a.new.test", "10.0.0.1"), met("a.new.test", "10.0.0.2"), met("b.new.test", "10.0.0.1"), other,
        met("else.test", "10.0.0.9", "else.test"),
        more=b'{"trial":{"torn":\n',
    )  # fmt: skip
    found = hits_in(tmp_path / "log")
    assert found is not None
    hits = found.by_endpoint["alipay", "domain:new.test"]
    assert (hits.count, hits.clients, hits.top) == (3, {"10.0.0.1", "10.0.0.2"}, ("a.new.test", "b.new.test"))
    assert hits.first == hits.last
    assert hits.last is not None and abs((hits.last - other.time).total_seconds()) < 0.001
    assert set(found.by_endpoint) == {("alipay", "domain:new.test"), ("alipay", "domain:else.test")}
    assert found.broken == 1


def test_no_log(tmp_path: Path) -> None:
    assert hits_in(tmp_path / "nowhere") is None
