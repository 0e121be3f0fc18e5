"""The storage in a SQLite file. WAL without a sync per commit: what was written outlives the process, not always the machine."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from sfc.adapters.embedded.storage import Contents, Row, StoredPartition, StoredTopic
from sfc.errors import BadInput, LogError, LogInUse
from sfc.ports import Partition, Position

FORMAT = 1
_SHIFT = 40  # a record's row id is its partition's number and its offset: one B-tree, each partition in order

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY, id TEXT NOT NULL, config TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS partitions
    (part INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL, first INTEGER NOT NULL, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS records
    (id INTEGER PRIMARY KEY, tx INTEGER NOT NULL, time INTEGER NOT NULL, key BLOB, headers BLOB, value BLOB);
CREATE TABLE IF NOT EXISTS positions
    (grp TEXT, topic TEXT, number INTEGER, position INTEGER NOT NULL, metadata TEXT NOT NULL, PRIMARY KEY (grp, topic, number));
CREATE TABLE IF NOT EXISTS epochs (id TEXT PRIMARY KEY, epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS transactions (tx INTEGER PRIMARY KEY, aborted INTEGER NOT NULL, partitions TEXT NOT NULL);
"""

_headers_out = msgspec.msgpack.Encoder().encode
_headers_in = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode


