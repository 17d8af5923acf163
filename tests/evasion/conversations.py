"""Cases that take a conversation: HTTP/2, WebSocket, a resumed session."""

from collections.abc import Callable

import h2.config
import h2.connection
from hyperframe.frame import GoAwayFrame

from e2e.clients import Http2, Stream
from evasion.attempt import Attempt, Outcome
from evasion.case import EXPLICIT, INSIDE, PLAIN, Case

OVER_TLS = INSIDE - {"reverse:tcp"}  # there mitmproxy speaks in the clear to its server, and offers no HTTP/2
type Talk = Callable[[Attempt, Http2], Stream]


def _outcome(attempt: Attempt, http: Http2, stream: Stream) -> Outcome:
    attempt.said = f"{stream.status} {stream.headers} reset {stream.reset} closed {http.closed}".encode()
    if stream.reset is not None:
        return Outcome.REFUSED
    if stream.status is None:
        return Outcome.CLOSED
    return Outcome.REFUSED if stream.status >= 400 or "grpc-status" in stream.headers else Outcome.ANSWERED


def _over_http2(talk: Talk) -> Callable[[Attempt], Outcome]:
    def run(attempt: Attempt) -> Outcome:
        http = Http2(attempt.tls(attempt.open(443), None, "h2"))
        stream = talk(attempt, http)
        try:
            http.finish(stream)
        except AssertionError:
            return Outcome.HUNG
        return _outcome(attempt, http, stream)

    return run


def _authority(text: str, *headers: tuple[str, str], path: str = "/", method: str = "GET") -> Talk:
    def talk(attempt: Attempt, http: Http2) -> Stream:
        filled = [(name, attempt.fill(value).decode()) for name, value in headers]
        target, authority = attempt.fill(path).decode(), attempt.fill(text).decode()
        return http.request(authority, target, *filled, ("x", attempt.secret), method=method)

    return talk


def _second(attempt: Attempt, http: Http2) -> Stream:
    http.finish(http.request(attempt.cover))
    return http.request(attempt.name, "/", ("x", attempt.secret))


def _beside(attempt: Attempt, http: Http2) -> Stream:
    http.request(attempt.cover, end=False)
    return http.request(attempt.name, "/", ("x", attempt.secret))


def _upload(attempt: Attempt, http: Http2) -> Stream:
    return http.request(attempt.name, "/", method="POST", body=attempt.secret.encode() * 5000)


def _trailers(attempt: Attempt, http: Http2) -> Stream:
    stream = http.request(attempt.name, "/", method="POST", end=False)
    number = max(http.streams)
    http.connection.send_data(number, b"body")
    http.connection.send_headers(number, [("host", attempt.name), ("x", attempt.secret)], end_stream=True)
    http.flush()
    return stream


def _reset(attempt: Attempt, http: Http2) -> Stream:
    """The banned stream is reset at once; what follows it is a refused one on which to wait."""
    http.request(attempt.name, "/", ("x", attempt.secret), end=False)
    http.connection.reset_stream(max(http.streams))
    http.flush()
    return http.request(attempt.name, "/", ("x", attempt.secret))


def _away(attempt: Attempt, http: Http2) -> Stream:
    stream = http.request(attempt.name, "/", ("x", attempt.secret))
    http.socket.sendall(GoAwayFrame(0).serialize())  # not by h2, which would then read no answer
    return stream


def _extended(attempt: Attempt, http: Http2) -> Stream:
    """RFC 8441."""
    number = http.connection.get_next_available_stream_id()
    stream = http.streams[number] = Stream()
    http.connection.send_headers(
        number,
        [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":authority", attempt.name),
            (":path", "/"),
            ("x", attempt.secret),
        ],
    )
    http.flush()
    return stream


def _connect(attempt: Attempt, http: Http2) -> Stream:
    number = http.connection.get_next_available_stream_id()
    stream = http.streams[number] = Stream()
    http.connection.send_headers(number, [(":method", "CONNECT"), (":authority", f"{attempt.name}:80")])
    http.flush()
    return stream


