"""What a stream is by its first bytes: never told too early, never guessed."""

import pytest

from clienthello import behind_empty_record, client_hello, in_records_of, with_version
from embargo.enforce.tls.first_bytes import LONGEST_HEAD, LONGEST_LINE, Kind, hosts_in, read, request_head, unfinished

HELLO = client_hello("banned.test")

KINDS = {  # case: (first bytes, what they are)
    "nothing yet": (b"", Kind.WAIT),
    "a ClientHello": (HELLO, Kind.TLS),
    "a ClientHello without a name": (client_hello(None), Kind.TLS),
    "records of one byte": (in_records_of(1, HELLO), Kind.TLS),
    "records of one byte, the last missing": (in_records_of(1, HELLO)[:-6], Kind.WAIT),
    "records of seven bytes": (in_records_of(7, HELLO), Kind.TLS),
    "record version 03 00": (with_version(b"\x03\x00", HELLO), Kind.TLS),
    "record version 03 03": (with_version(b"\x03\x03", HELLO), Kind.TLS),
    "record version 03 04, which servers ignore": (with_version(b"\x03\x04", HELLO), Kind.MALFORMED),
    "record version 03 ff": (with_version(b"\x03\xff", HELLO), Kind.MALFORMED),
    "record version 03 04, cut before the message type": (with_version(b"\x03\x04", HELLO)[:5], Kind.WAIT),
    "an empty record before the hello": (behind_empty_record(HELLO), Kind.MALFORMED),
    "an empty record and nothing more yet": (b"\x16\x03\x01\x00\x00", Kind.MALFORMED),
    "an empty record between": (in_records_of(4, HELLO)[:9] + behind_empty_record(b""), Kind.MALFORMED),
    "a second record of another version": (
        in_records_of(9, HELLO)[:14] + b"\x16\x03\x07\x00\x01\x00",
        Kind.MALFORMED,
    ),
    "a hello that is not one": (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", Kind.MALFORMED),
    "a handshake message that is no hello": (b"\x16\x03\x01\x00\x04\x00\x00\x00\x00", Kind.RAW),
    "binary that begins like TLS": (b"\x16\x03\x09\x00\x10\x05payload", Kind.RAW),
    "binary 16 03 and no more": (b"\x16\x03", Kind.WAIT),
    "binary 16 02": (b"\x16\x02\x01", Kind.RAW),
    "a request": (b"GET / HTTP/1.1\r\nHost: banned.test\r\n\r\n", Kind.HTTP),
    "a request line": (b"GET / HTTP/1.1\r\n", Kind.HTTP),
    "a request line without its end": (b"GET / HTTP/1.1", Kind.WAIT),
    "G": (b"G", Kind.WAIT),
    "GE": (b"GE", Kind.WAIT),
    "a leading line break": (b"\r\nGET / HTTP/1.1\r\n", Kind.HTTP),
    "a leading line break and no more": (b"\r\n", Kind.WAIT),
    "leading line feeds": (b"\n\n\nGET / HTTP/1.1\n", Kind.HTTP),
    "a leading space, which Python's server skips": (b" GET / HTTP/1.1\r\n", Kind.HTTP),
    "M-SEARCH": (b"M-SEARCH * HTTP/1.1\r\n", Kind.HTTP),
    "a method of one letter": (b"G / HTTP/1.1\r\n", Kind.HTTP),
    "method X1": (b"X1 / HTTP/1.1\r\n", Kind.HTTP),
    "method SSH": (b"SSH / HTTP/1.1\r\n", Kind.HTTP),
    "a lower-case method": (b"get / HTTP/1.0\r\n", Kind.HTTP),
    "tabs": (b"GET\t/\tHTTP/1.1\r\n", Kind.HTTP),
    "vertical tabs": (b"GET\x0b/\x0bHTTP/1.1\r\n", Kind.HTTP),
    "form feeds": (b"GET\x0c/\x0cHTTP/1.1\r\n", Kind.HTTP),
    "bare carriage returns": (b"GET\r/\rHTTP/1.1\r\n", Kind.HTTP),
    "several spaces": (b"GET   /   HTTP/1.1  \r\n", Kind.HTTP),
    "a version with a leading zero": (b"GET / HTTP/01.1\r\n", Kind.HTTP),
    "a lower-case version": (b"GET / http/1.1\r\n", Kind.HTTP),
    "h2c prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Kind.HTTP),
    "an absolute-form target": (b"GET http://banned.test/ HTTP/1.1\r\n", Kind.HTTP),
    "CONNECT": (b"CONNECT banned.test:443 HTTP/1.1\r\n", Kind.HTTP),
    "a line of spaces that never ends": (b"G" + b" " * LONGEST_HEAD, Kind.MALFORMED),
    "a target that never ends": (b"GET /" + b"a" * LONGEST_HEAD, Kind.MALFORMED),
    "nothing but line breaks": (b"\r\n" * (LONGEST_HEAD // 2), Kind.MALFORMED),
    "a ClientHello that never ends": (
        b"\x16\x03\x01\x40\x00\x01\x04\x00\x00" + b"a" * 16380 + b"\x16\x03\x01\x40\x00" + b"a" * LONGEST_HEAD,
        Kind.MALFORMED,
    ),
    "SSH": (b"SSH-2.0-OpenSSH_9.9\r\n", Kind.RAW),
    "SSH, not yet whole": (b"SSH-2.0-Open", Kind.WAIT),
    "SMTP": (b"EHLO client.example\r\n", Kind.RAW),
    "IMAP": (b"a1 CAPABILITY\r\n", Kind.RAW),
    "MySQL": (b"\x54\x00\x00\x01\x8d\xa6\xff\x09", Kind.RAW),
    "PostgreSQL: SSLRequest": (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", Kind.RAW),
    "PostgreSQL: startup": (b"\x00\x00\x00\x29\x00\x03\x00\x00user\x00", Kind.RAW),
    "Redis": (b"*1\r\n$4\r\nPING\r\n", Kind.RAW),
    "BitTorrent": (b"\x13BitTorrent protocol", Kind.RAW),
    "MQTT": (b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test", Kind.RAW),
    "RDP": (b"\x03\x00\x00\x13\x0e\xe0", Kind.RAW),
    "RTSP": (b"DESCRIBE rtsp://media.example/ RTSP/1.0\r\n", Kind.RAW),
    "SIP": (b"REGISTER sip:example.com SIP/2.0\r\n", Kind.RAW),
    "VNC": (b"RFB 003.008\n", Kind.RAW),
    "IRC": (b"NICK alice\r\n", Kind.RAW),
    "an FTP word in lower case": (b"user anonymous\r\n", Kind.RAW),
    "an alert before the hello": (b"\x15\x03\x01\x00\x02\x01\x00" + HELLO, Kind.MALFORMED),
    "a change_cipher_spec before the hello": (b"\x14\x03\x03\x00\x01\x01" + HELLO, Kind.MALFORMED),
    "the first byte of an alert": (b"\x15", Kind.WAIT),
    "a byte like an alert's": (b"\x15\x00\x00", Kind.RAW),
    "a DNS query over TCP": (b"\x00\x1d\x12\x34\x01\x00", Kind.RAW),
    "a word too long for a method": (b"a" * 65, Kind.RAW),
    "UTF-8 text": ("grüße".encode(), Kind.RAW),
}


@pytest.mark.parametrize(("data", "kind"), KINDS.values(), ids=KINDS)
def test_kind(data: bytes, kind: Kind) -> None:
    assert read(data).kind is kind


WHOLE = {  # case: (a stream's beginning, its kind once it is whole)
    "a ClientHello": (HELLO, Kind.TLS),
    "a ClientHello in records of one byte": (in_records_of(1, client_hello("b.test")), Kind.TLS),
    "GET": (b"GET /path HTTP/1.1\r\n", Kind.HTTP),
    "M-SEARCH": (b"M-SEARCH * HTTP/1.1\r\n", Kind.HTTP),
    "a request with tabs behind an empty line": (b"\r\n GET\t/\tHTTP/1.1\r\n", Kind.HTTP),
}


@pytest.mark.parametrize(("data", "kind"), WHOLE.values(), ids=WHOLE)
def test_every_cut_waits(data: bytes, kind: Kind) -> None:
    """At no split point is a stream taken for anything else: that is what mitmproxy's own choice gets wrong."""
    early = {cut: read(data[:cut]).kind for cut in range(len(data)) if read(data[:cut]).kind is not Kind.WAIT}
    assert early == {}
    assert read(data).kind is kind


def test_the_hello_is_read() -> None:
    assert read(in_records_of(1, client_hello("banned.test"))).names == ("banned.test",)


HOSTS = {  # case: (text, hosts in it)
    "a Host header": (b"\nGET / HTTP/1.1\r\nHost: banned.test\r\n\r\n", ["banned.test"]),
    "in any case, with space before the colon": (b"\nhOsT : banned.test\r\n", ["banned.test"]),
    "a vertical tab before the colon": (b"\nHost\x0b: banned.test\r\n", ["banned.test"]),
    "folded": (b"\nHost:\r\n banned.test\r\n", ["banned.test"]),
    "two of them": (b"\nHost: a.test\nX: y\nHost: b.test\n", ["a.test", "b.test"]),
    "an absolute target": (b"\nGET http://banned.test:80/ HTTP/1.1\r\n", ["banned.test:80"]),
    "an absolute target behind a space": (b"\n GET\x0bhttp://banned.test/ HTTP/1.1\r\n", ["banned.test"]),
    "an absolute target behind a NUL": (b"\n\0get http://banned.test/ HTTP/1.1\r\n", ["banned.test"]),
    "another scheme": (b"\nPOST ws+x://banned.test HTTP/1.1\r\n", ["banned.test"]),
    "no header of that name": (b"\nX-Host: a.test\r\nHostess: b.test\r\n", []),
    "bytes that are no UTF-8": (b"\nHost: b\xffd.test\r\n", ["b�d.test"]),
    "behind a bare carriage return": (b"\nHost: a.test\rHost: b.test\r\n", ["a.test", "b.test"]),
    "of CONNECT": (b"\nCONNECT a.test:443 HTTP/1.1\r\n", ["a.test:443"]),
}


@pytest.mark.parametrize(("text", "hosts"), HOSTS.values(), ids=HOSTS)
def test_hosts_in(text: bytes, hosts: list[str]) -> None:
    assert hosts_in(text) == hosts


UNFINISHED = {  # case: (text, what is kept of it; None: it may hide a name)
    "a whole line": (b"\nHost: a.test\r\nX: y\r\n", b""),
    "half a line": (b"\nX: y\r\nHost: ban", b"Host: ban"),
    "a Host header that may be folded": (b"\nX: y\r\nHost:\r\n", b"Host:\r\n"),
    "a folded Host header, cut": (b"\nHost:\r\n \r\n ban", b"Host:\r\n \r\n ban"),
    "a line of a body": (b"\n" + b"x" * (LONGEST_LINE + 1), b"."),
    "a Host header of spaces": (b"\nHost:" + b" " * LONGEST_LINE, None),
    "a method and spaces": (b"\nGET" + b" " * LONGEST_LINE, None),
    "spaces": (b"\n" + b" " * (LONGEST_LINE + 1), None),
}


@pytest.mark.parametrize(("text", "kept"), UNFINISHED.values(), ids=UNFINISHED)
def test_unfinished(text: bytes, kept: bytes | None) -> None:
    assert unfinished(text) == kept


HEADS = {  # case: (data, head)
    "a head": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "line feeds alone": (b"GET / HTTP/1.1\nHost: a\n\nbody", b"GET / HTTP/1.1\nHost: a\n\n"),
    "behind an empty line": (b"\r\nGET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"),
    "not yet whole": (b"GET / HTTP/1.1\r\nHost: a\r\n", None),
}


@pytest.mark.parametrize(("data", "head"), HEADS.values(), ids=HEADS)
def test_request_head(data: bytes, head: bytes | None) -> None:
    assert request_head(data) == head
