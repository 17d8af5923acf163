"""A policy in use: edits are followed, bad ones are refused, what was enforced stays enforced."""

import datetime
import shutil
import socket
import threading
from pathlib import Path

import pytest

from e2e.clients import connect, curl, fingerprint, read_response, read_until, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field
from ports import free_port

STRICTER = SMALL.replace("- {domain: banned.test, role: api}", "- {domain: banned.test, role: api}\n      - soon.test")


def reloads(proxy: Proxy, what: str) -> int:
    return proxy.status()["reloads"][what]  # type: ignore[index,no-any-return]


def edit(proxy: Proxy, text: str, what: str = "ok") -> None:
    """Save *text* and wait until it has been taken up or refused."""
    before = reloads(proxy, what)
    proxy.policy.write_text(text)
    proxy.wait(lambda: reloads(proxy, what) > before, f"a reload that is {what}")


def test_an_edit_is_followed(start: Start, origin: Origin) -> None:
    proxy = start(SMALL)
    assert curl(proxy, "http://soon.test/").status == 200
    old = proxy.status()["policy"]["digest"]  # type: ignore[index]
    edit(proxy, STRICTER)
    assert curl(proxy, "http://soon.test/").status == 403
    new = proxy.status()["policy"]["digest"]  # type: ignore[index]
    proxy.wait(lambda: len(proxy.records(event__action="policy-load")) == 2, "the record of the reload")
    record = proxy.records(event__action="policy-load")[-1]
    assert (field(record, "embargo.policy.old"), field(record, "embargo.policy.new")) == (old, new)
    assert field(record, "event.outcome") == "success"
    assert any("soon.test" in text for text in field(record, "embargo.policy.stricter"))
    assert (proxy.log / "policies" / new).exists()
    edit(proxy, SMALL)
    assert curl(proxy, "http://soon.test/").status == 200


def test_what_is_open_is_judged_again(start: Start, origin: Origin) -> None:
    """A tunnel, a tunnelled TLS connection and a download to what is banned from now on are closed and recorded."""
    proxy = start(SMALL.replace("settings:\n", "settings:\n  decrypt: needed\n"))
    closed = tls(tunnel(proxy, "soon.test:443"), "soon.test")
    raw = tunnel(proxy, f"raw.soon.test:{origin.greeter_port}")
    assert read_until(raw, b"\r\n") == b"220 greeter ready\r\n"
    download = connect(proxy)
    download.sendall(b"GET http://download.soon.test/slow HTTP/1.1\r\nHost: download.soon.test\r\n\r\n")
    innocent = tunnel(proxy, f"innocent.test:{origin.greeter_port}")
    assert read_until(innocent, b"\r\n") == b"220 greeter ready\r\n"
    proxy.wait(lambda: proxy.status()["connections"] == 4, "the connections")  # type: ignore[index]
    before = proxy.settled()
    edit(proxy, STRICTER.replace("settings:\n", "settings:\n  decrypt: needed\n"))
    assert ends(closed)
    assert ends(raw)
    assert ends(download)
    innocent.sendall(b"still here\r\n")
    assert read_until(innocent, b"\r\n") == b"250 still here\r\n"
    records = proxy.wait_decisions(before, 3)
    assert {field(record, "destination.domain") for record in records} == {
        "soon.test",
        "raw.soon.test",
        "download.soon.test",
    }
    assert {field(record, "embargo.verdict") for record in records} == {"block"}


