"""The readers of first bytes, in process: no cut changes what they say, and they raise what is documented alone."""

from collections.abc import Iterable

import pytest
from hypothesis import strategies as st

from embargo.core.hostname import Host, MalformedHost, canonical
from embargo.core.server_names import server_names
from embargo.enforce.streams.http_text import HttpText, body_length
from embargo.enforce.streams.passage import Passage
from embargo.enforce.streams.raw_stream import RawStream
from embargo.enforce.tls.first_bytes import LONGEST_HEAD, Kind, hosts_in, may_be_http, read
from embargo.enforce.tls.handshake import Handshake
from fuzz.exchange import BANNED, SPELLINGS, TWIN, Exchange, exchanges
from fuzz.explore import explore
from fuzz.hellos import Hello, hellos
from fuzz.readings import arrived, handshake, is_below

PIECES = (
    b"GET", b" ", b"/", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b"\t", b"Host:", b" banned.test", b"X: y", b"\x16",
    b"\x03", b"\x01", b"\0", b"\x15", b"\x14", b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n", b"SSH-2.0-x", b"Content-Length: 4",
    b"0", b"Transfer-Encoding: chunked", b"PRI * HTTP/2.0", b"\xff", b"CONNECT a:1",
)  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=16).map(b"".join)
streams = texts | exchanges().map(lambda exchange: exchange.text(BANNED)) | hellos().map(lambda h: h.write(BANNED))
cut_streams = st.tuples(streams, st.lists(st.floats(0, 1), max_size=6))


