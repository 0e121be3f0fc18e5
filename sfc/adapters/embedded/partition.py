"""One partition: records in order of offset, open transactions, and what of them is stable."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from operator import attrgetter
from threading import Condition

from sfc.adapters.embedded.storage import MARKER, Row, Storage
from sfc.ports import Headers, Partition, Record

TAIL_RECORDS = 16_384  # a durable partition keeps at most so many records in memory,
TAIL_BYTES = 32 << 20  # and so many bytes; half of it when it grows over that

_offset = attrgetter("offset")


def size_of(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Bytes of a record as Kafka would count them in a batch of its own (70 for the frames, rounded up)."""
    size = 70 + len(key or b"") + len(value or b"")
    for name, content in headers:
        size += len(name) + len(content or b"") + 4
    return size


class PartitionLog:
    """Used under the broker's lock only."""

    def __init__(self, at: Partition, part: int, storage: Storage, *, append_time: bool, start: int = 0, end: int = 0) -> None:
        self.at = at
        self.part = part
        self.start = start
        self.end = end  # the high watermark: the next offset
        self.base = end  # memory holds everything from here on
        self.dirty = 0  # records since the last compaction
        self.kept = 0  # records that the last compaction left
        self.open: dict[int, int] = {}  # first offset by transaction, in order of offset
        self.committed_waiters: set[Condition] = set()
        self.raw_waiters: set[Condition] = set()
        self._append_time = append_time
        self._storage = storage
        self._records: list[Record] = []
        self._txs: list[int] = []
        self._bytes = 0

    @property
    def stable(self) -> int:
        """The last stable offset: where the first open transaction begins, or the end."""
        for first in self.open.values():
            return first
        return self.end

    def append(self, key: bytes | None, value: bytes | None, headers: Headers, time_ms: int, tx: int = 0) -> None:
        offset = self.end
        at = self.at
        self._records.append(
            Record(at.topic, at.number, offset, key, value, headers, time_ms, time_ms if self._append_time else None),
        )
        self._txs.append(tx)
        self._bytes += 200 + len(value or b"")
        self.end = offset + 1
        self.dirty += 1
        if tx > 0 and tx not in self.open:
            self.open[tx] = offset
        self._storage.append(self.part, Row(offset, key, value, headers, time_ms, tx))
        if tx <= 0:
            for waiter in self.committed_waiters:
                waiter.notify()
        for waiter in self.raw_waiters:
            waiter.notify()

    def finish(self, tx: int, time_ms: int) -> None:
        """Ends a transaction here: its marker takes an offset, too."""
        self.open.pop(tx, None)
        self.append(None, None, (), time_ms, MARKER)

    def fetch(self, position: int, count: int, hidden: set[int] | None) -> tuple[list[Record], int]:
        """Up to ``count`` records from ``position`` on, and the next position, behind what nobody can read.
        ``hidden`` are the aborted transactions; None reads everything that is no marker, up to the end."""
        limit = self.end if hidden is None else self.stable
        out: list[Record] = []
        cold = min(self.base, limit)
        while position < cold:
            rows = self._storage.read(self.part, position, cold, max(count - len(out), 100))
            for row in rows:
                if row.tx != MARKER and (hidden is None or row.tx not in hidden):
                    if len(out) == count:
                        return out, row.offset
                    out.append(self._record(row))
            position = rows[-1].offset + 1 if rows else cold
        if position >= limit:
            return out, position
        for i in range(self._index(position), len(self._records)):
            record = self._records[i]
            if record.offset >= limit:
                break
            tx = self._txs[i]
            if tx == 0 or (tx > 0 and (hidden is None or tx not in hidden)):
                if len(out) == count:
                    return out, record.offset
                out.append(record)
        return out, limit

    def first_at(self, time_ms: int) -> int | None:
        """First offset with a timestamp at or after ``time_ms``."""
        found = self._storage.first_at(self.part, time_ms) if self.base > self.start else None
        if found is not None:
            return found
        for record, tx in zip(self._records, self._txs, strict=True):
            if record.timestamp_ms >= time_ms and tx != MARKER:
                return record.offset
        return None

    def trim(self, written: int) -> None:
        """Lets go of records that are read from disk from now on. ``written``: the next offset to be written."""
        if len(self._records) <= TAIL_RECORDS and self._bytes <= TAIL_BYTES:
            return
        cut = min(len(self._records) // 2, self._index(written))
        if cut:
            self.base = self._records[cut].offset if cut < len(self._records) else self.end
            self._keep(self._records[cut:], self._txs[cut:])

    def cut(self, offset: int) -> None:
        """Moves the log start: what is before ``offset`` is gone."""
        if offset > self.start:
            cut = self._index(offset)
            self._keep(self._records[cut:], self._txs[cut:])
            self.start = offset
            self.base = max(self.base, offset)
            self._storage.start(self.part, offset)

    def compact(self, hidden: set[int], tombstones_before_ms: int) -> None:
        """Leaves the last stable record of each key, without tombstones older than a time, without what nobody can read."""
        limit = self.stable
        last: dict[bytes | None, int] = {}
        dropped: list[int] = []
        tombstones: dict[bytes | None, int] = {}
        for offset, key, dead, time_ms, tx in self._outlines(limit):
            if tx == MARKER or tx in hidden:
                dropped.append(offset)
                continue
            if key in last:
                dropped.append(last[key])
            last[key] = offset
            if dead and time_ms < tombstones_before_ms:
                tombstones[key] = offset
        dropped.extend(offset for key, offset in tombstones.items() if last[key] == offset)
        gone = set(dropped)
        kept = [(record, tx) for record, tx in zip(self._records, self._txs, strict=True) if record.offset not in gone]
        self._keep([record for record, _ in kept], [tx for _, tx in kept])
        self._storage.delete(self.part, dropped)
        self.dirty = 0
        self.kept = len(last)

    def _outlines(self, limit: int) -> Iterator[tuple[int, bytes | None, bool, int, int]]:
        position = self.start
        cold = min(self.base, limit)
        while position < cold and (rows := self._storage.read(self.part, position, cold, 1000)):
            for row in rows:
                yield row.offset, row.key, row.value is None, row.timestamp_ms, row.tx
            position = rows[-1].offset + 1
        for record, tx in zip(self._records, self._txs, strict=True):
            if record.offset < limit:
                yield record.offset, record.key, record.value is None, record.timestamp_ms, tx

    def _index(self, offset: int) -> int:
        """Where in memory the first record at or after ``offset`` is."""
        if len(self._records) == self.end - self.base:  # nothing was compacted away
            return max(0, offset - self.base)
        return bisect_left(self._records, offset, key=_offset)

    def _keep(self, records: list[Record], txs: list[int]) -> None:
        self._records, self._txs = records, txs
        self._bytes = sum(200 + len(record.value or b"") for record in records)

    def _record(self, row: Row) -> Record:
        at = self.at
        append_ms = row.timestamp_ms if self._append_time else None
        return Record(at.topic, at.number, row.offset, row.key, row.value, row.headers, row.timestamp_ms, append_ms)
