"""The store's own version, and the steps from one to the next.

Version 1 is `schema.metadata` as it stands; a change of it appends a step here, and `VERSION` follows.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, inspect, select

from embargo.journal.store.schema import meta, metadata

type Step = Callable[[Connection], None]

STEPS: Sequence[Step] = ()  # the first leads from version 1 to 2
VERSION = 1 + len(STEPS)


class UnknownVersion(Exception):
    """The database was made by a newer embargo; nothing in it was touched."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the store has version {found}, and this embargo knows versions up to {VERSION}: "
            "use the newer embargo, or `embargo store rebuild`"
        )


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


def migrate(connection: Connection, steps: Sequence[Step] = STEPS) -> None:
    """Brings the database to the newest version, from nothing or an older one. Raises UnknownVersion."""
    found = version(connection)
    newest = 1 + len(steps)
    if found is None:
        metadata.create_all(connection)
        connection.execute(meta.insert().values(key="version", value=str(newest)))
        return
    if not (found.isdecimal() and 1 <= int(found) <= newest):
        raise UnknownVersion(found)
    for step in steps[int(found) - 1 :]:
        step(connection)
    if int(found) != newest:
        connection.execute(meta.update().where(meta.c.key == "version").values(value=str(newest)))
