"""What one call of ``index`` changes: collected first, written at the end."""

from __future__ import annotations

import sqlite3
from collections import Counter

import msgspec
from msgspec import Struct

from sfc.adapters.sql import statements as sql
from sfc.monitor.histogram import bucket_of
from sfc.monitor.projection import Counts, OpenStates
from sfc.monitor.taking import Known, take
from sfc.ports import FlowDocument
from sfc.wire.history import HistoryRecord

_encode = msgspec.json.Encoder().encode
_decode_document = msgspec.json.Decoder(FlowDocument).decode
_decode_open = msgspec.json.Decoder(OpenStates).decode


class _Sums(Struct):
    entered: int = 0
    completed: int = 0
    failed: int = 0
    retries: int = 0
    timed: int = 0
    total_ms: int = 0


class Batch:
    """Within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._flows: dict[str, Known | None] = {}
        self._changed: set[str] = set()
        self._history: list[tuple[str, int, int, bytes]] = []
        self._sums: dict[tuple[str, int, str], _Sums] = {}
        self._durations: Counter[tuple[str, int, str, int]] = Counter()
        self._events = 0

    def take(self, record: HistoryRecord) -> None:
        taken = take(self._find(record.flow), record)
        if taken is None:
            return  # the log is being read again
        self._flows[record.flow] = taken.known
        self._changed.add(record.flow)
        if record.events:
            self._history.append((record.flow, record.run, record.first, _encode(record.events)))
            self._events += len(record.events)
        for state, counts in taken.projection.counts.items():
            self._add((taken.known.document.blueprint, taken.known.document.version, state), counts)

    def write(self) -> None:
        many = self._connection.executemany
        many(sql.PUT_FLOW, [_row(known) for flow in self._changed if (known := self._flows[flow])])
        many(sql.PUT_HISTORY, self._history)
        many(sql.ADD_COUNTS, [(*key, s.entered, s.completed, s.failed, s.retries, s.timed, s.total_ms) for key, s in self._sums.items()])
        many(sql.ADD_DURATIONS, [(*key, count) for key, count in self._durations.items()])
        if self._events:
            self._connection.execute(sql.ADD_TOTAL, ("events", self._events))

    def _find(self, flow: str) -> Known | None:
        if flow in self._flows:
            return self._flows[flow]
        row = self._connection.execute(sql.KNOWN_FLOW, (flow,)).fetchone()
        known = None if row is None else Known(_decode_document(row[1]), row[0], _decode_open(row[2]))
        self._flows[flow] = known
        return known

    def _add(self, key: tuple[str, int, str], counts: Counts) -> None:
        sums = self._sums.setdefault(key, _Sums())
        sums.entered += counts.entered
        sums.completed += counts.completed
        sums.failed += counts.failed
        sums.retries += counts.retries
        sums.timed += len(counts.durations_ms)
        sums.total_ms += sum(counts.durations_ms)
        for duration_ms in counts.durations_ms:
            self._durations[(*key, bucket_of(duration_ms))] += 1


def _row(known: Known) -> tuple[object, ...]:
    d = known.document
    paused = 1 if d.paused_by else 0
    return (
        d.flow, d.run, d.seq, known.last, d.blueprint, d.version, d.status, paused, d.started_ms, d.ended_ms, d.error, d.cause,
        _encode(d), _encode(known.open),
    )  # fmt: skip
