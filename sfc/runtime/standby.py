"""Following the states of shards that are somebody else's, so that taking one over needs no full restore."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sfc.errors import LogError
from sfc.log import get_logger
from sfc.ports import Clock, Log, Partition, Reader, Record, StateStore
from sfc.runtime import metrics
from sfc.runtime.checkpoint import Place, place_of, read_checkpoint, why_not
from sfc.runtime.restore import WIPED, changes_of
from sfc.wire.topics import Names

_log = get_logger()

PORTION = 2_000  # records
SLICE_S = 0.05  # of a lane's turn
LOOK_AT_ENDS_S = 2.0
AGAIN_S = 5.0  # after a log that refused or did not answer


class Standby:
    """The tails of a lane, on its store. It reads what is committed, and says with each look at the ends how far the store is complete;
    whoever takes a shard looks at that as at any checkpoint, and reads on."""

    def __init__(self, log: Log, names: Names, shards: int, store: StateStore, clock: Clock) -> None:
        self._log_port = log
        self._names = names
        self._all = range(shards)
        self._store = store
        self._clock = clock
        self._place: Place | None = None
        self._followed: frozenset[int] = frozenset()
        self._to_wipe: list[int] = []
        self._reader: Reader | None = None
        self._intervals: dict[int, int] = {}  # the highest number that was read
        self._ends: dict[Partition, int] = {}  # as of the last look, at _ends_ms
        self._ends_ms = 0
        self._look_s = 0.0
        self._again_s = 0.0
        self.caught_up = False  # with what was there when it first looked

    def step(self, mine: Iterable[int]) -> int:
        """A slice of following all shards but ``mine``, which are not touched. Returns how many records were read."""
        now_s = self._clock.monotonic_s()
        followed = frozenset(self._all) - frozenset(mine)
        if now_s < self._again_s and followed == self._followed:
            return 0
        try:
            if followed != self._followed or (followed and self._reader is None):
                self._follow(followed)
            if self._reader is None:
                self.caught_up = True
                return 0
            if not self._wiped(now_s + SLICE_S):
                return 0
            self._look(now_s)
            return self._read(self._reader, now_s + SLICE_S)
        except LogError as e:
            _log.warning(e.message, action="standby-stalled", shards=sorted(self._followed))
            self._leave()
            self._again_s = now_s + AGAIN_S
            return 0

    def close(self) -> None:
        self._leave()

    def _leave(self) -> None:
        reader, self._reader = self._reader, None
        self._ends = {}
        if reader is not None:
            reader.close()

    def _follow(self, followed: frozenset[int]) -> None:
        """Begins anew with these shards, each where its store is complete, or at the start with an empty one."""
        self._leave()
        self._followed = followed
        if not followed:
            return
        place = self._place = place_of(self._log_port, self._names)
        partitions = [self._partition(number) for number in sorted(followed)]
        starts, ends = self._log_port.starts(partitions), self._log_port.ends(partitions)
        positions: dict[Partition, int] = {}
        self._to_wipe = []
        for partition in partitions:
            number = partition.number
            found = read_checkpoint(self._store.checkpoint(number))
            why = why_not(found, place, starts[partition], ends[partition], self._clock.now_ms())
            if why or found is None:
                self._to_wipe.append(number)
                positions[partition], self._intervals[number] = starts[partition], 0
            else:
                positions[partition], self._intervals[number] = found.offset, found.interval
        self._reader = self._log_port.reader(positions)
        self._look_s = 0.0

    def _wiped(self, until_s: float) -> bool:
        """Empties what must be filled anew, a portion at least. Whether that is done."""
        while self._to_wipe:
            if self._store.wipe(self._to_wipe[-1], WIPED):
                self._to_wipe.pop()
            elif self._clock.monotonic_s() >= until_s:
                return False
        return True

    def _partition(self, number: int) -> Partition:
        return Partition(self._names.state, number)

    def _look(self, now_s: float) -> None:
        """Every so often: what was the end at the last look has been read, so the store is complete as of then."""
        if now_s < self._look_s or self._reader is None or self._place is None:
            return
        self._look_s = now_s + LOOK_AT_ENDS_S
        behind = 0
        for partition, end in self._ends.items():
            lag = end - self._reader.position(partition)
            behind += max(0, lag)
            if lag <= 0:
                checkpoint = self._place.checkpoint(end, self._intervals[partition.number], self._ends_ms)
                self._store.apply(partition.number, {}, checkpoint)
        metrics.STANDBY_BEHIND.set(behind)
        if self._ends and not behind:
            self.caught_up = True
        self._ends_ms = self._clock.now_ms()
        self._ends = self._log_port.ends([self._partition(number) for number in sorted(self._followed)])

    def _read(self, reader: Reader, until_s: float) -> int:
        done = 0
        while records := reader.take(PORTION, 0):
            by_shard: dict[int, list[Record]] = defaultdict(list)
            for record in records:
                by_shard[record.partition].append(record)
            for number, own in by_shard.items():
                changes, interval = changes_of(own, own[-1].offset + 1)
                self._intervals[number] = max(self._intervals[number], interval)
                self._store.apply(number, changes)
            done += len(records)
            if self._clock.monotonic_s() >= until_s:
                break
        return done
