"""The flow index on SQLite, behind ``sfc.ports.FlowIndex``. One call of ``index`` is one transaction, its positions included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sfc.adapters.sql import statements as sql
from sfc.adapters.sql.batch import Batch
from sfc.adapters.sql.connections import Connections
from sfc.engine.events import AnyEvent
from sfc.errors import BadInput
from sfc.monitor.folding import fold
from sfc.monitor.histogram import percentile
from sfc.ports import (
    BlueprintStatistics,
    DeadLetterDocument,
    DeadLetterPage,
    FlowDocument,
    FlowPage,
    FlowQuery,
    IndexCounters,
    Partition,
    StateStatistics,
    Statistics,
)
from sfc.wire.history import HistoryRecord

PAGE_MAX = 1_000
LAST = 2**63 - 1

_decode_flow = msgspec.json.Decoder(FlowDocument).decode
_decode_events = msgspec.json.Decoder(list[AnyEvent]).decode
_decode_dead_letter = msgspec.json.Decoder(DeadLetterDocument).decode


class SqliteFlowIndex:
    """In a file, made with its folder when missing; or, without a path, in memory. Any thread may call anything."""

    def __init__(self, path: Path | None = None) -> None:
        self._connections = Connections(path)

    def close(self) -> None:
        self._connections.close()

    def index(
        self, records: Sequence[HistoryRecord], dead_letters: Sequence[DeadLetterDocument], positions: Mapping[Partition, int]
    ) -> None:
        with self._connections.writing() as connection:
            batch = Batch(connection)
            for record in records:
                batch.take(record)
            batch.write()
            rows = [(d.id, d.at_ms, d.reason, msgspec.json.encode(d)) for d in dead_letters]
            connection.executemany(sql.PUT_DEAD_LETTER, rows)
            connection.executemany(sql.PUT_POSITION, [(at.topic, at.number, position) for at, position in positions.items()])

    def positions(self) -> dict[Partition, int]:
        with self._connections.reading() as connection:
            return {Partition(topic, number): position for topic, number, position in connection.execute(sql.POSITIONS)}

    def get(self, flow: str) -> FlowDocument | None:
        row = self._one(sql.GET_FLOW, flow)
        return None if row is None else _decode_flow(row[0])

    def find(self, query: FlowQuery) -> FlowPage:
        _check_limit(query.limit)
        conditions, values = _conditions(query)
        with self._connections.reading() as connection:
            statement = sql.FIND_FLOWS.format(conditions=" AND ".join(conditions) or "1")
            rows = connection.execute(statement, (*values, query.limit + 1)).fetchall()
        flows = [_decode_flow(row[0]) for row in rows[: query.limit]]
        more = len(rows) > query.limit
        return FlowPage(flows, _cursor(flows[-1].started_ms, flows[-1].flow) if more else "")

    def history(self, flow: str, run: int | None = None) -> list[dict[str, Any]]:
        with self._connections.reading() as connection:
            if run is None:
                run = connection.execute(sql.LATEST_RUN, (flow,)).fetchone()[0]
            rows = connection.execute(sql.HISTORY, (flow, run)).fetchall()
        return fold(event for row in rows for event in _decode_events(row[0]))

    def statistics(self, blueprint: str | None = None) -> Statistics:
        where, values = ("", ()) if blueprint is None else ("WHERE blueprint = ?", (blueprint,))
        with self._connections.reading() as connection:
            flow_rows = connection.execute(sql.FLOW_COUNTS.format(where=where), values).fetchall()
            state_rows = connection.execute(sql.STATE_COUNTS.format(where=where), values).fetchall()
            duration_rows = connection.execute(sql.STATE_DURATIONS.format(where=where), values).fetchall()
        buckets: dict[tuple[str, int, str], dict[int, int]] = {}
        for name, version, state, bucket, count in duration_rows:
            buckets.setdefault((name, version, state), {})[bucket] = count
        states: dict[tuple[str, int], list[StateStatistics]] = {}
        for name, version, state, *counts in state_rows:
            states.setdefault((name, version), []).append(_state(state, counts, buckets.get((name, version, state), {})))
        flows: dict[tuple[str, int], dict[str, int]] = {}
        paused: dict[tuple[str, int], int] = {}
        for name, version, status, held, count in flow_rows:
            by_status = flows.setdefault((name, version), {})
            by_status[status] = by_status.get(status, 0) + count
            paused[name, version] = paused.get((name, version), 0) + (count if held else 0)
        return Statistics(
            [
                BlueprintStatistics(key[0], key[1], flows.get(key, {}), paused.get(key, 0), states.get(key, []))
                for key in sorted(flows.keys() | states.keys())
            ]
        )

    def dead_letters(self, limit: int = 50, cursor: str = "") -> DeadLetterPage:
        _check_limit(limit)
        before = _parse_cursor(cursor) if cursor else (LAST, "")
        with self._connections.reading() as connection:
            rows = connection.execute(sql.DEAD_LETTERS, (*before, limit + 1)).fetchall()
        letters = [_decode_dead_letter(row[0]) for row in rows[:limit]]
        return DeadLetterPage(letters, _cursor(letters[-1].at_ms, letters[-1].id) if len(rows) > limit else "")

    def dead_letter(self, id: str) -> DeadLetterDocument | None:
        row = self._one(sql.DEAD_LETTER, id)
        return None if row is None else _decode_dead_letter(row[0])

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

    def _one(self, statement: str, key: str) -> Any:
        with self._connections.reading() as connection:
            return connection.execute(statement, (key,)).fetchone()


def _state(state: str, counts: list[int], buckets: dict[int, int]) -> StateStatistics:
    entered, completed, failed, retries, timed, total_ms = counts
    mean_ms = total_ms / timed if timed else 0.0
    return StateStatistics(state, entered, completed, failed, retries, mean_ms, percentile(buckets, 0.5), percentile(buckets, 0.95))


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
        add("(started_ms, flow) < (?, ?)", *_parse_cursor(query.cursor))
    return conditions, values


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= PAGE_MAX:
        raise BadInput(f"a page has 1 to {PAGE_MAX} entries, {limit} were asked for")


def _cursor(time_ms: int, id: str) -> str:
    return f"{time_ms}:{id}"


def _parse_cursor(cursor: str) -> tuple[int, str]:
    time, colon, id_ = cursor.partition(":")
    if not (colon and time.isascii() and time.isdigit() and int(time) <= LAST):
        raise BadInput(f"{cursor!r} is no cursor: give back a page's next_cursor as it came")
    return int(time), id_
