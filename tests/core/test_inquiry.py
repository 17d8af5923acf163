"""What the proxy would do, asked without traffic (DESIGN 8, explain)."""

import pytest

from embargo.core.inquiry import Inquiry, UnreadableRequest, answer, requests
from embargo.core.request import Surface
from embargo.core.rules import Mode, Policy
from sample import NOW, app, policy, rule

SURFACES = {  # case: (request, surfaces)
    "https": ("https://alipay.com/", ["connect", "tls", "http"]),
    "http alone": ("http://alipay.com/", ["http"]),
    "a bare host is https": ("alipay.com", ["connect", "tls", "http"]),
    "a bare address is https": ("203.0.113.9", ["connect", "tls", "http"]),
    "wss": ("wss://alipay.com/ws", ["connect", "tls", "websocket"]),
    "ws": ("ws://alipay.com/ws", ["websocket"]),
    "a scheme in capitals": ("HTTPS://alipay.com/", ["connect", "tls", "http"]),
}


@pytest.mark.parametrize(("text", "surfaces"), SURFACES.values(), ids=SURFACES)
def test_surfaces(text: str, surfaces: list[str]) -> None:
    assert [request.surface for request in requests(Inquiry(request=text, time=NOW))] == surfaces


@pytest.mark.parametrize("surface", Surface, ids=str)
def test_one_surface_alone(surface: Surface) -> None:
    [request] = requests(Inquiry(request="https://alipay.com/x", time=NOW, surface=surface))
    assert request.surface is surface
    assert {name.host.text for name in request.names if name.host is not None} == {"alipay.com"}
    assert (request.target is not None) is (surface in (Surface.HTTP, Surface.WEBSOCKET))
    assert request.transport == ("udp" if surface in (Surface.QUIC, Surface.UDP) else "tcp")


NAMES = {  # case: (request, surface, [source host:port])
    "connect": ("https://alipay.com/", "connect", ["connect alipay.com:443"]),
    "tls": ("https://alipay.com/", "tls", ["connect alipay.com:443", "sni alipay.com:443"]),
    "http inside TLS": (
        "https://alipay.com/",
        "http",
        ["connect alipay.com:443", "sni alipay.com:443", "host alipay.com:443"],
    ),
    "plain http": ("http://alipay.com/", "http", ["url alipay.com:80", "host alipay.com:80"]),
    "dns": ("alipay.com", "dns", ["question alipay.com:443"]),
    "a port": ("https://alipay.com:8443/", "connect", ["connect alipay.com:8443"]),
    "a port of a bare host": ("alipay.com:8443", "connect", ["connect alipay.com:8443"]),
    "an address has no SNI": ("https://203.0.113.9/", "tls", ["connect 203.0.113.9:443"]),
    "IPv6 as people write it": ("2001:db8::1", "connect", ["connect 2001:db8::1:443"]),
    "IPv6 in a URL": ("https://[2001:db8::1]:8443/", "connect", ["connect 2001:db8::1:8443"]),
    "QUIC": ("https://alipay.com/", "quic", ["sni alipay.com:443"]),
    "QUIC to an address": ("203.0.113.9", "quic", ["destination 203.0.113.9:443"]),
    "user information is no host": ("https://alipay.com@example.org/", "connect", ["connect example.org:443"]),
    "user information with a colon": ("https://user:pass@example.org/", "connect", ["connect example.org:443"]),
    "two at signs": ("https://a@alipay.com@example.org/", "connect", ["connect example.org:443"]),
    "a query without a path": ("https://alipay.com?x=1", "connect", ["connect alipay.com:443"]),
    "a fragment without a path": ("https://alipay.com#x", "connect", ["connect alipay.com:443"]),
    "a backslash ends the host": ("https://alipay.com\\@example.org/", "connect", ["connect alipay.com:443"]),
    "white space around it": ("  https://alipay.com/ \n", "connect", ["connect alipay.com:443"]),
    "the last gate": ("alipay.com", "server", ["dialled alipay.com:443"]),
    "raw": ("203.0.113.9:5222", "tcp", ["destination 203.0.113.9:5222"]),
}


@pytest.mark.parametrize(("text", "surface", "names"), NAMES.values(), ids=NAMES)
def test_names(text: str, surface: str, names: list[str]) -> None:
    [request] = requests(Inquiry(request=text, time=NOW, surface=Surface(surface)))
    assert [f"{name.source} {name.host}:{name.port}" for name in request.names] == names


