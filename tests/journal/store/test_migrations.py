from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, select

from embargo.journal.store.migrations import STEPS, VERSION, Outdated, UnknownVersion, check, migrate, version
from embargo.journal.store.schema import meta, metadata


def first_step(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE extra ADD COLUMN added TEXT")


def second_step(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE later (id INTEGER PRIMARY KEY)")


def test_from_nothing(tmp_path: Path) -> None:
    with create_engine(f"sqlite:///{tmp_path}/new").begin() as connection:
        assert version(connection) is None
        migrate(connection)
        assert check(connection)
        assert set(inspect(connection).get_table_names()) == set(metadata.tables)
        assert version(connection) == str(VERSION) == str(1 + len(STEPS))


@pytest.mark.parametrize("found", [1, 2, 3])
def test_each_version_is_brought_to_the_newest(found: int, tmp_path: Path) -> None:
    steps = (first_step, second_step)
    with create_engine(f"sqlite:///{tmp_path}/old").begin() as connection:
        migrate(connection, ())
        for step in steps[: found - 1]:
            step(connection)
        connection.execute(meta.update().values(value=str(found)))
        connection.exec_driver_sql("INSERT INTO app VALUES (1, 'qq')")
        migrate(connection, steps)
        assert connection.scalar(select(meta.c.value)) == "3"
        assert "added" in {column["name"] for column in inspect(connection).get_columns("extra")}
        assert inspect(connection).has_table("later")
        assert connection.exec_driver_sql("SELECT name FROM app").scalar() == "qq"


@pytest.mark.parametrize("found", [1, 2, 3])
def test_what_must_be_read_from_the_log_anew(found: int, tmp_path: Path) -> None:
    """A step that cannot be gone: nothing is changed, not even by the steps before it."""
    with create_engine(f"sqlite:///{tmp_path}/old").begin() as connection:
        migrate(connection, ())
        connection.execute(meta.update().values(value=str(found)))
        steps = (first_step, None)
        if found == 3:
            migrate(connection, steps)
            return
        with pytest.raises(Outdated):
            migrate(connection, steps)
        assert connection.scalar(select(meta.c.value)) == str(found)
        assert "added" not in {column["name"] for column in inspect(connection).get_columns("extra")}


@pytest.mark.parametrize("found", ["99", "0", "x", ""])
def test_an_unknown_version_is_refused(found: str, tmp_path: Path) -> None:
    with create_engine(f"sqlite:///{tmp_path}/newer").begin() as connection:
        migrate(connection)
        connection.execute(meta.update().values(value=found))
        for ask in (check, migrate):
            with pytest.raises(UnknownVersion, match=f"version {found}"):
                ask(connection)
