"""A shard's own record, as last committed, without reading the whole of its state: every interval ends with it."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing

from sfc.engine.shard import ShardState
from sfc.errors import LogUnavailable
from sfc.ports import Log, Partition, Record
from sfc.wire.state import decode_shard, shard_key
from sfc.wire.topics import Names

TAIL_RECORDS = 200
LOOK_S = 10.0
_PATIENCE = 100  # times that nothing came


def last_record(log: Log, names: Names, number: int, *, fenced: bool = False) -> ShardState | None:
    """None where the shard has none. ``fenced``: who asks holds its fence, so that nobody's transaction is open, and reads to the high
    watermark: the last stable offset may lag behind the last commit (EXACTLY-ONCE 13), and what goes by an older record writes it back.

    Raises MalformedRecord, and LogUnavailable where not all was read."""
    at = Partition(names.state, number)
    start, end = log.starts([at])[at], log.ends([at], committed=not fenced)[at]
    back = TAIL_RECORDS
    while start < end:
        with closing(all_between(log, at, max(start, end - back), end)) as records:
            own = [r.value for r in records if r.key == shard_key(number)]
        if own:
            return decode_shard(own[-1] or b"")
        if end - back <= start:
            return None
        back *= 20
    return None


def all_between(log: Log, at: Partition, start: int, end: int) -> Generator[Record, None, None]:
    """Committed records from one offset to another. Raises LogUnavailable where they do not come."""
    patience = _PATIENCE
    reader = log.reader({at: start})
    try:
        while (before := reader.position(at)) < end:
            for record in reader.take(5_000, 0.1):
                if record.offset < end:
                    yield record
            patience = _PATIENCE if reader.position(at) > before else patience - 1
            if not patience:
                raise LogUnavailable(f"{at.topic}-{at.number} was not read to offset {end}: it stands at {before}")
    finally:
        reader.close()


def between(log: Log, at: Partition, start: int, end: int, count: int = 2**62, look_s: float = LOOK_S) -> list[Record]:
    """As ``all_between``, for a look: the first ``count`` of them, and those that come in time."""
    reader = log.reader({at: start})
    found: list[Record] = []
    until_s = time.monotonic() + look_s
    try:
        while len(found) < count and reader.position(at) < end and time.monotonic() < until_s:
            found += [record for record in reader.take(min(count, 5_000), 0.2) if record.offset < end]
    finally:
        reader.close()
    return found
