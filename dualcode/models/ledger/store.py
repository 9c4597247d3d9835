"""The ledger's file: entries and counters in SQLite, and what they come to. All of it blocks; `Ledger` has a
thread for it.
"""

import hashlib
import json
import sqlite3
import time
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dualcode.call import Reply, Usage
from dualcode.errors import InputError, RunError, UnknownNameError
from dualcode.models.ledger.fingerprint import Fingerprint
from dualcode.models.ledger.locks import WRITING, Locks
from dualcode.record import Record

FOLDER = "ledger"
"""The ledger's folder within the folder of the runs."""
PATIENCE = 60.0
"""Seconds to wait for the turn to write; a turn takes milliseconds."""
BATCH = 200
"""Entries that a prune deletes in one turn."""
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


class ModelStats(Record):
    """What the ledger holds and saved of one fingerprint."""

    fingerprint: Fingerprint
    digest: str
    entries: int
    usage: Usage
    """Prompt and completion tokens of the entries."""
    hits: int
    hit_tokens: int
    """Completion tokens that hits saved."""
    misses: int
    """Replies that were paid for and kept."""
    paid_tokens: int
    """Completion tokens of the misses."""


class LedgerStats(Record):
    """What a ledger holds and saved."""

    path: Path
    entries: int
    bytes: int
    """On disk."""
    models: tuple[ModelStats, ...]
    oldest: float | None
    """Seconds since the epoch."""
    newest: float | None

    @property
    def hits(self) -> int:
        """Calls that were answered without asking."""
        return sum(model.hits for model in self.models)

    @property
    def misses(self) -> int:
        """Calls that were paid for and kept."""
        return sum(model.misses for model in self.models)

    @property
    def saved_share(self) -> float | None:
        """The share of all completion tokens that was not paid again; None before the first."""
        saved = sum(model.hit_tokens for model in self.models)
        paid = sum(model.paid_tokens for model in self.models)
        return saved / (saved + paid) if saved + paid else None

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        extra = {"hits": self.hits, "misses": self.misses, "saved_share": self.saved_share}
        return self.model_dump(mode="json") | extra


class Entries(Record):
    """Which entries a prune means; all conditions hold together. Without any: every entry."""

    unused_for: float | None = None
    """Seconds in which they were neither stored nor used."""
    model: str | None = None
    """The served name, or at least 8 digits of the fingerprint's digest."""
    damaged: bool = False
    """Those that cannot be read."""


class Pruned(Record):
    """What a prune deleted, or would delete."""

    entries: int
    tokens: int
    """Completion tokens."""
    bytes: int
    """Given back to the file system; in a dry run, what the entries take."""


