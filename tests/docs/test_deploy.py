"""What lies in deploy/ starts the proxy with options that exist, and lets it drain; the page agrees."""

import json
import re
import shlex

import pytest

from docs.pages import ROOT
from docs.test_commands import flags
from embargo.enforce.process.supervisor import LONGEST_END

UNIT = ROOT / "deploy" / "embargo.service"
CONTAINER = ROOT / "deploy" / "Containerfile"
PAGE = ROOT / "docs" / "how-to" / "run-as-a-service.md"


def service() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    inside = False
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            inside = line == "[Service]"
        elif inside and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def entrypoint() -> list[str]:
    matched = re.search(r"^ENTRYPOINT (\[.*\])$", CONTAINER.read_text(), re.MULTILINE)
    assert matched
    words: list[str] = json.loads(matched[1])
    return words


STARTS = {"unit": shlex.split(service()["ExecStart"][0]), "container": entrypoint()}


@pytest.mark.parametrize("words", STARTS.values(), ids=STARTS)
def test_the_start_has_options_that_exist(words: list[str]) -> None:
    own = words[: words.index("--")] if "--" in words else words
    assert own[0].endswith("embargo")
    assert own[1] == "run"
    assert {word for word in own[2:] if word.startswith("-")} <= flags("run")
    assert own[own.index("--workers") + 1] == "auto"
    assert own[own.index("--health") + 1].endswith(":8081")


def test_systemd_lets_it_drain_and_brings_it_back() -> None:
    found = service()
    assert found["Type"] == ["notify"]
    assert found["Restart"] == ["always"]
    assert found["KillMode"] == ["mixed"], "a second SIGTERM breaks the drain off"
    assert int(found["TimeoutStopSec"][0]) > LONGEST_END
    assert found["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_the_unit_is_confined() -> None:
    found = service()
    assert found["CapabilityBoundingSet"] == [""]
    for name in ("NoNewPrivileges", "DynamicUser", "PrivateUsers", "PrivateDevices", "PrivateTmp", "ProtectHome"):
        assert found[name] == ["yes"], name
    assert found["ProtectSystem"] == ["strict"]
    assert "MemoryDenyWriteExecute" not in found, "mitmproxy's OpenSSL binding cannot work under it"
    for name in ("StateDirectory", "LogsDirectory", "RuntimeDirectory"):
        assert found[f"{name}Mode"] == ["0700"]


def test_the_container_runs_as_nobody_special() -> None:
    text = CONTAINER.read_text()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["python:3.13-slim"] * 2, "no registry's host"
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("name", ["state", "log"])
def test_the_page_names_the_directories(name: str) -> None:
    directory = {"state": "/var/lib/embargo", "log": "/var/log/embargo"}[name]
    assert directory in PAGE.read_text()
    assert directory in CONTAINER.read_text()
