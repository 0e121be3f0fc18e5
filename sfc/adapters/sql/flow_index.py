"""The flow index on SQLite, behind ``sfc.ports.RebuildableIndex``. One call of ``index`` is one transaction, its positions included."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sfc.adapters.sql import statements as sql
from sfc.adapters.sql.batch import Batch
from sfc.adapters.sql.connections import Connections
from sfc.engine.events import AnyEvent
from sfc.errors import IndexReplaced
from sfc.monitor.folding import fold
from sfc.monitor.paging import LAST, check_limit, make_cursor, read_cursor
from sfc.monitor.sums import FlowCount, StateCount, check_slices, slices, statistics
from sfc.ports import (
    DeadLetterDocument,
    DeadLetterMark,
    DeadLetterPage,
    FlowDocument,
    FlowIndex,
    FlowPage,
    FlowQuery,
    IndexCounters,
    Partition,
    Statistics,
    Throughput,
)
from sfc.wire.history import HistoryRecord

_decode_flow = msgspec.json.Decoder(FlowDocument).decode
_decode_events = msgspec.json.Decoder(list[AnyEvent]).decode
_decode_dead_letter = msgspec.json.Decoder(DeadLetterDocument).decode


class SqliteFlowIndex:
    """In a file, made with its folder when missing; or, without a path, in memory. Any thread may call anything."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._connections = Connections(path)
        self._followed: int | None = None  # the generation whose positions were asked for

    def close(self) -> None:
        self._connections.close()

    def index(
        self,
        records: Sequence[HistoryRecord],
        dead_letters: Sequence[DeadLetterDocument],
        positions: Mapping[Partition, int],
        marks: Sequence[DeadLetterMark] = (),
    ) -> None:
        with self._connections.writing() as connection:
            self._check_generation(connection)
            batch = Batch(connection)
            for record in records:
                batch.take(record)
            batch.write()
            rows = [(d.id, d.at_ms, d.reason, msgspec.json.encode(d)) for d in dead_letters]
            connection.executemany(sql.PUT_DEAD_LETTER, rows)
            connection.executemany(sql.PUT_MARK, [(m.id, m.state, m.at_ms, m.by) for m in marks])
            connection.executemany(sql.PUT_POSITION, [(at.topic, at.number, position) for at, position in positions.items()])

    def positions(self) -> dict[Partition, int]:
        with self._connections.reading() as connection:
            self._followed = _generation(connection)
            return {Partition(topic, number): position for topic, number, position in connection.execute(sql.POSITIONS)}

    def get(self, flow: str) -> FlowDocument | None:
        row = self._one(sql.GET_FLOW, flow)
        return None if row is None else _decode_flow(row[0])

    def find(self, query: FlowQuery) -> FlowPage:
        check_limit(query.limit)
        conditions, values = _conditions(query)
        with self._connections.reading() as connection:
            statement = sql.FIND_FLOWS.format(conditions=" AND ".join(conditions) or "1")
            rows = connection.execute(statement, (*values, query.limit + 1)).fetchall()
        flows = [_decode_flow(row[0]) for row in rows[: query.limit]]
        more = len(rows) > query.limit
        return FlowPage(flows, make_cursor(flows[-1].started_ms, flows[-1].flow) if more else "")

    def history(self, flow: str, run: int | None = None) -> list[dict[str, Any]]:
        with self._connections.reading() as connection:
            if run is None:
                run = connection.execute(sql.LATEST_RUN, (flow,)).fetchone()[0]
            rows = connection.execute(sql.HISTORY, (flow, run)).fetchall()
        return fold(event for row in rows for event in _decode_events(row[0]))

    def runs(self, flow: str) -> list[int]:
        with self._connections.reading() as connection:
            return [row[0] for row in connection.execute(sql.RUNS, (flow,)).fetchall()]

    def statistics(self, blueprint: str | None = None) -> Statistics:
        where, values = ("", ()) if blueprint is None else ("WHERE blueprint = ?", (blueprint,))
        with self._connections.reading() as connection:
            flow_rows = connection.execute(sql.FLOW_COUNTS.format(where=where), values).fetchall()
            state_rows = connection.execute(sql.STATE_COUNTS.format(where=where), values).fetchall()
            duration_rows = connection.execute(sql.STATE_DURATIONS.format(where=where), values).fetchall()
        buckets: dict[tuple[str, int, str], dict[int, int]] = {}
        for name, version, state, bucket, count in duration_rows:
            buckets.setdefault((name, version, state), {})[bucket] = count
        flows = [FlowCount(name, version, status, bool(held), count) for name, version, status, held, count in flow_rows]
        return statistics(flows, {(row[0], row[1], row[2]): StateCount(*row[3:]) for row in state_rows}, buckets)

    def throughput(self, blueprint: str | None, from_ms: int, to_ms: int, step_ms: int) -> list[Throughput]:
        check_slices(from_ms, to_ms, step_ms)
        values = {"from": from_ms, "to": to_ms, "step": step_ms, "blueprint": blueprint}
        only = "AND blueprint = :blueprint" if blueprint else ""
        ended: dict[int, dict[str, int]] = {}
        with self._connections.reading() as connection:
            started = dict(connection.execute(sql.STARTED.format(only=only), values).fetchall())
            for number, status, count in connection.execute(sql.ENDED.format(only=only), values):
                ended.setdefault(number, {})[status] = count
        return slices(from_ms, to_ms, step_ms, started, ended)

    def dead_letters(self, limit: int = 50, cursor: str = "", state: str = "") -> DeadLetterPage:
        check_limit(limit)
        before = read_cursor(cursor) if cursor else (LAST, "")
        with self._connections.reading() as connection:
            rows = connection.execute(sql.DEAD_LETTERS, (*before, state, limit + 1)).fetchall()
        letters = [_dead_letter(row) for row in rows[:limit]]
        return DeadLetterPage(letters, make_cursor(letters[-1].at_ms, letters[-1].id) if len(rows) > limit else "")

    def dead_letter(self, id: str) -> DeadLetterDocument | None:
        row = self._one(sql.DEAD_LETTER, id)
        return None if row is None else _dead_letter(row)

    def counters(self) -> IndexCounters:
        flows: dict[str, int] = {}
        paused = 0
        with self._connections.reading() as connection:
            for _, _, status, held, count in connection.execute(sql.FLOW_COUNTS.format(where="")):
                flows[status] = flows.get(status, 0) + count
                paused += count if held else 0
            dead = dict(connection.execute(sql.DEAD_LETTER_COUNTS).fetchall())
            events = connection.execute(sql.TOTAL, ("events",)).fetchone()
        return IndexCounters(flows, paused, dead, events[0] if events else 0)

    def fresh(self) -> FlowIndex:
        """In a file beside this one's, or in memory."""
        return SqliteFlowIndex(self._fresh_path(empty=True))

    def replace_by(self, fresh: FlowIndex) -> None:
        """Copies the fresh one's tables over this one's, in one transaction; then its file is removed."""
        if not isinstance(fresh, SqliteFlowIndex):
            raise TypeError("an SQLite index can only be replaced by one of its own")
        path = self._fresh_path()
        if path is None:
            raise TypeError("an index in memory ends with its process and can't be rebuilt")
        fresh.close()
        with self._connections.attached(path) as connection:
            generation = _generation(connection)
            for table in sql.TABLES:
                connection.execute(f"DELETE FROM main.{table}")
                connection.execute(sql.COPY.format(table=table))
            connection.execute(sql.ADD_TOTAL, ("generation", generation + 1))
        self._fresh_path(empty=True)

    def _fresh_path(self, *, empty: bool = False) -> Path | None:
        if self._path is None:
            return None
        path = self._path.with_name(f"{self._path.name}.fresh")
        if empty:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        return path

    def _check_generation(self, connection: sqlite3.Connection) -> None:
        generation = _generation(connection)
        followed, self._followed = self._followed, generation
        if followed not in (None, generation):
            raise IndexReplaced("the flow index has been rebuilt", hint="what was read since is read again")

    def _one(self, statement: str, key: str) -> Any:
        with self._connections.reading() as connection:
            return connection.execute(statement, (key,)).fetchone()


