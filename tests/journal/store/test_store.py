"""Numbers and rows of the store are those of the log, whatever is asked (laws), and however the files change."""

import os
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from embargo.core.catalogue import Role
from embargo.core.decision import Verdict
from embargo.core.request import Surface
from embargo.journal.event import Judged
from embargo.journal.heartbeat import heartbeat_of
from embargo.journal.query import Query, parse_query, split_terms
from embargo.journal.reader import Reader
from embargo.journal.record import Encoder, Record
from embargo.journal.rotation import compress
from embargo.journal.store import Busy, Dimension, Gone, Key, Row, Store, UnknownVersion, ingest, sources
from embargo.journal.store.filing import Filed
from embargo.journal.store.migrations import VERSION
from nobody import as_nobody, public_directory
from recorded import BLOCK, EVENTS, OBSERVER, TIME, judged
from sample import endpoint

ENCODER = Encoder(OBSERVER)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

HOSTS = ("mp.weixin.qq.com", "weixin.qq.com", "qq.com", "notqq.com", "192.0.2.7", "a_b.example", "a%b", "CDN.example")
CLIENTS = ("10.1.2.3", "10.1.2.4", "10.20.0.9", "2001:db8::9", "p-5f5f", None)
USERS = ("alice", "Alice", "bob", "=x", "a*e", "Straße", None)
APPS = (("wechat",), ("qq",), ("wechat", "qq"), ("alipay",), ())
DECISIONS = tuple(
    BLOCK._replace(verdict=verdict, would=would, apps=apps, endpoint=endpoint("qq.com", role, shared=shared))
    for verdict, would in (
        (Verdict.BLOCK, None),
        (Verdict.LOG, None),
        (Verdict.LOG, Verdict.BLOCK),
        (Verdict.ALLOW, None),
    )
    for apps in APPS
    for role, shared in ((Role.API, False), (Role.CDN, True))
)


