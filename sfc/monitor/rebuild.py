"""A fresh index from the log's start, put in the old one's place when it has caught up."""

from __future__ import annotations

from collections.abc import Callable

from sfc.monitor.reading import read
from sfc.ports import Log, Partition, RebuildableIndex
from sfc.wire.topics import Names

BATCH = 2_000


def rebuild(
    log: Log, names: Names, index: RebuildableIndex, progress: Callable[[int, int], None] = lambda done, total: None, *, batch: int = BATCH
) -> int:
    """Returns how many records were read. ``progress``: offsets read so far, and all. A monitor may run meanwhile: it goes on with the
    old index until the fresh one takes its place, and then with that, from where this stopped reading."""
    topics = log.topics()
    partitions = [Partition(topic, n) for topic in (names.history, names.dead_letters) for n in range(topics.get(topic, 0))]
    starts = log.starts(partitions)
    reader = log.reader(starts)
    fresh = index.fresh()
    count = 0
    try:
        ends = log.ends(partitions)
        while True:
            done = sum(reader.position(at) - starts[at] for at in partitions)
            progress(done, sum(ends[at] - starts[at] for at in partitions))
            if all(reader.position(at) >= ends[at] for at in partitions):
                later = log.ends(partitions)
                if sum(later[at] - ends[at] for at in partitions) <= batch:
                    break  # what came meanwhile is one batch of the monitor's
                ends = later
            taken = reader.take(batch, 0.5)
            if taken:
                found = read(taken, names)
                fresh.index(found.history, found.dead_letters, {Partition(r.topic, r.partition): r.offset + 1 for r in taken}, found.marks)
                count += len(taken)
    except BaseException:
        fresh.close()
        raise
    finally:
        reader.close()
    index.replace_by(fresh)
    return count
