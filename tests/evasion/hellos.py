"""Cases at the ClientHello: disguised, in pieces, behind something else. CONNECT and address are innocent."""

from collections.abc import Callable

from clienthello import behind_empty_record, client_hello, in_records_of, with_server_names, with_version
from evasion.attempt import Attempt, Outcome
from evasion.case import SECURE, STREAM, Case


def hello_of(attempt: Attempt) -> bytes:
    return client_hello(attempt.name)


def with_extension(hello: bytes, kind: int, content: bytes) -> bytes:
    """*hello* (one record) with one more extension, the first of all."""
    position = 9 + 34
    position += 1 + hello[position]
    position += 2 + int.from_bytes(hello[position : position + 2])
    position += 1 + hello[position]
    extension = kind.to_bytes(2) + len(content).to_bytes(2) + content
    extensions = extension + hello[position + 2 :]
    body = hello[9:position] + len(extensions).to_bytes(2) + extensions
    handshake = b"\x01" + len(body).to_bytes(3) + body
    return hello[:3] + len(handshake).to_bytes(2) + handshake


def named(change: Callable[[Attempt], str]) -> Callable[[Attempt], list[bytes]]:
    return lambda attempt: [with_server_names(hello_of(attempt), change(attempt).encode())]


GREETED = STREAM - {"reverse:tcp", "upstream"}  # upstream, mitmproxy asks no server before its client has spoken
ECH_OUTER = b"\x00\x00\x01\x00\x01\x2a\x00\x20" + bytes(32) + b"\x00\x90" + bytes(144)  # RFC 9849, 5
EMPTY_RECORD = "OpenSSL skips empty records and alerts before a hello; nobody sends them"
UNREADABLE = "mitmproxy cannot read such a record, so what is inside would go unseen"
TWO = "more than one name: which one the server takes is not known"