def event(number: int) -> Judged:
    """One of a few hundred different ones; times over three months, some of them at the same instant."""
    host = HOSTS[number * 7 % len(HOSTS)]
    return judged(
        DECISIONS[number * 13 % len(DECISIONS)],
        id=f"019dc9a8-0000-7000-8000-{number:012x}" if number % 5 else f"id-{number}",
        time=TIME + timedelta(hours=number // 3 * 5, seconds=number % 2 * 1799),
        client=CLIENTS[number * 3 % len(CLIENTS)],
        user=USERS[number * 11 % len(USERS)],
        host=host,
        sni=HOSTS[number % len(HOSTS)],
        destination=host,
        surface=(Surface.HTTP, Surface.TLS, Surface.DNS)[number % 3],
        method=("GET", "get", "POST", None)[number % 4],
        status=(403, 451, None)[number % 3],
        policy=("5f" * 32, "a1" * 32)[number // 200 % 2],
        connection=f"c-{number // 4}",
        user_agent=(None, "okhttp/4", "Mozilla/5.0 (X11) Gecko/20100101 Firefox/140.0")[number % 3],
    )


def line(number: int, sequence: int | None = None) -> bytes:
    return ENCODER.line(event(number), sequence=sequence or number + 1)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("log")
    numbers = range(400)
    (directory / "decisions-20261201T000000Z-1.jsonl").write_bytes(b"".join(map(line, numbers[:150])))
    compress(directory / "decisions-20261201T000000Z-1.jsonl")
    (directory / "decisions.jsonl").write_bytes(b"".join(map(line, numbers[150:300])))
    (directory / "decisions.2.jsonl").write_bytes(b"".join(line(n, n - 299) for n in numbers[300:]))
    (directory / "audit.jsonl").write_bytes(
        b"".join(
            ENCODER.line(each, sequence=at, identifier=f"audit-{at}")
            for at, each in enumerate((each for each in EVENTS.values() if not isinstance(each, Judged)), 1)
        )
    )
    return directory


@pytest.fixture(scope="module")
def records(log: Path) -> list[Record]:
    return [entry.record for entry in Reader(log).entries()]


@pytest.fixture(scope="module")
def store(log: Path) -> Iterator[Store]:
    opened = Store.open(log)
    opened.catch_up()
    yield opened
    opened.close()


# --- laws: what is counted is what matches, and every number brings the query that has as many rows

TERMS = st.one_of(
    st.sampled_from(["app:wechat", "app:qq", "app:w*", "app:*", "apps:qq,wechat", "rule:banned*", "rule:*"]),
    st.sampled_from(["client:10.1.0.0/16", "client:10.1.2.3", "client:*", "client:=p-5f5f", "client:2001:db8::/32"]),
    st.sampled_from(["user:alice", "user:=Alice", "user:==x", "user:a*e", "user:=a*e", "user:strasse", "user:*"]),
    st.sampled_from(["host:qq.com", "host:=qq.com", "host:*weixin*", "host:192.0.2.7", "weixin", "a_b", "a%b", "N"]),
    st.sampled_from(["verdict:block", "verdict:log", "would:block", "class:shared", "class:blocked", "class:*"]),
    st.sampled_from(["surface:tls", "role:cdn", "endpoint:domain:qq.com", "order:eo-13971", "authority:*:revoked"]),
    st.sampled_from(["policy:5f", "policy:a1a1", "method:GET", "method:=GET", "status:451", "status:*"]),
    st.sampled_from(["category:configuration", "action:exception-*", "outcome:success", "trial:*"]),
    st.sampled_from(["id:id-5", "id:019DC9A8-0000-7000-8000-000000000001", "connection:c-7", "id:none"]),
)
SIGNED = st.builds("".join, st.tuples(st.sampled_from(["", "", "", "-", "+"]), TERMS))
TIMES = st.datetimes(datetime(2026, 11, 20), datetime(2027, 2, 1)).map(lambda time: f"{time.isoformat()}Z")
QUERIES = st.builds(
    lambda terms, since, until: parse_query(
        [*terms, *([f"since:{since}"] if since else []), *([f"until:{until}"] if until else [])], NOW
    ),
    st.lists(SIGNED, max_size=4),
    st.none() | TIMES,
    st.none() | TIMES,
)
LAW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LAW
@given(query=QUERIES, fold=st.booleans(), limit=st.sampled_from([19, 60, 500]))
def test_count_and_pages_are_what_matches(
    query: Query, fold: bool, limit: int, store: Store, records: list[Record]
) -> None:
    """The records that `Query.matches` takes, each once, newest first, over any pages, in both directions."""
    snapshot = store.snapshot()
    wanted = [record for record in records if query.matches(record)]
    assert store.count(query, snapshot) == len(wanted)
    assert sum(store.classes(query, snapshot).values()) == len(wanted)
    rows = list(pages(store, query, snapshot, fold=fold, limit=limit))
    assert sum(row.n for row in rows) == len(wanted)
    assert all(one.key > other.key for one, other in pairwise(rows))
    if fold:
        for row in rows[:5]:
            assert row.query is not None and store.count(row.query, snapshot) == row.n
    else:
        assert {record.id.lower() for record in store.read(rows)} == {record.id.lower() for record in wanted}
        assert [row.time for row in rows] == sorted((record.time for record in wanted), reverse=True)


def pages(store: Store, query: Query, snapshot: int, *, fold: bool, limit: int) -> Iterator[Row]:
    key: Key | None = None
    before: tuple[Row, ...] = ()
    for _ in range(1000):
        page = store.page(query, snapshot, after=key, limit=limit, fold=fold)
        assert len(page.rows) <= limit
        if before:
            assert page.previous is not None
            back = store.page(query, snapshot, before=page.previous, limit=limit, fold=fold)
            assert [row.key for row in back.rows] == [row.key for row in before]
            assert back.next is not None
        else:
            assert page.previous is None
        yield from page.rows
        if page.next is None:
            return
        key, before = page.next, page.rows
    raise AssertionError("pages without end")


@LAW
@given(query=QUERIES, dimension=st.sampled_from(list(Dimension)), days=st.sampled_from([1 / 24, 1, 7]))
def test_every_number_brings_its_query(
    query: Query, dimension: Dimension, days: float, store: Store, records: list[Record]
) -> None:
    """Each number of a timeline and of a list of the most frequent is the count of the query that comes with it."""
    snapshot = store.snapshot()
    series = store.series(query, snapshot, timedelta(days=days))
    assert sum(cell.n for cell in series) == store.count(query, snapshot)
    for cell in series[::7]:
        assert store.count(cell.query, snapshot) == cell.n == sum(map(cell.query.matches, records))
    for top in store.top(query, snapshot, dimension, limit=20):
        assert store.count(top.query, snapshot) == top.n == sum(top.classes.values())
        assert sum(map(top.query.matches, records)) == top.n
        for verdict_class, n in top.classes.items():
            assert store.count(top.of(verdict_class), snapshot) == n


@LAW
@given(query=QUERIES)
def test_a_query_is_written_back(query: Query) -> None:
    again = parse_query(split_terms(str(query)), NOW)
    assert again == query
    assert str(again) == str(query)


@pytest.mark.parametrize("terms", ["", "app:wechat", "client:10.1.0.0/16", "host:=qq.com", "client:=10.1.2.3 app:qq"])
def test_devices_bring_their_queries(terms: str, store: Store) -> None:
    snapshot = store.snapshot()
    devices = store.devices(parse_query(split_terms(terms), NOW), snapshot)
    assert devices
    for device in devices:
        assert store.count(device.query, snapshot) == device.attempts
        assert store.count(device.shared_query, snapshot) == device.shared
        rows = list(pages(store, device.query.without("class"), snapshot, fold=False, limit=100))
        assert (rows[-1].time, rows[0].time) == (device.first, device.last)
        assert device.calls + device.shared <= len(rows)


# --- snapshots


def test_a_snapshot_stands_still(tmp_path: Path) -> None:
    live = tmp_path / "decisions.jsonl"
    live.write_bytes(b"".join(map(line, range(100))))
    store = Store.open(tmp_path)
    store.catch_up()
    snapshot = store.snapshot()
    query = parse_query(["class:blocked"], NOW)
    before = [store.count(query, snapshot), *answers(store, query, snapshot)]
    with live.open("ab") as file:
        file.writelines(map(line, range(100, 300)))
    assert store.catch_up().records == 200
    assert [store.count(query, snapshot), *answers(store, query, snapshot)] == before
    assert store.count(query, store.snapshot()) > before[0]  # type: ignore[operator]


def answers(store: Store, query: Query, snapshot: int) -> list[object]:
    return [
        store.page(query, snapshot, limit=1000).rows,
        [(cell.time, cell.n) for cell in store.series(query, snapshot, timedelta(days=1))],
        [(top.value, top.n) for top in store.top(query, snapshot, Dimension.HOST)],
        [(top.value, top.n) for top in store.top(query, snapshot, Dimension.CLIENT)],
    ]


# --- however the files change


def same_as_anew(store: Store) -> None:
    """What was added and taken off bit by bit is what the files say now."""
    query = Query()
    everything = [entry.record for entry in Reader(store.log).entries()]
    kept = state(store)
    assert store.count(query, store.snapshot()) == len(everything)
    assert {record.id for record in store.read(list(store.rows(query, store.snapshot())))} == {
        record.id for record in everything
    }
    store.rebuild()
    assert state(store) == kept


def state(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """All counts, with values in place of the numbers that stand for them."""
    queries = {
        "by_class": "SELECT level, bucket, class, n FROM by_class ORDER BY 1, 2, 3",
        "by_kind": "SELECT level, bucket, text, n FROM by_kind JOIN kind ON kind.id = kind ORDER BY 1, 2, 3",
        "by_who": (
            "SELECT level, bucket, class, client, user, n FROM by_who JOIN who ON who.id = who ORDER BY 1, 2, 3, 4, 5"
        ),
        "by_names": (
            "SELECT level, bucket, class, text, n FROM by_names JOIN names ON names.id = names ORDER BY 1, 2, 3, 4"
        ),
        "by_device": (
            "SELECT level, bucket, client, user, text, n, shared, calls, browser, agent, first, last FROM by_device "
            "JOIN who ON who.id = who JOIN appset ON appset.id = appset ORDER BY 1, 2, 3, 4, 5"
        ),
    }
    database = store.place.database()
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return {name: connection.execute(sql).fetchall() for name, sql in queries.items()}


def test_rotation_compression_and_retention(tmp_path: Path) -> None:
    live = tmp_path / "decisions.jsonl"
    live.write_bytes(b"".join(map(line, range(60))))
    store = Store.open(tmp_path)
    assert store.catch_up().records == 60
    with live.open("ab") as file:
        file.writelines(map(line, range(60, 70)))
    first = live.rename(tmp_path / "decisions-20261125T000000Z-1.jsonl")
    live.write_bytes(b"".join(map(line, range(70, 90))))
    assert store.catch_up().records == 30
    compress(first)
    assert store.catch_up().records == 0
    assert store.read(list(store.rows(Query(), store.snapshot())))[0].id == "id-0"
    second = live.rename(tmp_path / "decisions-20261126T000000Z-71.jsonl")
    live.write_bytes(b"".join(map(line, range(90, 120))))
    compress(second)
    assert store.catch_up().records == 30
    (tmp_path / "decisions-20261125T000000Z-1.jsonl.zst").unlink()
    caught = store.catch_up()
    assert (caught.records, caught.removed) == (0, 70)
    same_as_anew(store)


def test_a_log_that_begins_anew(tmp_path: Path) -> None:
    live = tmp_path / "decisions.jsonl"
    live.write_bytes(b"".join(map(line, range(50))))
    store = Store.open(tmp_path)
    store.catch_up()
    live.write_bytes(line(200, 1) + line(201, 2))  # the same chain and sequence, another record
    caught = store.catch_up()
    assert (caught.records, caught.removed) == (2, 50)
    live.write_bytes(line(200, 1))  # cut short
    store.catch_up()
    same_as_anew(store)


def test_each_record_once(tmp_path: Path) -> None:
    """A copy of a file, and a record twice in one, add nothing."""
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(line, [*range(30), 5, 6])))
    (tmp_path / "decisions.2.jsonl").write_bytes(b"".join(map(line, [*range(10, 20), 40])))
    store = Store.open(tmp_path)
    assert store.catch_up().records == 31
    assert store.count(Query(), store.snapshot()) == 31
    assert store.catch_up().records == 0


def test_lines_that_are_no_records(tmp_path: Path) -> None:
    live = tmp_path / "decisions.jsonl"
    live.write_bytes(line(0) + b"garbage\n\n" + line(1) + b'{"@timestamp":"x"}\n' + line(2)[:-20])
    store = Store.open(tmp_path)
    caught = store.catch_up()
    assert (caught.records, caught.broken) == (2, 2)
    count, places = store.broken()
    assert count == 2 and places[0].startswith("decisions.jsonl: no JSON")
    with live.open("ab") as file:
        file.write(line(2)[-20:])
    assert store.catch_up().records == 1
    assert store.broken()[0] == 2


def test_a_file_that_cannot_be_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "decisions-20261125T000000Z-1.jsonl"
    path.write_bytes(b"".join(map(line, range(400))))
    compress(path)
    whole = path.with_name(path.name + ".zst")
    whole.write_bytes(whole.read_bytes()[:-200])
    store = Store.open(tmp_path)
    caught = store.catch_up()
    assert caught.broken == 1 and "unreadable" in caught.places[0]


def test_what_only_record_can_read(tmp_path: Path) -> None:
    """Lone surrogates, NUL, other forms of time: as `Reader` has them."""
    odd = line(3).replace(b'"alice"', b'"a\\ud800\\u0000"').replace(b"2026-11-24T", b"2026-11-24 ")
    (tmp_path / "decisions.jsonl").write_bytes(odd + line(4).replace(b".123Z", b".123456+02:00"))
    store = Store.open(tmp_path)
    assert store.catch_up().records == 2
    times = {record.time for record in (entry.record for entry in Reader(tmp_path).entries())}
    assert {row.time for row in store.rows(Query(), store.snapshot())} == times


# --- the database


def test_a_damaged_database_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(line, range(50))))
    store = Store.open(tmp_path)
    store.catch_up()
    store.close()
    database = store.place.database()
    assert database is not None
    for beside in ("-wal", "-shm"):
        database.with_name(database.name + beside).unlink(missing_ok=True)
    database.write_bytes(b"no database " * 1000)
    again = Store.open(tmp_path)
    assert "is damaged" in again.notices[0]
    again.catch_up()
    assert again.count(Query(), again.snapshot()) == 50
    assert list(again.place.directory.glob("*.damaged"))


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(line(0))
    store = Store.open(tmp_path)
    store.close()
    with sqlite3.connect(store.place.link) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
    with pytest.raises(UnknownVersion, match="version 99"):
        Store.open(tmp_path)


