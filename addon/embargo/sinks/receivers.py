"""The receiver of a sink, by its transport."""

from pathlib import Path

from embargo.core.sink import Sink, Transport
from embargo.sinks.datagram import Datagrams
from embargo.sinks.export_file import ExportFile
from embargo.sinks.octet_stream import OctetStream
from embargo.sinks.receiver import Receiver
from embargo.sinks.relp import Relp
from embargo.sinks.web import Web


class IntoTheLog(ValueError):
    """A sink would write among the files that it reads."""


def receiver_of(sink: Sink, log: Path) -> Receiver:
    """That of *sink*, whose records are those of the directory *log*; not yet opened. Raises IntoTheLog."""
    if sink.to.transport is Transport.FILE and Path(sink.to.path).resolve().is_relative_to(log.resolve()):
        raise IntoTheLog(f"{sink.to.path} lies in the log itself; name a file elsewhere")
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
