"""The metrics of made-up workers, read by Prometheus's own reader and by promtool."""

import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from embargo.core.request import Surface
from embargo.enforce.metrics.crew import CrewMetrics
from embargo.enforce.metrics.exposition import encoded
from embargo.enforce.metrics.readings import COUNTERS, GAUGES, INFOS, LATENCY, MOST_APPS
from embargo.enforce.uninspected import Uninspected
from worker_answers import answer


def text(crew: CrewMetrics, more=(), accept: str = "") -> str:
    return encoded(crew.reading(), dict(more), accept)[0].decode()


def samples(crew: CrewMetrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in prometheus(text(crew))
        for sample in family.samples
    }


def total(found, name: str, **labels: str) -> float:
    return sum(
        value for (named, given), value in found.items() if named == name and labels.items() <= dict(given).items()
    )


def two() -> CrewMetrics:
    crew = CrewMetrics()
    crew.hear("1", answer(blocked=10))
    crew.hear("2", answer(blocked=7, mode="monitor"))
    return crew


def test_counters_are_summed_and_gauges_are_not() -> None:
    found = samples(two())
    assert total(found, "embargo_decisions_total", verdict="block") == 17
    assert total(found, "embargo_log_lost_records_total") == 2
    assert found["embargo_log_queue_records", (("worker", "2"),)] == 4
    assert found["embargo_monitor", (("worker", "1"),)] == 0
    assert found["embargo_monitor", (("worker", "2"),)] == 1
    assert found["embargo_decision_seconds_count", ()] == 12
    assert found["embargo_decision_seconds_sum", ()] == 1.0
    assert found["embargo_policy_info", (("catalogue", "2026-11-01"), ("digest", "5f" * 32))] == 1


def test_would_be_blocks_are_no_blocks() -> None:
    found = samples(two())
    assert total(found, "embargo_decisions_total", verdict="block", shadow="true") == 0
    assert total(found, "embargo_decisions_total", shadow="true") == 10
    assert total(found, "embargo_decisions_total", verdict="block", shadow="false") == 17


def test_series_exist_at_0_from_the_start() -> None:
    crew = CrewMetrics()
    blind = [{"reason": reason.value, "count": 0} for reason in Uninspected]
    crew.hear("1", {"policy": {"app_ids": ["alipay"]}, "uninspected": blind})
    found = samples(crew)
    for surface in Surface:
        for verdict, shadow in (("block", "false"), ("log", "false"), ("log", "true"), ("allow", "false")):
            labels = (("app", "alipay"), ("shadow", shadow), ("surface", surface.value), ("verdict", verdict))
            assert found["embargo_decisions_total", labels] == 0
    for name in ("embargo_log_lost_records_total", "embargo_log_records_total", "embargo_log_wait_seconds_total"):
        assert found[name, ()] == 0
    assert total(found, "embargo_decision_errors_total") == 0
    assert len([name for name, _ in found if name == "embargo_decision_errors_total"]) == len(Surface)


def test_many_apps_do_not_make_series_before_they_count() -> None:
    crew = CrewMetrics()
    crew.hear("1", answer(1, policy={"app_ids": [f"app{number}" for number in range(MOST_APPS + 1)]}))
    owned = [given for name, given in samples(crew) if name == "embargo_decisions_total" and dict(given)["app"]]
    assert len(owned) == 2


DEATHS = {  # case: what happens to worker 1; what all then have blocked
    "it dies": (lambda crew: crew.ended("1"), 17),
    "it dies, and the next counts from 0": (lambda crew: (crew.ended("1"), crew.hear("1", answer(2))), 19),
    "it does not answer": (lambda crew: crew.miss("1"), 17),
    "it dies twice": (lambda crew: (crew.ended("1"), crew.hear("1", answer(2)), crew.ended("1")), 19),
}


@pytest.mark.parametrize(("happens", "blocked"), DEATHS.values(), ids=DEATHS)
def test_counters_never_go_back(happens, blocked: int) -> None:
    crew = two()
    before = samples(crew)
    happens(crew)
    after = samples(crew)
    assert total(after, "embargo_decisions_total", verdict="block") == blocked
    counted = [key for key in before if key[0].endswith(("_total", "_count", "_sum", "_bucket"))]
    assert counted
    assert [key for key in counted if after.get(key, 0.0) < before[key]] == []


def test_one_that_is_gone_is_down() -> None:
    crew = two()
    crew.ended("1")
    found = samples(crew)
    assert found["embargo_worker_up", (("worker", "1"),)] == 0
    assert ("embargo_log_queue_records", (("worker", "1"),)) not in found
    assert found["embargo_worker_up", (("worker", "2"),)] == 1


def test_both_formats_are_read_by_their_readers() -> None:
    crew, more = two(), {("embargo_sink_failures", ("siem",)): 1.0, ("embargo_workers", ()): 2.0}
    families = {family.name for family in prometheus(text(crew, more))}
    assert {each.name for each in (*COUNTERS, *GAUGES, *INFOS, LATENCY)} <= families
    assert "embargo_sink_failures" in families
    said, kind = encoded(crew.reading(), more, "application/openmetrics-text;version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert {family.name for family in openmetrics(said.decode())} == families


def test_promtool_finds_nothing() -> None:
    assert shutil.which("promtool"), "tools/install-test-tools installs it"
    more = {("embargo_sink_failures", ("siem",)): 1.0, ("embargo_sink_lag_records", ("siem",)): 2.0}
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text(two(), more),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
