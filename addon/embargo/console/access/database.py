"""The console's own database: accounts, sessions, tokens. What was decided lies elsewhere, in the log and its store.

SQLite in `STATE/console/accounts.sqlite`, mode 600. It holds no secret in the clear but one that cannot be hashed: the
key of the second factor and the key that signs cookies. Passwords, session ids, links and tokens are hashes.
"""

import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from embargo.paths import private_directory

_LOG = logging.getLogger("embargo.console")
NAME = "accounts.sqlite"
_WAIT = 10.0  # seconds for another's write
_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role TEXT NOT NULL,
    source TEXT NOT NULL,            -- local, oidc, proxy
    subject TEXT,                    -- of a provider: issuer and its id of the user
    password TEXT,                   -- argon2id
    disabled INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,           -- seconds since 1970, as all times here
    totp TEXT,                       -- the key, base32; NULL: no second factor
    totp_step INTEGER NOT NULL DEFAULT 0,  -- the newest that was used: none is taken twice
    UNIQUE (source, subject)
) STRICT;
CREATE TABLE recovery (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    PRIMARY KEY (account, hash)
) STRICT;
CREATE TABLE sessions (
    hash TEXT PRIMARY KEY,
    public TEXT NOT NULL UNIQUE,     -- what a page calls it
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created REAL NOT NULL,
    seen REAL NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_of ON sessions (account);
CREATE TABLE links (
    hash TEXT PRIMARY KEY,
    account TEXT REFERENCES accounts (id) ON DELETE CASCADE,  -- whose password is set anew; NULL: makes the first admin
    expires REAL NOT NULL
) STRICT;
CREATE TABLE attempts (key TEXT NOT NULL, time REAL NOT NULL) STRICT;
CREATE INDEX attempts_of ON attempts (key, time);
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,            -- rights, separated by blanks
    created REAL NOT NULL,
    expires REAL NOT NULL,
    used REAL                        -- last
) STRICT;
CREATE INDEX tokens_of ON tokens (account);
CREATE TABLE views (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name TEXT NOT NULL COLLATE NOCASE,
    query TEXT NOT NULL,             -- of the log's page: what stands behind its question mark
    PRIMARY KEY (account, name)
) STRICT;
"""


class Unusable(OSError):
    """The database cannot be used: says why."""


class Database:
    """The file, and transactions on it. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, state: Path) -> "Database":
        """The database below the *state* directory, made where it is missing. Raises OSError."""
        directory = private_directory(private_directory(state) / "console")
        path = directory / NAME
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        path.chmod(0o600)
        database = cls(path)
        with database.change() as rows:
            (version,) = rows.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise Unusable(f"{path} was written by a newer embargo (schema {version}, this one knows {_VERSION})")
            if version < 1:
                for statement in _SCHEMA.split(";\n"):
                    rows.execute(statement)
                rows.execute("INSERT INTO meta VALUES ('secret', ?)", (secrets.token_hex(32),))
                rows.execute(f"PRAGMA user_version = {_VERSION}")
        return database

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with. Raises Unusable, also for what fails in the body."""
        try:
            with closing(self._connect()) as connection:
                yield connection
        except sqlite3.DatabaseError as failure:
            raise Unusable(f"{self.path}: {failure}") from failure

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept whole, or not at all where the body raises."""
        with self.read() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def note(self, statement: str, values: tuple[object, ...]) -> None:
        """A change that nothing depends on, such as when one was last seen: where it cannot be made, that is told."""
        try:
            with self.change() as rows:
                rows.execute(statement, values)
        except Unusable as failure:
            _LOG.warning("%s", failure)

    def secret(self) -> str:
        """The key that signs cookies, hex; made with the database."""
        with self.read() as rows:
            (value,) = rows.execute("SELECT value FROM meta WHERE key = 'secret'").fetchone()
        return str(value)

    def set_url(self, url: str) -> None:
        """Keep where the console is, for links that are made elsewhere."""
        with self.change() as rows:
            rows.execute("INSERT OR REPLACE INTO meta VALUES ('url', ?)", (url,))

    def url(self) -> str:
        """Where the console was last, with a slash at the end."""
        with self.read() as rows:
            found = rows.execute("SELECT value FROM meta WHERE key = 'url'").fetchone()
        return str(found["value"]) if found is not None else "http://127.0.0.1:8090/"

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection
