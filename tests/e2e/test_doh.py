"""DNS over HTTPS: the question is judged before anything of it goes upstream, the answer by where it leads."""

import base64
import json
from pathlib import Path

import pytest

from dns_reading import read
from dns_writing import HTTPS, query
from e2e.clients import client, curl
from e2e.conftest import Start
from e2e.dns_fronts import FORMERR, NOERROR, NXDOMAIN, POLICY, Bare, Fronts
from e2e.dns_origin import DnsOrigin
from e2e.origin import Origin
from e2e.proxy import Proxy, field


def encoded(message: bytes) -> str:
    return base64.urlsafe_b64encode(message).rstrip(b"=").decode()


def doh(proxy: Proxy | Bare, server: DnsOrigin, tmp_path: Path, target: str, *arguments: str) -> tuple[int, str, bytes]:
    """Status, content type and body of an HTTP request to the resolver."""
    body = tmp_path / "answer"
    body.write_bytes(b"")
    url = f"http://doh.innocent.test:{server.http_port}{target}"
    answer = curl(proxy, "-o", str(body), "-w", "%{content_type}\n%{http_code} 0 1", *arguments, url)  # type: ignore[arg-type]
    return answer.status, answer.body, body.read_bytes()


def posted(tmp_path: Path, message: bytes) -> list[str]:
    file = tmp_path / "query"
    file.write_bytes(message)
    return ["--data-binary", f"@{file}", "-H", "Content-Type: application/dns-message"]


GET = {  # case: what stands in the URL for the query
    "as in the RFC": lambda text: f"/dns-query?dns={text}",
    "at any path": lambda text: f"/some/where?x=1&dns={text}",
    "with padding": lambda text: f"/dns-query?dns={text}" + "=" * (-len(text) % 4),
    "percent-encoded": lambda text: f"/q?%64ns=%{ord(text[0]):02x}{text[1:]}",
    "behind a semicolon": lambda text: f"/dns-query?a;dns={text}",
}


@pytest.mark.parametrize("case", GET)
def test_doh_get(enforcing: Fronts, server: DnsOrigin, tmp_path: Path, case: str) -> None:
    before = enforcing.proxy.settled()
    target = GET[case](encoded(query("www.banned.test", id=0x4321, edns=True)))
    status, kind, body = doh(enforcing.proxy, server, tmp_path, target)
    answer = read(body)
    assert (status, kind, answer.code, answer.id) == (200, "application/dns-message", NXDOMAIN, 0x4321)
    assert answer.error is not None and answer.error[0] == 15
    (record,) = enforcing.proxy.wait_decisions(before, 1)
    assert (field(record, "embargo.surface"), field(record, "dns.question.name")) == ("dns", "www.banned.test")
    assert field(record, "url.domain") == "doh.innocent.test"
    assert server.asked == []


def test_doh_post(enforcing: Fronts, bare: Bare, server: DnsOrigin, tmp_path: Path) -> None:
    arguments = posted(tmp_path, query("banned.test", id=5))
    status, kind, body = doh(enforcing.proxy, server, tmp_path, "/dns-query", *arguments)
    assert (status, kind, read(body).code, read(body).id) == (200, "application/dns-message", NXDOMAIN, 5)
    assert (server.asked, server.received) == ([], b"")
    doh(bare, server, tmp_path, "/dns-query", *arguments)
    assert server.names == ["banned.test"]


def test_doh_over_http2(enforcing: Fronts, origin: Origin, server: DnsOrigin) -> None:
    headers = {"content-type": "application/dns-message"}
    with client(enforcing.proxy) as https:
        for name, code in (("www.banned.test", NXDOMAIN), ("innocent.test", None), ("banned.test", NXDOMAIN)):
            answer = https.post("https://innocent.test/dns-query", content=query(name), headers=headers)
            assert answer.http_version == "HTTP/2"
            if code is None:
                assert "got 31 bytes" in answer.text  # the origin's own page
            else:
                assert read(answer.content).code == code
    with client(enforcing.proxy) as https:
        answer = https.get(f"https://innocent.test/dns-query?dns={encoded(query('banned.test'))}")
        assert read(answer.content).code == NXDOMAIN


def test_doh_json(enforcing: Fronts, bare: Bare, server: DnsOrigin, tmp_path: Path) -> None:
    for target in (
        "/resolve?name=WWW.banned.test&type=AAAA",
        "/dns-query?name=banned.test.",
        "/x?ct=application/dns-json&name=banned.test",
    ):
        status, kind, body = doh(enforcing.proxy, server, tmp_path, target)
        document = json.loads(body)
        assert (status, kind, document["Status"]) == (200, "application/dns-json", 3)
        assert "banned.test" in document["Question"][0]["name"]
    status, _, body = doh(enforcing.proxy, server, tmp_path, "/resolve?name=null.test")
    assert json.loads(body)["Answer"][0]["data"] == "0.0.0.0"
    assert server.asked == []
    doh(bare, server, tmp_path, "/resolve?name=banned.test")
    assert server.names == ["banned.test"]


