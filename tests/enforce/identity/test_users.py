"""Who asks, and when a verdict has to wait for that."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from mitmproxy import ctx, http
from mitmproxy.addons.proxyauth import ProxyAuth
from mitmproxy.exceptions import OptionsError
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons, tflow

from embargo.core.request import Name, Source
from embargo.core.rules import Policy, Rule
from embargo.enforce.gate import Gate
from embargo.enforce.identity.identity_map import IdentityMap
from embargo.enforce.identity.users import Identity, Known, check_proxyauth
from sample import app, group, policy, request, rule

APPS = [app("bad", "banned.test"), app("other", "other.test")]


def judged(*rules: Rule) -> Policy:
    return policy(APPS, [*rules, rule("ban", "block")])


WAITS = {  # case: (policy, host, whether the user may change the verdict)
    "no rule asks for a user": (judged(), "banned.test", False),
    "a rule for users": (judged(rule("r", "allow", "bad", users=frozenset({"alice"}))), "banned.test", True),
    "a rule for a group of users": (
        judged(rule("r", "allow", groups=(group("g", users="alice"),))),
        "banned.test",
        True,
    ),
    "a rule for all but a group": (judged(rule("r", "log", not_groups=(group("g", users="a"),))), "banned.test", True),
    "a group of clients": (judged(rule("r", "allow", groups=(group("g", "10.0.0.0/8"),))), "banned.test", False),
    "a rule for another app": (judged(rule("r", "allow", "other", users=frozenset({"alice"}))), "banned.test", False),
}


@pytest.mark.parametrize(("rules", "host", "waits"), WAITS.values(), ids=WAITS)
def test_whether_a_verdict_waits(rules: Policy, host: str, waits: bool) -> None:
    gate = Gate()
    gate.policy = rules
    with taddons.context(ProxyAuth()) as context:
        identity = Identity(gate)
        connection = gate.connection(tflow.tclient_conn())
        asked = request(host)
        assert not identity.may_change(gate.decide(asked), asked, connection), "nobody is asked for a password"
        context.options.proxyauth = "any"
        assert identity.may_change(gate.decide(asked), asked, connection) is waits
        known = request(host, user="bob")
        connection.identity_source = Known.MAP
        assert identity.may_change(gate.decide(known), known, connection) is waits, "a password counts for more"
        connection.identity_source = Known.PROXYAUTH
        assert not identity.may_change(gate.decide(known), known, connection)


def test_a_malformed_request_does_not_wait() -> None:
    gate = Gate()
    gate.policy = judged(rule("r", "allow", users=frozenset({"alice"})))
    with taddons.context(ProxyAuth()) as context:
        context.options.proxyauth = "any"
        asked = request("no host")
        assert not Identity(gate).may_change(gate.decide(asked), asked, gate.connection(tflow.tclient_conn()))


def test_the_user_and_never_the_password() -> None:
    with taddons.context(ProxyAuth()):
        identity = Identity(gate := Gate())
        flow = tflow.tflow()
        connection = gate.connection(flow.client_conn)
        identity.settle(flow, connection)
        assert connection.user is None
        flow.metadata["proxyauth"] = ("alice", "password")
        flow.request.headers["Proxy-Authorization"] = "Basic YWxpY2U6cGFzc3dvcmQ="
        identity.settle(flow, connection)
        assert (connection.user, connection.identity_source) == ("alice", "proxyauth")
        assert "password" not in repr(flow.get_state()) and "YWxp" not in repr(flow.get_state())
        inner = tflow.tflow()
        authenticated = ctx.master.addons.get("proxyauth").authenticated
        authenticated[inner.client_conn] = ("bob", "password")
        known = gate.connection(inner.client_conn)
        assert (known.user, known.identity_source) == ("bob", "proxyauth"), "SOCKS has no request to ask at"
        assert authenticated[inner.client_conn] == ("bob", "")


FRONT, OTHER = "10.0.9.1", "10.0.8.1"
ALICE = ("X-Authenticated-User", "alice")
HOP = ("X-Forwarded-For", "192.0.2.7")

SAID = {  # case: (peer, headers, (user, source, client))
    "a user and an address": (FRONT, (ALICE, HOP), ("alice", "header", "192.0.2.7")),
    "a user": (FRONT, (ALICE,), ("alice", "header", FRONT)),
    "an address": (FRONT, (HOP,), (None, "forwarded", "192.0.2.7")),
    "an address in the map": (FRONT, (("X-Forwarded-For", "192.0.2.9"),), ("mapped", "map", "192.0.2.9")),
    "a user counts for more than the map": (
        FRONT,
        (ALICE, ("X-Forwarded-For", "192.0.2.9")),
        ("alice", "header", "192.0.2.9"),
    ),
    "an unknown address": (FRONT, (("X-Forwarded-For", "unknown"),), (None, None, None)),
    "two users": (FRONT, (ALICE, ("x-authenticated-user", "bob")), (None, None, FRONT)),
    "nothing": (FRONT, (), (None, None, FRONT)),
    "another peer": (OTHER, (ALICE, HOP), (None, None, OTHER)),
    "another peer in the map": ("192.0.2.9", (ALICE, HOP), ("mapped", "map", "192.0.2.9")),
    "IPv4 behind a dual-stack listener": (f"::ffff:{FRONT}", (ALICE, HOP), ("alice", "header", "192.0.2.7")),
}


@pytest.fixture
def identity(tmp_path: Path) -> Iterator[Identity]:
    (tmp_path / "map.csv").write_text("192.0.2.9,mapped\n")
    with taddons.context(ProxyAuth()):
        identity = Identity(Gate())
        identity.front_proxies, identity.user_header = (ip_network("10.0.9.0/24"),), "X-Authenticated-User"
        identity.map = IdentityMap(tmp_path / "map.csv")
        yield identity


def asking(peer: str, headers: tuple[tuple[str, str], ...], *, method: str = "GET") -> http.HTTPFlow:
    flow = tflow.tflow()
    flow.client_conn.peername = (peer, 51000)
    flow.client_conn.proxy_mode = ProxyMode.parse("regular")
    flow.request.method = method
    for name, value in headers:
        flow.request.headers.add(name, value)
    return flow


@pytest.mark.parametrize(("peer", "headers", "wanted"), SAID.values(), ids=SAID)
def test_what_a_front_proxy_says(
    identity: Identity,
    peer: str,
    headers: tuple[tuple[str, str], ...],
    wanted: tuple[str | None, str | None, str | None],
) -> None:
    flow = asking(peer, headers)
    connection = identity._gate.connection(flow.client_conn)
    identity.begin(flow, connection)
    client = str(connection.client) if connection.client is not None else None
    assert (connection.user, connection.identity_source, client) == wanted
    assert not {"x-authenticated-user", "x-forwarded-for"} & {name.lower() for name in flow.request.headers}
    told = any(name == "X-Forwarded-For" for name, _ in headers) and peer.endswith(FRONT)
    assert connection.port == (None if told else 51000), "a port beside another's address would mislead"


def test_inside_a_tunnel_what_was_said_at_its_begin_holds(identity: Identity) -> None:
    connect = asking(FRONT, (ALICE, HOP), method="CONNECT")
    connection = identity._gate.connection(connect.client_conn)
    identity.begin(connect, connection)
    connection.tunnel = Name.parse(Source.CONNECT, "innocent.test", 443)
    inside = asking(FRONT, (("X-Authenticated-User", "mallory"), ("X-Forwarded-For", "203.0.113.1")))
    inside.client_conn = connect.client_conn
    identity.begin(inside, connection)
    assert (connection.user, str(connection.client)) == ("alice", "192.0.2.7")
    assert "X-Authenticated-User" not in inside.request.headers, "it would be believed further on"


def test_each_request_of_a_connection_is_its_own_users(identity: Identity) -> None:
    first, second = asking(FRONT, (ALICE, HOP)), asking(FRONT, (("X-Authenticated-User", "bob"),))
    second.client_conn = first.client_conn
    connection = identity._gate.connection(first.client_conn)
    identity.begin(first, connection)
    identity.begin(second, connection)
    assert (connection.user, str(connection.client)) == ("bob", FRONT)
    identity.settle(first, connection)
    assert (connection.user, str(connection.client)) == ("alice", "192.0.2.7"), "its stream goes on beside the other"
    third = asking(FRONT, ())
    third.client_conn = first.client_conn
    identity.begin(third, connection)
    assert connection.user is None, "whom the front proxy does not name, nobody is"


@pytest.mark.parametrize("mode", ["socks5", "transparent", "reverse:http://127.0.0.1"])
def test_where_there_is_no_front_proxy_nothing_is_believed(identity: Identity, mode: str) -> None:
    flow = asking(FRONT, (ALICE, HOP))
    flow.client_conn.proxy_mode = ProxyMode.parse(mode)
    connection = identity._gate.connection(flow.client_conn)
    identity.begin(flow, connection)
    assert connection.user is None
    assert "X-Authenticated-User" not in flow.request.headers


def test_lenient_spellings_go_no_further_and_name_nobody(identity: Identity) -> None:
    flow = asking(FRONT, ())
    flow.request.data.headers.fields += ((b"X-Authenticated-User ", b"mallory"), (b"X-Other", b"kept"))
    connection = identity._gate.connection(flow.client_conn)
    identity.begin(flow, connection)
    assert connection.user is None
    assert b"mallory" not in repr(flow.request.data.headers.fields).encode()
    assert flow.request.headers["X-Other"] == "kept"


def test_without_front_proxies_headers_are_left_alone() -> None:
    with taddons.context(ProxyAuth()):
        identity = Identity(gate := Gate())
        flow = asking(FRONT, (ALICE, HOP))
        identity.begin(flow, gate.connection(flow.client_conn))
        assert flow.request.headers["X-Forwarded-For"] == "192.0.2.7"


LDAP = {  # specification: whether it is taken further
    "ldap:localhost:cn=admin:pass-word-1:dc=example": True,
    "ldaps:localhost:636:cn=admin:pass-word-1:dc=example?search_filter_key=uid": True,
    "ldap:cn=admin:pass-word-1:dc=example": False,
    "ldaps:localhost:x:cn=admin:pass-word-1:dc=example": False,
    "ldapx:localhost:cn=admin:pass-word-1:dc=example": False,
    "ldap:localhost:cn=admin:pass-word-1:dc=example?key=uid": False,
}


@pytest.mark.parametrize(("specification", "taken"), LDAP.items(), ids=map(str, range(len(LDAP))))
def test_a_wrong_ldap_specification_is_not_repeated(specification: str, taken: bool) -> None:
    with taddons.context() as context:
        context.master.options.add_option("proxyauth", str, specification, "")
        if taken:
            check_proxyauth({"proxyauth"})
        else:
            with pytest.raises(OptionsError) as refused:
                check_proxyauth({"proxyauth"})
            assert "pass-word-1" not in str(refused.value)
            assert "ldap[s]:SERVER" in str(refused.value)