TARGETS = {  # case: (request, path, pairs)
    "no path": ("https://alipay.com", "/", set()),
    "a path": ("https://alipay.com/mgw.htm", "/mgw.htm", set()),
    "a path and a query": ("https://alipay.com/a?b=c", "/a", {("b", "c")}),
    "a query alone": ("https://alipay.com?b=c", "/", {("b", "c")}),
    "a fragment": ("https://alipay.com/a#?b=c", "/a", set()),
    "backslashes, as browsers read them": ("https://alipay.com\\a\\b", "/a/b", set()),
    "an at sign in the path": ("https://alipay.com/@x", "/@x", set()),
    "a bare host with a path": ("alipay.com/a", "/a", set()),
}


@pytest.mark.parametrize(("text", "path", "pairs"), TARGETS.values(), ids=TARGETS)
def test_target(text: str, path: str, pairs: set[tuple[str, str]]) -> None:
    [request] = requests(Inquiry(request=text, time=NOW, surface=Surface.HTTP))
    assert request.target is not None
    assert (request.target.path, request.target.pairs) == (path, pairs)


def test_the_user_agent_is_seen_at_connect_and_inside() -> None:
    asked = requests(Inquiry(request="https://alipay.com/", time=NOW, user_agent="Client/1"))
    assert [request.user_agent for request in asked] == ["Client/1", None, "Client/1"]


SCHEMES = ["ftp://alipay.com/", "file:///etc/passwd", "javascript://x/"]


@pytest.mark.parametrize("text", SCHEMES)
def test_a_scheme_that_no_proxy_sees(text: str) -> None:
    with pytest.raises(UnreadableRequest, match="is no scheme"):
        requests(Inquiry(request=text, time=NOW))


APPS = [app("qq", "qq.com", "url:qq.com/pay/*")]
BLOCKED = policy(APPS, [rule("r", "block")])
LOGGED = policy(APPS, [rule("r", "log")])
AT_HTTP = policy(APPS, [rule("h", "block", surfaces=frozenset({Surface.HTTP})), rule("r", "log")])
AT_TLS = policy(APPS, [rule("h", "block", surfaces=frozenset({Surface.TLS})), rule("r", "log")])
BY_URL = policy([app("pay", "url:qq.com/pay/*")], [rule("r", "block")])
OPENED = policy(APPS, [rule("h", "allow", surfaces=frozenset({Surface.HTTP})), rule("r", "log")])
MONITORED = policy(APPS, [rule("h", "log", surfaces=frozenset({Surface.HTTP})), rule("r", "block")], mode=Mode.MONITOR)

ANSWERS = {  # case: (policy, request, verdict, surface, would)
    "the first block": (BLOCKED, "https://qq.com/", "block", "connect", None),
    "a block at tls": (AT_TLS, "https://qq.com/", "block", "tls", None),
    "a block at http": (AT_HTTP, "https://qq.com/", "block", "http", None),
    "a block that only the URL shows": (BY_URL, "https://qq.com/pay/x", "block", "http", None),
    "that URL's neighbour passes": (BY_URL, "https://qq.com/payx", "pass", "http", None),
    "no block: of equals the first surface's": (LOGGED, "https://qq.com/", "log", "connect", None),
    "no block: the strictest": (OPENED, "https://qq.com/", "log", "connect", None),
    "no owner": (BLOCKED, "https://example.org/", "pass", "http", None),
    "malformed is refused at once": (BLOCKED, "https://a..b/", "block", "connect", None),
    "nothing is malformed": (BLOCKED, "", "block", "connect", None),
    "monitor: where enforce would have blocked": (MONITORED, "https://qq.com/", "log", "connect", "block"),
}


@pytest.mark.parametrize(("judged", "text", "verdict", "surface", "would"), ANSWERS.values(), ids=ANSWERS)
def test_answer(judged: Policy, text: str, verdict: str, surface: str, would: str | None) -> None:
    found = answer(judged, Inquiry(request=text, time=NOW))
    told = str(found.decision.would) if found.decision.would is not None else None
    assert (str(found.decision.verdict), str(found.request.surface), told) == (verdict, surface, would)


def test_other_names_are_judged_too() -> None:
    judged = policy([app("bad", "bad.test")], [rule("ban", "block")])
    fronted = Inquiry(request="https://innocent.test/", time=NOW, names=("a..b", "www.bad.test:8443"))
    found = answer(judged, fronted)
    assert found.decision.blocked and found.decision.mismatch
    assert found.request.surface is Surface.CONNECT
    assert [name.text for name in found.request.names] == ["innocent.test", "a..b", "www.bad.test:8443"]
