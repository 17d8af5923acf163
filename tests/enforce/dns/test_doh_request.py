"""Which HTTP requests carry a DNS question, and which only look so."""

import base64

import pytest
from mitmproxy import http
from mitmproxy.test import tutils

from dns_writing import AAAA, A, query
from embargo.core.dns_message import parse
from embargo.enforce.dns.doh_request import Form, has_query_body, in_body, in_url

MESSAGE = query("www.banned.test", edns=True)
TEXT = base64.urlsafe_b64encode(MESSAGE).rstrip(b"=").decode()
STANDARD = base64.b64encode(query("~~~.banned.test", id=0xFBFF)).decode()  # holds both of + and /
RESERVED = base64.urlsafe_b64encode(query("banned.test", flags=0x0140)).decode()  # a bit that is always zero


def request(path: str, method: str = "GET", **headers: str) -> http.Request:
    made = tutils.treq(method=method.encode(), path=path.encode())
    made.headers = http.Headers([(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()])
    return made


ASKS = {  # case: (request, names asked for)
    "as in the RFC": (request(f"/dns-query?dns={TEXT}"), ["www.banned.test"]),
    "at any path": (request(f"/?a=b&dns={TEXT}&c"), ["www.banned.test"]),
    "padded": (request(f"/dns-query?dns={TEXT}=="), ["www.banned.test"]),
    "padded, percent-encoded": (request(f"/dns-query?dns={TEXT}%3D%3D"), ["www.banned.test"]),
    "the other alphabet": (request(f"/dns-query?dns={STANDARD}"), ["~~~.banned.test"]),
    "the name percent-encoded": (request(f"/q?%64%4E%73={TEXT}"), ["www.banned.test"]),
    "the value percent-encoded": (request("/q?dns=" + "".join(f"%{ord(c):02x}" for c in TEXT)), ["www.banned.test"]),
    "twice": (request(f"/q?dns={TEXT}&dns={TEXT}"), ["www.banned.test"] * 2),
    "behind a semicolon": (request(f"/q?a;dns={TEXT}"), ["www.banned.test"]),
    "before a fragment": (request(f"/q?dns={TEXT}#x"), ["www.banned.test"]),
    "what cannot be read, at a resolver": (request("/dns-query?dns=%%%"), [None]),
    "what cannot be read, as DNS": (request("/q?dns=x", accept="application/dns-message"), [None]),
    "JSON": (request("/resolve?name=www.banned.test"), ["www.banned.test"]),
    "JSON at the other path": (request("/dns-query?name=Banned.Test.&type=28"), ["banned.test"]),
    "JSON in mixed case": (request("/Resolve/?NAME=banned.test"), ["banned.test"]),
    "JSON by Accept": (request("/x?name=banned.test", accept="application/dns-json"), ["banned.test"]),
    "JSON by a parameter": (request("/x?name=banned.test&ct=application%2Fdns-json"), ["banned.test"]),
    "JSON in Unicode": (request("/resolve?name=b%C3%BCcher.test"), ["xn--bcher-kva.test"]),
    "JSON for no host": (request("/x?name=a+b", accept="application/dns-json"), [None]),
    "no query string": (request("/dns-query"), []),
    "another parameter": (request(f"/x?mydns={TEXT}&hostname=banned.test"), []),
    "an address": (request("/x?dns=192.0.2.1"), []),
    "an address at a resolver's path": (request("/dns-query?dns=192.0.2.1&name=a.test"), ["a.test"]),
    "an option at the path for JSON": (request("/resolve?dns=true&url=x"), []),
    "what a lenient server may read": (request("/dns-query?name=a.test&dns=" + RESERVED), ["banned.test", "a.test"]),
    "any base64": (request("/x?dns=" + base64.b64encode(b"some other text, long enough to be one").decode()), []),
    "a response": (request("/x?dns=" + base64.urlsafe_b64encode(query("a.test", flags=0x8180)).decode()), []),
    "a name elsewhere": (request("/people?name=banned.test"), []),
    "no host at a resolver's path": (request("/resolve?name=John+Smith"), []),
}


@pytest.mark.parametrize(("asking", "names"), ASKS.values(), ids=ASKS)
def test_in_url(asking: http.Request, names: list[str | None]) -> None:
    found = [parse(carried.query).questions[0].name if len(carried.query) > 12 else None for carried in in_url(asking)]
    assert found == names


TYPES = {"none": ("", [A]), "a number": ("&type=28", [AAAA]), "a name": ("&type=aaaa", [AAAA]),
         "in the general form": ("&type=TYPE65280", [65280]), "two": ("&type=1&type=28", [A, AAAA]),
         "none that is": ("&type=xyz", [A])}  # fmt: skip


@pytest.mark.parametrize(("parameter", "types"), TYPES.values(), ids=TYPES)
def test_json_types(parameter: str, types: list[int]) -> None:
    (carried,) = in_url(request(f"/resolve?name=banned.test{parameter}"))
    assert carried.form is Form.JSON
    assert [question.type for question in parse(carried.query).questions] == types


BODIES = {  # case: (request, whether its body is a query)
    "by its type": (request("/any", "POST", content_type="application/dns-message"), True),
    "with a parameter": (request("/any", "POST", content_type="Application/DNS-Message; x=y"), True),
    "by the draft's type": (request("/any", "PUT", content_type="application/dns-udpwireformat"), True),
    "of no type, at a resolver": (request("/dns-query", "POST"), True),
    "of another type": (request("/any", "POST", content_type="application/json"), False),
    "no body": (request("/dns-query", "GET", content_type="application/dns-message"), False),
}


IN_BODY = {  # case: (content-type, body, names asked for; None: what cannot be read)
    "by its type": ("application/dns-message", MESSAGE, ["www.banned.test"]),
    "by its type alone": ("application/dns-message", b"{}", [None]),
    "of no type": ("", MESSAGE, ["www.banned.test"]),
    "of no type, and none": ("", b"{}", [None]),
    "of another type, and one": ("application/octet-stream", MESSAGE, ["www.banned.test"]),
    "JSON": ("application/json", b'{"name": "banned.test"}', []),
    "long": ("application/json", bytes(70_000), []),
    "fields of a form": ("application/x-www-form-urlencoded", b"type=A&name=banned.test", ["banned.test"]),
    "another form": ("application/x-www-form-urlencoded", b"user=John", []),
}


@pytest.mark.parametrize(("kind", "body", "names"), IN_BODY.values(), ids=IN_BODY)
def test_in_body(kind: str, body: bytes, names: list[str | None]) -> None:
    asking = request("/dns-query", "POST", **({"content_type": kind} if kind else {}))
    assert has_query_body(asking)
    found = [carried.query for carried in in_body(asking, body)]
    assert [parse(query).questions[0].name if len(query) > 12 else None for query in found] == names


@pytest.mark.parametrize(("asking", "is_one"), BODIES.values(), ids=BODIES)
def test_bodies(asking: http.Request, is_one: bool) -> None:
    assert has_query_body(asking) is is_one
