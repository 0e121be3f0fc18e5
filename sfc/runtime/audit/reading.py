"""Reading partitions from one offset to another, with progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from sfc.errors import LogUnavailable
from sfc.ports import Log, Partition, Record
from sfc.wire import headers

Progress = Callable[[int, int], None]
BATCH = 2_000
STALLED_S = 60.0
PAUSE_S = 0.1


class Steps:
    """How far the reading is, in offsets. The total grows as more turns out to be read."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0
        self._total = 0

    def expect(self, offsets: int) -> None:
        self._total += max(0, offsets)

    def moved(self, offsets: int) -> None:
        self._done += offsets
        self._progress(min(self._done, self._total), self._total)


def records(log: Log, partition: Partition, start: int, end: int, steps: Steps) -> Iterator[Record]:
    """The committed records from ``start`` up to ``end``. Raises LogUnavailable when nothing comes for a minute."""
    if start >= end:
        return
    reader = log.reader({partition: start})
    position, moved_s = start, time.monotonic()
    try:
        while position < end:
            for record in reader.take(BATCH, 0.5):
                if record.offset < end:
                    yield record
            now = min(reader.position(partition), end)
            if now > position:
                steps.moved(now - position)
                position, moved_s = now, time.monotonic()
            elif time.monotonic() - moved_s > STALLED_S:
                raise LogUnavailable(
                    f"{partition.topic}-{partition.number} was to be read up to offset {end}, and nothing has come behind"
                    f" {position} for {STALLED_S:.0f} s",
                    hint="is a broker of its replicas away? `sfc doctor` looks at the topics",
                )
    finally:
        reader.close()


def settled_ends(log: Log, partitions: Sequence[Partition], settle_s: float) -> dict[Partition, int]:
    """Where the partitions end for who reads what is committed, when the transactions that are open now have ended; one that stays open
    is waited for as long as ``settle_s``."""
    if not partitions:
        return {}
    aim, until_s = log.ends(partitions, committed=False), time.monotonic() + settle_s
    while True:
        ends = log.ends(partitions)
        if all(ends[at] >= aim[at] for at in partitions) or time.monotonic() >= until_s:
            return ends
        time.sleep(min(PAUSE_S, settle_s))


def interval_of(record: Record) -> int:
    """The interval's number in a record of state or history; -1 where there is none."""
    try:
        return int(headers.find(record.headers, headers.INTERVAL) or -1)
    except ValueError:
        return -1
