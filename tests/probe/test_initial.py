"""Our QUIC Initial is one: a real server reads it; embargo's refusal is told from every other answer."""

from pathlib import Path

import pytest
from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import pull_quic_header

from e2e.origin import make_certificate
from embargo.core.quic_hellos import Connections
from embargo.core.quic_packet import packets
from embargo.enforce.datagrams import quic_refusal
from embargo.probe.initial import SMALLEST, Opening, is_refusal, opening


def server_answer(opened: Opening, *, certified: tuple[str, str] | None) -> bytes:
    """What an aioquic server says to it."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
    if certified is not None:
        configuration.load_cert_chain(*certified)
    header = pull_quic_header(Buffer(data=opened.datagram), host_cid_length=8)
    server = QuicConnection(configuration=configuration, original_destination_connection_id=header.destination_cid)
    server.receive_datagram(opened.datagram, ("192.0.2.1", 4433), now=0.0)
    sent = server.datagrams_to_send(now=0.0)
    return sent[0][0] if sent else b""


def refusal(opened: Opening) -> bytes:
    connections = Connections()
    found = connections.feed(opened.datagram)
    assert found is not None
    return quic_refusal.refusal(found[0])


def test_embargo_reads_the_name() -> None:
    found = Connections().feed(opening("www.alipay.com").datagram)
    assert found is not None
    assert found[0].hellos == [("www.alipay.com",)]


def test_it_is_as_long_as_a_first_datagram_must_be() -> None:
    assert len(opening("a.example").datagram) == SMALLEST


def test_a_server_answers_with_its_handshake(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    opened = opening("www.alipay.com")
    answer = server_answer(opened, certified=(str(certificate), str(key)))
    assert [packet.kind for packet in packets(answer)][:1] == ["initial"]
    assert not is_refusal(answer, opened)


OPENED = opening("www.alipay.com")
ANSWERS = {
    "embargo's refusal": (refusal(OPENED), True),
    "a refusal of another connection": (refusal(opening("www.alipay.com")), False),
    "versions that a server knows": (quic_refusal.version_negotiation(OPENED.datagram) or b"", False),
    "the question itself": (OPENED.datagram, False),
    "a refusal that was cut": (refusal(OPENED)[:30], False),
    "nothing": (b"", False),
    "noise": (bytes(range(256)), False),
}


@pytest.mark.parametrize(("answer", "refused"), ANSWERS.values(), ids=ANSWERS)
def test_refusal(answer: bytes, refused: bool) -> None:
    assert is_refusal(answer, OPENED) is refused
