"""What is in the file, and opening it.

A task row never changes: ``n`` is its place in the line. Fresh tasks need no other row: they are those behind
``book.head``, which is what keeps a claim at the same price from ten tasks to a million. A task's ``life`` begins with
its first claim. Tasks that come from another queue with a history have a life at once, and a negative ``n`` so that
the head never meets them.

A life's ``minion`` is who holds it or settled it, and with a minus whom it was taken
from. The lease is one row per minion, not per task. ``due`` and ``deadline`` are on the monotonic clock of this boot, which
all processes of a host share and which neither jumps nor counts a suspended laptop's sleep; a reboot ends every lease.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from minionize import place
from minionize.engines.guard import Guard
from minionize.errors import EngineError, EngineUnavailable, NoQueue

#: "mini": how the file says what it is.
APPLICATION_ID = 0x6D696E69
VERSION = 1

#: The states of a life; a task without one is fresh.
WAITING, LEASED, DONE, DEAD, FRESH = range(5)
#: The columns of the book that count them.
COLUMNS = ("waiting", "leased", "done", "dead", "fresh")

_HALF = 1 << 63

_DDL = f"""
CREATE TABLE task(n INTEGER PRIMARY KEY, id NOT NULL, param TEXT NOT NULL);
CREATE UNIQUE INDEX task_id ON task(id);
CREATE TABLE life(
  n INTEGER PRIMARY KEY, state INTEGER NOT NULL, due REAL NOT NULL, attempt INTEGER NOT NULL, crashes INTEGER NOT NULL,
  delivery INTEGER NOT NULL, minion INTEGER, since REAL, ended REAL, failure TEXT, result TEXT);
CREATE INDEX waiting ON life(due, n) WHERE state = {WAITING};
CREATE INDEX held ON life(minion) WHERE state = {LEASED};
CREATE INDEX dead ON life(n) WHERE state = {DEAD};
CREATE TABLE minion(
  n INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, host TEXT NOT NULL, pid INTEGER NOT NULL, start INTEGER NOT NULL,
  boot TEXT NOT NULL, namespace TEXT NOT NULL, preemptible INTEGER NOT NULL, deadline REAL);
CREATE INDEX live ON minion(deadline) WHERE deadline IS NOT NULL;
CREATE TABLE book(
  one INTEGER PRIMARY KEY CHECK (one = 1), head INTEGER NOT NULL, tail INTEGER NOT NULL, low INTEGER NOT NULL,
  fresh INTEGER NOT NULL, waiting INTEGER NOT NULL, leased INTEGER NOT NULL, done INTEGER NOT NULL, dead INTEGER NOT NULL,
  drain_who TEXT, drain_at REAL);
INSERT INTO book VALUES(1, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL);
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""


def key_of(id: str) -> int | str:
    """Store an id of ours (16 hex digits) as a number: a third of the space. Others stay text."""
    if len(id) == 16 and not id.strip("0123456789abcdef"):
        return int(id, 16) - _HALF
    return id


def id_of(key: int | str) -> str:
    """Undo :func:`key_of`."""
    return f"{key + _HALF:016x}" if isinstance(key, int) else key


def new_uuid() -> str:
    """Make an identity for a queue."""
    return os.urandom(16).hex()


def connect(path: str, *, create: bool, boot: str) -> tuple[sqlite3.Connection, Guard]:
    """Open the queue at ``path``; raises NoQueue, EngineError where it is no queue of ours, EngineUnavailable."""
    if not create and not _has_content(path):
        raise no_queue(path)
    try:
        guard = Guard(path + "-lock")
    except OSError as error:
        directory = os.path.dirname(path) or "."
        if not os.path.isdir(directory):
            raise EngineError(f"cannot make the queue {path}: there is no directory {directory}.") from error
        raise EngineError(
            f"cannot open the queue {path}: {error.strerror}: {path}-lock\n"
            f"  Even who only looks must be able to write in {directory}; for the events alone:  cd elsewhere, and"
            f" minion-status REPORT_DIR"
        ) from error
    guard.acquire()
    try:
        with Translated(path):
            db = _open(path, create=create)
            try:
                _prepare(db, path, boot, create=create)
            except BaseException:
                db.close()
                raise
    finally:
        guard.release()
    return db, guard


def no_queue(path: str) -> NoQueue:
    """Say that there is nothing at ``path``, and how to make it."""
    return NoQueue(
        f"there is no queue at {path} (in {place.here()}).\n"
        f"  Make one:   seq 10 | minion-queue put -f -     or point to it:  SQLITE_PATH=/path/to/minion-queue.db"
    )


def _has_content(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def _open(path: str, *, create: bool) -> sqlite3.Connection:
    name = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    address = f"file:{name}?mode={'rwc' if create else 'rw'}"
    return sqlite3.connect(
        address, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False, cached_statements=256
    )


def _prepare(db: sqlite3.Connection, path: str, boot: str, *, create: bool) -> None:
    """Check what the file is, make the schema where it is empty, and end the leases of an earlier boot."""

    def ask(statement: str, *values: Any) -> Any:
        row = db.execute(statement, values).fetchone()
        return row[0] if row else None

    application, version = ask("PRAGMA application_id"), ask("PRAGMA user_version")
    if application == 0 and version == 0 and not ask("SELECT count(*) FROM sqlite_master"):
        if not create:
            raise no_queue(path)
        ask("PRAGMA journal_mode = WAL")
        db.executescript(f"BEGIN IMMEDIATE; {_DDL}")
        db.execute("INSERT INTO meta VALUES('uuid', ?), ('boot', ?)", (new_uuid(), boot))
        db.execute("COMMIT")
    elif application != APPLICATION_ID:
        raise EngineError(f"{path} is not a queue of minionize: it is another SQLite file. It was left as it is.")
    elif version > VERSION:
        raise EngineError(
            f"{path} was written by a newer minionize (schema {version}, this one knows {VERSION}).\n"
            f"  pip install --upgrade minionize"
        )
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA cache_size = -8000")
    if ask("SELECT value FROM meta WHERE key = 'boot'") != boot:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE minion SET deadline = 0 WHERE deadline IS NOT NULL")
        db.execute(f"UPDATE life SET due = 0 WHERE state = {WAITING}")
        db.execute("UPDATE meta SET value = ? WHERE key = 'boot'", (boot,))
        db.execute("COMMIT")


class Translated:
    """The one place where SQLite's errors become ours."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        """Remember the file that errors should name."""
        self.path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate what sqlite3 raised."""
        if not isinstance(error, sqlite3.Error):
            return
        words = str(error)
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            raise EngineError(f"{self.path} is not a queue: {words}. It was left as it is.") from error
        if code == sqlite3.SQLITE_READONLY:
            raise EngineError(f"the queue {self.path} cannot be written: {words}.") from error
        if code == sqlite3.SQLITE_CANTOPEN:
            raise EngineError(
                f"cannot open the queue {self.path}: {words}: it and its directory must be there, and yours to write."
            ) from error
        if code == sqlite3.SQLITE_CORRUPT:
            raise EngineError(f"the queue {self.path} is damaged: {words}.") from error
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise EngineUnavailable(f"the queue {self.path} cannot be used now: {words}.") from error
        raise EngineError(f"the queue {self.path} refused: {words}.") from error
