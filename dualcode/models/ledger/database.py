"""The ledger's SQLite file: its tables, and what a file must be to count as a ledger."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from dualcode.errors import RunError

FILE = "ledger.sqlite3"
APPLICATION = 0x6475616C
"""SQLite's `application_id` of a ledger: `dual`."""
SCHEMA = 1
"""SQLite's `user_version`. A change of the tables, or of Reply that old entries do not survive, raises it."""
TIMEOUT = 60.0
"""Seconds that SQLite waits where something else than dualcode has locked the file."""

_TABLES = """
CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    hits INTEGER NOT NULL DEFAULT 0,
    hit_tokens INTEGER NOT NULL DEFAULT 0,
    misses INTEGER NOT NULL DEFAULT 0,
    paid_tokens INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE entries (
    key BLOB PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES models (id),
    created REAL NOT NULL,
    used REAL NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    seal BLOB NOT NULL,
    reply BLOB NOT NULL
);
CREATE INDEX entries_by_model ON entries (model);
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the file, made if need be; the caller has the turn to write. Raises RunError."""
    database = sqlite3.connect(path, timeout=TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        application, schema, tables = (
            database.execute(query).fetchone()[0]
            for query in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT COUNT(*) FROM sqlite_master",
            )
        )
        if application == 0 and tables == 0:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first page is written
            database.execute("PRAGMA journal_mode = WAL")
            marks = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA};"
            database.executescript(f"BEGIN; {_TABLES} {marks} COMMIT;")
        elif application != APPLICATION:
            raise RunError(f"{path} is a database of another program, not a ledger", hint=_aside(path))
        elif schema != SCHEMA:
            told = f"{path} is a ledger of schema {schema}; this dualcode knows schema {SCHEMA}"
            raise RunError(told, hint=_aside(path))
        database.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Turn SQLite's errors into one that names the file and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise RunError(f"{path} is damaged, or no ledger: {error}", hint=_aside(path)) from error
        hint = "free the disk, or see to the folder's permissions; then the same command"
        raise RunError(f"{path}: {error}", hint=hint) from error


def _aside(path: Path) -> str:
    # The whole folder: a WAL left beside a new database would be taken for its own.
    return f"mv {path.parent} {path.parent}.aside (a new ledger begins; nothing is deleted), or --no-ledger"