def test_an_older_version_is_built_anew(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(line(0))
    store = Store.open(tmp_path)
    store.catch_up()
    store.close()
    with sqlite3.connect(store.place.link) as connection:
        connection.execute("DROP TABLE heartbeat")
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'version'")
    again = Store.open(tmp_path)
    assert [notice for notice in again.notices if "older version" in notice]
    assert again.catch_up().records == 1
    assert len(list(again.place.directory.glob("decisions-*.sqlite"))) == 1


def in_a_child(work: Callable[[], None]) -> int:
    """The status with which a process that does *work* ended."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.mark.parametrize("batch", [0, 2])
def test_killed_within_a_batch(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the transaction wrote so far is gone, what was written before is there, and all comes once."""
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(line, range(200))))
    store = Store.open(tmp_path)
    monkeypatch.setattr(ingest, "_TURN", -1.0)  # a batch a block
    monkeypatch.setattr(sources, "_BLOCK", 40_000)
    written: list[int] = []
    whole = Filed.write

    def write(file: Filed, connection: Connection) -> None:
        whole(file, connection)
        written.append(file.lines)
        if len(written) > batch:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(Filed, "write", write)
    assert in_a_child(lambda: store.catch_up() and None) == signal.SIGKILL
    monkeypatch.setattr(Filed, "write", whole)
    before = store.count(Query(), store.snapshot())
    assert before < 200 and (before > 0) == (batch > 0)
    assert store.catch_up().records == 200 - before
    same_as_anew(store)


