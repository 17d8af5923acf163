"""How messages stand in one HTTP request, and what an answer says of each: Elasticsearch, Splunk, Loki, plain lines."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embargo.core.sink import Batch, Sink
from embargo.formats.members import encoded
from embargo.sinks.message import Message
from embargo.sinks.receiver import Delivery, Unreachable, shown

_FOR_NOW = frozenset({401, 403, 404, 408, 425, 429})  # of an item: full, overloaded or not yet set up
_THERE = 409  # of an item with `create`: an earlier attempt brought it
_NO_VERDICT = Delivery()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form of a batch."""

    path: str  # at the end of the address, where that does not say it; empty: wherever that leads
    media: str  # Content-Type
    scheme: str  # before a bare token in the Authorization header
    body: Callable[[Sink, Sequence[Message]], bytes]
    read: Callable[[bytes, int], Delivery]  # of an answer with status 2xx to so many messages; raises Unreachable


def _bulk(sink: Sink, messages: Sequence[Message]) -> bytes:
    lines = []
    for message in messages:
        lines += [encoded({"create": {"_index": sink.index, "_id": message.id}}), message.text]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _bulk_answer(body: bytes, count: int) -> Delivery:
    """Items fail one by one under status 200 (Elasticsearch, "Bulk API")."""
    try:
        answer = json.loads(body)
        if answer.get("errors") is False:
            return _NO_VERDICT
        items = [next(iter(item.values())) for item in answer["items"]]
        statuses = [int(item["status"]) for item in items]
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, OverflowError, RecursionError) as broken:
        raise Unreachable("the answer is none to a bulk request") from broken
    if len(items) != count:
        raise Unreachable(f"the answer tells of {len(items)} records, {count} were sent")
    again: list[int] = []
    refused: list[tuple[int, str]] = []
    why = ""
    for position, (status, item) in enumerate(zip(statuses, items, strict=True)):
        if 200 <= status < 300 or status == _THERE:
            continue
        said = shown(f"{status} {_error(item.get('error'))}")
        if status in _FOR_NOW or status >= 500:
            again.append(position)
            why = why or f"a record is refused for now: {said}"
        else:
            refused.append((position, said))
    return Delivery(again=tuple(again), why=why, refused=tuple(refused))


def _error(error: Any) -> str:
    if isinstance(error, dict):
        cause = error.get("caused_by")
        inner = f" ({cause['reason']})" if isinstance(cause, dict) and isinstance(cause.get("reason"), str) else ""
        return f"{error.get('type', '')}: {error.get('reason', '')}{inner}"
    return str(error)


def _lines(_sink: Sink, messages: Sequence[Message]) -> bytes:
    return "".join(f"{message.text}\n" for message in messages).encode("utf-8")


def _splunk(_sink: Sink, messages: Sequence[Message]) -> bytes:
    events = []
    for message in messages:
        frame = {"time": message.record.time.timestamp(), "sourcetype": "embargo", "source": "embargo"}
        head = encoded(frame)[:-1]
        events.append(f'{head},"event":{message.text}}}')
    return "\n".join(events).encode("utf-8")


def _loki(_sink: Sink, messages: Sequence[Message]) -> bytes:
    streams: dict[str, list[list[str]]] = {}
    for message in messages:  # few labels of closed sets: each combination is a stream of its own
        nanoseconds = str(int(message.record.time.timestamp() * 1000) * 1_000_000)
        streams.setdefault(message.record.verdict or "none", []).append([nanoseconds, message.text])
    return encoded(
        {
            "streams": [
                {"stream": {"job": "embargo", "verdict": verdict}, "values": values}
                for verdict, values in streams.items()
            ]
        }
    ).encode("ascii")


def _accepted(_body: bytes, _count: int) -> Delivery:
    return _NO_VERDICT


FORMS: Mapping[Batch, Form] = {
    Batch.ELASTICSEARCH: Form(
        path="/_bulk", media="application/x-ndjson", scheme="ApiKey", body=_bulk, read=_bulk_answer
    ),
    Batch.LINES: Form(path="", media="application/x-ndjson", scheme="Bearer", body=_lines, read=_accepted),
    Batch.SPLUNK: Form(
        path="/services/collector/event", media="application/json", scheme="Splunk", body=_splunk, read=_accepted
    ),
    Batch.LOKI: Form(path="/loki/api/v1/push", media="application/json", scheme="Bearer", body=_loki, read=_accepted),
}