def test_a_closed_tunnel_that_would_be_opened_now_is_cut(start: Start, origin: Origin) -> None:
    """Else a path that is blocked from now on would go by unseen."""
    needed = SMALL.replace("settings:\n", "settings:\n  decrypt: needed\n")
    proxy = start(needed)
    soon, other = (tls(tunnel(proxy, f"{host}:443"), host) for host in ("soon.test", "innocent.test"))
    assert fingerprint(soon) == fingerprint(other) == origin.fingerprint
    edit(proxy, needed.replace('"pages.test/bad/*"', '"soon.test/bad/*"'))
    assert ends(soon)
    with tls(tunnel(proxy, "soon.test:443"), "soon.test") as again:
        assert fingerprint(again) != origin.fingerprint
    other.sendall(b"GET / HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
    assert read_response(other)[0] == 200


def test_a_date_cuts_what_it_bans(start: Start, origin: Origin) -> None:
    """A grace period ends while a tunnel, a held hello, an upload and a download are open."""
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=6)  # longer than a start takes
    grace = f"rules:\n  - {{id: grace, apps: bad, action: log, until: {until:%Y-%m-%dT%H:%M:%SZ}}}\n"
    proxy = start(SMALL.replace("rules:\n", grace))
    raw = tunnel(proxy, f"banned.test:{origin.greeter_port}")
    assert read_until(raw, b"\r\n") == b"220 greeter ready\r\n"
    held = tunnel(proxy, "banned.test:443")
    held.sendall(b"\x16\x03")
    upload, download = connect(proxy), connect(proxy)
    upload.sendall(b"POST http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\nContent-Length: 9\r\n\r\nabc")
    download.sendall(b"GET http://banned.test/slow HTTP/1.1\r\nHost: banned.test\r\n\r\n")
    assert all(map(ends, (raw, held, upload, download)))
    for surface in ("tcp", "connect", "http"):
        proxy.wait_record(embargo__surface=surface, embargo__verdict="block", rule__id="ban")


def ends(connection: socket.socket) -> bool:
    """Whether *connection* is closed by the peer, whatever still comes before."""
    try:
        while connection.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def broken(proxy: Proxy) -> None:
    proxy.policy.write_text(SMALL.replace("action: block", "action: blokc"))


def no_yaml(proxy: Proxy) -> None:
    proxy.policy.write_text("apps: [")


def emptied(proxy: Proxy) -> None:
    proxy.policy.write_text("")


def deleted(proxy: Proxy) -> None:
    proxy.policy.unlink()


def a_directory(proxy: Proxy) -> None:
    proxy.policy.unlink()
    proxy.policy.mkdir()


def a_failing_test(proxy: Proxy) -> None:
    proxy.policy.write_text(STRICTER + "tests: [{request: www.banned.test, expect: pass}]\n")


def a_failing_row(proxy: Proxy) -> None:
    rows = "[{expect: block}, {surface: dns, expect: pass}]"
    proxy.policy.write_text(STRICTER + f"tests: [{{request: [banned.test, www.banned.test], cases: {rows}}}]\n")


MISHAPS = (broken, no_yaml, emptied, deleted, a_directory, a_failing_test, a_failing_row)


@pytest.fixture(scope="module")
def life(start_for_module: Start) -> Proxy:
    return start_for_module(SMALL)


@pytest.mark.parametrize("mishap", MISHAPS)
def test_a_mishap_changes_nothing(life: Proxy, origin: Origin, mishap) -> None:
    digest = life.status()["policy"]["digest"]  # type: ignore[index]
    known = len(life.records(event__action="policy-load", event__outcome="failure"))
    before = reloads(life, "refused")
    mishap(life)
    life.wait(lambda: reloads(life, "refused") > before, "the refusal")
    assert life.status()["policy"]["digest"] == digest  # type: ignore[index]
    assert curl(life, "http://banned.test/").status == 403
    assert curl(life, "http://soon.test/").status == 200
    life.wait(
        lambda: len(life.records(event__action="policy-load", event__outcome="failure")) > known, "the record of it"
    )
    shown = life.command("status")
    assert shown.returncode == 1
    assert "refused the newest policy" in shown.stdout
    assert life.policy.name in shown.stdout
    if life.policy.is_dir():
        life.policy.rmdir()
    life.policy.write_text(SMALL)
    life.wait(lambda: not life.status()["refused"], "the mended policy")  # type: ignore[index]
    mended = life.command("status")
    assert (mended.returncode, "refused the last" in mended.stdout) == (0, False)


