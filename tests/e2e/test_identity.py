"""Who asks, as named front proxies and a map of addresses tell: whom rules hold for, and whom nobody believes."""

import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from e2e.clients import BOUND, Refused, curl, read_all, read_response, read_until, tls
from e2e.conftest import SMALL, Start
from e2e.kerberos import SERVICE, Kerberos
from e2e.origin import Origin
from e2e.proxy import PATIENCE, Proxy, field
from e2e.servers import program, serving
from ports import free_port

FRONT, STRANGER = "127.0.0.9", "127.0.0.8"
POLICY = SMALL.replace(
    "rules:\n",
    """\
groups:
  research: {users: [alice, alice@EXAMPLE.COM]}
rules:
  - {id: exemption, apps: bad, groups: research, action: allow}
  - {id: not-bob, apps: watched, users: [bob, "example\\\\bob"], action: block}
  - {id: lab, apps: bad, clients: 192.0.2.0/24, action: allow}
""",
)


@pytest.fixture(scope="module", params=["embargo", "mitmdump"])
def behind(request: pytest.FixtureRequest, start_for_module: Start) -> Proxy:
    if request.param == "embargo":
        return start_for_module(POLICY, command="embargo", flags=["--front-proxy", FRONT])
    return start_for_module(POLICY, options=["--set", f"embargo_front_proxies={FRONT}"])


def dial(proxy: Proxy, source: str = FRONT) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=BOUND, source_address=(source, 0))


