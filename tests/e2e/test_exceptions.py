"""An exception is in effect in the running proxy soon after it is granted, says against what, and ends by itself."""

import subprocess
import sys
from pathlib import Path

from e2e.clients import curl
from e2e.conftest import SMALL, Start
from e2e.proxy import Proxy, field

BOUND = (
    SMALL.replace("settings:\n", "settings:\n  bound_by: [order]\n").replace(
        "    name: Bad App\n", "    name: Bad App\n    named_in: [order]\n"
    )
    + "authorities: {order: {timeline: {2020-01-01: in-force}}}\n"
)
BANNED = "http://banned.test/"


def embargo(proxy: Proxy, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "embargo"), "except", *arguments]
    command += ["--policy", str(proxy.policy), "--log", str(proxy.log), "--author", "ann"]
    return subprocess.run(command, capture_output=True, text=True, env=proxy.environment, check=False)


def grant(proxy: Proxy, *more: str, lasting: str = "1h") -> None:
    done = embargo(proxy, "add", "bad", "--client", "127.0.0.1", "--for", lasting, "--reason", "a demonstration", *more)
    assert done.returncode == 0, done.stderr


def until(proxy: Proxy, status: int) -> None:
    """Wait until a banned page is answered with *status*."""
    proxy.wait(lambda: curl(proxy, BANNED).status == status, f"the status {status}")


def test_granted_and_ended(start: Start) -> None:
    proxy = start(SMALL)
    assert curl(proxy, BANNED).status == 403
    grant(proxy)
    until(proxy, 200)
    assert embargo(proxy, "end", "except").returncode == 0
    until(proxy, 403)
    proxy.wait(lambda: len(proxy.records(event__action="policy-load")) == 3, "the records of the reloads")


def test_it_ends_by_itself(start: Start) -> None:
    proxy = start(SMALL)
    grant(proxy, lasting="6s")
    until(proxy, 200)
    until(proxy, 403)
    reloads = proxy.status()["reloads"]["ok"]  # type: ignore[index]
    assert reloads == 2, "the date ended it, not another text"


def test_against_an_order(start: Start) -> None:
    proxy = start(BOUND)
    refused = embargo(proxy, "add", "bad", "--client", "127.0.0.1", "--for", "1h", "--reason", "a demonstration")
    assert (refused.returncode, "order is in force and binds" in refused.stderr) == (1, True)
    grant(proxy, "--approved-by", "ben", "--ticket", "LEGAL-17", "--basis", "counsel")
    until(proxy, 200)
    proxy.wait(lambda: proxy.records(embargo__against=["order"]), "the record of what was let through")
    record = proxy.records(embargo__against=["order"])[-1]
    assert field(record, "embargo.verdict") == "log"
    assert field(record, "embargo.basis") == "counsel"
    assert field(record, "embargo.author") == "ann"

    exceptions = proxy.policy.with_name("exceptions.yaml")
    exceptions.write_text(exceptions.read_text().replace("  basis: counsel\n", ""))
    until(proxy, 403)  # without its basis it holds no more
