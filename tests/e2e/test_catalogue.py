"""A newer catalogue taken in while the proxy runs: on trial at first, then enforced, then back."""

from pathlib import Path

from e2e.clients import curl
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field

DATED = SMALL.replace("version: 1\n", "version: 1\nreleased: 2026-01-01\n", 1)
WIDER = DATED.replace("2026-01-01", "2026-02-01").replace("- {domain: banned.test, role: api}", "- {domain: soon.test}")
NEWER = DATED.replace("2026-01-01", "2026-02-01").replace(
    "- {domain: banned.test, role: api}", "- {domain: banned.test, role: api}\n      - soon.test"
)


def catalogue(proxy: Proxy, *arguments: str) -> None:
    reloads = proxy.status()["reloads"]["ok"]  # type: ignore[index]
    done = proxy.command("catalogue", *arguments, "--policy", str(proxy.policy), "--log", str(proxy.log), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    proxy.wait(lambda: proxy.status()["reloads"]["ok"] > reloads, "the reload")  # type: ignore[index]


def test_what_widens_bites_no_more_than_before_until_it_is_enforced(
    start: Start, origin: Origin, tmp_path: Path
) -> None:
    proxy = start(DATED.replace("{domain: banned.test, role: api}", "{host: h.soon.test}"))
    new = tmp_path / "new.yaml"
    new.write_text(WIDER, encoding="utf-8")
    for enforced, status in ((False, 200), (True, 403)):
        catalogue(proxy, "enforce") if enforced else catalogue(proxy, "update", str(new))
        assert curl(proxy, "http://h.soon.test/").status == 403
        assert curl(proxy, "http://soon.test/").status == status
        assert curl(proxy, "http://other.soon.test/").status == status
    assert "h.soon.test" not in proxy.policy.read_text()


def test_an_update_bites_only_once_it_is_enforced(start: Start, origin: Origin, tmp_path: Path) -> None:
    proxy = start(DATED)
    new = tmp_path / "new.yaml"
    new.write_text(NEWER, encoding="utf-8")
    assert curl(proxy, "http://soon.test/").status == 200
    catalogue(proxy, "update", str(new))
    assert curl(proxy, "http://soon.test/").status == 200
    record = proxy.wait_record(embargo__would="block")
    assert field(record, "embargo.verdict") == "log"
    assert field(record, "embargo.trial") == {
        "app": "bad", "endpoint": "domain:soon.test", "would": "block", "rule": "ban"
    }  # fmt: skip
    shown = proxy.command("catalogue", "show", "--policy", str(proxy.policy), "--log", str(proxy.log)).stdout
    assert "domain:soon.test  1    1" in shown
    catalogue(proxy, "enforce")
    assert curl(proxy, "http://soon.test/").status == 403
    catalogue(proxy, "restore")
    assert curl(proxy, "http://soon.test/").status == 200
    assert curl(proxy, "http://banned.test/").status == 403
