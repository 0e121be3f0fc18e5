"""A shard's own record, as last committed, without reading the whole of its state: every interval ends with it."""

from __future__ import annotations

import time

from sfc.engine.shard import ShardState
from sfc.ports import Log, Partition, Record
from sfc.wire.state import decode_shard, shard_key
from sfc.wire.topics import Names

TAIL_RECORDS = 200
LOOK_S = 10.0


def last_record(log: Log, names: Names, number: int) -> ShardState | None:
    """None where the shard has none. Raises MalformedRecord."""
    at = Partition(names.state, number)
    start, end = log.starts([at])[at], log.ends([at])[at]
    back = TAIL_RECORDS
    while start < end:
        own = [r for r in between(log, at, max(start, end - back), end) if r.key == shard_key(number)]
        if own:
            return decode_shard(own[-1].value or b"")
        if end - back <= start:
            return None
        back *= 20
    return None


def between(log: Log, at: Partition, start: int, end: int, count: int = 2**62, look_s: float = LOOK_S) -> list[Record]:
    """Committed records from one offset to another: the first ``count`` of them, and those that come in time."""
    reader = log.reader({at: start})
    found: list[Record] = []
    until_s = time.monotonic() + look_s
    try:
        while len(found) < count and reader.position(at) < end and time.monotonic() < until_s:
            found += [record for record in reader.take(min(count, 5_000), 0.2) if record.offset < end]
    finally:
        reader.close()
    return found
