"""How far a shard's local store is complete, so that a restart reads the rest only (EXACTLY-ONCE 19, decision 15).

A checkpoint says: the store has every committed record of the shard's partition of ``sfc.state`` below ``offset``, and nothing that
was not committed; whatever stands there from ``offset`` on was appended after ``at_ms``. It may lag behind the store: reading on from
it gives every key its last value again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from sfc.ports import Clock, Log, Partition
from sfc.wire.topics import DAY_MS, Names

EACH_S = 5.0  # between two checkpoints of a shard that is at work,
EACH_RECORDS = 2_000  # or so many records of sfc.state, whichever is first


class Checkpoint(msgspec.Struct, frozen=True):
    """``cluster`` and ``topic``: the ids of the cluster and of ``sfc.state``. ``interval``: the highest number of an interval that a
    record below ``offset`` may carry. Time in milliseconds since 1970, by this machine's clock."""

    cluster: str
    topic: str
    offset: int
    interval: int
    at_ms: int


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Checkpoint)


class Place(NamedTuple):
    """Which ``sfc.state`` it is, and how old a checkpoint of it may get: a tombstone that is compacted away is not told to a store that
    has slept through it."""

    cluster: str
    topic: str
    age_ms_max: int

    def checkpoint(self, offset: int, interval: int, at_ms: int) -> bytes:
        return _encode(Checkpoint(self.cluster, self.topic, offset, interval, at_ms))


def place_of(log: Log, names: Names) -> Place:
    info = log.describe(names.state)
    retention_ms = int((info and info.config.get("delete.retention.ms")) or DAY_MS)
    return Place(log.cluster_id(), info.id if info else "", retention_ms // 2)


def read_checkpoint(value: bytes | None) -> Checkpoint | None:
    """None where there is none, or another release's."""
    if value is None:
        return None
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError:
        return None


def why_not(found: Checkpoint | None, place: Place, start: int, end: int, now_ms: int) -> str:
    """Why the store can't be gone on from; "" when it can. ``start`` and ``end``: of the shard's partition of ``sfc.state``."""
    if found is None:
        return "no checkpoint"
    if found.cluster != place.cluster:
        return "of another cluster"
    if found.topic != place.topic or not place.topic:
        return "the topic was made anew"
    if found.offset > end:
        return "past the end of the log"
    if found.offset < start:
        return "below the start of the log"
    if found.at_ms > now_ms:
        return "of a time to come"
    if now_ms - found.at_ms > place.age_ms_max:
        return "too old"
    return ""


class Progress:
    """The checkpoints of a shard while its lane commits.

    The end of the partition is asked for before one commit and counts with a later one that begins after the answer, when that has
    succeeded: until then nobody else had taken the shard, so what stood below it was ours, or older. Nobody waits for the answer: a
    lane would stand still meanwhile.
    """

    def __init__(self, place: Place, log: Log, partition: Partition, clock: Clock) -> None:
        self._place = place
        self._log = log
        self._partition = partition
        self._clock = clock
        self._due_s = clock.monotonic_s() + EACH_S
        self._old_s = clock.monotonic_s() + self._young_s
        self._records = 0
        self._end: Callable[[], int | None] = _nothing
        self._asked_ms = 0

    @property
    def _young_s(self) -> float:
        return self._place.age_ms_max / 4000

    def old(self) -> bool:
        """Whether the shard has been idle so long that its record should be written for the checkpoint's sake: an older one would not
        outlive a night."""
        return self._clock.monotonic_s() > self._old_s

    def before_commit(self, records: int, interval: int) -> bytes | None:
        """The checkpoint to store together with what the coming commit changes; None while none is due, or the log has not answered.
        ``records``: about how many the commit appends to ``sfc.state``; ``interval``: its number."""
        self._records += records
        now_s = self._clock.monotonic_s()
        end = self._end()
        if end is None and (now_s >= self._due_s or (self._records >= EACH_RECORDS and self._end is _nothing)):
            self._due_s = now_s + EACH_S  # asked again then, should nobody answer
            self._old_s = max(self._old_s, self._due_s)
            self._records = 0
            self._asked_ms = self._clock.now_ms()
            self._end = self._log.ask_end(self._partition)
            end = self._end()
        if end is None:
            return None
        self._end = _nothing
        self._old_s = now_s + self._young_s
        return self._place.checkpoint(end, interval, self._asked_ms)


def _nothing() -> None:
    """Nothing was asked."""
