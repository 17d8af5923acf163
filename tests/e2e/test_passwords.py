"""A user's password is nowhere: not on disk, not in any output, not at the origin, whatever fails."""

import base64
import hashlib
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.clients import connect, curl, read_all, read_response, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import PATIENCE, Proxy, field
from e2e.servers import program, serving
from ports import free_port

SECRET = "correct-horse-1"
POLICY = SMALL.replace(
    "rules:\n",
    """\
rules:
  - {id: exemption, apps: bad, users: alice, action: allow}
""",
)
PAIR = base64.b64encode(f"alice:{SECRET}".encode()).decode()
FORMS = (
    SECRET.encode(), PAIR.rstrip("=").encode(), base64.b64encode(SECRET.encode()).rstrip(b"="),
    SECRET.encode().hex().encode(),
)  # fmt: skip
LOGIN = f"Proxy-Authorization: Basic {PAIR}"

FAILS = """
import base64
from embargo.enforce.http import connect, requests as http

def fails(original):
    def gather(connection, flow, time):
        header = flow.request.headers.get("Proxy-Authorization", "")
        if "fails" in flow.request.pretty_url:
            login = base64.b64decode(header.partition(" ")[2]).decode()
            raise ValueError(f"cannot read {header!r}, which is {login} of {flow.request.headers!r}")
        return original(connection, flow, time)
    return gather

http.http_request, connect.connect_request = fails(http.http_request), fails(connect.connect_request)
"""


def htpasswd(directory: Path) -> Path:
    passwords = directory / "htpasswd"
    digest = base64.b64encode(hashlib.sha1(SECRET.encode()).digest()).decode()
    passwords.write_text(f"alice:{{SHA}}{digest}\n")
    return passwords


def nowhere(proxy: Proxy, *others: bytes) -> None:
    """The password is in no file below the proxy's directory, its output and status among them, nor in *others*."""
    proxy.settled()
    texts = {str(path): path.read_bytes() for path in proxy.directory.rglob("*") if path.is_file()}
    texts["the status"] = json.dumps(proxy.status()).encode()
    texts["the command's output"] = proxy.command("status", "--json").stdout.encode()
    texts |= {f"other {number}": other for number, other in enumerate(others)}
    assert [(where, form) for where, text in texts.items() for form in FORMS if form in text] == []


