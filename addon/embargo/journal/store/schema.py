"""The store's tables (SQLAlchemy Core). What each holds, and why it is cut so.

A record is a row of numbers. What repeats is interned: its *kind* (all that the policy decides: verdict, apps, rule,
endpoint, order, …), *who* (client and user), its *names*, and *extra* (policy, method, status). So every filter is a
set of ids, found in small tables, and every index of `record` ends in the sort key. The text of a record is not here:
`file`, `offset` and `length` say where it stands in the log.

The `by_…` tables are counts for whole hours, days, spans of 32 and ages of 1024 days, kept in the transaction that
writes the rows.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=False)


app = Table("app", metadata, _id(), Column("name", Text, nullable=False, unique=True))
appset = Table(  # the apps of a record, in their order
    "appset", metadata, _id(), Column("text", Text, nullable=False, unique=True)
)
host = Table("host", metadata, _id(), Column("name", Text, nullable=False, unique=True))
names = Table(  # the names of a record; the first is the one that people think of
    "names", metadata, _id(), Column("text", Text, nullable=False, unique=True), Column("host", Integer)
)
names_member = Table(
    "names_member",
    metadata,
    Column("host", Integer, primary_key=True, autoincrement=False),
    Column("names", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
Index("names_member_names", names_member.c.names)
who = Table(
    "who",
    metadata,
    _id(),
    Column("client", Text, nullable=False),  # "" for none
    Column("user", Text, nullable=False),  # a letter before it, so that "" is none
    UniqueConstraint("client", "user"),
)
kind = Table(
    "kind",
    metadata,
    _id(),
    Column("text", Text, nullable=False, unique=True),  # JSON, see `kinds.Kind`
    Column("class", Integer, nullable=False),  # that it counts as, see `kinds`
)
extra = Table("extra", metadata, _id(), Column("text", Text, nullable=False, unique=True))  # JSON, see `kinds.Extra`
file = Table(
    "file",
    metadata,
    _id(),
    Column("stem", Text, nullable=False),
    Column("number", Integer, nullable=False),  # of the chain
    Column("fingerprint", LargeBinary, nullable=False),  # of its first line: what stays when it gets another name
    Column("name", Text, nullable=False),  # when last seen
    Column("first", BigInteger, nullable=False),  # sequence of its first record
    Column("inode", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),  # of the file under that name
    Column("position", BigInteger, nullable=False),  # uncompressed bytes that have been read
    Column("whole", Integer, nullable=False),  # 1: rotated, and read to its end
    Column("first_row", BigInteger, nullable=False),
    Column("last_row", BigInteger, nullable=False),
    Column("lines", BigInteger, nullable=False),  # that are records
    UniqueConstraint("stem", "number", "fingerprint"),
)
broken = Table(
    "broken",
    metadata,
    Column("file", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("why", Text, nullable=False),
)
record = Table(
    "record",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=False),  # in the order of reading; none is used twice
    Column("time", BigInteger, nullable=False),  # microseconds since 1970
    Column("kind", Integer, nullable=False),
    Column("who", Integer, nullable=False),
    Column("names", Integer, nullable=False),
    Column("extra", Integer, nullable=False),
    Column("id_high", BigInteger, nullable=False),  # of event.id
    Column("id_low", BigInteger, nullable=False),
    Column("connection", BigInteger, nullable=False),  # 0 for none
    Column("file", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),  # uncompressed bytes
    Column("length", Integer, nullable=False),  # bytes, line feed included
)
INDEXES = (  # each holds all that filters and counts need, so that the row itself is read for a page alone
    Index("record_time", record.c.time, record.c.row, record.c.kind, record.c.who, record.c.names),
    Index("record_kind", record.c.kind, record.c.time, record.c.row, record.c.who, record.c.names),
    Index("record_who", record.c.who, record.c.time, record.c.row, record.c.kind, record.c.names),
    Index("record_names", record.c.names, record.c.time, record.c.row, record.c.kind, record.c.who),
    Index("record_connection", record.c.connection),
)
UNIQUE = Index("record_id", record.c.id_high, record.c.id_low, unique=True)  # a record is there once

heartbeat = Table(
    "heartbeat",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=False),  # of `record`
    Column("time", BigInteger, nullable=False),
    Column("host", Text),  # observer.hostname
    Column("pid", BigInteger),  # process.pid
    Column("text", Text, nullable=False),  # JSON: the record's embargo.heartbeat
)
Index("heartbeat_time", heartbeat.c.time)


def _counts(name: str, *keys: str, more: tuple[str, ...] = ()) -> Table:
    return Table(
        name,
        metadata,
        *(Column(key, BigInteger, primary_key=True, autoincrement=False) for key in ("level", "bucket", *keys)),
        Column("n", BigInteger, nullable=False),
        *(Column(key, BigInteger, nullable=False) for key in more),
        sqlite_with_rowid=False,
    )


by_class = _counts("by_class", "class")
by_kind = _counts("by_kind", "kind")
by_who = _counts("by_who", "class", "who")
by_names = _counts("by_names", "class", "names")
by_device = _counts(  # n: records that are no shared hits
    "by_device", "who", "appset", more=("shared", "calls", "browser", "agent", "first", "last")
)