def test_a_save_by_renaming_is_followed(life: Proxy, origin: Origin) -> None:
    """As editors do: a new file in the place of the old one."""
    before = reloads(life, "ok")
    beside = life.policy.with_suffix(".new")
    beside.write_text(STRICTER)
    beside.replace(life.policy)
    life.wait(lambda: reloads(life, "ok") > before, "the reload")
    assert curl(life, "http://soon.test/").status == 403
    edit(life, SMALL)


def test_a_broken_policy_at_start_takes_the_last_known_good(start: Start, origin: Origin, tmp_path: Path) -> None:
    first = start(SMALL, directory=tmp_path)
    digest = first.status()["policy"]["digest"]  # type: ignore[index]
    first.stop()
    policy = first.policy
    policy.write_text("apps: {bad: {}}\n")
    second = start([policy], directory=tmp_path)
    assert second.status()["policy"]["digest"] == digest  # type: ignore[index]
    assert "LAST KNOWN GOOD" in second.text()
    assert curl(second, "http://banned.test/").status == 403
    assert curl(second, "http://innocent.test/").status == 200
    assert second.command("status").returncode == 1
    edit(second, STRICTER)
    assert curl(second, "http://soon.test/").status == 403
    assert second.command("status").returncode == 0


def test_no_policy_at_all_refuses_everything(start: Start, origin: Origin) -> None:
    proxy = start("apps: {bad: {}}\n", ready=False).wait_ready(policy=False)
    proxy.wait(lambda: "EVERYTHING IS REFUSED" in proxy.text(), "the refusal")
    answer = curl(proxy, "http://innocent.test/")
    assert answer.status == 503
    assert curl(proxy, "https://innocent.test/").connect == 503
    assert origin.connections == 0
    assert "everything is refused" in proxy.command("status").stdout
    edit(proxy, SMALL)
    assert curl(proxy, "http://innocent.test/").status == 200


def test_a_named_file_that_is_missing_is_no_fall_back(start: Start, origin: Origin, tmp_path: Path) -> None:
    proxy = start([tmp_path / "missing.yaml"], ready=False).wait_ready(policy=False)
    proxy.wait(lambda: proxy.status()["refused"], "the refusal")  # type: ignore[index]
    assert "missing.yaml" in str(proxy.status()["refused"]["problems"])  # type: ignore[index]
    assert curl(proxy, "http://innocent.test/").status == 503


def test_layers_and_lists_are_followed(start: Start, origin: Origin, tmp_path: Path) -> None:
    base, site, names = tmp_path / "base.yaml", tmp_path / "site.yaml", tmp_path / "names.txt"
    base.write_text(SMALL)
    site.write_text("version: 1\napps: {bad: {extend: true, endpoints_from: [names.txt]}}\n")
    names.write_text("listed.test\n")
    proxy = start([base, site])
    assert curl(proxy, "http://www.listed.test/").status == 403
    assert curl(proxy, "http://banned.test/").status == 403
    before = reloads(proxy, "ok")
    names.write_text("listed.test\nsoon.test\n")
    proxy.wait(lambda: reloads(proxy, "ok") > before, "the list's edit")
    assert curl(proxy, "http://www.soon.test/").status == 403


def test_the_start_never_leaks(start: Start, origin: Origin, tmp_path: Path) -> None:
    """Requests from before the proxy listens until after its policy is in force."""
    port = free_port()
    stop, answers = threading.Event(), set()

    def fire() -> None:
        while not stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                    connection.sendall(b"GET http://banned.test/the-secret HTTP/1.1\r\nHost: banned.test\r\n\r\n")
                    answers.add(connection.recv(12))
            except OSError:
                stop.wait(0.002)

    threads = [threading.Thread(target=fire) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        proxy = start(SMALL, options=["--listen-port", str(port)])
        proxy.wait(lambda: proxy.records(embargo__reason="rule"), "a refusal by the policy")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert b"HTTP/1.1 403" in answers
    assert b"HTTP/1.1 200" not in answers
    assert origin.connections == 0


def test_a_lost_state_directory_costs_nothing(start: Start, origin: Origin) -> None:
    proxy = start(SMALL)
    shutil.rmtree(proxy.directory / "state")
    edit(proxy, STRICTER)
    assert curl(proxy, "http://soon.test/").status == 403