def _generation(connection: sqlite3.Connection) -> int:
    row = connection.execute(sql.TOTAL, ("generation",)).fetchone()
    return int(row[0]) if row else 0


def _dead_letter(row: tuple[bytes, str | None, int, str]) -> DeadLetterDocument:
    letter, state, at_ms, by = _decode_dead_letter(row[0]), *row[1:]
    return letter if state is None else msgspec.structs.replace(letter, state=state, resolved_ms=at_ms, resolved_by=by)


def _conditions(query: FlowQuery) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, *given: Any) -> None:
        conditions.append(condition)
        values.extend(given)

    if query.status == "PAUSED":
        add("status = 'RUNNING' AND paused = 1")
    elif query.status:
        add("status = ?", query.status)
    if query.blueprint:
        add("blueprint = ?", query.blueprint)
    if query.version:
        add("version = ?", query.version)
    if query.state:
        add(sql.IN_STATE, query.state)
    if query.error:
        add("error = ?", query.error)
    if query.started_from_ms:
        add("started_ms >= ?", query.started_from_ms)
    if query.started_to_ms:
        add("started_ms < ?", query.started_to_ms)
    if query.text:
        escaped = query.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        add(sql.SOMEWHERE, *[f"%{escaped}%"] * 3)
    if query.cursor:
        add("(started_ms, flow) < (?, ?)", *read_cursor(query.cursor))
    return conditions, values
