"""What deploy/ has for Prometheus and Grafana names metrics that there are; promtool reads it, the manual has it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.pages import ROOT, first_cells, section
from embargo.enforce.metrics import readings
from embargo.enforce.metrics.exposition import MORE_COUNTERS, MORE_GAUGES
from embargo.enforce.metrics.readings import Family
from embargo.enforce.uninspected import Uninspected

DEPLOY = ROOT / "deploy"
ALERTS, CASES = DEPLOY / "prometheus-alerts.yaml", DEPLOY / "prometheus-alerts.test.yaml"
PAGE = ROOT / "docs" / "reference" / "metrics.md"
HOW_TO = ROOT / "docs" / "how-to" / "monitor.md"
COUNTERS = {f"{each.name}_total": each for each in (*readings.COUNTERS, *MORE_COUNTERS)}
GAUGES = {each.name: each for each in (*readings.GAUGES, *MORE_GAUGES, *readings.INFOS)}
BUCKETS = {f"{readings.LATENCY.name}_{part}": readings.LATENCY for part in ("bucket", "sum", "count")}
SERIES: dict[str, Family] = COUNTERS | GAUGES | BUCKETS
OF_PROMETHEUS = {"instance", "job", "le"}  # labels that each series has

RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def dashboard_queries() -> Iterator[tuple[str, str]]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


QUERIES = [*((rule["alert"], rule["expr"]) for rule in RULES), *dashboard_queries()]


def promtool(*words: str, **more: Any) -> str:
    assert shutil.which("promtool"), "tools/install-test-tools installs it"
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=60, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[f"{where}: {query[:40]}" for where, query in QUERIES])
def test_a_query_names_metrics_and_labels_that_there_are(where: str, query: str) -> None:
    named = re.findall(r"\b(embargo_\w+)(?:\{([^}]*)\})?", query)
    assert named, where
    for name, selector in named:
        assert name in SERIES, f"{where}: {name}"
        labels = set(re.findall(r"(\w+)\s*=~?", selector or ""))
        assert labels <= {*SERIES[name].labels, *OF_PROMETHEUS}, f"{where}: {name}"
        counted = name in COUNTERS or name in BUCKETS
        assert counted == bool(re.search(rf"(?:rate|increase)\({name}\b", query)), (
            f"{where}: a counter is shown by rate"
        )
    grouped = {label for listed in re.findall(r"\bby \(([^)]*)\)", query) for label in re.split(r",\s*", listed)}
    assert grouped <= {label for name, _ in named for label in SERIES[name].labels} | OF_PROMETHEUS, where
    blocks = [selector for name, selector in named if name == "embargo_decisions_total"]
    assert all("shadow=" in selector for selector in blocks), f"{where}: sums up blocks and would-be blocks"


def test_promtool_reads_every_query(tmp_path: Path) -> None:
    text = ((query, re.sub(r"\$__(rate_interval|range)", "5m", query)) for _, query in QUERIES)
    rules = [{"record": f"q{number}", "expr": asked} for number, (_, asked) in enumerate(text)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "rules.yaml"))


def test_the_alerts_are_rules_and_do_what_their_cases_say() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", str(ALERTS))
    assert "SUCCESS" in promtool("test", "rules", CASES.name, cwd=DEPLOY)


def test_each_alert_has_a_case_in_which_it_speaks_and_one_in_which_it_is_quiet() -> None:
    cases = yaml.safe_load(CASES.read_text())["tests"]
    for speaks in (True, False):
        found = {
            each["alertname"]
            for case in cases
            for each in case["alert_rule_test"]
            if bool(each["exp_alerts"]) == speaks
        }
        assert found == {rule["alert"] for rule in RULES}


def test_each_alert_is_in_the_how_to() -> None:
    assert set(first_cells(section(HOW_TO, "What to do about an alert"))) == {rule["alert"] for rule in RULES}
    assert {rule["labels"]["severity"] for rule in RULES} == {"critical", "warning", "info"}


def test_each_metric_is_in_the_reference() -> None:
    families = {*COUNTERS, *GAUGES, readings.LATENCY.name}
    documented = [cell for cell in first_cells(section(PAGE, "The metrics")) if cell.startswith("embargo_")]
    assert set(documented) == families
    assert len(documented) == len(families)
    text = "\n".join(section(PAGE, "The metrics"))
    for name in documented:
        line = next(line for line in text.splitlines() if f"`{name}`" in line)
        assert set(re.findall(r"`(\w+)`", line.split("|")[2])) == set(SERIES.get(name, readings.LATENCY).labels), name


def test_each_blind_spot_is_in_the_reference() -> None:
    assert set(first_cells(section(PAGE, "Blind spots"))) == {reason.value for reason in Uninspected}


def test_the_dashboard_is_whole() -> None:
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(identifiers) == len(set(identifiers))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells
    for panel in PANELS:
        assert panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert all("$instance" in target["expr"] for target in panel["targets"]), panel["title"]
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "instance"}
    assert "__inputs" not in DASHBOARD, "it names no data source of anybody's"