PIECES: dict[str, Callable[[Attempt], list[bytes]]] = {
    "whole": lambda a: [hello_of(a)],
    **{
        f"cut after byte {cut}": lambda a, cut=cut: [hello_of(a)[:cut], hello_of(a)[cut:]]
        for cut in (1, 2, 3, 4, 5, 6, 9, 43, 100, 200)
    },
    "cut in five": lambda a: [hello_of(a)[i : i + 60] for i in range(0, 240, 60)] + [hello_of(a)[240:]],
    "records of one byte": lambda a: [in_records_of(1, hello_of(a))],
    "records of one byte, the first apart": lambda a: [
        in_records_of(1, hello_of(a))[:6],
        in_records_of(1, hello_of(a))[6:],
    ],
    "records of 64 bytes": lambda a: [in_records_of(64, hello_of(a))],
    "record version 03 00": lambda a: [with_version(b"\x03\x00", hello_of(a))],
    "record version 03 04": lambda a: [with_version(b"\x03\x04", hello_of(a))],
    "record version 03 ff": lambda a: [with_version(b"\x03\xff", hello_of(a))],
    "behind an empty record": lambda a: [behind_empty_record(hello_of(a))],
    "an empty record first, the hello later": lambda a: [b"\x16\x03\x01\x00\x00", hello_of(a)],
    "behind an alert": lambda a: [b"\x15\x03\x01\x00\x02\x01\x00" + hello_of(a)],
    "behind a change of cipher": lambda a: [b"\x14\x03\x01\x00\x01\x01" + hello_of(a)],
    "GREASE": lambda a: [with_extension(with_extension(hello_of(a), 0x0A0A, b""), 0xFAFA, b"\0")],
    "ECH outer": lambda a: [with_extension(hello_of(a), 0xFE0D, ECH_OUTER)],
    "early data": lambda a: [with_extension(hello_of(a), 0x002A, b"")],
    "a hello of 9 000 bytes": lambda a: [with_extension(hello_of(a), 0x1A1A, bytes(9000))],
    "a name in capitals": named(lambda a: a.name.upper()),
    "a name with a trailing dot": named(lambda a: a.name + "."),
    "a name with an underscore": named(lambda a: "_x." + a.name),
    "a deep name": named(lambda a: "a.b.c.d.e." + a.name),
    "two names, the second banned": lambda a: [
        with_server_names(hello_of(a), a.cover.encode(), a.name.encode()),
    ],
    "two names, the first banned": lambda a: [
        with_server_names(hello_of(a), a.name.encode(), a.cover.encode()),
    ],
    "two extensions of names": lambda a: [
        with_extension(
            client_hello(a.cover), 0, (len(a.name) + 3).to_bytes(2) + b"\0" + len(a.name).to_bytes(2) + a.name.encode()
        ),
    ],
    "behind junk, record version 03 ff": lambda a: [b"\0\1\2\3" + with_version(b"\x03\xff", hello_of(a))],
    "behind junk": lambda a: [b"\0\1\2\3" + hello_of(a)],
    "behind a line break": lambda a: [b"\r\n" + hello_of(a)],
    "a line break first, the hello later": lambda a: [b"\r\n", hello_of(a)],
    "behind PROXY protocol 1": lambda a: [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n" + hello_of(a)],
    "PROXY protocol 1 first, the hello later": lambda a: [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n", hello_of(a)],
    "behind PROXY protocol 2": lambda a: [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x01\xbb" + hello_of(a)
    ],
}
LATE: dict[str, Callable[[Attempt], list[bytes]]] = {  # what comes first is innocent, and answered
    "junk first, the hello later": lambda a: [b"\0\1\2\3", hello_of(a)],
    "junk first, the hello later and cut": lambda a: [b"\0\1\2\3", hello_of(a)[:2], hello_of(a)[2:]],
    "behind a greeting of SOCKS": lambda a: [b"\x05\x01\x00", hello_of(a)],
    "behind a greeting of SSH": lambda a: [b"SSH-2.0-x\r\n", hello_of(a)],
}
ODD = {
    "record version 03 04": UNREADABLE,
    "behind junk, record version 03 ff": UNREADABLE,
    "a name with a trailing dot": "mitmproxy cannot open TLS for such a name; where it stays closed it works",
    "record version 03 ff": UNREADABLE,
    "behind an empty record": EMPTY_RECORD,
    "an empty record first, the hello later": EMPTY_RECORD,
    "behind an alert": EMPTY_RECORD,
    "behind a change of cipher": EMPTY_RECORD,
}


def _say(
    pieces: Callable[[Attempt], list[bytes]], port: int, *, greeted: bool = False, late: bool = False
) -> Callable[[Attempt], Outcome]:
    def run(attempt: Attempt) -> Outcome:
        connection = attempt.open(port)
        if greeted:
            attempt.wait(connection, b"ready\r\n")
        first, *rest = pieces(attempt)
        attempt.send(connection, first, *(() if late else rest))
        if late:
            attempt.wait(connection)
            attempt.send(connection, *rest)
        return attempt.outcome(connection)

    return run


def _starttls(attempt: Attempt) -> Outcome:
    connection = attempt.open(587)
    attempt.wait(connection, b"ready\r\n")
    connection.sendall(b"STARTTLS\r\n")
    attempt.wait(connection, b"ahead\r\n")
    attempt.send(connection, hello_of(attempt))
    return attempt.outcome(connection)


HELLOS = [
    *(
        Case(f"hello: {name}", "tls", SECURE, _say(pieces, 443), alone=True, odd=ODD.get(name, ""))
        for name, pieces in PIECES.items()
    ),
    *(Case(f"hello: {name}", "tcp", SECURE, _say(pieces, 443, late=True)) for name, pieces in LATE.items()),
    *(
        Case(f"hello behind a greeting: {name}", "tcp", GREETED, _say(PIECES[name], 25, greeted=True), greeted=True)
        for name in ("whole", "cut after byte 2", "records of one byte")
    ),
    Case("hello: STARTTLS", "tcp", GREETED, _starttls, greeted=True),
]
