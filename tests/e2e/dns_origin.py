"""A name server on loopback, over UDP, TCP, TLS and HTTP, that counts what it is asked.

It knows a handful of names, and answers any other with an address, so that whatever reaches it succeeds.
"""

import base64
import http.server
import json
import socket
import socketserver
import ssl
import struct
import threading
import urllib.parse
from pathlib import Path

from dns_writing import AAAA, CNAME, DNAME, HTTPS, MX, SRV, SVCB, A, framed, record, wire

ADDRESS = "192.0.2.80"


def _cname(target: str):
    return lambda owner: [
        record(owner, CNAME, wire(target)),
        record(wire(target), A, socket.inet_aton(ADDRESS)),
    ]


ZONE = {  # (name, type): owner as the client spelled it -> records
    ("alias.test", A): _cname("cdn.banned.test"),
    ("chain.test", A): lambda owner: [
        record(owner, CNAME, wire("middle.test")),
        *_cname("x.banned.test")(wire("middle.test")),
    ],
    ("sub.delegated.test", A): lambda owner: [
        record(wire("delegated.test"), DNAME, wire("banned.test")),
        *_cname("sub.banned.test")(owner),
    ],
    ("alias-we-know.test", A): _cname("cdn.banned.test"),
    ("good-alias.test", A): _cname("cdn.other.test"),
    ("addressed.test", A): lambda owner: [record(owner, A, socket.inet_aton("203.0.113.9"))],
    ("svc.test", HTTPS): lambda owner: [record(owner, HTTPS, b"\0\1" + wire("edge.banned.test") + b"\0\1\0\3\2h2")],
    ("svc.test", SVCB): lambda owner: [record(owner, SVCB, b"\0\1" + wire("edge.banned.test"))],
    ("hint.test", HTTPS): lambda owner: [
        record(owner, HTTPS, b"\0\1\0" + b"\0\4\0\4" + socket.inet_aton("203.0.113.7"))
    ],
    ("plain.test", HTTPS): lambda owner: [record(owner, HTTPS, b"\0\1\0" + b"\0\1\0\3\2h2")],
    ("mail.test", MX): lambda owner: [record(owner, MX, b"\0\12" + wire("mx.banned.test"))],
    ("_x._tcp.service.test", SRV): lambda owner: [record(owner, SRV, b"\0\0\0\0\1\273" + wire("s.banned.test"))],
}  # fmt: skip


class DohHandler(http.server.BaseHTTPRequestHandler):
    """DNS over HTTP: RFC 8484's two forms, and JSON."""

    protocol_version = "HTTP/1.1"
    origin: "DnsOrigin"

    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        if "dns" in query:
            text = query["dns"][0]
            self.reply(
                "application/dns-message", self.origin.answer(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            )
        elif "name" in query:
            name = query["name"][0]
            self.origin.asked.append((name.lower(), A))
            target = {"alias.test": "cdn.banned.test."}.get(name, "other.test.")
            entries = [
                {"name": name + ".", "type": CNAME, "TTL": 300, "data": target},
                {"name": target, "type": A, "TTL": 300, "data": ADDRESS},
            ]
            self.reply("application/dns-json", json.dumps({"Status": 0, "Answer": entries}).encode())
        else:
            self.reply("text/plain", b"nothing asked")

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["content-length"]))
        self.origin.received += body
        self.reply("application/dns-message", self.origin.answer(body))

    def reply(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class DnsOrigin:
    """Runs in threads of its own. `asked` holds the names (lower case) and types of all questions since `reset`."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, tls: tuple[Path, Path] | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self.received = b""
        self.host = host
        origin = self

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, socket_ = self.request
                socket_.sendto(origin.answer(data), self.client_address)

        class Stream(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                serve(origin, self.request)

        class Tcp(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._tcp = Tcp((host, port), Stream)
        self.port = self._tcp.server_address[1]
        self._udp = socketserver.ThreadingUDPServer((host, self.port), Datagram)
        self._servers: list[socketserver.BaseServer] = [self._tcp, self._udp]
        self.tls_port = 0
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            context.set_alpn_protocols(["dot"])

            class Secure(socketserver.BaseRequestHandler):
                def handle(self) -> None:
                    try:
                        serve(origin, context.wrap_socket(self.request, server_side=True))
                    except OSError:
                        return

            secure = Tcp((host, 0), Secure)
            self.tls_port = secure.server_address[1]
            self._servers.append(secure)
        web = http.server.ThreadingHTTPServer((host, 0), type("Web", (DohHandler,), {"origin": self}))
        self.http_port = web.server_address[1]
        self._servers.append(web)
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def reset(self) -> None:
        self.asked, self.received = [], b""

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]

    def answer(self, data: bytes) -> bytes:
        """The answer to the query *data*; each of its questions counts."""
        identifier, flags, count, _, _, extra = struct.unpack_from("!6H", data)
        position, questions, records = 12, b"", []
        for _ in range(count):
            start, labels = position, []
            while size := data[position]:
                labels.append(data[position + 1 : position + 1 + size].decode("latin-1"))
                position += 1 + size
            owner = data[start : position + 1]
            (kind,) = struct.unpack_from("!H", data, position + 1)
            questions += data[start : position + 5]
            position += 5
            name = ".".join(labels).lower()
            self.asked.append((name, kind))
            known = ZONE.get((name, kind))
            if known is not None:
                records += known(owner)
            elif kind == A:
                records.append(record(owner, A, socket.inet_aton(ADDRESS)))
            elif kind == AAAA:
                records.append(record(owner, AAAA, socket.inet_pton(socket.AF_INET6, "2001:db8::80")))
        opt = record(b"\0", 41, b"", 0) if extra else b""
        header = struct.pack("!6H", identifier, 0x8180 | flags & 0x0100, count, len(records), 0, 1 if opt else 0)
        return header + questions + b"".join(records) + opt


def serve(origin: DnsOrigin, connection: socket.socket) -> None:
    """DNS over TCP on *connection* until its client goes."""
    buffer = b""
    try:
        while data := connection.recv(65536):
            origin.received += data
            buffer += data
            while len(buffer) >= 2 and len(buffer) >= 2 + (length := int.from_bytes(buffer[:2])):
                message, buffer = buffer[2 : 2 + length], buffer[2 + length :]
                try:
                    answer = origin.answer(message)
                except (struct.error, IndexError):
                    continue  # a lenient server skips what it cannot read
                connection.sendall(framed(answer))
    except OSError:
        return
