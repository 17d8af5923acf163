"""Numbers for what repeats in records: looked up in the store, else given anew and written with the batch."""

from dataclasses import dataclass, field

from sqlalchemy import Connection, Table, func, select

from embargo.journal.store import schema
from embargo.journal.store.dialect import insertion, text_of
from embargo.journal.store.kinds import Extra, Kind, Who

_MOST_KEPT = 500_000  # texts whose numbers are remembered
_CALLS = frozenset({"api", "telemetry"})  # roles of endpoints that an installed app asks by itself


@dataclass(frozen=True, slots=True)
class KindFacts:
    """What the counts need of a kind."""

    number: int  # of its class
    appset: int  # 0: no app
    calls: bool  # whether it is a call of an interface, and no shared one
    shared: bool
    browser: bool | None


class _Numbers:
    """The numbers of one table's texts."""

    def __init__(self, table: Table, *columns: str) -> None:
        self._insert = insertion(table)
        keys = [table.c[column] for column in columns]
        self._find = text_of(select(table.c.id).where(*(key == "" for key in keys)))
        self._highest = select(func.max(table.c.id))
        self._known: dict[tuple[str, ...], int] = {}
        self._next = 1
        self._empty = True  # nothing has to be looked up
        self.fresh: list[tuple[object, ...]] = []

    def begin(self, connection: Connection) -> None:
        highest = connection.scalar(self._highest)
        self._next = 1 if highest is None else highest + 1
        self._empty = highest is None
        self._connection = connection

    def number(self, *key: str, more: tuple[object, ...] = ()) -> tuple[int, bool]:
        """The number, and whether it is new."""
        if (found := self._known.get(key)) is not None:
            return found, False
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
            self._empty = False
        row = None if self._empty else self._connection.exec_driver_sql(self._find, key).first()
        if row is None:
            number = self._next
            self._next += 1
            self.fresh.append((number, *key, *more))
        else:
            number = row[0]
        self._known[key] = number
        return number, row is None

    def write(self, connection: Connection) -> None:
        if self.fresh:
            connection.exec_driver_sql(self._insert, self.fresh)
            self.fresh.clear()


@dataclass
class Interned:
    """The numbers of one ingester. After a failure it is to be thrown away: some numbers were never written."""

    kinds: list[KindFacts | None] = field(default_factory=list)  # by number
    with_client: set[int] = field(default_factory=set)  # numbers of `who`

    def __post_init__(self) -> None:
        self._apps = _Numbers(schema.app, "name")
        self._appsets = _Numbers(schema.appset, "text")
        self._hosts = _Numbers(schema.host, "name")
        self._names = _Numbers(schema.names, "text")
        self._whos = _Numbers(schema.who, "client", "user")
        self._kinds = _Numbers(schema.kind, "text")
        self._extras = _Numbers(schema.extra, "text")
        self._all = (self._apps, self._appsets, self._hosts, self._names, self._whos, self._kinds, self._extras)
        self._members: list[tuple[object, ...]] = []
        self._insert_member = insertion(schema.names_member, ignore=True)

    def begin(self, connection: Connection) -> None:
        """Look up in *connection* from now on."""
        for numbers in self._all:
            numbers.begin(connection)

    def load(self, connection: Connection) -> None:
        """Learn of what is in the store all that the counts need of it."""
        for _, text in connection.execute(select(schema.kind.c.id, schema.kind.c.text)):
            self.kind(Kind.read(text))
        self.with_client.update(connection.scalars(select(schema.who.c.id).where(schema.who.c.client != "")))

    def write(self, connection: Connection) -> None:
        """Write what is new."""
        for numbers in self._all:
            numbers.write(connection)
        if self._members:
            connection.exec_driver_sql(self._insert_member, self._members)
            self._members.clear()

    def kind(self, kind: Kind) -> int:
        """The number of *kind*."""
        number, _ = self._kinds.number(_clean(kind.text), more=(kind.class_number,))
        appset = self._appsets.number(appset_text(kind.apps))[0] if kind.apps else 0
        for app in kind.apps:
            self._apps.number(_clean(app))
        shared = kind.verdict_class == "shared"
        calls = not shared and kind.verdict is not None and kind.role in _CALLS
        if number >= len(self.kinds):
            self.kinds.extend([None] * (number + 1 - len(self.kinds)))
        self.kinds[number] = KindFacts(
            kind.class_number, appset if kind.verdict is not None else 0, calls, shared, kind.browser
        )
        return number

    def who(self, who: Who) -> int:
        """The number of *who*."""
        user = "" if who.user is None else "=" + _clean(who.user)
        client = "" if who.client is None else "=" + _clean(who.client)
        number, _ = self._whos.number(client, user)
        if who.client is not None:
            self.with_client.add(number)
        return number

    def names(self, names: tuple[str, ...]) -> int:
        """The number of *names*."""
        hosts = [self._hosts.number(_clean(name))[0] for name in names]
        number, fresh = self._names.number("\n".join(map(_clean, names)), more=(hosts[0] if hosts else None,))
        if fresh:
            self._members += [(host, number) for host in hosts]
        return number

    def extra(self, extra: Extra) -> int:
        """The number of *extra*."""
        return self._extras.number(_clean(extra.text))[0]


def appset_text(apps: tuple[str, ...]) -> str:
    """*apps* as the store has them."""
    return _clean("\n".join(apps))


def _clean(text: str) -> str:
    """*text* as a database takes it: no lone surrogate, no NUL, which would end a pattern."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
