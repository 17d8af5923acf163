"""Users that proxy authentication knows: rules hold for them, and their passwords go nowhere."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from e2e.clients import Refused, client, connect, curl, read_response, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field

PASSWORDS = {"alice": "correct-horse-1", "bob": "battery-staple-2"}
POLICY = SMALL.replace(
    "rules:\n",
    """\
groups:
  research: {users: [alice]}
rules:
  - {id: exemption, apps: bad, groups: research, action: allow}
  - {id: not-bob, apps: watched, users: bob, action: block}
""",
)


@pytest.fixture(scope="module")
def authenticating(start_for_module: Start, tmp_path_factory: pytest.TempPathFactory) -> Proxy:
    passwords: Path = tmp_path_factory.mktemp("users") / "htpasswd"
    passwords.write_text(
        "".join(
            f"{user}:{{SHA}}{base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()}\n"
            for user, password in PASSWORDS.items()
        )
    )
    return start_for_module(POLICY, options=["--set", f"proxyauth=@{passwords}"])


def as_user(user: str) -> tuple[str, str]:
    return ("--proxy-user", f"{user}:{PASSWORDS[user]}")


VERDICTS = {  # case: (user, URL, whether it passes, rule)
    "http: allowed by group": ("alice", "http://banned.test/a", True, "exemption"),
    "https: allowed by group": ("alice", "https://banned.test/a", True, "exemption"),
    "http: not in the group": ("bob", "http://banned.test/b", False, "ban"),
    "https: not in the group": ("bob", "https://banned.test/b", False, "ban"),
    "http: a rule for this user": ("bob", "http://watched.test/b", False, "not-bob"),
    "https: a rule for this user": ("bob", "https://watched.test/b", False, "not-bob"),
    "https: no rule for this user": ("alice", "https://watched.test/a", True, "watch"),
}


@pytest.mark.parametrize(("user", "url", "passes", "rule"), VERDICTS.values(), ids=VERDICTS)
def test_verdict(authenticating: Proxy, origin: Origin, user: str, url: str, passes: bool, rule: str) -> None:
    before = authenticating.settled()
    answer = curl(authenticating, *as_user(user), url)
    assert (answer.status == 200) is passes
    if not passes:
        assert 403 in (answer.status, answer.connect)
        assert origin.connections == 0
    records = authenticating.wait_decisions(before, 1)
    assert {field(record, "rule.id") for record in records} == {rule}
    assert {field(record, "user.name") for record in records} == {user}
    assert {field(record, "embargo.identity_source") for record in records} == {"proxyauth"}


@pytest.mark.parametrize("url", ["http://watched.test/", "http://innocent.test/", "http://banned.test/"])
def test_nobody_is_asked_who_they_are(authenticating: Proxy, origin: Origin, url: str) -> None:
    """A rule for a user cannot be decided without one, so 407 comes first; no such rule, no such answer needed."""
    assert curl(authenticating, url).status == 407
    assert curl(authenticating, url.replace("http:", "https:")).connect == 407
    assert curl(authenticating, "--proxy-user", "alice:wrong", url).status == 407
    assert origin.connections == 0


def test_a_banned_host_inside_a_users_tunnel(authenticating: Proxy, origin: Origin) -> None:
    for user, status in (("alice", 200), ("bob", 403)):
        pair = base64.b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode()
        with tls(tunnel(authenticating, "innocent.test:443", f"Proxy-Authorization: Basic {pair}"), None) as inside:
            inside.sendall(b"GET / HTTP/1.1\r\nHost: banned.test\r\n\r\n")
            assert read_response(inside)[0] == status


def test_users_take_turns_on_one_connection(authenticating: Proxy, origin: Origin) -> None:
    """A proxy below ours may send the requests of many over one connection: each is judged as who asks."""
    before = authenticating.settled()
    users = ["alice", "bob", "alice", "bob"]
    with connect(authenticating) as connection:
        statuses = []
        for user in users:
            pair = base64.b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode()
            connection.sendall(
                f"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\n"
                f"Proxy-Authorization: Basic {pair}\r\n\r\n".encode()
            )
            statuses.append(read_response(connection)[0])
    assert statuses == [200, 403, 200, 403]
    records = authenticating.wait_decisions(before, 4)
    assert [field(record, "user.name") for record in records] == users


HALTS = """
from mitmproxy.exceptions import AddonHalt

class Halts:
    def requestheaders(self, flow):
        if "halt" in flow.request.path:
            raise AddonHalt
    request = requestheaders

addons = [Halts()]
"""


def test_a_halt_in_between_does_not_lose_a_verdict_that_waits_for_its_user(
    start: Start, origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "halts.py").write_text(HALTS)
    for place in ("before", "after"):
        proxy = start(POLICY, options=["--set", "proxyauth=bob:secret"], **{place: [tmp_path / "halts.py"]})
        as_bob = ("--proxy-user", "bob:secret", "-H", "Host: banned.test")
        assert curl(proxy, *as_bob, "http://innocent.test/halt").status != 200
        assert curl(proxy, *as_bob, "-d", "secret", "http://innocent.test/halt").status != 200
        record = proxy.wait_record(url__path="/halt")
        assert (field(record, "embargo.verdict"), field(record, "http.response.status_code")) == ("block", None)
        assert curl(proxy, *as_bob[:2], "http://innocent.test/halt").status == 200
        assert b"banned" not in origin.received


def test_the_proxy_credentials_stay_here(authenticating: Proxy, origin: Origin) -> None:
    with client(authenticating, auth=("alice", PASSWORDS["alice"])) as http:
        http.get("http://banned.test/x?password=correct-horse-1")
    with pytest.raises(Refused):
        tunnel(authenticating, "banned.test:443", "Proxy-Authorization: Basic nonsense")
    authenticating.settled()
    written = b"".join(path.read_bytes() for path in authenticating.log.rglob("*") if path.is_file())
    status = json.dumps(authenticating.status()).encode()
    for password in PASSWORDS.values():
        for form in (password.encode(), base64.b64encode(password.encode())[:-2]):
            assert form not in written
            assert form not in status
    assert b"proxy-authorization" not in origin.received.lower()


def test_a_single_user(start: Start, origin: Origin) -> None:
    proxy = start(POLICY, options=["--set", "proxyauth=alice:single-secret", "--set", "flow_detail=0"])
    assert curl(proxy, "--proxy-user", "alice:single-secret", "http://banned.test/").status == 200
    assert curl(proxy, "http://innocent.test/").status == 407
    proxy.settled()
    everything = proxy.text().encode() + b"".join(path.read_bytes() for path in proxy.log.rglob("*") if path.is_file())
    assert b"single-secret" not in everything
