"""Bringing a shard back: from its local store, as far as that is complete, and from ``sfc.state`` (EXACTLY-ONCE 13, 19, 24, 32)."""

from __future__ import annotations

from sfc.engine.shard import ShardState
from sfc.errors import ShardStopped
from sfc.log import get_logger
from sfc.ports import Clock, Log, Partition, Reader, Record, StateStore
from sfc.runtime import metrics
from sfc.runtime.checkpoint import Place, read_checkpoint, why_not
from sfc.wire import headers
from sfc.wire.state import decode_shard, shard_key
from sfc.wire.topics import Names

_log = get_logger()

PORTION = 5_000  # records
WIPED = 2_000  # pairs of a store at a time, a few milliseconds
TAKE_S = 0.1
SAY_EACH_S = 2.0  # progress of a restore that takes its time


def changes_of(records: list[Record], end: int) -> tuple[dict[bytes, bytes | None], int]:
    """What records of one partition below ``end`` change in its store, and the highest number of an interval among them."""
    changes: dict[bytes, bytes | None] = {}
    interval = 0
    for record in records:
        if record.offset < end and record.key is not None:
            changes[record.key] = record.value
            interval = max(interval, int(headers.find(record.headers, headers.INTERVAL) or 0))
    return changes, interval


class Restore:
    """Fills the store with the shard's states as of the last committed interval, in portions.

    The fence must have been taken before: then nobody else's transaction can be open here. The end is the high watermark: a
    read-committed client would answer with the last stable offset, and an end of partition comes there too.
    """

    def __init__(self, log: Log, names: Names, number: int, store: StateStore, place: Place, clock: Clock) -> None:
        self._log_port = log
        self._names = names
        self._number = number
        self._store = store
        self._place = place
        self._clock = clock
        self._partition = Partition(names.state, number)
        self._began_ms = clock.now_ms()
        self._began_s = self._said_s = clock.monotonic_s()
        self._end = log.ends([self._partition], committed=False)[self._partition]
        self._start = log.starts([self._partition])[self._partition]
        self._reader: Reader | None = None
        self.records = 0  # read so far
        self._begin()

    def _begin(self, *, again: bool = False) -> None:
        found = read_checkpoint(self._store.checkpoint(self._number))
        own = self._store.get(self._number, shard_key(self._number))
        why = "the log is behind it" if again else why_not(found, self._place, self._start, self._end, self._began_ms)
        if not why and own is None:
            why = "no record of the shard"
        self.cold = why  # why the store had to be filled from the start; "" when it had not
        self._interval = self._stored = 0
        offset = self._start
        if not why and found is not None and own is not None:
            offset, self._interval, self._stored = found.offset, found.interval, decode_shard(own).interval
        elif found is not None:
            _log.info("the local store can't be used, and is filled anew", action="store-wiped", shard=self._number, reason=why)
        self._wiping = bool(why)
        self._seen = False  # a committed record: what an engine that died in the first transaction left behind was never there
        self._first = offset
        self._close_reader()
        self._reader = self._log_port.reader({self._partition: offset}) if offset < self._end else None

    def step(self, until_s: float) -> bool:
        """Empties the store where it must be, and reads on, until the monotonic clock says ``until_s``. Whether all has been read."""
        while self._wiping:
            self._wiping = not self._store.wipe(self._number, WIPED)
            if self._wiping and self._clock.monotonic_s() >= until_s:
                return False
        while self._reader is not None and self._reader.position(self._partition) < self._end:
            records = self._reader.take(PORTION, TAKE_S)
            if records:
                changes, interval = changes_of(records, self._end)
                self._interval = max(self._interval, interval)
                self._seen = self._seen or bool(changes)
                self._store.apply(self._number, changes)
                self.records += len(records)
                metrics.RESTORED_RECORDS.inc(len(records))
            now_s = self._clock.monotonic_s()
            if now_s - self._said_s >= SAY_EACH_S:
                self._say(now_s)
            if now_s >= until_s:
                return self._reader.position(self._partition) >= self._end
        return True

    def _say(self, now_s: float) -> None:
        assert self._reader is not None
        self._said_s = now_s
        done, all_of_it = self._reader.position(self._partition) - self._first, self._end - self._first
        _log.info(
            "restoring a shard", action="shard-restoring", shard=self._number, percent=100 * done // max(1, all_of_it),
            records=self.records, records_per_s=round(self.records / max(0.001, now_s - self._began_s)),
        )  # fmt: skip

    def finish(self) -> ShardState | None:
        """The shard's record, when all has been read. None: the store knew what the log does not, and all is read anew.

        Raises ShardStopped when what stands there can't be a whole shard.
        """
        own = self._store.get(self._number, shard_key(self._number))
        if own is None:
            return self._new_shard(empty=self._start == 0 and not self._seen)
        shard = decode_shard(own)
        if shard.interval < self._stored:  # the log was cut off and has grown again
            self._begin(again=True)
            return None
        if self._interval > shard.interval:
            raise ShardStopped(
                f"shard {self._number} is torn: {self._names.state}-{self._number} has records of interval {self._interval}, its own record"
                f" ends at {shard.interval}. No flow of it is touched until an operator has looked: run `sfc audit`"
            )
        self._store.apply(self._number, {}, self._place.checkpoint(self._end, shard.interval, self._began_ms))
        return shard

    def _new_shard(self, *, empty: bool) -> ShardState:
        """A shard without a record starts at offset 0, and only if nothing can have been lost before."""
        commands = Partition(self._names.commands, self._number)
        start = self._log_port.starts([commands])[commands]
        if start > 0 or not empty:
            raise ShardStopped(
                f"shard {self._number} has no record of its own in {self._names.state}, yet {self._names.commands}-{self._number} starts at"
                f" offset {start} and its state is {'empty' if empty else 'not empty'}: its state was lost, or the topics belong to"
                " different installations. Use another namespace (SFC_NAMESPACE), or bring the topic back"
            )
        return ShardState(self._number)

    def close(self) -> None:
        self._close_reader()

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