class _Batch:
    """Changes that are written together."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.ends: dict[int, int] = {}
        self.topics: list[StoredTopic] = []
        self.starts: dict[int, int] = {}
        self.deleted: list[tuple[int]] = []
        self.positions: dict[tuple[str, str, int], Position] = {}
        self.epochs: dict[str, int] = {}
        self.transactions: dict[int, tuple[int, str] | None] = {}

    def __bool__(self) -> bool:
        return bool(
            self.rows or self.topics or self.starts or self.deleted or self.positions or self.epochs or self.transactions,
        )


class SqliteStorage:
    """``log.sqlite`` in a folder, which belongs to one process at a time."""

    durable = True

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder)
        self._path = folder / "log.sqlite"
        self._open: _Batch = _Batch()
        self._closed: _Batch = _Batch()
        self._spent = ""
        try:
            self._writer = self._connect()
            self._reader = self._connect()
            self._writer.executescript(_SCHEMA)
            self._writer.execute(
                "INSERT OR IGNORE INTO meta VALUES ('format', ?), ('cluster', ?), ('boot', '0')", (str(FORMAT), str(uuid4()))
            )
        except sqlite3.Error as error:
            self._lock.close()
            raise BadInput(f"{self._path} is not a log of SFC: {error}", hint="Move it away, or choose another folder.") from error
        found = self._meta("format")
        if found != str(FORMAT):
            self.close()
            raise BadInput(f"{self._path} has format {found}, this release reads format {FORMAT}.", hint="Use the release that wrote it.")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=4000", "cache_size=-16000"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _meta(self, name: str) -> str:
        return str(self._writer.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0])

    def load(self) -> Contents:
        run = self._writer.execute
        run("UPDATE meta SET value = value + 1 WHERE name = 'boot'")
        parts: dict[str, list[StoredPartition]] = {}
        for part, topic, first, end in run("SELECT part, topic, first, next FROM partitions ORDER BY topic, number").fetchall():
            rows = run("SELECT count(*) FROM records WHERE id >= ? AND id < ?", (part << _SHIFT, part + 1 << _SHIFT)).fetchone()[0]
            parts.setdefault(topic, []).append(StoredPartition(part, first, end, rows))
        topics = run("SELECT name, id, config FROM topics").fetchall()
        transactions = run("SELECT tx, aborted, partitions FROM transactions").fetchall()
        return Contents(
            self._meta("cluster"),
            int(self._meta("boot")),
            [StoredTopic(name, topic_id, json.loads(config), parts[name]) for name, topic_id, config in topics],
            {
                (group, Partition(topic, number)): Position(position, metadata)
                for group, topic, number, position, metadata in run("SELECT * FROM positions").fetchall()
            },
            dict(run("SELECT id, epoch FROM epochs").fetchall()),
            {tx for tx, aborted, _ in transactions if aborted},
            {tx: [Partition(*at) for at in json.loads(wrote)] for tx, aborted, wrote in transactions if not aborted},
        )

    # ---- changes

    def topic(self, topic: StoredTopic) -> None:
        self._open.topics.append(topic)

    def append(self, part: int, row: Row) -> None:
        headers = _headers_out(row.headers) if row.headers else None
        batch = self._open
        batch.rows.append((part << _SHIFT | row.offset, row.tx, row.timestamp_ms, row.key, headers, row.value))
        batch.ends[part] = row.offset + 1

    def start(self, part: int, offset: int) -> None:
        self._open.starts[part] = offset

    def delete(self, part: int, offsets: Sequence[int]) -> None:
        self._open.deleted.extend((part << _SHIFT | offset,) for offset in offsets)

    def position(self, group: str, partition: Partition, position: Position) -> None:
        self._open.positions[group, partition.topic, partition.number] = position

    def epoch(self, transactional_id: str, epoch: int) -> None:
        self._open.epochs[transactional_id] = epoch

    def transaction(self, tx: int, partitions: Sequence[Partition] | None, *, aborted: bool = False) -> None:
        self._open.transactions[tx] = None if partitions is None else (int(aborted), json.dumps(partitions))

    def collect(self) -> dict[int, int]:
        self._closed, self._open = self._open, _Batch()
        return self._closed.ends

    def write(self) -> None:
        if self._spent:
            raise LogError(f"{self._path} could not be written: {self._spent}", hint="Make room on the disk and start again.")
        if not self._closed:
            return
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            self._write(self._closed)
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            self._spent = str(error)  # a later batch must not be written without this one
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise LogError(f"{self._path} could not be written: {error}", hint="Make room on the disk and start again.") from error

    def _write(self, batch: _Batch) -> None:
        run, many = self._writer.execute, self._writer.executemany
        for topic in batch.topics:
            run("INSERT INTO topics VALUES (?, ?, ?)", (topic.name, topic.id, json.dumps(dict(topic.config))))
            many(
                "INSERT INTO partitions VALUES (?, ?, ?, ?, ?)",
                [(p.part, topic.name, number, p.start, p.end) for number, p in enumerate(topic.partitions)],
            )
        if batch.rows:
            many("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", batch.rows)
            many("UPDATE partitions SET next = ? WHERE part = ?", [(end, part) for part, end in batch.ends.items()])
        for part, first in batch.starts.items():
            run("UPDATE partitions SET first = ? WHERE part = ?", (first, part))
            run("DELETE FROM records WHERE id >= ? AND id < ?", (part << _SHIFT, part << _SHIFT | first))
        many("DELETE FROM records WHERE id = ?", batch.deleted)
        many("REPLACE INTO positions VALUES (?, ?, ?, ?, ?)", [(*at, p.offset, p.metadata) for at, p in batch.positions.items()])
        many("REPLACE INTO epochs VALUES (?, ?)", list(batch.epochs.items()))
        for tx, state in batch.transactions.items():
            if state is None:
                run("DELETE FROM transactions WHERE tx = ?", (tx,))
            else:
                run("REPLACE INTO transactions VALUES (?, ?, ?)", (tx, *state))

    # ---- reading

    def read(self, part: int, first: int, before: int, count: int) -> list[Row]:
        rows = self._reader.execute(
            "SELECT id, key, value, headers, time, tx FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            (part << _SHIFT | first, part << _SHIFT | before, count),
        ).fetchall()
        base = part << _SHIFT
        return [
            Row(row_id - base, key, value, _headers_in(headers) if headers else (), time, tx)
            for row_id, key, value, headers, time, tx in rows
        ]

    def first_at(self, part: int, time_ms: int) -> int | None:
        found = self._reader.execute(
            "SELECT id FROM records WHERE id >= ? AND id < ? AND time >= ? AND tx >= 0 ORDER BY id LIMIT 1",
            (part << _SHIFT, part + 1 << _SHIFT, time_ms),
        ).fetchone()
        return None if found is None else int(found[0]) - (part << _SHIFT)

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
        self._lock.close()


def _locked(folder: Path) -> Any:
    """The folder's lock, held until closed (or until the process ends, however it ends)."""
    file = (folder / "log.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise LogInUse(
            f"The log in {folder} is in use: `sfc dev` is running there{f' (process {owner})' if owner else ''}.",
            hint="Stop it, talk to it (SFC_URL), or choose another folder.",
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
