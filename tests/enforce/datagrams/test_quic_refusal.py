"""What tells a client of QUIC that it is refused, a client understands."""

import pytest
from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from embargo.core.quic_packet import packets
from embargo.enforce.datagrams.quic_refusal import CONNECTION_REFUSED, connection_close, version_negotiation
from initials import DESTINATION, SOURCE, V1, V2, unknown_version


@pytest.mark.parametrize("version", [V1, V2])
def test_a_client_takes_the_refusal(version: int) -> None:
    configuration = QuicConfiguration(is_client=True, server_name="banned.test", original_version=version)
    client = QuicConnection(configuration=configuration)
    client.connect(("192.0.2.1", 443), now=0.0)
    ((datagram, _),) = client.datagrams_to_send(now=0.0)
    packet = next(packets(datagram))
    client.receive_datagram(connection_close(packet, packet.destination), ("192.0.2.1", 443), now=0.1)
    client.handle_timer(now=100.0)
    ended = [event for event in iter(client.next_event, None) if isinstance(event, ConnectionTerminated)]
    assert [event.error_code for event in ended] == [CONNECTION_REFUSED]


def test_version_negotiation() -> None:
    answer = version_negotiation(unknown_version(0x1A2A3A4A))
    header = pull_quic_header(Buffer(data=answer))
    assert header.packet_type is QuicPacketType.VERSION_NEGOTIATION
    assert (header.destination_cid, header.source_cid) == (SOURCE, DESTINATION)
    assert header.supported_versions == [V1, V2]
