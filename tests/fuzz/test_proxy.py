"""The whole proxy under structured nonsense: nothing banned gets out in any reading, nothing innocent is refused.

Each example is sent twice, once for a banned name and once for its innocent twin. Of the first, not a byte that any
server could take for the banned name reaches the origin. The second is never refused by a rule; where the example is
one that any client may send, it is not refused at all.
"""

import contextlib
import ssl

import pytest
from hypothesis import strategies as st

from e2e.clients import Http2, Refused, tls, tunnel
from e2e.proxy import Proxy
from fuzz.conversation import SILENCE, Trial, at, converse
from fuzz.exchange import BANNED, COVER, SPELLINGS, TWIN, Exchange, Place, exchanges, spellings
from fuzz.explore import explore
from fuzz.hellos import Hello, hellos
from fuzz.readings import arrived
from fuzz.recorder import Recorder


def test_requests(opening: Proxy, recorder: Recorder) -> None:
    trial = Trial(opening, recorder)

    def check(exchange: Exchange) -> None:
        answers = exchange.requests if exchange.legal else 0
        banned = trial.outcome(lambda: at(opening, exchange.place), exchange.segments(BANNED), answers=answers)
        assert banned.leaked == []
        twin = trial.outcome(lambda: at(opening, exchange.place), exchange.segments(TWIN), answers=answers)
        if exchange.legal:
            assert banned.blocked, "passed, and did not reach the origin: the example tests nothing"
            assert twin.blocked == 0
            assert b" 200 " in twin.answer

    explore("requests", check, exchanges(), examples=70, share=0.3)
    trial.no_innocent_was_refused()


@pytest.mark.parametrize("which", ["closed", "opening"])
def test_hellos(request: pytest.FixtureRequest, recorder: Recorder, which: str) -> None:
    proxy: Proxy = request.getfixturevalue(which)
    trial = Trial(proxy, recorder)

    def check(hello: Hello) -> None:
        banned = trial.outcome(lambda: tunnel(proxy, f"{COVER}:443"), hello.segments(BANNED))
        assert banned.leaked == []
        if not hello.legal and which == "opening":
            return
        twin = trial.outcome(lambda: tunnel(proxy, f"{COVER}:443"), hello.segments(TWIN))
        if hello.legal:
            assert banned.blocked
            assert banned.answer == bytes.fromhex("15030300020231")
            assert twin.blocked == 0

    explore(f"ClientHellos, {which}", check, hellos(), examples=25, share=0.15)
    trial.no_innocent_was_refused()


def test_connect_targets(opening: Proxy, recorder: Recorder) -> None:
    """The target of a CONNECT in any spelling, and whatever its Host says."""
    trial = Trial(opening, recorder)
    targets = st.tuples(
        spellings,
        st.sampled_from([":443", ":80", ":00443", ":8443", "", ":"]),
        st.sampled_from(["CONNECT", "connect", "Connect"]),
        st.sampled_from([BANNED, COVER]),
        st.booleans(),
    )

    def check(drawn: tuple[object, ...]) -> None:
        spelling, port, method, host, named_by_host = drawn
        for name in (BANNED, TWIN):
            target = COVER.encode() if named_by_host else spelling.write(name)  # type: ignore[attr-defined]
            said = spelling.write(name) if named_by_host else str(host).replace(BANNED, name).encode()  # type: ignore[attr-defined]
            head = f"{method} ".encode() + target + str(port).encode() + b" HTTP/1.1\r\nHost: " + said + b"\r\n\r\n"
            inside = b"GET / HTTP/1.1\r\nHost: " + name.encode() + b"\r\n\r\n"
            outcome = trial.outcome(lambda: at(opening, Place.PROXY), [head, inside])
            assert outcome.leaked == []

    explore("CONNECT targets", check, targets, examples=25, share=0.1)
    trial.no_innocent_was_refused()


FIELDS = [
    ("host", "{}"), ("Host", "{}"), ("host ", "{}"), ("x-host", "cover.test"), ("cookie", "a=b"), ("cookie", "c=d"),
    ("te", "trailers"), ("connection", "close"), ("transfer-encoding", "chunked"), ("content-length", "0"),
    ("x", "a\r\nhost: {}"), (":authority", "{}"), (":path", "/b"), ("", "x"), ("x-upper", "Y" * 200),
]  # fmt: skip


def test_http2(opening: Proxy, recorder: Recorder) -> None:
    """Streams of one connection, with fields that HTTP/2 knows and such as it does not."""
    stream = st.tuples(
        st.sampled_from([s for s in SPELLINGS if b"\r" not in s.write("a") and b"\0" not in s.write("a")]),
        st.sampled_from(["authority", "host"]),
        st.lists(st.sampled_from(FIELDS), max_size=3),
        st.sampled_from(["GET", "POST", "get", "CONNECT", "M-SEARCH"]),
        st.sampled_from(["/", "/a?b", "*", "http://{}/", ""]),
    )

    def ask(streams: list[tuple[object, ...]], name: str) -> None:
        inside = tls(tunnel(opening, f"{COVER}:443"), COVER, "h2")
        with inside, contextlib.suppress(OSError, ssl.SSLError, AssertionError):
            inside.settimeout(SILENCE)
            http = Http2(inside)
            for spelling, where, fields, method, path in streams:
                host = spelling.write(name).decode("utf-8", "replace")  # type: ignore[attr-defined]
                more = [(key, value.format(host)) for key, value in fields]  # type: ignore[attr-defined]
                more += [("host", host)] if where == "host" else []
                authority = COVER if where == "host" else host
                http.request(authority, str(path).format(host), *more, method=str(method))
            while not http.closed:
                http.read()

    def check(streams: list[tuple[object, ...]]) -> None:
        recorder.reset()
        ask(streams, BANNED)
        assert [bytes(taken) for taken in recorder.taken if arrived(bytes(taken), BANNED)] == []
        ask(streams, TWIN)

    explore("HTTP/2", check, st.lists(stream, min_size=1, max_size=4), examples=12, share=0.1)
    Trial(opening, recorder).no_innocent_was_refused()


def test_what_no_proxy_refuses_is_seen(watching: Proxy, recorder: Recorder) -> None:
    """The fuzzers can see a leak: where nothing is refused, they find what they look for."""
    seen = {"requests": 0, "hellos": 0}

    def exchange(example: Exchange) -> None:
        recorder.reset()
        converse(at(watching, example.place), example.segments(BANNED))
        if any(arrived(bytes(taken), BANNED) for taken in recorder.taken):
            seen["requests"] += 1
        else:
            assert not example.legal or example.place is Place.TLS  # which stays closed here

    def hello(example: Hello) -> None:
        recorder.reset()
        with contextlib.suppress(Refused):
            converse(tunnel(watching, f"{COVER}:443"), example.segments(BANNED))
        if any(arrived(bytes(taken), BANNED) for taken in recorder.taken):
            seen["hellos"] += 1
        else:
            assert not example.legal

    explore("requests, nothing refused", exchange, exchanges(), examples=15, share=0.0)
    explore("ClientHellos, nothing refused", hello, hellos(), examples=15, share=0.0)
    assert seen["requests"] >= 5
    assert seen["hellos"] >= 5
