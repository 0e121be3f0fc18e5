"""SQLite connections for one writer at a time and readers in any thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfc.adapters.sql import statements as sql
from sfc.errors import SfcError

BUSY_S = 10.0  # how long a writer waits for another process's


class Connections:
    """Of a file: one connection for writing, one for reading in each thread (WAL: they do not wait for each other).
    In memory: one for all, who take turns."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.RLock()  # who writes
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._writer = self._open()
            self._make_tables()
        except sqlite3.DatabaseError as e:
            self.close()
            raise SfcError(f"the flow index {path} can't be opened: {e}", hint="Delete it: it is made again from the log.") from e

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, undone by an error."""
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    @contextmanager
    def attached(self, path: Path) -> Iterator[sqlite3.Connection]:
        """A transaction over this database (``main``) and another (``fresh``)."""
        with self._lock:
            self._writer.execute("ATTACH ? AS fresh", (str(path),))
            try:
                with self.writing() as connection:
                    yield connection
            finally:
                self._writer.execute("DETACH fresh")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One view of the database for all that is read in it."""
        if self._path is None:
            with self._lock:
                yield self._writer
            return
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open()
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            opened, self._opened = self._opened, []
            for connection in opened:
                connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path or ":memory:", timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        with self._lock:
            self._opened.append(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose the last moments: the log has them, and positions with them
        return connection

    def _make_tables(self) -> None:
        with self.writing() as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] == sql.FORMAT:
                return
            for table in sql.TABLES:
                connection.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in sql.SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={sql.FORMAT}")