def test_doh_answers_are_judged(enforcing: Fronts, server: DnsOrigin, tmp_path: Path) -> None:
    for target, arguments in {
        f"/dns-query?dns={encoded(query('alias.test'))}": [],
        "/dns-query": posted(tmp_path, query("svc.test", type=HTTPS)),
    }.items():
        _, _, body = doh(enforcing.proxy, server, tmp_path, target, *arguments)
        assert (read(body).code, read(body).answers) == (NXDOMAIN, [])
    _, _, body = doh(enforcing.proxy, server, tmp_path, "/resolve?name=alias.test")
    assert json.loads(body)["Status"] == NXDOMAIN


def test_innocent_doh_passes(enforcing: Fronts, server: DnsOrigin, tmp_path: Path) -> None:
    _, _, body = doh(enforcing.proxy, server, tmp_path, f"/dns-query?dns={encoded(query('innocent.test'))}")
    assert read(body).answers != []
    _, _, body = doh(enforcing.proxy, server, tmp_path, "/dns-query", *posted(tmp_path, query("innocent.test")))
    assert read(body).answers != []
    _, _, body = doh(enforcing.proxy, server, tmp_path, "/resolve?name=innocent.test")
    assert json.loads(body)["Status"] == NOERROR
    assert server.names == ["innocent.test"] * 3


NO_DOH = [
    "/find?name=banned.test",
    "/resolve?name=John+Smith",
    "/?dns=8.8.8.8",
    "/?dns=YmFubmVkLnRlc3Q",
    "/x?hostname=1&dnsx=2",
]


@pytest.mark.parametrize("target", NO_DOH)
def test_what_is_no_doh_passes(enforcing: Fronts, origin: Origin, server: DnsOrigin, target: str) -> None:
    assert curl(enforcing.proxy, f"http://innocent.test{target}").status == 200
    assert origin.connections == 1


STREAMED = {
    "chunked": ["-H", "Transfer-Encoding: chunked"],
    "longer than what is streamed": ["-H", "X: y"],
}


@pytest.fixture(scope="module")
def streaming(start_for_module: Start, ports: None, the_server: DnsOrigin) -> Proxy:
    return start_for_module(POLICY, options=["--set", "stream_large_bodies=40"])


@pytest.mark.parametrize("arguments", STREAMED.values(), ids=STREAMED)
def test_a_streamed_question_is_judged_first(
    streaming: Proxy, server: DnsOrigin, tmp_path: Path, arguments: list[str]
) -> None:
    padded = query("www.a-long-name-before-it.banned.test", edns=True)
    status, _, _ = doh(streaming, server, tmp_path, "/dns-query", *posted(tmp_path, padded), *arguments)
    assert (status, server.asked, server.received) == (0, [], b"")
    innocent = query("www.a-long-name-before-it.innocent.test", edns=True)
    status, _, body = doh(streaming, server, tmp_path, "/dns-query", *posted(tmp_path, innocent), *arguments)
    assert (status, read(body).code) == (200, NOERROR)


def test_a_question_too_long_for_dns_is_refused(enforcing: Fronts, server: DnsOrigin, tmp_path: Path) -> None:
    before = enforcing.proxy.settled()
    arguments = posted(tmp_path, query("innocent.test", trailing=bytes(70_000)))
    status, kind, body = doh(enforcing.proxy, server, tmp_path, "/dns-query", *arguments)
    assert (kind, read(body).code) == ("application/dns-message", FORMERR)
    assert field(enforcing.proxy.wait_decisions(before, 1)[0], "embargo.reason") == "undecided"
    assert (status, server.asked) == (200, [])


def test_monitored_doh_passes(monitoring: Fronts, server: DnsOrigin, tmp_path: Path) -> None:
    before = monitoring.proxy.settled()
    _, _, body = doh(monitoring.proxy, server, tmp_path, "/dns-query", *posted(tmp_path, query("banned.test")))
    assert read(body).answers != []
    _, _, body = doh(monitoring.proxy, server, tmp_path, f"/dns-query?dns={encoded(query('alias.test'))}")
    assert read(body).answers != []
    records = monitoring.proxy.wait_decisions(before, 2)
    assert {field(record, "embargo.would") for record in records} == {"block"}
