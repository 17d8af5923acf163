"""The house keeps its shape: every module has its tests where one first looks, and says what it is for."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "addon" / "embargo"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
ELSEWHERE = {  # modules without a mirrored file: the tests that hold them
    "paths.py": "docs/test_options.py",
    "cli/covered.py": "cli/test_test.py",
    "cli/exception_output.py": "cli/test_exceptions.py",
    "blocklists/item.py": "blocklists/test_v2fly.py",
    "cli/catalogue_output.py": "cli/test_catalogue.py",
    "cli/difference_output.py": "cli/test_diff.py",
    "cli/findings.py": "cli/test_check.py",
    "cli/intake_output.py": "cli/test_list_import.py",
    "cli/layer_file.py": "cli/test_own_app.py",
    "cli/loading.py": "cli/test_explain.py",
    "cli/options.py": "cli/test_explain.py",
    "cli/past_traffic.py": "cli/test_suggest.py",
    "cli/mutants.py": "policy/test_mutation.py",
    "cli/probe.py": "e2e/test_probe.py",
    "cli/testrun.py": "cli/test_test.py",
    "cli/words.py": "cli/test_exceptions.py",
    "console/display.py": "console/pages/test_log.py",
    "console/exempting_form.py": "console/pages/test_record.py",
    "console/freshness.py": "console/pages/test_tail.py",
    "console/health.py": "console/pages/test_overview.py",
    "console/marking.py": "console/pages/test_record.py",
    "console/masking.py": "console/pages/test_log.py",
    "console/navigation.py": "console/pages/test_overview.py",
    "console/news.py": "console/pages/test_overview.py",
    "console/pages/display.py": "console/pages/test_log.py",
    "console/remarks.py": "console/pages/test_record.py",
    "console/rows.py": "console/pages/test_log.py",
    "console/selection.py": "console/pages/test_log.py",
    "console/telling.py": "console/pages/test_record.py",
    "console/views.py": "console/pages/test_log.py",
    "core/noted.py": "core/test_trials.py",
    "core/seen.py": "review/test_judge.py",
    "core/rules.py": "core/test_criteria.py",
    "enforce/accounts.py": "enforce/test_gate.py",
    "enforce/addon.py": "e2e/test_frontends.py",
    "enforce/process/child.py": "e2e/test_workers.py",
    "enforce/connection.py": "e2e/test_refusals.py",
    "enforce/process/drain.py": "e2e/test_signals.py",
    "enforce/failures.py": "enforce/test_gate.py",
    "enforce/datagrams/datagram_layer.py": "e2e/test_quic.py",
    "enforce/entries.py": "e2e/test_other_addons.py",
    "enforce/metrics/crew.py": "enforce/metrics/test_exposition.py",
    "enforce/metrics/page.py": "enforce/metrics/test_own.py",
    "enforce/metrics/readings.py": "enforce/metrics/test_exposition.py",
    "enforce/metrics/scraper.py": "e2e/test_companions.py",
    "enforce/process/ending.py": "enforce/process/test_companions.py",
    "enforce/process/endpoints.py": "e2e/test_companions.py",
    "enforce/process/hangup.py": "e2e/test_signals.py",
    "enforce/process/reloading.py": "enforce/process/test_supervisor.py",
    "enforce/process/output.py": "e2e/test_fault_machine.py",
    "enforce/http/requests.py": "e2e/test_refusals.py",
    "enforce/identity/options.py": "e2e/test_identity.py",
    "enforce/judgement.py": "e2e/test_other_addons.py",
    "enforce/process/launcher.py": "e2e/test_frontends.py",
    "enforce/streams/passage.py": "enforce/streams/test_raw_stream.py",
    "enforce/identity/proxy_protocol.py": "e2e/test_proxy_protocol.py",
    "enforce/refusals.py": "e2e/test_refusals.py",
    "enforce/reload/rejudge.py": "e2e/test_rejudge.py",
    "enforce/process/sharing.py": "e2e/test_workers.py",
    "enforce/process/worker.py": "e2e/test_workers.py",
    "enforce/runtime.py": "e2e/test_policy_life.py",
    "enforce/server.py": "e2e/test_evasions.py",
    "enforce/tls/undecided.py": "e2e/test_waiting.py",
    "enforce/tls/protocol.py": "e2e/test_tls.py",
    "enforce/tls/surroundings.py": "e2e/test_tls.py",
    "journal/backwards.py": "journal/test_reader.py",
    "journal/clock.py": "journal/test_writer.py",
    "journal/ecs.py": "journal/test_record.py",
    "journal/event.py": "journal/test_record.py",
    "journal/judged.py": "journal/test_record.py",
    "journal/seal/checkpoint.py": "journal/seal/test_sealer.py",
    "journal/seal/disorder.py": "journal/seal/test_verification.py",
    "journal/seal/finding.py": "journal/seal/test_verification.py",
    "journal/seal/line.py": "journal/seal/test_verification.py",
    "journal/seal/pieces.py": "journal/seal/test_verification.py",
    "journal/seal/policies.py": "journal/seal/test_verification.py",
    "journal/seal/result.py": "journal/seal/test_verification.py",
    "journal/seal/signed.py": "journal/seal/test_verification.py",
    "journal/seal/tally.py": "journal/seal/test_verification.py",
    "journal/seal/across.py": "journal/seal/test_verification.py",
    "journal/seal/trust.py": "journal/seal/test_verification.py",
    "journal/seal/walk.py": "journal/seal/test_verification.py",
    "journal/seal/transcript.py": "cli/test_verify.py",
    "journal/heartbeat.py": "review/test_enforcement.py",
    "journal/retention/register.py": "journal/retention/test_deletion.py",
    "review/holds.py": "cli/test_hold.py",
    "review/course.py": "review/test_enforcement.py",
    "review/lifelines.py": "review/test_enforcement.py",
    "policy/ownership.py": "policy/test_lint.py",
    "policy/survey.py": "policy/test_lint.py",
    "policy/meanings.py": "policy/test_editor.py",
    "policy/spelling.py": "policy/test_editor.py",
    "probe/attempts.py": "e2e/test_probe.py",
    "probe/campaign.py": "e2e/test_probe.py",
    "probe/client.py": "probe/test_from_client.py",
    "probe/mend.py": "e2e/test_probe.py",
    "probe/ways.py": "e2e/test_probe.py",
    "review/account.py": "review/test_explain.py",
    "journal/sighting.py": "journal/store/test_sightings.py",
    "cli/log_output.py": "cli/test_log.py",
    "cli/log_source.py": "cli/test_log.py",
    "cli/subject.py": "cli/test_log.py",
    "journal/terms.py": "journal/test_query.py",
    "journal/verdict_class.py": "journal/test_query.py",
    "journal/store/counting.py": "journal/store/test_store.py",
    "journal/store/counts.py": "journal/store/test_store.py",
    "journal/store/devices.py": "journal/store/test_store.py",
    "journal/store/dialect.py": "journal/store/test_store.py",
    "journal/store/dimensions.py": "journal/store/test_store.py",
    "journal/store/ingest.py": "journal/store/test_store.py",
    "journal/store/interning.py": "journal/store/test_store.py",
    "journal/store/lexicon.py": "journal/store/test_store.py",
    "journal/store/paging.py": "journal/store/test_store.py",
    "journal/store/place.py": "journal/store/test_store.py",
    "journal/store/reading.py": "journal/store/test_store.py",
    "journal/store/rows.py": "journal/store/test_store.py",
    "journal/store/schema.py": "journal/store/test_store.py",
    "journal/store/selection.py": "journal/store/test_store.py",
    "journal/store/sources.py": "journal/store/test_store.py",
    "review/report/pictures.py": "review/report/test_page.py",
    "review/report/tallies.py": "review/report/test_gathering.py",
    "review/report/report.py": "review/report/test_gathering.py",
    "review/chart/figure.py": "review/chart/test_timeline.py",
    "traffic/conversation.py": "traffic/test_packet_capture.py",
    "traffic/packet.py": "traffic/test_packet_capture.py",
    "review/difference_tables.py": "review/test_difference.py",
    "core/sink.py": "policy/test_sinks.py",
    "formats/kind.py": "formats/test_catalogue.py",
    "formats/members.py": "formats/test_catalogue.py",
    "sinks/batches.py": "sinks/test_web.py",
    "sinks/connection.py": "sinks/test_rsyslog.py",
    "sinks/datagram.py": "sinks/test_rsyslog.py",
    "sinks/keep.py": "sinks/test_courier.py",
    "sinks/message.py": "sinks/test_courier.py",
    "sinks/receiver.py": "sinks/test_web.py",
    "sinks/receivers.py": "sinks/test_rsyslog.py",
    "sinks/status.py": "cli/test_sinks.py",
}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module(module: Path) -> None:
    name = str(module.relative_to(PACKAGE))
    mirrored = ROOT / "tests" / module.relative_to(PACKAGE).with_name(f"test_{module.name}")
    held_by = ROOT / "tests" / ELSEWHERE[name] if name in ELSEWHERE else mirrored
    assert held_by.exists(), f"{name} has no {held_by.relative_to(ROOT)}"
    assert not (name in ELSEWHERE and mirrored.exists()), f"{name} is mirrored now: take it off the table"
    assert ast.get_docstring(ast.parse(module.read_text())), f"{name} does not say what it is for"


def test_packages_within_packages() -> None:
    deep = [path.relative_to(PACKAGE).parts for path in MODULES if len(path.relative_to(PACKAGE).parts) > 2]
    assert {len(parts) for parts in deep} == {3}
    assert {parts[0] for parts in deep} == {"console", "enforce", "journal", "review"}


def test_a_package_says_what_it_is_for() -> None:
    packages = PACKAGE.rglob("__init__.py")
    assert [path.parent.name for path in packages if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_the_table_names_modules_that_exist() -> None:
    assert [name for name in ELSEWHERE if not (PACKAGE / name).exists()] == []
