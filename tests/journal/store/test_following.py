from pathlib import Path

from embargo.journal.query import Query
from embargo.journal.record import Encoder
from embargo.journal.store import Store
from embargo.journal.store.following import Following
from recorded import OBSERVER, judged

ENCODER = Encoder(OBSERVER)


def line(number: int) -> bytes:
    return ENCODER.line(judged(id=f"id-{number}"), sequence=number + 1)


def test_it_works_only_where_something_changed(tmp_path: Path) -> None:
    log, told = tmp_path / "log", list[str]()
    following = Following(log, told.append)
    assert following.turn() == 0  # there is no log yet, and none is made
    assert not log.exists()
    log.mkdir()
    live = log / "decisions.jsonl"
    live.write_bytes(line(0) + line(1)[:-9])
    assert following.turn() == 1
    assert following.turn() == 0
    with live.open("ab") as file:
        file.write(line(1)[-9:] + b"garbage\n")
    assert following.turn() == 1
    assert len(told) == 1 and told[0].startswith("warning: decisions.jsonl: no JSON")
    store = Store.open(log)
    assert store.count(Query(), store.snapshot()) == 2
