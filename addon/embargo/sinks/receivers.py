"""The receiver of a sink, by its transport."""

from embargo.core.sink import Sink, Transport
from embargo.sinks.datagram import Datagrams
from embargo.sinks.export_file import ExportFile
from embargo.sinks.octet_stream import OctetStream
from embargo.sinks.receiver import Receiver
from embargo.sinks.relp import Relp
from embargo.sinks.web import Web


def receiver_of(sink: Sink) -> Receiver:
    """Made, not yet opened."""
    match sink.to.transport:
        case Transport.UDP:
            return Datagrams(sink)
        case Transport.TCP | Transport.TLS:
            return OctetStream(sink)
        case Transport.RELP | Transport.RELPS:
            return Relp(sink)
        case Transport.HTTP | Transport.HTTPS:
            return Web(sink)
        case Transport.FILE:
            return ExportFile(sink)
