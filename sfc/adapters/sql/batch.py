"""What one call of ``index`` changes: collected first, written at the end."""

from __future__ import annotations

import sqlite3
from collections import Counter

import msgspec
from msgspec import Struct

from sfc.adapters.sql import statements as sql
from sfc.monitor.histogram import bucket_of
from sfc.monitor.projection import Counts, OpenStates, project
from sfc.ports import FlowDocument
from sfc.wire.history import HistoryRecord

_encode = msgspec.json.Encoder().encode
_decode_document = msgspec.json.Decoder(FlowDocument).decode
_decode_open = msgspec.json.Decoder(OpenStates).decode


class _Known(Struct):
    """A flow as the index has it. ``last``: the number of the last event that is in its history."""

    document: FlowDocument
    last: int
    open: OpenStates


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
        self._flows: dict[str, _Known | None] = {}
        self._changed: set[str] = set()
        self._history: list[tuple[str, int, int, bytes]] = []
        self._sums: dict[tuple[str, int, str], _Sums] = {}
        self._durations: Counter[tuple[str, int, str, int]] = Counter()
        self._events = 0

    def take(self, record: HistoryRecord) -> None:
        known = self._find(record.flow)
        last = record.first + len(record.events) - 1
        if known is not None and not _news(known, record, last):
            return  # the log is being read again
        same_run = known is not None and known.document.run == record.run
        projection = project(record, known.open if known is not None and same_run else None)
        document = projection.document
        if known is not None and same_run and document.seq < known.document.seq:
            document = known.document
        self._flows[record.flow] = _Known(document, max(last, known.last if known is not None and same_run else 0), projection.open)
        self._changed.add(record.flow)
        if record.events:
            self._history.append((record.flow, record.run, record.first, _encode(record.events)))
            self._events += len(record.events)
        for state, counts in projection.counts.items():
            self._add((document.blueprint, document.version, state), counts)

    def write(self) -> None:
        many = self._connection.executemany
        many(sql.PUT_FLOW, [_row(known) for flow in self._changed if (known := self._flows[flow])])
        many(sql.PUT_HISTORY, self._history)
        many(sql.ADD_COUNTS, [(*key, s.entered, s.completed, s.failed, s.retries, s.timed, s.total_ms) for key, s in self._sums.items()])
        many(sql.ADD_DURATIONS, [(*key, count) for key, count in self._durations.items()])
        if self._events:
            self._connection.execute(sql.ADD_TOTAL, ("events", self._events))

    def _find(self, flow: str) -> _Known | None:
        if flow in self._flows:
            return self._flows[flow]
        row = self._connection.execute(sql.KNOWN_FLOW, (flow,)).fetchone()
        known = None if row is None else _Known(_decode_document(row[1]), row[0], _decode_open(row[2]))
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


def _news(known: _Known, record: HistoryRecord, last: int) -> bool:
    """Whether the record is later than what is known: of a later run, with later events, or without events and of a later time."""
    document = known.document
    if record.run != document.run:
        return record.run > document.run
    if record.events:
        return last > known.last
    return (record.summary.seq, record.summary.updated_ms) > (document.seq, document.updated_ms)


def _row(known: _Known) -> tuple[object, ...]:
    d = known.document
    paused = 1 if d.paused_by else 0
    return (
        d.flow, d.run, d.seq, known.last, d.blueprint, d.version, d.status, paused, d.started_ms, d.error, d.cause,
        _encode(d), _encode(known.open),
    )  # fmt: skip