def test_a_full_disk(tmp_path: Path) -> None:
    """It is said, nothing is set aside, and the store goes on when there is room."""
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(line, range(300))))
    store = Store.open(tmp_path)

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        with pytest.raises(DatabaseError):
            Store.open(tmp_path).catch_up()

    assert in_a_child(fill) == 0
    assert store.catch_up().records == 300
    assert not store.notices
    same_as_anew(store)


def test_times_in_any_order(tmp_path: Path) -> None:
    """A clock that is set back, and one that was never set: counts are those of the times that records say."""
    numbers = [*range(50, 100), *range(50), *range(100, 130)]
    lines = [line(number).replace(b'"2026-', b'"1969-' if number % 10 == 3 else b'"2026-') for number in numbers]
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(lines[:70]))
    store = Store.open(tmp_path)
    store.catch_up()
    with (tmp_path / "decisions.jsonl").open("ab") as file:
        file.writelines(lines[70:])
    store.catch_up()
    everything = [entry.record for entry in Reader(tmp_path).entries()]
    snapshot = store.snapshot()
    for text in ("", "until:1970-01-01", "since:2026-11-25 app:wechat", "client:10.1.0.0/16"):
        query = parse_query(split_terms(text), NOW)
        assert store.count(query, snapshot) == sum(map(query.matches, everything))
        cells = store.series(query, snapshot, timedelta(days=1))
        assert sum(cell.n for cell in cells) == store.count(query, snapshot)
    same_as_anew(store)


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One longer than a block is put together; one longer than any of ours is not held."""
    monkeypatch.setattr(sources, "_BLOCK", 1000)
    live = tmp_path / "decisions.jsonl"
    live.write_bytes(line(0) + b"x" * 5000)
    store = Store.open(tmp_path)
    assert store.catch_up().records == 1
    with live.open("ab") as file:
        file.write(b"\n" + line(1))
    caught = store.catch_up()
    assert (caught.records, caught.broken) == (1, 1)
    monkeypatch.setattr(ingest, "_LONGEST_LINE", 20_000)
    with live.open("ab") as file:
        file.write(b"x" * 30_000)
    assert "a line of more than" in store.catch_up().places[0]


def test_what_was_counted_is_forgotten_with_its_rows(tmp_path: Path) -> None:
    """Numbers that were kept for a page are not those of rows that retention took since."""
    old = tmp_path / "decisions-20261125T000000Z-1.jsonl"
    old.write_bytes(b"".join(map(line, range(60))))
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(line, range(60, 90))))
    store = Store.open(tmp_path)
    store.catch_up()
    snapshot = store.snapshot()
    query = parse_query(["client:10.1.0.0/16"], NOW)
    asked = lambda: (  # noqa: E731
        store.count(query, snapshot),
        [(top.value, top.n) for top in store.top(query, snapshot, Dimension.RULE)],
        [(top.value, top.n) for top in store.top(Query(), snapshot, Dimension.USER)],
    )
    assert asked() == asked()
    before = asked()
    old.unlink()
    store.catch_up()
    after = asked()
    assert after[0] < before[0]
    fresh = Store.open(tmp_path)
    store = fresh
    assert asked() == after


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(line(0))
    store = Store.open(tmp_path)
    store.catch_up()
    store.rebuild()
    store.catch_up()
    modes = {
        path.name: path.stat().st_mode & 0o777 for path in store.place.directory.iterdir() if not path.is_symlink()
    }
    assert set(modes.values()) == {0o600}, modes
    assert store.place.directory.stat().st_mode & 0o777 == 0o700


def test_one_ingester_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(line(0))
    store, other = Store.open(tmp_path), Store.open(tmp_path)
    with store.place.locked(0), pytest.raises(Busy):
        other.catch_up(patience=0)
    assert other.catch_up(patience=0).records == 1
    assert store.count(Query(), store.snapshot()) == 1


def test_two_processes_take_turns(tmp_path: Path) -> None:
    live = tmp_path / "decisions.jsonl"
    live.write_bytes(b"".join(map(line, range(10))))
    stores = (Store.open(tmp_path), Store.open(tmp_path))
    stores[0].catch_up()
    for number in range(10, 16):
        with live.open("ab") as file:
            file.write(line(number))
        assert stores[number % 2].catch_up().records == 1
    same_as_anew(stores[0])


def test_readers_go_on_while_it_is_built_anew(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(line, range(50))))
    store, reader = Store.open(tmp_path), Store.open(tmp_path)
    store.catch_up()
    assert reader.count(Query(), reader.snapshot()) == 50
    for _ in range(3):
        store.rebuild()
        assert reader.count(Query(), reader.snapshot()) == 50
    assert len(list(store.place.directory.glob("decisions-*.sqlite"))) == 1


def test_who_may_not_write_there_has_his_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the state directory; where that is closed too, it is said that there is no place."""
    with public_directory() as place:
        log, state = place / "log", place / "state"
        log.mkdir(mode=0o755)
        (log / "decisions.jsonl").write_bytes(line(0))
        (log / "decisions.jsonl").chmod(0o644)
        state.mkdir()
        state.chmod(0o777)
        log.chmod(0o555)
        monkeypatch.setenv("STATE_DIRECTORY", str(state / "embargo"))

        def count() -> str:
            store = Store.open(log)
            store.catch_up()
            inside = store.place.directory.is_relative_to(state)
            return f"{store.count(Query(), store.snapshot())} {inside}"

        assert as_nobody(count) == "1 True"
        assert not (log / "store").exists()
        monkeypatch.setenv("STATE_DIRECTORY", str(log / "none"))
        assert "can be kept nowhere" in as_nobody(count)