TALKS: dict[str, Talk] = {
    "authority": _authority("{name}"),
    "authority with a trailing dot": _authority("{name}."),
    "authority in capitals with a padded port": _authority("{NAME}:00443"),
    "authority with a user": _authority("{cover}@{name}"),
    "authority that is a banned address": _authority("{address}"),
    "a Host beside an innocent authority": _authority("{cover}", ("host", "{name}")),
    "two Hosts": _authority("{cover}", ("host", "{cover}"), ("host", "{name}")),
    "a Host in fullwidth letters": _authority("{cover}", ("host", "{wide}")),
    "an empty authority, a Host": _authority("", ("host", "{name}")),
    "an absolute path": _authority("{cover}", path="http://{name}/{secret}"),
    "gRPC": _authority("{name}", ("content-type", "application/grpc"), ("te", "trailers"), method="POST"),
    "the second stream": _second,
    "a stream beside an open one": _beside,
    "an upload of unknown size": _upload,
    "trailers with a Host": _trailers,
    "a stream that is reset at once": _reset,
    "GOAWAY right after it": _away,
    "an extended CONNECT": _extended,
    "a CONNECT": _connect,
}


def prior_knowledge(attempt: Attempt) -> bytes:
    """HTTP/2 without TLS and without an upgrade (RFC 9113, 3.3)."""
    config = h2.config.H2Configuration(header_encoding="utf-8")
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    headers = [(":method", "GET"), (":scheme", "http"), (":authority", attempt.name), (":path", "/")]
    connection.send_headers(1, [*headers, ("x", attempt.secret)], end_stream=True)
    return connection.data_to_send()


def _prior(attempt: Attempt) -> Outcome:
    connection = attempt.open(80)
    attempt.send(connection, prior_knowledge(attempt))
    return attempt.outcome(connection)


def _prior_to_proxy(attempt: Attempt) -> Outcome:
    connection = attempt.dial()
    attempt.send(connection, prior_knowledge(attempt))
    return attempt.outcome(connection)


def _resumed(attempt: Attempt) -> Outcome:
    """A session begun for an innocent name goes on for another (RFC 8446, 4.2.11)."""
    request = b"GET / HTTP/1.1\r\nHost: " + attempt.cover.encode() + b"\r\n\r\n"
    first = attempt.tls(attempt.open(443))
    first.sendall(request)
    attempt.wait(first)
    second = first.context.wrap_socket(attempt.open(443), server_hostname=attempt.name, session=first.session)
    second.sendall(request)
    return attempt.outcome(second)


UPGRADE = (
    "GET / HTTP/1.1\r\nHost: {cover}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def _in_place_of_frames(attempt: Attempt) -> Outcome:
    connection = attempt.open(80)
    attempt.send(connection, UPGRADE)
    attempt.wait(connection)
    attempt.send(connection, "GET / HTTP/1.1\r\nHost: {name}\r\nX: {secret}\r\n\r\n")
    return attempt.outcome(connection)


ENDED = {  # mitmproxy's HTTP/2 ends such connections by itself, while its reverse:tls knows bytes alone
    "authority with a user",
    "a Host beside an innocent authority",
    "two Hosts",
    "a Host in fullwidth letters",
    "an empty authority, a Host",
    "an extended CONNECT",
    "a CONNECT",
}


def _modes(name: str) -> frozenset[str]:
    return OVER_TLS - {"reverse:tls"} if name in ENDED else OVER_TLS


UNREAD = "mitmproxy reads no HTTP/2 without TLS, so whom it asks for would go unseen"
CONVERSATIONS = [
    *(
        Case(f"HTTP/2: {name}", "http/2 inside TLS", _modes(name), _over_http2(talk), opened=True)
        for name, talk in TALKS.items()
    ),
    Case("HTTP/2 by prior knowledge", "http", PLAIN, _prior, alone=True, odd=UNREAD),
    Case("HTTP/2 by prior knowledge, to the proxy", "http", EXPLICIT, _prior_to_proxy),
    Case("a resumed session with another name", "tls", OVER_TLS, _resumed, opened=True),
    Case("a request in place of WebSocket frames", "websocket", PLAIN, _in_place_of_frames),
]
