"""Cases in which the client says where it wants to go: CONNECT, SOCKS, an absolute URI, an address."""

from collections.abc import Callable

from clienthello import client_hello
from evasion.attempt import Attempt, Outcome
from evasion.case import EXPLICIT, NAMED, TARGET, Case

SPELLINGS = {
    "as it is": "{name}",
    "in capitals": "{NAME}",
    "in mixed case": "{Name}",
    "with a trailing dot": "{name}.",
    "of an address": "{address}",
    "of an address with a trailing dot": "{address}.",
    "of an address in one number": "{decimal}",
    "of an address in hexadecimal": "{hex}",
    "of an address in octal": "{octal}",
    "of an address in three parts": "{short}",
    "of an address in mixed parts": "{mixed}",
    "of a deeper name": "a.b.c.d.{name}",
}
WIDER = {  # that only a proxy of HTTP takes
    "in fullwidth letters": "{wide}",
    "with ideographic stops": "{stops}",
    "with percent escapes": "{escaped}",
    "of an address, mapped": "{mapped}",
    "of an address, mapped, in hexadecimal": "{mappedhex}",
    "of an address, mapped, with a zone": "[::ffff:{address}%25lo]",
    "with an underscore below": "_x.{name}",
    "with a user": "{cover}@{name}",
}
REQUESTS = {  # straight to the proxy
    "an absolute URI": "GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "an absolute URI, Host innocent": "GET http://{name}/ HTTP/1.1\r\nHost: {cover}\r\nX: {secret}\r\n\r\n",
    "an innocent URI, Host banned": "GET http://{cover}/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "an innocent URI, two Hosts": (
        "GET http://{cover}/ HTTP/1.1\r\nHost: {cover}\r\nHost: {name}\r\nX: {secret}\r\n\r\n"
    ),
    "an innocent URI, Host folded": "GET http://{cover}/ HTTP/1.1\r\nHost:\r\n {name}\r\nX: {secret}\r\n\r\n",
    "an absolute URI of https": "GET https://{name}/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "an absolute URI of ftp": "GET ftp://{name}/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "an absolute URI without a Host": "GET http://{name}/ HTTP/1.0\r\nX: {secret}\r\n\r\n",
    "an absolute URI with an empty Host": "GET http://{name}/ HTTP/1.1\r\nHost:\r\nX: {secret}\r\n\r\n",
    "an absolute URI with port 0443": "GET http://{name}:00080/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "an absolute URI with an empty port": "GET http://{name}:/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "an absolute URI with three slashes": "GET http:///{name}/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "an absolute URI with backslashes": ("GET http:\\\\{name}\\ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n"),
    "an absolute URI, its name behind a fragment": (
        "GET http://{cover}#@{name}/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n"
    ),
    "a path alone": "GET / HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "HTTP/0.9": "GET http://{name}/{secret}\r\n",
    "OPTIONS *": "OPTIONS * HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "OPTIONS of an absolute URI": "OPTIONS http://{name} HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "M-SEARCH": "M-SEARCH http://{name}/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "TRACE": "TRACE http://{name}/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "tabs": "GET\thttp://{name}/\tHTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n",
    "an upgrade to a WebSocket": (
        "GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX: {secret}\r\n\r\n"
    ),
    "h2c by upgrade": (
        "GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAA\r\nX: {secret}\r\n\r\n"
    ),
    "both lengths": (
        "POST http://{name}/ HTTP/1.1\r\nHost: {name}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
        "X: {secret}\r\n\r\n0\r\n\r\n"
    ),
    "CONNECT in small letters": "connect {name}:80 HTTP/1.1\r\nHost: {name}\r\n\r\n",
    "CONNECT of an absolute URI": "CONNECT http://{name}:80/ HTTP/1.1\r\nHost: {name}\r\n\r\n",
    "CONNECT without a port": "CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n",
    "CONNECT with HTTP/1.0": "CONNECT {name}:80 HTTP/1.0\r\n\r\n",
    "CONNECT with a body": "CONNECT {name}:80 HTTP/1.1\r\nHost: {name}\r\nContent-Length: 4\r\n\r\nabcd",
    "CONNECT with an innocent Host": "CONNECT {name}:80 HTTP/1.1\r\nHost: {cover}:80\r\n\r\n",
    "CONNECT with port 00080": "CONNECT {name}:00080 HTTP/1.1\r\nHost: {name}:80\r\n\r\n",
    "CONNECT with an empty port": "CONNECT {name}: HTTP/1.1\r\nHost: {name}:80\r\n\r\n",
    "CONNECT with a tab": "CONNECT\t{name}:80\tHTTP/1.1\r\nHost: {name}:80\r\n\r\n",
}
INNER = "GET / HTTP/1.1\r\nHost: {cover}\r\nX: {secret}\r\n\r\n"


def _to(spelling: str, port: int) -> Callable[[Attempt], Outcome]:
    """A stream to the banned place, in which all names are innocent or none."""

    def run(attempt: Attempt) -> Outcome:
        host = attempt.fill(spelling).decode()
        connection = attempt.open(port, host=host)
        if port == 25:
            pieces: tuple[str | bytes, ...] = ("EHLO {secret}\r\n",)
            attempt.wait(connection, b"ready\r\n")
        elif port == 443:
            pieces = (client_hello(None),)
        elif port == 22:
            pieces = ("\0\1\2 {secret}",)
        else:
            pieces = (INNER,)
        attempt.send(connection, *pieces)
        return attempt.outcome(connection)

    return run


