"""HTTP batches against servers that check the wire format and refuse items under status 200."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from embargo.core.sink import Batch, Sink, SinkFormat
from embargo.sinks.message import Composer, Message
from embargo.sinks.receiver import Unreachable
from embargo.sinks.web import Web
from sinks.inbox import Collector, Elasticsearch, served
from sinks.spooled import NOW, identifier, lines, sink


@pytest.fixture
def elastic() -> Iterator[Elasticsearch]:
    with served(Elasticsearch()) as server:
        yield server
        assert server.wrong == []


@pytest.fixture
def collector() -> Iterator[Collector]:
    with served(Collector()) as server:
        yield server


def bulk(server: Elasticsearch, **members: object) -> Sink:
    return sink(f"http://127.0.0.1:{server.port}", batch=Batch.ELASTICSEARCH, **members)


def messages(of: Sink, last: int = 4) -> list[Message]:
    return Composer(of, NOW).messages(lines(1, last))


def test_bulk(elastic: Elasticsearch) -> None:
    to = bulk(elastic, index="logs-embargo")
    web = Web(to)
    assert web.deliver(messages(to)).again == ()
    assert set(elastic.documents) == {identifier(number) for number in range(1, 5)}
    assert elastic.documents[identifier(1)]["rule"]["id"] == "banned-apps"
    assert elastic.paths == ["/_bulk"]


def test_what_comes_twice_is_there_once(elastic: Elasticsearch) -> None:
    to = bulk(elastic)
    web = Web(to)
    for _ in range(2):
        delivery = web.deliver(messages(to))
        assert (delivery.again, delivery.refused) == ((), ())
    assert len(elastic.documents) == 4


ITEMS = {  # the status of one item of four: (to be sent again, set aside)
    429: ((1,), ()),
    503: ((1,), ()),
    404: ((1,), ()),
    400: ((), (1,)),
}


@pytest.mark.parametrize("status", ITEMS)
def test_items_refused_under_status_200(elastic: Elasticsearch, status: int) -> None:
    elastic.item = lambda found, _: (status, "some_exception") if found == identifier(2) else None
    to = bulk(elastic)
    delivery = Web(to).deliver(messages(to))
    assert (delivery.again, tuple(position for position, _ in delivery.refused)) == ITEMS[status]
    assert "some_exception" in (delivery.why or delivery.refused[0][1])
    assert len(elastic.documents) == 3


def test_a_batch_that_is_too_large_is_halved(elastic: Elasticsearch) -> None:
    elastic.whole = lambda count, _: (413, b"too large") if count > 1 else None
    to = bulk(elastic)
    assert Web(to).deliver(messages(to)).refused == ()
    assert len(elastic.documents) == 4


def test_the_one_that_spoils_a_batch_is_found(elastic: Elasticsearch) -> None:
    bad = identifier(3).encode()
    elastic.whole = lambda _, body: (400, b"malformed \x1b[31m") if bad in body else None
    to = bulk(elastic)
    delivery = Web(to).deliver(messages(to))
    assert [position for position, _ in delivery.refused] == [2]
    assert "\x1b" not in delivery.refused[0][1]
    assert len(elastic.documents) == 3


def test_a_server_that_refuses_everything_gets_it_again(elastic: Elasticsearch) -> None:
    elastic.whole = lambda *_: (400, b"no handler found")
    to = bulk(elastic)
    with pytest.raises(Unreachable, match="everything is refused: answers 400") as refused:
        Web(to).deliver(messages(to))
    assert refused.value.everything


def test_a_server_that_refuses_each_item_gets_it_again(elastic: Elasticsearch) -> None:
    """As a wrong index or mapping does: one mended setting, and all of it arrives."""
    elastic.item = lambda *_: (400, "invalid_index_name_exception")
    to = bulk(elastic)
    with pytest.raises(Unreachable, match="everything is refused: 400 invalid_index_name") as refused:
        Web(to).deliver(messages(to))
    assert refused.value.everything


def test_an_answer_that_says_the_token_is_shown_without_it(elastic: Elasticsearch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cr3t-t0k3n\n")
    elastic.whole = lambda *_: (403, b"Authorization: ApiKey s3cr3t-t0k3n is not known")
    to = bulk(elastic, token_file=str(tmp_path / "token"))
    with pytest.raises(Unreachable, match="is not known") as refused:
        Web(to).deliver(messages(to))
    assert "s3cr3t" not in str(refused.value)


def test_an_item_that_says_the_token_is_shown_without_it(elastic: Elasticsearch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cr3t-t0k3n\n")
    elastic.item = lambda found, _: (400, "no s3cr3t-t0k3n") if found == identifier(2) else None
    to = bulk(elastic, token_file=str(tmp_path / "token"))
    ((_, why),) = Web(to).deliver(messages(to)).refused
    assert ("s3cr3t" in why, "no <redacted>" in why) == (False, True)


NO_ANSWERS = {  # case: what stands where an answer to a bulk request should
    "nothing": b"",
    "a list": b"[]",
    "too few items": b'{"items":[]}',
    "an item without a status": b'{"errors":true,"items":[{"create":{}}]}',
    "a status that is no number": b'{"errors":true,"items":[{"create":{"status":1e999}}]}',
    "a page": b"<html>",
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_an_answer_that_is_none(elastic: Elasticsearch, body: bytes) -> None:
    elastic.whole = lambda *_: (200, body)
    to = bulk(elastic)
    with pytest.raises(Unreachable, match="the answer"):
        Web(to).deliver(messages(to))


def test_the_token_is_read_each_time_and_shown_never(elastic: Elasticsearch, tmp_path: Path) -> None:
    elastic.token = "ApiKey right"
    token = tmp_path / "token"
    token.write_text("wrong\n")
    to = bulk(elastic, token_file=str(token))
    web = Web(to)
    with pytest.raises(Unreachable, match="401") as refused:
        web.deliver(messages(to))
    assert "wrong" not in str(refused.value)
    token.write_text("right\n")
    assert web.deliver(messages(to)).again == ()


@pytest.mark.parametrize("text", [None, "", "two\nlines", "né"])
def test_a_token_that_is_none(tmp_path: Path, text: str | None) -> None:
    token = tmp_path / "token"
    if text is not None:
        token.write_text(text)
    to = sink("http://127.0.0.1:9", token_file=str(token))
    with pytest.raises(Unreachable, match="token"):
        Web(to).deliver(messages(to))


def test_no_redirection_is_followed(collector: Collector) -> None:
    collector.status, collector.location = 307, "http://127.0.0.1:9/"
    to = sink(f"http://127.0.0.1:{collector.port}")
    with pytest.raises(Unreachable, match="answers 307"):
        Web(to).deliver(messages(to))
    assert len(collector.got) == 1


def test_nobody_listens() -> None:
    to = sink("http://127.0.0.1:9")
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9: Connection refused"):
        Web(to).deliver(messages(to))


BATCHES = {  # form: (path, what its token begins with)
    Batch.LINES: ("/", "Bearer "),
    Batch.SPLUNK: ("/services/collector/event", "Splunk "),
    Batch.LOKI: ("/loki/api/v1/push", "Bearer "),
}


@pytest.mark.parametrize("batch", BATCHES)
def test_form(collector: Collector, batch: Batch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    to = sink(f"http://127.0.0.1:{collector.port}", batch=batch, token_file=str(tmp_path / "token"))
    Web(to).deliver(messages(to))
    ((path, headers, body),) = collector.got
    assert (path, headers["Authorization"]) == (BATCHES[batch][0], f"{BATCHES[batch][1]}secret")
    match batch:
        case Batch.LINES:
            found = [json.loads(line) for line in body.splitlines()]
        case Batch.SPLUNK:
            events = [json.loads(line) for line in body.splitlines()]
            assert events[0]["time"] == pytest.approx(NOW.timestamp() + 0.001)
            found = [event["event"] for event in events]
        case _:
            streams = json.loads(body)["streams"]
            assert [stream["stream"]["verdict"] for stream in streams] == ["block", "log"]
            assert streams[0]["values"][0][0] == str(int(NOW.timestamp() * 1000 + 1) * 1_000_000)
            found = [json.loads(line) for stream in streams for _, line in stream["values"]]
    assert {record["event"]["id"] for record in found} == {identifier(number) for number in range(1, 5)}


PATHS = {  # case: (form, what the address ends in, what is asked for)
    "lines, nowhere in particular": (Batch.LINES, "", "/"),
    "lines, with a key alone": (Batch.LINES, "?x=1", "/?x=1"),
    "Elasticsearch behind a prefix": (Batch.ELASTICSEARCH, "/es", "/es/_bulk"),
    "Elasticsearch in full": (Batch.ELASTICSEARCH, "/es/_bulk?pipeline=p", "/es/_bulk?pipeline=p"),
    "Splunk with a channel": (Batch.SPLUNK, "?channel=1", "/services/collector/event?channel=1"),
}


@pytest.mark.parametrize(("form", "ending", "path"), PATHS.values(), ids=PATHS)
def test_where_a_batch_goes(collector: Collector, form: Batch, ending: str, path: str) -> None:
    to = sink(f"http://127.0.0.1:{collector.port}{ending}", batch=form)
    with contextlib.suppress(Unreachable):  # it answers no bulk request
        Web(to).deliver(messages(to))
    assert collector.got[0][0] == path


def test_lines_of_another_format(collector: Collector) -> None:
    to = sink(f"http://127.0.0.1:{collector.port}/intake?x=1", format=SinkFormat.CEF)
    Web(to).deliver(messages(to))
    ((path, _, body),) = collector.got
    assert path == "/intake?x=1"
    assert all(line.startswith(b"CEF:1|embargo|") for line in body.splitlines())


def test_a_connection_that_was_closed_meanwhile_is_no_failure() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                peer, _ = server.accept()
                with peer:
                    received = b""
                    while not received.endswith(b"}\n"):
                        received += peer.recv(1 << 16)
                    peer.sendall(answer)  # and closes, which the answer does not tell

        thread = threading.Thread(target=serve)
        thread.start()
        to = sink(f"http://127.0.0.1:{server.getsockname()[1]}")
        web = Web(to)
        for _ in range(2):
            assert web.deliver(messages(to)).again == ()
        thread.join()
        web.close()
