"""Bringing a shard back from ``sfc.state`` (EXACTLY-ONCE 13, 24, 32)."""

from __future__ import annotations

from sfc.engine.shard import ShardState
from sfc.errors import ShardStopped
from sfc.ports import Log, Partition, StateStore
from sfc.wire import headers
from sfc.wire.state import decode_shard, shard_key
from sfc.wire.topics import Names


def restore(log: Log, names: Names, number: int, store: StateStore) -> ShardState:
    """Fills the store with the shard's flows and returns its record, as of the last committed interval.

    The fence must have been taken before: then nobody else's transaction can be open here. The end is the high watermark: a
    read-committed client would answer with the last stable offset, and an end of partition comes there too.
    Raises ShardStopped when what stands there can't be a whole shard.
    """
    partition = Partition(names.state, number)
    end = log.ends([partition], committed=False)[partition]
    start = log.starts([partition])[partition]
    store.wipe(number)
    shard: ShardState | None = None
    empty = start == 0  # and no committed record: what an engine that died in the first transaction left behind was never there
    interval_max = 0
    own_key = shard_key(number)
    reader = log.reader({partition: start})
    try:
        while reader.position(partition) < end:
            changes: dict[bytes, bytes | None] = {}
            for record in reader.take(5_000, 0.1):
                if record.offset >= end or record.key is None:
                    continue
                empty = False
                interval_max = max(interval_max, int(headers.find(record.headers, headers.INTERVAL) or 0))
                if record.key == own_key:
                    shard = decode_shard(record.value or b"")
                else:
                    changes[record.key] = record.value
            if changes:
                store.apply(number, changes)
    finally:
        reader.close()
    if shard is None:
        return _new_shard(log, names, number, empty=empty)
    if interval_max > shard.interval:
        raise ShardStopped(
            f"shard {number} is torn: {names.state}-{number} has records of interval {interval_max}, its own record ends at"
            f" {shard.interval}. No flow of it is touched until an operator has looked: run `sfc audit`"
        )
    return shard


def _new_shard(log: Log, names: Names, number: int, *, empty: bool) -> ShardState:
    """A shard without a record starts at offset 0, and only if nothing can have been lost before."""
    commands = Partition(names.commands, number)
    start = log.starts([commands])[commands]
    if start > 0 or not empty:
        raise ShardStopped(
            f"shard {number} has no record of its own in {names.state}, yet {names.commands}-{number} starts at offset {start}"
            f" and its state is {'empty' if empty else 'not empty'}: its state was lost, or the topics belong to different installations."
            " Use another namespace (SFC_NAMESPACE), or bring the topic back"
        )
    return ShardState(number)
