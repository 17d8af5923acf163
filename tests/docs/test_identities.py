"""Maps of identities in the manual are read as such, and so is what its commands make of leases and VPN clients."""

import subprocess
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from docs.pages import PAGES, ROOT, Block, blocks
from embargo.policy.identities import parse_identities

MAPS = [block for page in PAGES for block in blocks(page) if block.text.startswith("address,user,from,until\n")]
PAGE = ROOT / "docs/how-to/know-who-asks.md"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize("block", MAPS, ids=str)
def test_maps(block: Block) -> None:
    known = parse_identities(block.text.encode(), str(block))
    assert known.user(ip_address("10.20.3.17"), NOON) == "alice"
    assert known.user(ip_address("10.30.7.7"), NOON) == "warehouse"


LATER = int(NOON.timestamp()) + 3600
SOURCES = {  # file that the command reads: (content, users by address)
    "/var/lib/misc/dnsmasq.leases": (
        f"{LATER} 02:00:00:00:00:01 10.20.3.17 alice 01:02:00:00:00:00:01\n"
        f"{LATER - 7200} 02:00:00:00:00:02 10.20.3.18 bob *\n"
        "0 02:00:00:00:00:03 10.20.3.19 carol *\n"
        f"{LATER} 02:00:00:00:00:04 10.20.3.20 * *\n",
        {"10.20.3.17": "alice", "10.20.3.18": None, "10.20.3.19": "carol", "10.20.3.20": None},
    ),
    "/run/openvpn/status.log": (
        "TITLE,OpenVPN 2.6\nTIME,2026-11-24 12:00:00,1795521600\n"
        "HEADER,CLIENT_LIST,Common Name,Real Address,Virtual Address,Virtual IPv6 Address,Bytes Received\n"
        "CLIENT_LIST,alice,198.51.100.7:1194,10.8.0.6,,1\nCLIENT_LIST,bob,198.51.100.8:1194,,,1\nEND\n",
        {"10.8.0.6": "alice", "10.8.0.7": None},
    ),
}


@pytest.mark.parametrize("source", SOURCES)
def test_commands_that_make_maps(source: str, tmp_path: Path) -> None:
    content, users = SOURCES[source]
    (block,) = (block for block in blocks(PAGE) if source in block.text)
    (tmp_path / "source").write_text(content)
    script = block.text.replace("$ ", "").replace(source, str(tmp_path / "source"))
    script = script.replace("/var/lib/embargo/", f"{tmp_path}/")
    subprocess.run(["sh", "-eu", "-c", script], check=True, timeout=20)
    known = parse_identities((tmp_path / "identities.csv").read_bytes(), "identities.csv")
    assert {address: known.user(ip_address(address), NOON) for address in users} == users