@pytest.mark.parametrize("command", ["embargo", "mitmdump"])
def test_nowhere(start: Start, origin: Origin, tmp_path: Path, command: str) -> None:
    (tmp_path / "fails.py").write_text(FAILS)
    directory = tmp_path / "proxy"
    options = ["--set", f"proxyauth=@{htpasswd(tmp_path)}", "-w", str(directory / "flows")]
    proxy = start(POLICY, command=command, directory=directory, options=options, after=[tmp_path / "fails.py"])
    right, wrong = ("--proxy-user", f"alice:{SECRET}"), ("--proxy-user", f"bob:{SECRET}")
    for scheme in ("http", "https"):
        for host in ("innocent.test", "banned.test", "watched.test"):
            answer = curl(proxy, *right, f"{scheme}://{host}/")
            assert answer.status == 200, "not even where it is right"
            answer = curl(proxy, *wrong, f"{scheme}://{host}/")
            assert 407 in (answer.status, answer.connect), "nor where it is somebody else's"
        for form in (f"Basic {PAIR}x", f"Basic  {PAIR}", f"basic {PAIR}", f"Bearer {PAIR}", f"{PAIR}"):
            curl(proxy, "--proxy-header", f"Proxy-Authorization: {form}", f"{scheme}://innocent.test/")
    for line in (f"Proxy-Authorization Basic {PAIR}", f"{LOGIN}\x00", f"{LOGIN}\r\n {PAIR}"):
        with connect(proxy) as connection:
            connection.sendall(f"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\n{line}\r\n\r\n".encode())
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)
    answers = []
    for head in ("GET http://innocent.test/fails HTTP/1.1", "CONNECT fails.test:443 HTTP/1.1"):
        with connect(proxy) as connection:
            connection.sendall(f"{head}\r\nHost: innocent.test\r\n{LOGIN}\r\n\r\n".encode())
            status, body, _ = read_response(connection)
            assert status >= 400
            answers.append(body)
    with tls(tunnel(proxy, "innocent.test:443", LOGIN), "innocent.test") as inside:
        inside.sendall(b"GET /fails HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(inside)[0] >= 400
    proxy.settled()
    failed = [record for record in proxy.decisions() if field(record, "embargo.reason") == "error"]
    assert len(failed) >= 3
    assert "cannot read" in field(failed[0], "embargo.error")
    assert "cannot read" in proxy.text() and "Traceback" in proxy.text(), "the failure itself is told"
    assert field(proxy.wait_record(rule__id="exemption"), "user.name") == "alice"
    nowhere(proxy, origin.received, *answers)
    proxy.stop()
    assert (directory / "flows").stat().st_size > 0
    flows = (directory / "flows").read_bytes()
    assert b"proxyauth" in flows and [form for form in FORMS if form in flows] == []


def test_the_origin_does_not_get_what_nobody_asked_for(start: Start, origin: Origin) -> None:
    """A client that had to log in to another proxy before: mitmproxy itself passes its password on."""
    proxy = start(POLICY)
    assert curl(proxy, "--proxy-user", f"alice:{SECRET}", "http://innocent.test/").status == 200
    assert origin.received.startswith(b"GET ")
    nowhere(proxy, origin.received)


# -- a directory

SLAPD = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {directory}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example"
rootdn "cn=admin,dc=example"
rootpw {admin}
directory {directory}
"""
PEOPLE = """\
dn: dc=example
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: uid=alice,dc=example
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
userPassword: {secret}
"""
ADMIN = "battery-staple-2"


@pytest.fixture
def ldap(tmp_path: Path) -> Iterator[int]:
    """An LDAP directory in which alice is; its port."""
    directory = tmp_path / "ldap"
    directory.mkdir()
    configuration, people = directory / "slapd.conf", directory / "people.ldif"
    configuration.write_text(SLAPD.format(directory=directory, admin=ADMIN))
    people.write_text(PEOPLE.format(secret=SECRET))
    subprocess.run(
        [program("slapadd"), "-f", configuration, "-l", people], check=True, capture_output=True, timeout=PATIENCE
    )
    port = free_port()
    command = [program("slapd"), "-d", "0", "-f", configuration, "-h", f"ldap://127.0.0.1:{port}"]
    with serving(command, port, directory / "output.txt"):
        yield port


def test_a_directory(start: Start, origin: Origin, ldap: int) -> None:
    specification = f"ldap:127.0.0.1:{ldap}:cn=admin,dc=example:{ADMIN}:dc=example?search_filter_key=uid"
    proxy = start(POLICY, command="embargo", options=["--set", f"proxyauth={specification}"])
    for scheme in ("http", "https"):
        assert curl(proxy, "--proxy-user", f"alice:{SECRET}", f"{scheme}://banned.test/").status == 200
        answer = curl(proxy, "--proxy-user", "alice:wrong", f"{scheme}://banned.test/")
        assert 407 in (answer.status, answer.connect)
        answer = curl(proxy, "--proxy-user", "alice:", f"{scheme}://banned.test/")
        assert 407 in (answer.status, answer.connect), "an anonymous bind is nobody"
    proxy.settled()
    assert {field(record, "user.name") for record in proxy.decisions()} == {"alice"}
    nowhere(proxy)
    assert ADMIN not in proxy.text()


def test_a_directory_that_is_away(start: Start, origin: Origin) -> None:
    port = free_port()
    specification = f"ldap:127.0.0.1:{port}:cn=admin,dc=example:{ADMIN}:dc=example"
    proxy = start(POLICY, ready=False, command="embargo", options=["--set", f"proxyauth={specification}"])
    assert proxy.process.wait(PATIENCE) != 0, "nobody could log in"
    assert ADMIN not in proxy.text()
