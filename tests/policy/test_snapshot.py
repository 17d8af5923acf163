"""Snapshots: written whole or not at all, opened without trusting them, kept and found again."""

import os
import pickle
import struct
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from embargo.core.decide import decide
from embargo.core.decision import Verdict
from embargo.core.rules import Policy
from embargo.policy.snapshot import (
    KEPT,
    SnapshotError,
    last_known_good,
    mark_good,
    open_snapshot,
    prune,
    snapshot_directory,
    write_snapshot,
)
from policy_files import loaded
from sample import app, request, rule
from sample import policy as sample_policy

RICH = """\
version: 1
settings:
  unknown_protocol: block
  timezone: Europe/Berlin
  never_decrypt: [bank.example, {cidr: 192.0.2.0/24}]
  contact: help@example.com
authorities: {eo: {title: The Order, reviewed: 2026-11-24, timeline: {2021-01-05: issued, 2021-02-19: in-force}}}
apps:
  a:
    named_in: eo
    endpoints:
      - {domain: a.example, role: cdn, shared: true, evidence: [somewhere]}
      - {host: h.example}
      - {url: "u.example/*/x?k=v"}
      - {cidr: "2001:db8::/32", port: 443, protocol: udp}
      - {user_agent: Client}
    exclude: [open.a.example]
    stores: {apple: [333206289], google_play: [com.example.app], microsoft: [9NBLGGH4SLX7]}
  b: {endpoints_from: [one.txt], endpoints: [b.example]}
  c: {endpoints_from: [one.txt, two.txt]}
groups: {g: {clients: [10.0.0.0/8, "2001:db8::/32"], users: [alice]}}
rules:
  - id: r
    apps: [a, b]
    action: block
    groups: g
    schedule: {days: [mon], hours: "22:00-06:00", timezone: America/New_York}
    from: 2021-02-19
    message: {de: Nein}
    respond: [reset]
  - {id: s, apps: all, action: log, hosts: [{url: u.example/y}], clients: 192.0.2.1}
"""
FILES = {"policy.yaml": RICH, "one.txt": "l.example\nm.example\n", "two.txt": "l.example\nn.example\n"}


def snapshot(directory: Path) -> tuple[Policy, Path]:
    found = loaded(directory, FILES)
    path = snapshot_directory(directory / "state", found.digest, [directory / "policy.yaml"])
    write_snapshot(found.policy, [named.names for named in found.assembly.lists()], path)
    return found.policy, path


def test_all_that_a_policy_holds_comes_back(tmp_path: Path) -> None:
    policy, path = snapshot(tmp_path)
    opened = open_snapshot(path)
    for name in ("settings", "authorities", "apps", "groups", "rules", "lists", "digest", "files"):
        assert getattr(opened, name) == getattr(policy, name), name
    assert opened.settings.timezone == ZoneInfo("Europe/Berlin")
    assert opened.listed is not None and policy.listed is not None
    for host in ("x.l.example", "m.example", "n.example", "o.example"):
        assert opened.listed.suffixes(host) == policy.listed.suffixes(host)
    assert opened.matcher.owners(request("x.l.example").names[0], request("x.l.example"))


def test_a_long_app_is_kept_in_several_pieces(tmp_path: Path) -> None:
    policy = sample_policy([app("a", *(f"host:h{number}.example" for number in range(1001)))], [rule("r", "block")])
    write_snapshot(policy, [], tmp_path / "s")
    opened = open_snapshot(tmp_path / "s")
    assert opened.apps == policy.apps
    assert decide(opened, request("h1000.example")).verdict is Verdict.BLOCK


def test_it_is_private(tmp_path: Path) -> None:
    _, path = snapshot(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o700


def test_what_is_there_already_is_kept(tmp_path: Path) -> None:
    policy, path = snapshot(tmp_path)
    inode = path.stat().st_ino
    write_snapshot(policy, [], path)
    assert path.stat().st_ino == inode
    assert [entry.name for entry in path.parent.iterdir()] == [path.name], "nothing is left beside it"


def test_what_a_crash_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.mkdir()
    (path / "policy.bin").write_bytes(b"half")
    write_snapshot(sample_policy([app("a", "a.example")]), [], path)
    assert list(open_snapshot(path).apps) == ["a"]


def damaged(path: Path, file: str, change: bytes | None) -> None:
    target = path / file
    if change is None:
        target.unlink()
    else:
        target.write_bytes(change)


DAMAGE = {  # case: (file, what is in it instead; None: it is gone)
    "no manifest": ("manifest.json", None),
    "a manifest of something else": ("manifest.json", b"[]"),
    "a cut policy": ("policy.bin", b"embargo policy 1\n"),
    "no index": ("domains.marisa", None),
    "an empty index": ("domains.marisa", b""),
}


@pytest.mark.parametrize(("file", "change"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found(tmp_path: Path, file: str, change: bytes | None) -> None:
    _, path = snapshot(tmp_path)
    damaged(path, file, change)
    with pytest.raises(SnapshotError):
        open_snapshot(path)


class Harmful:
    """What an unpickler must never carry out."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


REFUSED = {
    "a function of the system": Harmful(),
    "a class of ours that is none of a policy's": Path("x"),
    "a builtin": getattr,
    "a function of the core": decide,
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_only_values_of_a_policy_are_unpickled(tmp_path: Path, value: object) -> None:
    _, path = snapshot(tmp_path)
    data = pickle.dumps(("head", value))
    bad = b"embargo policy 1\n" + struct.pack("<I", len(data)) + data
    size = (path / "policy.bin").stat().st_size
    (path / "policy.bin").write_bytes(bad.ljust(size, b"\0"))
    with pytest.raises(SnapshotError, match="no place in a policy"):
        open_snapshot(path)


def test_last_known_good(tmp_path: Path) -> None:
    state = tmp_path / "state"
    mine, other = [Path("mine.yaml")], [Path("other.yaml")]
    assert last_known_good(state, mine) is None
    _, path = snapshot(tmp_path)
    mark_good(state, mine, path)
    assert last_known_good(state, mine) == path
    assert last_known_good(state, other) == path, "of none of their own, the newest of any"
    damaged(path, "manifest.json", None)
    assert last_known_good(state, mine) is None


def test_the_newest_are_kept_and_what_is_good(tmp_path: Path) -> None:
    state = tmp_path / "state"
    paths = []
    for number in range(KEPT + 3):
        path = snapshot_directory(state, f"{number:064}", [Path("p.yaml")])
        write_snapshot(sample_policy([app("a", "a.example")]), [], path)
        os.utime(path, (number, number))
        paths.append(path)
    mark_good(state, [Path("p.yaml")], paths[0])
    prune(state)
    assert {path for path in paths if path.exists()} == {paths[0], *paths[3:]}
