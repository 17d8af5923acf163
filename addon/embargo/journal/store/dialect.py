"""What of the store is SQLite's own: opening, pragmas, upserts, sets of ids. Another engine needs this module anew."""

import json
import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.sqlite import dialect, insert
from sqlalchemy.exc import DatabaseError

_CACHE = 128 * 1024  # KiB of pages that the one who writes keeps in memory
_READ_CACHE = 32 * 1024
_PATIENCE = 30.0  # seconds that a statement waits for a lock
_MAPPED = 1 << 33  # bytes of the file that are read through a mapping
_LIFT = 1 << 56  # microseconds: more than from the first year to 1970
_DAMAGE = ("malformed", "not a database", "disk image", "corrupt")

DamageError = (DatabaseError, sqlite3.DatabaseError)


def engine(path: Path, *, writing: bool, building: bool = False) -> Engine:
    """An engine on the database file *path*; *building*: nobody reads it yet, and a crash may lose it whole."""
    made = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": _PATIENCE, "check_same_thread": False},
    )

    @event.listens_for(made, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so, reading ones too
        run = connection.execute
        run("PRAGMA case_sensitive_like=ON")
        run(f"PRAGMA cache_size=-{_CACHE if writing else _READ_CACHE}")
        run(f"PRAGMA mmap_size={_MAPPED}")
        if building:
            run("PRAGMA journal_mode=MEMORY")
            run("PRAGMA synchronous=OFF")
        elif writing:
            run("PRAGMA journal_mode=WAL")
            run("PRAGMA synchronous=NORMAL")  # a power cut loses the newest rows, which are read again
            run("PRAGMA wal_autocheckpoint=16384")  # pages: several batches are copied at once
            run("PRAGMA journal_size_limit=134217728")  # bytes

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return made


def finish(path: Path) -> None:
    """Makes a database that was built, *path*, one that others can read while it is written."""
    opened = engine(path, writing=True)
    with opened.connect():
        pass  # opening it for writing says so in the file
    opened.dispose()


def is_damage(failure: BaseException) -> bool:
    """Whether *failure* says that the file is no sound database."""
    return isinstance(failure, DamageError) and any(word in str(failure).lower() for word in _DAMAGE)


def among(column: ColumnElement[Any], ids: Collection[int]) -> ColumnElement[bool]:
    """Whether *column* is one of *ids*, however many."""
    each = func.json_each(json.dumps(sorted(ids))).table_valued("value")
    return column.in_(select(each.c.value))


def rounded(column: ColumnElement[int], length: int) -> ColumnElement[int]:
    """*column* by *length*, rounded down: SQL rounds towards zero, so it is asked of numbers above it."""
    lifted = -(-_LIFT // length)
    return (column + literal(lifted * length)) // literal(length) - literal(lifted)


def add_up(table: Table, keys: Collection[str], greatest: Collection[str] = (), least: Collection[str] = ()) -> str:
    """SQL that adds a row's counts to those of the row with the same *keys*, for positional values."""
    statement = insert(table)
    new = statement.excluded
    changed: dict[str, ColumnElement[Any]] = {}
    for column in table.columns:
        if column.name in keys:
            continue
        old = table.c[column.name]
        if column.name in greatest:
            changed[column.name] = func.max(old, new[column.name])
        elif column.name in least:
            changed[column.name] = func.min(old, new[column.name])
        else:
            changed[column.name] = old + new[column.name]
    return text_of(statement.on_conflict_do_update(index_elements=list(keys), set_=changed))


def insertion(table: Table, *, ignore: bool = False) -> str:
    """SQL that inserts a row, for positional values; *ignore*: unless there is one with the same unique key."""
    statement = insert(table)
    return text_of(statement.on_conflict_do_nothing() if ignore else statement)


def text_of(statement: Any) -> str:
    """*statement* as SQL with question marks."""
    return str(statement.compile(dialect=dialect(paramstyle="qmark")))


def changes(connection: Connection) -> int:
    """How many rows this connection has changed since it was opened."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver.total_changes
