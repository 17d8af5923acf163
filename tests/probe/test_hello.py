"""Our ClientHello is one: a real server reads it and answers."""

import contextlib
import ssl
from pathlib import Path

import pytest

from e2e.origin import make_certificate
from embargo.enforce.tls.first_bytes import Kind, read
from embargo.probe.hello import client_hello, record

NAMES = {
    "a domain": "www.alipay.com",
    "an underscore, which TLS libraries refuse to send": "_dmarc.alipay.com",
    "hyphens in a row": "r3---sn-4g5e6nls.alipay.com",
    "an A-label": "xn--bcher-kva.example",
    "the longest label": "a" * 63 + ".example",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_openssl_reads_it_and_answers(name: str, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    seen: list[str | None] = []
    context.sni_callback = lambda connection, server_name, context: seen.append(server_name)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(record(client_hello(name)))
    with contextlib.suppress(ssl.SSLWantReadError):
        server.do_handshake()
    assert seen == [name]
    assert outgoing.read(6)[:1] == b"\x16", "a ServerHello"


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_embargo_reads_it(name: str) -> None:
    reading = read(record(client_hello(name)))
    assert (reading.kind, reading.names) == (Kind.TLS, (name,))


def test_no_two_are_alike() -> None:
    assert client_hello("a.example") != client_hello("a.example")
