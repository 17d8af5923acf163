"""Readings in Prometheus's text format or OpenMetrics, whichever is asked for, by prometheus_client.

Imported only where metrics are served: `prometheus_client` takes 30 ms.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from embargo.enforce.metrics import sinks
from embargo.enforce.metrics.readings import COUNTERS, GAUGES, INFOS, LATENCY, Family, Reading, Series, Timed

# Of the supervisor itself
MORE_COUNTERS = (
    Family("embargo_worker_deaths", "Workers that ended and should not have."),
    Family("embargo_companion_deaths", "Companions that ended and should not have.", ("companion",)),
    *sinks.COUNTERS,
)
MORE_GAUGES = (
    Family("embargo_workers", "Workers that there should be."),
    Family("embargo_companion_up", "Whether the companion runs.", ("companion",)),
    *sinks.GAUGES,
)


class Exposition(Collector):
    """One reading, as prometheus_client has it."""

    def __init__(self, reading: Reading, more: Series) -> None:
        """*more*: series of `MORE_COUNTERS` and `MORE_GAUGES`."""
        self._reading = reading
        self._more = more

    def collect(self) -> Iterator[Metric]:
        """Each metric, those without a series included."""
        yield from _families(CounterMetricFamily, COUNTERS, self._reading.counters)
        yield from _families(CounterMetricFamily, MORE_COUNTERS, self._more)
        yield _histogram(self._reading.timed)
        yield from _families(GaugeMetricFamily, GAUGES, self._reading.gauges)
        yield from _families(GaugeMetricFamily, MORE_GAUGES, self._more)
        yield from _families(GaugeMetricFamily, INFOS, self._reading.infos)


def encoded(reading: Reading, more: Series, accept: str) -> tuple[bytes, str]:
    """The whole of it, in the format that the header *accept* prefers, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exposition(reading, more))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _families(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily], families: Sequence[Family], series: Series
) -> Iterable[Metric]:
    made = {family.name: kind(family.name, family.text, labels=family.labels) for family in families}
    for (name, labels), value in sorted(series.items()):
        if name in made:
            made[name].add_metric(labels, value)
    return made.values()


def _histogram(timed: Timed) -> HistogramMetricFamily:
    made = HistogramMetricFamily(LATENCY.name, LATENCY.text)
    bounds = [*map(str, timed.bounds), "+Inf"]
    counts = list(accumulate(timed.counts)) or [0]
    made.add_metric([], list(zip(bounds, map(float, counts), strict=True)), timed.seconds)
    return made