def get(host: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET http://{host}/ HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


def open_tunnel(connection: socket.socket, target: str, *headers: str) -> None:
    connection.sendall("\r\n".join([f"CONNECT {target} HTTP/1.1", f"Host: {target}", *headers, "", ""]).encode())
    head = read_until(connection, b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0] + b" ":
        raise Refused(head)


USER, HOP = "X-Authenticated-User: {}", "X-Forwarded-For: {}"
ALICE, BOB = USER.format("alice"), USER.format("bob")

VERDICTS = {  # case: (peer, headers, host, whether it passes, (user, source, client) in the record)
    "a group": (FRONT, (ALICE,), "banned.test", True, ("alice", "header", FRONT)),
    "a user": (FRONT, (BOB,), "watched.test", False, ("bob", "header", FRONT)),
    "no rule for this user": (FRONT, (BOB,), "banned.test", False, ("bob", "header", FRONT)),
    "an address": (FRONT, (HOP.format("192.0.2.7"),), "banned.test", True, (None, "forwarded", "192.0.2.7")),
    "another": (FRONT, (HOP.format("198.51.100.7"),), "banned.test", False, (None, "forwarded", "198.51.100.7")),
    "both": (FRONT, (BOB, HOP.format("192.0.2.7")), "banned.test", True, ("bob", "header", "192.0.2.7")),
    "what the client sent stands before": (
        FRONT, (HOP.format("192.0.2.7, 198.51.100.7"),), "banned.test", False, (None, "forwarded", "198.51.100.7"),
    ),
    "an unknown address is in no network": (FRONT, (HOP.format("unknown"),), "banned.test", False, (None, None, None)),
    "nobody is named": (FRONT, (), "banned.test", False, (None, None, FRONT)),
    "two differ": (FRONT, (ALICE, BOB), "banned.test", False, (None, None, FRONT)),
    "from anybody else": (STRANGER, (ALICE, HOP.format("192.0.2.7")), "banned.test", False, (None, None, STRANGER)),
}  # fmt: skip


@pytest.mark.parametrize(("peer", "headers", "host", "passes", "wanted"), VERDICTS.values(), ids=VERDICTS)
def test_verdict(
    behind: Proxy,
    origin: Origin,
    peer: str,
    headers: tuple[str, ...],
    host: str,
    passes: bool,
    wanted: tuple[str | None, str | None, str | None],
) -> None:
    before = behind.settled()
    with dial(behind, peer) as connection:
        connection.sendall(get(host, *headers))
        assert (read_response(connection)[0] == 200) is passes
        lowered = origin.received.lower()
        assert (lowered != b"") is passes
        assert b"x-authenticated-user" not in lowered and b"x-forwarded-for" not in lowered
    with dial(behind, peer) as connection:
        try:
            open_tunnel(connection, f"{host}:443", *headers)
        except Refused:
            assert not passes
        else:
            with tls(connection, host) as inside:
                inside.sendall(get(host).replace(f"http://{host}".encode(), b""))
                assert (read_response(inside)[0] == 200) is passes
    records = behind.wait_decisions(before, 2)
    told = ("user.name", "embargo.identity_source", "source.ip")
    assert {tuple(field(record, name) for name in told) for record in records} == {wanted}
    assert all((field(r, "source.port") is None) is (wanted[2] not in (FRONT, STRANGER)) for r in records)


def test_users_take_turns_on_one_connection(behind: Proxy, origin: Origin) -> None:
    """A front proxy keeps its connections, and sends the requests of many over each."""
    before = behind.settled()
    with dial(behind) as connection:
        statuses = []
        for header in (ALICE, BOB, "X-Other: x", ALICE):
            connection.sendall(get("banned.test", header))
            statuses.append(read_response(connection)[0])
        open_tunnel(connection, "watched.test:443", ALICE)
    assert statuses == [200, 403, 403, 200]
    records = behind.wait_decisions(before, 5)
    assert [field(record, "user.name") for record in records] == ["alice", "bob", None, "alice", "alice"]


def test_inside_a_tunnel_nobody_else_is_believed(behind: Proxy, origin: Origin) -> None:
    with dial(behind) as connection:
        open_tunnel(connection, "innocent.test:443", BOB)
        with tls(connection, "innocent.test") as inside:
            inside.sendall(f"GET / HTTP/1.1\r\nHost: banned.test\r\n{ALICE}\r\n\r\n".encode())
            assert read_response(inside)[0] == 403, "bob's tunnel, whatever he writes in it"


def test_the_user_of_a_tunnel_is_known_inside(behind: Proxy, origin: Origin) -> None:
    with dial(behind) as connection:
        open_tunnel(connection, "innocent.test:443", ALICE)
        with tls(connection, "innocent.test") as inside:
            for _ in range(2):
                inside.sendall(b"GET / HTTP/1.1\r\nHost: banned.test\r\n\r\n")
                assert read_response(inside)[0] == 200
    assert field(behind.wait_record(embargo__surface="http", rule__id="exemption"), "user.name") == "alice"


# -- a real Squid in front

SQUID = """\
http_port 127.0.0.1:{port}
visible_hostname squid.test
pid_filename {directory}/squid.pid
cache_log {directory}/cache.log
access_log none
coredump_dir {directory}
cache deny all
pinger_enable off
shutdown_lifetime 1 second
{authentication}
tcp_outgoing_address 127.0.0.9
acl staff proxy_auth REQUIRED
http_access allow staff
http_access deny all
cache_peer 127.0.0.1 parent {to} 0 no-query no-digest no-netdb-exchange default
never_direct allow all
request_header_access X-Authenticated-User deny all
request_header_add X-Authenticated-User "%ul" all
"""
HELPER = "#!/bin/sh\nwhile read -r line; do echo OK; done\n"  # the directory behind Squid: takes any password


@contextlib.contextmanager
def front(proxy: Proxy, authentication: str, environment: Mapping[str, str] = os.environ) -> Iterator[int]:
    """A Squid that asks who it is and hands on to *proxy*; its port. `DIRECTORY` in *authentication* is its own."""
    with tempfile.TemporaryDirectory() as name:  # where Squid's own user may write, below what is everybody's
        directory = Path(name)
        directory.chmod(0o777)
        helper = directory / "helper"
        helper.write_text(HELPER)
        helper.chmod(0o755)
        port = free_port()
        configuration = directory / "squid.conf"
        authentication = authentication.replace("DIRECTORY", name)
        configuration.write_text(
            SQUID.format(port=port, to=proxy.port, directory=directory, authentication=authentication)
        )
        with serving([program("squid"), "-N", "-f", configuration], port, directory / "output.txt", environment):
            yield port


BASIC = """\
auth_param basic program DIRECTORY/helper
auth_param basic realm proxy
auth_param basic casesensitive on"""


@pytest.fixture
def squid(behind: Proxy) -> Iterator[int]:
    """A Squid that asks for a password; its port."""
    with front(behind, BASIC) as port:
        yield port


THROUGH_SQUID = {  # case: (user, host, whether it passes, rule)
    "a group": ("alice@EXAMPLE.COM", "banned.test", True, "exemption"),
    "another": ("carol", "banned.test", False, "ban"),
    "a user with a domain": ("example\\bob", "watched.test", False, "not-bob"),
}


@pytest.mark.parametrize(("user", "host", "passes", "rule"), THROUGH_SQUID.values(), ids=THROUGH_SQUID)
def test_through_squid(
    behind: Proxy, origin: Origin, squid: int, user: str, host: str, passes: bool, rule: str
) -> None:
    before = behind.settled()
    own = ["-H", "X-Authenticated-User: alice", "--proxy-header", "X-Authenticated-User: alice"]
    for scheme in ("http", "https"):
        answer = curl(
            behind,
            *("-x", f"http://127.0.0.1:{squid}", "--proxy-user", f"{user}:pass-phrase-7", "--interface", "127.0.0.21"),
            *own,
            f"{scheme}://{host}/",
        )
        assert (answer.status == 200) is passes
    records = behind.wait_decisions(before, 2)
    assert {field(record, "user.name") for record in records} == {user}
    assert {field(record, "embargo.identity_source") for record in records} == {"header"}
    assert {field(record, "source.ip") for record in records} == {"127.0.0.21"}
    assert {field(record, "rule.id") for record in records} == {rule}
    assert b"x-authenticated-user" not in origin.received.lower()
    written = b"".join(path.read_bytes() for path in behind.directory.rglob("*") if path.is_file())
    assert b"pass-phrase-7" not in written


def test_through_squid_with_kerberos(behind: Proxy, origin: Origin) -> None:
    """As the how-to has it: nobody types a password, and the name comes with its realm."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        realm = Kerberos(Path(name))
        try:
            realm.log_in("alice", "pass-phrase-7")
            negotiate = (
                f"auth_param negotiate program /usr/lib/squid/negotiate_kerberos_auth -s {SERVICE} -k {realm.keytab}\n"
                "auth_param negotiate children 2"
            )
            before = behind.settled()
            with front(behind, negotiate, realm.environment) as port:
                for scheme in ("http", "https"):
                    command = [
                        "curl",
                        "-sSk",
                        "-o",
                        "/dev/null",
                        "-w",
                        "%{http_code}",
                        "--noproxy",
                        "",
                        "--max-time",
                        "20",
                    ]
                    command += [
                        "--proxy-negotiate",
                        "-U",
                        ":",
                        "-x",
                        f"http://localhost:{port}",
                        f"{scheme}://banned.test/",
                    ]
                    done = subprocess.run(
                        command, env=realm.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
                    )
                    assert done.stdout == "200", done.stderr
            records = behind.wait_decisions(before, 2)
            assert {field(record, "user.name") for record in records} == {"alice@EXAMPLE.COM"}
            assert {field(record, "rule.id") for record in records} == {"exemption"}
        finally:
            realm.stop()


# -- a map of addresses

ALICES, BOBS = "127.0.0.21", "127.0.0.22"


@pytest.fixture
def mapped(start: Start, tmp_path: Path) -> Proxy:
    (tmp_path / "map.csv").write_text(f"address,user\n{ALICES},alice\n127.0.0.22/31,bob\n")
    return start(POLICY, command="embargo", flags=["--identities", str(tmp_path / "map.csv")])


def assignments(proxy: Proxy) -> int:
    return ((proxy.status() or {}).get("identity") or {})["map"]["assignments"]


def test_a_map(mapped: Proxy, origin: Origin) -> None:
    for client, host, status, rule in (
        (ALICES, "banned.test", 200, "exemption"),
        (BOBS, "banned.test", 403, "ban"),
        (BOBS, "watched.test", 403, "not-bob"),
        ("127.0.0.24", "watched.test", 200, "watch"),
    ):
        for scheme in ("http", "https"):
            before = mapped.settled()
            answer = curl(mapped, "--interface", client, f"{scheme}://{host}/")
            assert status in (answer.status, answer.connect)
            for record in mapped.wait_decisions(before, 1):
                user = {ALICES: "alice", BOBS: "bob"}.get(client)
                assert (field(record, "user.name"), field(record, "rule.id")) == (user, rule)
                assert field(record, "embargo.identity_source") == ("map" if user else None)


def test_a_map_is_read_anew(mapped: Proxy, origin: Origin, tmp_path: Path) -> None:
    file = tmp_path / "map.csv"
    with dial(mapped, ALICES) as opened:
        open_tunnel(opened, "banned.test:443")
        file.write_text(f"{ALICES},bob\n")
        mapped.wait(lambda: assignments(mapped) == 1, "the map to be read")
        assert read_all(opened) == b"", "the tunnel was alice's"
    assert field(mapped.wait_record(rule__id="ban", embargo__surface="connect"), "user.name") == "bob"
    assert curl(mapped, "--interface", ALICES, "http://banned.test/").status == 403

    file.write_text(f"{ALICES},alice\n{BOBS},bob,noon\n")
    mapped.wait(lambda: mapped.status()["identity"]["refused"], "the broken map to be refused")
    assert "map.csv:2:16: not-a-time: found 'noon'" in mapped.status()["identity"]["refused"]["problems"][0]
    assert "map.csv:2:16: not-a-time" in mapped.text()
    assert curl(mapped, "--interface", ALICES, "http://banned.test/").status == 403, "what it said before stays"
    told = mapped.command("status")
    assert told.returncode == 1
    assert "refused the newest map of identities (1 problem); what it said before stays" in told.stdout
    assert "not-a-time" in told.stdout

    file.unlink()
    mapped.wait(lambda: "missing-file" in str(mapped.status()["identity"]["refused"]), "the loss to be seen")
    assert assignments(mapped) == 1
    file.write_text(f"{ALICES},alice\n{BOBS},bob\n")
    mapped.wait(lambda: assignments(mapped) == 2, "the mended map to be read")
    assert mapped.status()["identity"]["refused"] is None
    assert curl(mapped, "--interface", ALICES, "http://banned.test/").status == 200
    assert mapped.command("status").returncode == 0


def test_an_assignment_ends_while_a_tunnel_is_open(start: Start, origin: Origin, tmp_path: Path) -> None:
    until = datetime.now(UTC) + timedelta(seconds=20)
    (tmp_path / "map.csv").write_text(f"{ALICES},alice,,{until.isoformat()}\n")
    proxy = start(POLICY, options=["--set", f"embargo_identities={tmp_path / 'map.csv'}"])
    with dial(proxy, ALICES) as opened:
        open_tunnel(opened, "banned.test:443")
        assert datetime.now(UTC) < until, "the proxy took too long to start"
        opened.settimeout(40)
        assert read_all(opened) == b""
        assert datetime.now(UTC) >= until


def test_a_map_behind_a_front_proxy(start: Start, origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("198.51.100.7,alice\n")
    proxy = start(
        POLICY,
        options=["--set", f"embargo_identities={tmp_path / 'map.csv'}", "--set", f"embargo_front_proxies={FRONT}"],
    )
    with dial(proxy) as connection:
        connection.sendall(get("banned.test", HOP.format("198.51.100.7")))
        assert read_response(connection)[0] == 200
    record = proxy.wait_record(user__name="alice")
    assert (field(record, "embargo.identity_source"), field(record, "source.ip")) == ("map", "198.51.100.7")


def test_a_password_counts_for_more(start: Start, origin: Origin, tmp_path: Path) -> None:
    """The map says bob, the password says alice: she sits at his desk."""
    (tmp_path / "map.csv").write_text("127.0.0.0/8,bob\n")
    proxy = start(
        POLICY,
        options=["--set", f"embargo_identities={tmp_path / 'map.csv'}", "--set", "proxyauth=alice:single-secret"],
    )
    for scheme in ("http", "https"):
        assert curl(proxy, "--proxy-user", "alice:single-secret", f"{scheme}://banned.test/").status == 200
        assert curl(proxy, "--proxy-user", "alice:single-secret", f"{scheme}://watched.test/").status == 200
    assert curl(proxy, "http://watched.test/").status == 407, "bob's address is not bob's password"
    proxy.settled()
    assert {field(record, "embargo.identity_source") for record in proxy.decisions()} == {"proxyauth"}


WRONG = {  # case: (options, part of what is said)
    "a map that is missing": (
        ("embargo_identities=/nowhere/map.csv",),
        "/nowhere/map.csv:1:1: missing-file: there is no such file",
    ),
    "a network with host bits": (("embargo_front_proxies=10.0.9.1/24",), "embargo_front_proxies: found '10.0.9.1/24'"),
    "a header that is none": (
        ("embargo_front_proxies=10.0.9.1", "embargo_user_header=X User"),
        "embargo_user_header: found 'X User'",
    ),
    "a header that means something else": (
        ("embargo_front_proxies=10.0.9.1", "embargo_user_header=Host"),
        "embargo_user_header: found 'Host'",
    ),
    "LDAP without a server": (
        ("proxyauth=ldap:cn=admin:pass-phrase-7:dc=example",),
        "proxyauth: expected ldap[s]:SERVER",
    ),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_ends_the_start(start: Start, options: tuple[str, ...], said: str) -> None:
    settings = [part for option in options for part in ("--set", option)]
    proxy = start(POLICY, ready=False, command="embargo", options=settings)
    assert proxy.process.wait(PATIENCE) == 1
    assert said in proxy.text()
    assert "Traceback" not in proxy.text()
    assert "pass-phrase-7" not in proxy.text()


def test_a_map_knows_who_asks_for_names(start: Start, origin: Origin, tmp_path: Path) -> None:
    """DNS has no login: the address is all that there is."""
    (tmp_path / "map.csv").write_text(f"{ALICES},alice\n")
    proxy = start(
        POLICY.replace("users: [bob,", "users: [alice, bob,"),
        options=["--mode", "dns", "--set", f"embargo_identities={tmp_path / 'map.csv'}"],
    )
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07watched\x04test\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(BOUND)
        asking.bind((ALICES, 0))
        asking.sendto(query, ("127.0.0.1", proxy.port))
        answer = asking.recv(512)
    assert answer[:2] == query[:2] and answer[3] & 0xF == 3, "no such name"
    record = proxy.wait_record(rule__id="not-bob")
    assert (field(record, "user.name"), field(record, "embargo.identity_source")) == ("alice", "map")
