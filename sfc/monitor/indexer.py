"""The indexer: reads ``sfc.history`` and ``sfc.dead-letters`` into the flow index.

The index's own positions count, since they are stored with what was read; the group's are committed for lag displays. So a record
that is delivered again (a kill between index and commit, a rebalance) is skipped or changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sfc.errors import IndexReplaced, IndexUnavailable, LogError
from sfc.log import get_logger
from sfc.monitor.reading import read
from sfc.ports import Consumer, FlowIndex, Log, Partition, Position, Record
from sfc.wire.topics import Names

BATCH = 2_000
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # between attempts while the index is away; the last one repeats


class Indexer:
    """One thread steps it. Several may run: each reads its share of the partitions, into one index."""

    def __init__(
        self, log: Log, names: Names, index: FlowIndex, *, batch: int = BATCH, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.malformed = 0  # history records that could not be read, and were left out
        self._log = log
        self._names = names
        self._index = index
        self._batch = batch
        self._arrived: list[Partition] = []  # wait for their position
        self._monotonic_s = monotonic_s
        self.attempts = 0  # that have failed since the index was last there
        self._wait_until_s = 0.0
        self._logger = get_logger()
        self._consumer: Consumer = log.consumer(
            names.monitor_group,
            [names.history, names.dead_letters],
            paused=True,
            assigned=self._come,
            revoked=self._leave,
        )

    @property
    def ready(self) -> bool:
        return not self._arrived and not self.attempts

    def step(self, timeout_s: float = 0.1) -> int:
        """Indexes what is there. Returns how many records. When the index is away, it is asked again after pauses that grow, and the
        group's membership is kept meanwhile; other errors are raised. Nothing is lost: the same records are read again."""
        if self._monotonic_s() < self._wait_until_s:
            self._consumer.take(self._batch, timeout_s)  # all is paused: for the membership alone
            return 0
        try:
            done = self._read(timeout_s)
        except IndexUnavailable as e:
            self._outlive(e)
            return 0
        except IndexReplaced as e:
            self._arrived = list(self._consumer.assignment())
            self._logger.info(e.message, action="monitor.index-replaced", hint=e.hint)
            return 0
        if self.attempts and (done or not self._arrived):
            self._logger.info("the flow index answers again", action="monitor.index-back", attempts=self.attempts)
            self.attempts = 0
        return done

    def _read(self, timeout_s: float) -> int:
        self._start_arrived()
        taken = self._consumer.take(self._batch, timeout_s)
        # Partitions that came anew during the take wait for their position; what was in hand of them is older than that.
        records = [r for r in taken if Partition(r.topic, r.partition) not in self._arrived]
        self._start_arrived()
        if not records:
            return 0
        positions = {Partition(r.topic, r.partition): r.offset + 1 for r in records}
        try:
            self._log.sync()  # the index is kept elsewhere: it must not know what the log may forget in a crash
            self._take(records, positions)
        except BaseException:
            self._arrived.extend(set(positions) & self._consumer.assignment())
            raise
        try:
            self._consumer.commit({at: Position(offset) for at, offset in positions.items()})
        except LogError as e:  # put out of the group: whoever has the partitions now goes by the index
            self._logger.info("positions were not committed", action="monitor.commit", reason=e.message)
        return len(records)

    def _outlive(self, error: IndexUnavailable) -> None:
        """Everything stands still until the next attempt, and then begins at the index's positions."""
        if not self.attempts:
            self._logger.warning(error.message, action="monitor.index-away", hint=error.hint)
        assigned = self._consumer.assignment()
        self._consumer.pause(list(assigned))
        self._arrived = list(assigned)
        self._wait_until_s = self._monotonic_s() + PAUSES_S[min(self.attempts, len(PAUSES_S) - 1)]
        self.attempts += 1

    def close(self) -> None:
        self._consumer.close()

    def _take(self, records: list[Record], positions: dict[Partition, int]) -> None:
        found = read(records, self._names)
        self.malformed += found.malformed
        self._index.index(found.history, found.dead_letters, positions, found.marks)

    def _come(self, partitions: list[Partition]) -> None:
        self._arrived = [*self._arrived, *partitions]

    def _leave(self, partitions: list[Partition]) -> None:
        self._arrived = [at for at in self._arrived if at not in partitions]

    def _start_arrived(self) -> None:
        """Begins where the index is; where the log is another one by now (made again, or cut off), at its start."""
        if not self._arrived:
            return
        arrived = [at for at in self._arrived if at in self._consumer.assignment()]
        known, starts, ends = self._index.positions(), self._log.starts(arrived), self._log.ends(arrived, committed=False)
        for at in arrived:
            position = known.get(at, starts[at])
            self._consumer.start(at, position if starts[at] <= position <= ends[at] else starts[at])
        self._arrived = []
