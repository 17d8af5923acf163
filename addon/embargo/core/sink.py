"""Where records go besides the log: one sink a receiver, as the policy's `settings.log.sinks` names it."""

from dataclasses import dataclass, fields
from enum import StrEnum


class Transport(StrEnum):
    """How a receiver is reached, by the scheme of its address."""

    UDP = "udp"  # syslog, without any proof of delivery (RFC 5426)
    TCP = "tcp"  # syslog, octet counting (RFC 6587)
    TLS = "tls"  # the same inside TLS (RFC 5425)
    RELP = "relp"  # syslog, each message acknowledged
    RELPS = "relps"  # the same inside TLS
    HTTP = "http"
    HTTPS = "https"
    FILE = "file"

    @property
    def is_syslog(self) -> bool:
        """Whether messages are framed as syslog."""
        return self in _SYSLOG

    @property
    def is_web(self) -> bool:
        """Whether it takes batches by HTTP."""
        return self in (Transport.HTTP, Transport.HTTPS)

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is around it."""
        return self in (Transport.TLS, Transport.RELPS, Transport.HTTPS)


_SYSLOG = frozenset({Transport.UDP, Transport.TCP, Transport.TLS, Transport.RELP, Transport.RELPS})


class SinkFormat(StrEnum):
    """The language that a record is sent in."""

    ECS = "ecs"
    OCSF = "ocsf"
    CEF = "cef"
    EVE = "eve"
    SYSLOG = "syslog"


class Batch(StrEnum):
    """How records stand in one HTTP request."""

    ELASTICSEARCH = "elasticsearch"  # its bulk form; OpenSearch's too
    LINES = "lines"  # one JSON object a line
    SPLUNK = "splunk"  # the HTTP Event Collector's
    LOKI = "loki"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What `to` says."""

    transport: Transport
    host: str = ""  # without brackets; empty for a file
    port: int = 0
    path: str = ""  # of the URL, or of the file

    def __str__(self) -> str:
        if self.transport is Transport.FILE:
            return self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """One receiver. Secrets are named by file alone, so that no policy text holds one."""

    id: str
    to: Address
    enabled: bool = True
    format: SinkFormat = SinkFormat.ECS
    filter: str = ""  # in the grammar of `embargo log`; empty: every record
    batch: Batch = Batch.LINES  # of HTTP
    index: str = "embargo"  # of Elasticsearch
    token_file: str | None = None  # what the Authorization header says
    ca_file: str | None = None  # PEM; None: the system's
    certificate: str | None = None  # PEM: ours, with the key where `key_file` names no other
    key_file: str | None = None
    facility: int = 13  # of syslog: log audit
    enterprise: int = 32473  # private enterprise number of the structured data; this one is documentation's
    rotate_size: int = 64 * 1024 * 1024  # bytes, of a file
    rotate_keep: int = 7  # rotated files that stay

    def __str__(self) -> str:
        said = [
            f"{each.name}={getattr(self, each.name)}"
            for each in fields(self)
            if each.name not in ("id", "to", "format") and getattr(self, each.name) != each.default
        ]
        return f"{self.id} ({', '.join([str(self.to), self.format.value, *said])})"