class LedgerStore:
    """One open ledger file, for one thread at a time. Other processes may have it open too.

    Raises RunError for a file that is damaged, foreign or of a newer schema, and never changes such a file.
    """

    def __init__(self, folder: Path, locks: Locks, database: sqlite3.Connection) -> None:
        self.path = folder / FILE
        self.locks = locks
        self._database = database

    @classmethod
    def open(cls, folder: Path, *, create: bool = True) -> Self:
        """Open the ledger in `folder`. Raises InputError if there is none and `create` is off."""
        path = folder / FILE
        if not create and not path.exists():
            raise InputError(f"there is no ledger in {folder}", hint="--run-dir FOLDER, where the runs lie")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            locks = Locks(folder / "claims.lock")
        except OSError as error:
            raise RunError(f"cannot write to {folder}: {error}", hint="--run-dir FOLDER") from error
        try:
            with explained(path), locks.held(WRITING, PATIENCE):
                return cls(folder, locks, open_database(path))
        except BaseException:
            locks.close()
            raise

    def close(self) -> None:
        """Close the file."""
        try:
            with self._writing():
                self._database.close()  # the last one out writes the WAL back
        finally:
            self.locks.close()

    def find(self, key: bytes) -> Reply | None:
        """Return the reply that is kept under `key`, and count the hit. Raises RunError if it is damaged."""
        with explained(self.path):
            row = self._database.execute(
                "SELECT model, seal, reply FROM entries WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        model, seal, packed = row
        reply = self._unpack(key, seal, packed)
        with self._turn():
            self._database.execute("UPDATE entries SET used = ? WHERE key = ?", (time.time(), key))
            self._database.execute(
                "UPDATE models SET hits = hits + 1, hit_tokens = hit_tokens + ? WHERE id = ?",
                (reply.usage.completion_tokens, model),
            )
        return reply

    def keep(self, key: bytes, fingerprint: Fingerprint, reply: Reply) -> Reply:
        """Keep the reply and return it, or the one that another process kept before."""
        now, usage = time.time(), reply.usage
        # json.dumps escapes what UTF-8 cannot hold; a model may write half a surrogate pair.
        text = json.dumps(reply.model_dump(mode="json"), separators=(",", ":"))
        packed = zlib.compress(text.encode(), level=1)
        with self._turn():
            named = (fingerprint.digest, fingerprint.model, fingerprint.to_line())
            self._database.execute(
                "INSERT OR IGNORE INTO models (digest, model, fingerprint) VALUES (?, ?, ?)", named
            )
            found = self._database.execute("SELECT id FROM models WHERE digest = ?", named[:1])
            (model,) = found.fetchone()
            tokens = (usage.prompt_tokens, usage.completion_tokens)
            row = (key, model, now, now, *tokens, _seal(key, packed), packed)
            added = self._database.execute(
                "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row
            ).rowcount
            self._database.execute(
                "UPDATE models SET misses = misses + 1, paid_tokens = paid_tokens + ? WHERE id = ?",
                (usage.completion_tokens, model),
            )
            if added:
                return reply
            row = self._database.execute("SELECT seal, reply FROM entries WHERE key = ?", (key,)).fetchone()
        return self._unpack(key, *row)

    def stats(self) -> LedgerStats:
        """Count what is there and what it saved."""
        query = """
            SELECT models.digest, fingerprint, COUNT(key), TOTAL(prompt_tokens), TOTAL(completion_tokens),
                   hits, hit_tokens, misses, paid_tokens
            FROM models LEFT JOIN entries ON entries.model = models.id
            GROUP BY models.id ORDER BY models.model, models.id"""
        with explained(self.path):
            self._database.execute("BEGIN")  # one moment for both queries
            rows = self._database.execute(query).fetchall()
            entries, oldest, newest = self._database.execute(
                "SELECT COUNT(*), MIN(created), MAX(created) FROM entries"
            ).fetchone()
            self._database.execute("COMMIT")
        models: list[ModelStats] = []
        for digest, fingerprint, held, prompt, completion, *counts in rows:
            counted = dict(zip(("hits", "hit_tokens", "misses", "paid_tokens"), counts, strict=True))
            usage = Usage(prompt_tokens=int(prompt), completion_tokens=int(completion))
            known = Fingerprint.model_validate_json(fingerprint)
            models.append(ModelStats(fingerprint=known, digest=digest, entries=held, usage=usage, **counted))
        return LedgerStats(
            path=self.path,
            entries=entries,
            bytes=sum(file.stat().st_size for file in self.path.parent.glob(f"{FILE}*")),
            models=tuple(models),
            oldest=oldest,
            newest=newest,
        )

    def prune(self, which: Entries, *, dry_run: bool = False) -> Pruned:
        """Delete entries in short turns, beside whoever writes, and give their space back.

        A model of which nothing is left is forgotten with its counts of hits and misses.
        Raises UnknownNameError for a model of which the ledger holds nothing.
        """
        with explained(self.path):
            keys = self._keys(which)
        batches = [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]
        counts: list[tuple[int, int, int]] = []
        for batch in batches:
            if dry_run:
                with explained(self.path):
                    counts.append(self._measure(batch))
                continue
            with self._turn():
                counts.append(self._measure(batch))
                self._database.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key in batch])
                self._database.execute("DELETE FROM models WHERE id NOT IN (SELECT model FROM entries)")
        entries, tokens, size = (sum(column) for column in zip((0, 0, 0), *counts, strict=True))
        return Pruned(entries=entries, tokens=tokens, bytes=size if dry_run else self._shrink())

    def _keys(self, which: Entries) -> list[bytes]:
        models = self._database.execute("SELECT id, model, digest FROM models").fetchall()
        wanted = {
            id_
            for id_, model, digest in models
            if which.model in (None, model) or (len(which.model) >= 8 and digest.startswith(which.model))
        }
        if which.model is not None and not wanted:
            known = {model for _, model, _ in models}
            raise UnknownNameError("model", which.model, known, hint="dualcode ledger stats")
        before = time.time() - (which.unused_for or 0.0)
        rows = self._database.execute(
            "SELECT key, model FROM entries WHERE used <= ? ORDER BY rowid", (before,)
        ).fetchall()
        keys = [key for key, model in rows if model in wanted]
        return [key for key in keys if self._is_damaged(key)] if which.damaged else keys

    def _is_damaged(self, key: bytes) -> bool:
        row = self._database.execute("SELECT seal, reply FROM entries WHERE key = ?", (key,)).fetchone()
        try:
            return row is not None and not self._unpack(key, *row)
        except RunError:
            return True

    def _measure(self, keys: list[bytes]) -> tuple[int, int, int]:
        marks = ",".join("?" * len(keys))
        return self._database.execute(
            "SELECT COUNT(*), COALESCE(SUM(completion_tokens), 0), COALESCE(SUM(LENGTH(reply)), 0) "
            f"FROM entries WHERE key IN ({marks})",
            keys,
        ).fetchone()

    def _shrink(self) -> int:
        """Give free pages back, a few in a turn; return the bytes."""
        before, (page,) = self._free_pages(), self._database.execute("PRAGMA page_size").fetchone()
        for _ in range(0, before, BATCH):
            with self._writing():
                self._database.execute(f"PRAGMA incremental_vacuum({BATCH})").fetchall()
        freed = max(0, before - self._free_pages())
        with self._writing():
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return freed * page

    def _free_pages(self) -> int:
        return self._database.execute("PRAGMA freelist_count").fetchone()[0]

    @contextmanager
    def _writing(self) -> Generator[None]:
        with explained(self.path), self.locks.held(WRITING, PATIENCE):
            yield

    @contextmanager
    def _turn(self) -> Generator[None]:
        """Have the turn to write; what is done in it counts as a whole or not at all."""
        with self._writing():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # SQLite itself rolls back for a full disk
                    self._database.execute("ROLLBACK")
                raise

    def _unpack(self, key: bytes, seal: bytes, packed: bytes) -> Reply:
        try:
            if seal != _seal(key, packed):
                raise ValueError("its checksum does not match")
            return Reply.model_validate(json.loads(zlib.decompress(packed)))
        except (ValueError, TypeError, zlib.error) as error:
            raise RunError(
                f"{self.path}: the entry {key.hex()[:16]} is damaged: {error}",
                hint=f"dualcode ledger prune --damaged --run-dir {self.path.parent.parent}",
            ) from error


def open_database(path: Path) -> sqlite3.Connection:
    """Open the file, made if need be; the caller has the turn to write. Raises RunError."""
    database = sqlite3.connect(path, timeout=TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        application, schema, tables = database.execute(
            "SELECT application_id, user_version, (SELECT COUNT(*) FROM sqlite_master)"
            " FROM pragma_application_id, pragma_user_version"
        ).fetchone()
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


def _seal(key: bytes, packed: bytes) -> bytes:
    return hashlib.sha256(key + packed).digest()