# --- single records


def test_a_record_and_its_neighbours(store: Store, records: list[Record]) -> None:
    record = store.record("019dc9a8-0000-7000-8000-000000000007")
    assert record == next(each for each in records if each.id == record.id)
    neighbours = store.neighbours(record)
    same = {each.id for each in records if each.connection == record.connection}
    assert same <= {each.id for each in store.read(neighbours.rows)}
    with pytest.raises(Gone):
        store.record("019dc9a8-0000-7000-8000-00000000ffff")


def test_heartbeats_and_changes(store: Store, records: list[Record]) -> None:
    beats = list(store.heartbeats())
    assert [beat.told for beat in beats] == [heartbeat_of(each) for each in records if each.action == "heartbeat"]
    assert not list(store.heartbeats(snapshot=0))
    assert [beat.members for beat in beats] == [
        each.document["embargo"]["heartbeat"] for each in records if each.action == "heartbeat"
    ]
    assert not list(store.heartbeats(since=TIME + timedelta(days=1)))
    assert [each.id for each in store.changes()] == [each.id for each in records if "configuration" in each.categories]


def test_status(store: Store) -> None:
    status = store.status()
    assert status.rows == store.count(Query(), store.snapshot())
    assert status.behind == 0
    assert status.size > 0
    assert status.version == VERSION