def segments(data: bytes, cuts: Iterable[float]) -> list[bytes]:
    ends = sorted({int(cut * len(data)) for cut in cuts} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def test_first_bytes_are_never_told_too_early() -> None:
    """Once the kind is known, more bytes do not change it: so no split of a stream changes what it is."""

    def check(data: bytes) -> None:
        known, lenient = None, False
        for end in range(len(data) + 1):
            reading = read(data[:end])
            if known is None and reading.kind is not Kind.WAIT:
                known = reading
                lenient = reading.kind is Kind.RAW and may_be_http(data[:end])  # raw, but followed as HTTP
            # A longer stream may be found unreadable, and so refused, never the other way.
            agrees = reading == known or reading.kind is Kind.MALFORMED or (lenient and reading.kind is Kind.HTTP)
            assert known is None or agrees, (end, known, reading)

    explore("first bytes", check, streams, examples=80, share=0.04)


def released(stream: RawStream, data: Iterable[bytes]) -> tuple[bytes, list[str], str | None]:
    """What goes on of *data*, the names judged before it did, and why the rest was refused."""
    out, names, judged = b"", list[str](), list[str]()
    for piece in data:
        passage = stream.feed(piece)
        names += [*passage.names, *(passage.snis or ())]
        if passage.refuse is not None:
            return out, names, passage.refuse
        if any(is_below(name, BANNED) for name in names):
            return out, names, "banned"  # as the gate would: these bytes do not go on
        out += passage.release
        judged = names
    return out, judged, None


def test_no_banned_name_leaves_a_raw_stream() -> None:
    """However it is cut: what goes on before the refusal names nothing banned, in any reading."""

    def check(drawn: tuple[bytes, list[float]]) -> None:
        data, cuts = drawn
        out, _, _ = released(RawStream(), segments(data, cuts))
        assert data.startswith(out)
        assert not arrived(out, BANNED), out

    known = exchanges().map(lambda exchange: exchange.text(BANNED)) | hellos().map(lambda h: h.write(BANNED))
    explore("raw streams", check, st.tuples(known, st.lists(st.floats(0, 1), max_size=6)), examples=100, share=0.05)


def test_nothing_of_an_innocent_stream_is_lost() -> None:
    """What is let go is what came, in order; what is held at the end is less than the bound."""

    def check(drawn: tuple[bytes, list[float]]) -> None:
        data, cuts = drawn
        data = data.replace(BANNED.encode(), TWIN.encode())
        out, _, refused = released(RawStream(), segments(data, cuts))
        assert data.startswith(out)
        assert refused is not None or len(data) - len(out) < LONGEST_HEAD

    explore("innocent raw streams", check, cut_streams, examples=80, share=0.02)


def test_legal_requests_pass_a_raw_stream_whole() -> None:
    def check(drawn: tuple[Exchange, list[float]]) -> None:
        exchange, cuts = drawn
        data = exchange.text(TWIN)
        if exchange.legal:
            assert released(RawStream(), segments(data, cuts))[0::2] == (data, None)

    explore(
        "legal requests on raw streams",
        check,
        st.tuples(exchanges(), st.lists(st.floats(0, 1), max_size=6)),
        examples=100,
        share=0.02,
    )


def test_server_names_are_those_that_were_written() -> None:
    def check(hello: Hello) -> None:
        names = server_names(handshake(hello.write(BANNED))[4:])
        assert [name.lower() for name in names if is_below(name, BANNED)] == [name.lower() for name in names]
        assert names

    explore("server names", check, hellos(legal=True), examples=60, share=0.02)


def test_a_broken_hello_raises_what_is_documented() -> None:
    def check(data: bytes) -> None:
        try:
            server_names(data)
        except ValueError:
            return

    explore(
        "broken ClientHellos",
        check,
        hellos().map(lambda h: h.write(BANNED)[9:]) | st.binary(),
        examples=80,
        share=0.01,
    )


def test_a_second_hello_is_found_however_it_is_cut() -> None:
    """One that a HelloRetryRequest asks for: its name is told before its bytes go on."""

    def check(drawn: tuple[Hello, Hello, list[float]]) -> None:
        first, second, cuts = drawn
        data = first.write(TWIN) + b"\x14\x03\x03\0\x01\x01" + second.write(BANNED)
        follower, out = Handshake(), b""
        for piece in segments(data, cuts):
            passage: Passage = follower.feed(piece)
            if any(is_below(name, BANNED) for name in passage.snis or ()) or passage.refuse is not None:
                assert not arrived(out, BANNED)
                return
            out += passage.release
        pytest.fail("the second hello went by")

    strategy = st.tuples(hellos(legal=True), hellos(legal=True), st.lists(st.floats(0, 1), max_size=6))
    explore("second ClientHellos", check, strategy, examples=60, share=0.02)


def test_http_text_loses_nothing() -> None:
    def check(drawn: tuple[bytes, list[float]]) -> None:
        data, cuts = drawn
        text, out = HttpText(), b""
        pieces = segments(data, cuts)
        for number, piece in enumerate(pieces):
            passage = text.feed(piece, ends=number == len(pieces) - 1)
            out += passage.release
            if passage.refuse is not None:
                return
        assert out == data

    explore("text of HTTP", check, cut_streams, examples=80, share=0.01)


def test_lengths_and_hosts_of_any_head() -> None:
    def check(data: bytes) -> None:
        length = body_length(data)
        assert length is None or length >= 0
        assert all(isinstance(host, str) for host in hosts_in(b"\n" + data))

    explore("heads", check, streams, examples=80, share=0.01)


def canonical_or_none(text: str) -> Host | None:
    try:
        return canonical(text)
    except MalformedHost:
        return None


def test_canonical_hosts() -> None:
    """Any text is a host or MalformedHost; the canonical form is its own; every spelling of a name has the same."""
    characters = st.text(st.sampled_from("aA1.-_:[]%xX０ａ。．ß\u200d\u00ad@ /\t0") | st.characters(), max_size=40)

    def check(text: str) -> None:
        host = canonical_or_none(text)
        if host is not None:
            again = f"[{host.text}]" if ":" in host.text else host.text
            assert canonical_or_none(again) == host
            assert host.text == host.text.lower() and host.text.isascii()

    explore("hosts", check, characters, examples=200, share=0.01)
    for spelling in SPELLINGS:
        host = canonical_or_none(spelling.write(BANNED).decode())
        assert host is None or host.text.endswith(BANNED), spelling
