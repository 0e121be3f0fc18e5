"""The state of one shard as its partition of ``sfc.state`` has it: the flows, and the shard's own record."""

from __future__ import annotations

from typing import NamedTuple

from sfc.engine.shard import ShardState
from sfc.errors import MalformedRecord
from sfc.ports import Log, Partition
from sfc.runtime.audit.reading import Steps, interval_of, records
from sfc.runtime.audit.report import AuditReport
from sfc.wire.partition import partition_of
from sfc.wire.state import decode_shard, shard_key
from sfc.wire.topics import Names


class Stored(NamedTuple):
    """A flow's state: the interval that wrote it, its bytes, and the record's offset."""

    interval: int
    value: bytes
    offset: int


class States:
    """``shard`` is None where it has no record of its own. ``end``: the offset up to which it was read; ``highest``: the highest interval
    of a record. ``was_written``: whether there is any record at all."""

    def __init__(self) -> None:
        self.shard: ShardState | None = None
        self.flows: dict[str, Stored] = {}
        self.end = 0
        self.highest = 0
        self.was_written = False


def read_states(log: Log, names: Names, number: int, shards: int, report: AuditReport, steps: Steps, only: str = "") -> States:
    """Reads the partition to its end. ``only``: the one flow that is asked for."""
    at = Partition(names.state, number)
    start = log.starts([at])[at]
    found = States()
    found.end = log.ends([at])[at]
    found.was_written = start > 0
    own_key = shard_key(number)
    for record in records(log, at, start, found.end, steps):
        if record.key is None:
            continue
        found.was_written = True
        interval = interval_of(record)
        found.highest = max(found.highest, interval)
        if record.key == own_key:
            try:
                found.shard = decode_shard(record.value or b"")
            except MalformedRecord as e:
                report.find("unreadable", f"{at.topic}-{number}@{record.offset}: {e.message}", shard=number)
        elif not record.key.startswith(b"/"):
            flow = record.key.decode("utf-8", "replace")
            if partition_of(record.key, shards) != number:
                report.find("misplaced", f"{at.topic}-{number}@{record.offset} is of a flow of another shard", flow, shard=number)
            elif only and flow != only:
                continue
            elif record.value is None:
                found.flows.pop(flow, None)
            else:
                found.flows[flow] = Stored(interval, record.value, record.offset)
    return found


def interval_now(log: Log, names: Names, number: int, since: int) -> int:
    """The interval of the shard's own record, of those behind the offset ``since``; -1 where none came."""
    at = Partition(names.state, number)
    own_key, found = shard_key(number), -1
    for record in records(log, at, since, log.ends([at])[at], Steps(lambda _done, _total: None)):
        if record.key == own_key:
            found = max(found, interval_of(record))
    return found
