from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Policy
from embargo.enforce.gate import Gate
from embargo.enforce.latency import BOUNDS, EVERY, Latency
from sample import NOW

REQUEST = Request(names=(Name.parse(Source.SNI, "innocent.test", 443),), surface=Surface.TLS, time=NOW)


def test_each_duration_is_in_its_bucket() -> None:
    latency = Latency()
    for seconds in (0.0, BOUNDS[0], BOUNDS[0] * 1.01, BOUNDS[-1], BOUNDS[-1] * 10):
        latency.add(seconds)
    assert latency.counts[0] == 2
    assert latency.counts[1] == 1
    assert latency.counts[-2:] == [1, 1]
    assert sum(latency.counts) == 5
    assert latency.describe()["counts"] == latency.counts


def test_one_decision_in_sixteen_is_timed() -> None:
    gate = Gate()
    gate.take(Policy())
    for _ in range(3 * EVERY):
        gate.decide(REQUEST)
    assert sum(gate.latency.counts) == 3