def _ask(text: str) -> Callable[[Attempt], Outcome]:
    def run(attempt: Attempt) -> Outcome:
        connection = attempt.dial()
        attempt.send(connection, text, end="HTTP/1" not in text)  # of HTTP/0.9 the proxy would wait for more
        if text.upper().startswith("CONNECT"):
            reply = connection.recv(65536)
            if reply[8:12] != b" 200":
                attempt.said = reply
                connection.close()
                return Outcome.REFUSED if reply else Outcome.CLOSED
            attempt.send(connection, INNER)
        return attempt.outcome(connection)

    return run


def _first(first: str, then: str, *, wait: bool) -> Callable[[Attempt], Outcome]:
    """A second request on the proxy's own connection."""

    def run(attempt: Attempt) -> Outcome:
        connection = attempt.dial()
        if wait:
            attempt.send(connection, first)
            attempt.wait(connection)
            attempt.send(connection, then)
            return attempt.outcome(connection)
        attempt.send(connection, attempt.fill(first) + attempt.fill(then))
        return attempt.outcome(connection, 2)

    return run


def _connect_in_connect(attempt: Attempt) -> Outcome:
    connection = attempt.open(80)
    attempt.send(connection, "CONNECT {name}:80 HTTP/1.1\r\nHost: {name}:80\r\nX: {secret}\r\n\r\n")
    return attempt.outcome(connection)


def _connect_in_tls(attempt: Attempt) -> Outcome:
    connection = attempt.tls(attempt.open(443))
    attempt.send(connection, "CONNECT {name}:80 HTTP/1.1\r\nHost: {name}:80\r\nX: {secret}\r\n\r\n")
    return attempt.outcome(connection)


def _socks_in_connect(attempt: Attempt) -> Outcome:
    connection = attempt.open(1080)
    name = attempt.name.encode()
    attempt.send(connection, b"\x05\x01\x00")
    attempt.wait(connection)
    attempt.send(connection, b"\x05\x01\x00\x03" + bytes([len(name)]) + name + b"\x00\x50")
    return attempt.outcome(connection)


def _behind_greeting(attempt: Attempt) -> Outcome:
    connection = attempt.open(25)
    attempt.wait(connection, b"ready\r\n")
    attempt.send(connection, "CONNECT {name}:80 HTTP/1.1\r\n\r\n")
    return attempt.outcome(connection)


def _socks4(attempt: Attempt) -> Outcome:
    connection = attempt.open(1080)
    attempt.send(connection, b"\x04\x01\x00\x50\x00\x00\x00\x01\x00" + attempt.name.encode() + b"\x00")
    return attempt.outcome(connection)


def _socks_and_http(attempt: Attempt) -> Outcome:
    """SOCKS inside to an innocent, and what is said there names another."""
    connection = attempt.open(1080)
    name = attempt.cover.encode()
    for piece in (b"\x05\x01\x00", b"\x05\x01\x00\x03" + bytes([len(name)]) + name + b"\x00\x50"):
        attempt.send(connection, piece)
        attempt.wait(connection)
    attempt.send(connection, "GET / HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n")
    return attempt.outcome(connection)


GOOD = "GET http://{cover}/ HTTP/1.1\r\nHost: {cover}\r\n\r\n"
BAD = "GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n"
TARGETS = [
    *(Case(f"target {what}", "connect", NAMED, _to(text, 80), alone=True) for what, text in SPELLINGS.items()),
    *(Case(f"target {what}", "connect", EXPLICIT, _to(text, 80), alone=True) for what, text in WIDER.items()),
    Case("target of TLS without SNI", "connect", NAMED, _to("{name}", 443), alone=True),
    Case("target that greets", "connect", NAMED, _to("{name}", 25), alone=True, greeted=True),
    Case("target of binary bytes", "connect", NAMED, _to("{name}", 22), alone=True),
    Case("address of HTTP", "server", TARGET, _to("{address}", 80), alone=True),
    Case("address of TLS without SNI", "server", TARGET, _to("{address}", 443), alone=True),
    Case("address that greets", "server", TARGET, _to("{address}", 25), alone=True, greeted=True),
    Case("address of binary bytes", "server", TARGET, _to("{address}", 22), alone=True),
    *(
        Case(f"URI with a host {what}", "http", EXPLICIT,
             _ask(f"GET http://{text}/ HTTP/1.1\r\nHost: {text}\r\nX: {{secret}}\r\n\r\n"), alone=True)
        for what, text in (SPELLINGS | WIDER).items()
    ),
    *(Case(f"to the proxy: {what}", "http", EXPLICIT, _ask(text)) for what, text in REQUESTS.items()),
    Case("to the proxy: the second of two in one piece", "http", EXPLICIT, _first(GOOD, BAD, wait=False)),
    Case("to the proxy: the second of a kept connection", "http", EXPLICIT, _first(GOOD, BAD, wait=True)),
    Case("CONNECT inside CONNECT", "http", NAMED, _connect_in_connect),
    Case("CONNECT inside TLS", "http inside TLS", NAMED, _connect_in_tls, opened=True),
    Case("CONNECT behind a greeting", "tcp", NAMED - {"upstream"}, _behind_greeting, greeted=True),
    Case("SOCKS 5 inside a tunnel", "tcp", NAMED, _socks_in_connect),
    Case("SOCKS 4a inside a tunnel", "tcp", NAMED, _socks4, alone=True),
    Case("HTTP in SOCKS 5 inside a tunnel", "tcp", NAMED, _socks_and_http),
]  # fmt: skip
