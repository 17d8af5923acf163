"""The store's own version, and the steps from one to the next.

A change of `schema.metadata` appends a step here, and `VERSION` follows. Where what is new must be read from the log,
the step is None: a store from before it is built anew.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, inspect, select

from embargo.journal.store.schema import meta, metadata

type Step = Callable[[Connection], None]

STEPS: Sequence[Step | None] = (  # the first leads from version 1 to 2
    None,  # heartbeats with host and process, kinds with their class
)
VERSION = 1 + len(STEPS)


class UnknownVersion(Exception):
    """The database was made by a newer embargo; nothing in it was touched."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the store has version {found}, and this embargo knows versions up to {VERSION}: "
            "use the newer embargo, or `embargo store rebuild`"
        )


class Outdated(Exception):
    """The database was made by an older embargo, and has to be built anew from the log."""


def version(connection: Connection) -> str | None:
    """The version that the database says; None where it is empty."""
    if not inspect(connection).has_table(meta.name):
        return None
    return connection.scalar(select(meta.c.value).where(meta.c.key == "version"))


def check(connection: Connection) -> bool:
    """Whether the database has the present version. Raises UnknownVersion."""
    found = version(connection)
    if found is not None and not (found.isdecimal() and 1 <= int(found) <= VERSION):
        raise UnknownVersion(found)
    return found == str(VERSION)


def migrate(connection: Connection, steps: Sequence[Step | None] = STEPS) -> None:
    """Brings the database to the newest version, from nothing or an older one. Raises UnknownVersion, Outdated."""
    found = version(connection)
    newest = 1 + len(steps)
    if found is None:
        metadata.create_all(connection)
        connection.execute(meta.insert().values(key="version", value=str(newest)))
        return
    if not (found.isdecimal() and 1 <= int(found) <= newest):
        raise UnknownVersion(found)
    ahead = steps[int(found) - 1 :]
    if None in ahead:
        raise Outdated(found)
    for step in ahead:
        assert step is not None
        step(connection)
    if int(found) != newest:
        connection.execute(meta.update().where(meta.c.key == "version").values(value=str(newest)))
