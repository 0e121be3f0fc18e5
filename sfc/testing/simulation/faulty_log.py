"""The log as one process sees it: the embedded log, with that process's traps between. Nothing waits: a timeout lets virtual time pass.

What a client may legally see of Kafka is what happens here: a commit whose outcome is unknown, a record that is given up later or is
lost in silence, a batch in hand when a partition is revoked, an end that answers with an older last stable offset.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.embedded.consumers import EmbeddedConsumer, EmbeddedReader
from sfc.adapters.embedded.producers import EmbeddedProducer, EmbeddedTransaction
from sfc.errors import ProducerFailed
from sfc.ports import Consumer, GroupMember, Headers, Partition, Position, Producer, Record, TopicInfo, TopicSpec, Transaction
from sfc.testing.simulation.clock import VirtualClock
from sfc.testing.simulation.traps import Traps

STUCK_TAKES = 2_000  # empty takes in a row of one reader: who asks so often waits for something that never comes


class Stuck(Exception):
    """A loop that waits for what never comes."""


class FaultyLog:
    """``sfc.ports.Log``. ``chance`` decides how much a take gives and in which order partitions come."""

    def __init__(self, log: EmbeddedLog, traps: Traps, clock: VirtualClock, chance: random.Random) -> None:
        self.inner = log
        self.traps = traps
        self.clock = clock
        self.chance = chance
        self.lagging = 0  # readings of ``ends`` and takes that still show an older last stable offset
        self.definitions_lag = 0  # takes of readers of sfc.definitions that still show nothing new
        self.torn: Callable[[int, list[bytes]], None] | None = None  # hears of the shard and the keys of a torn transaction
        self.stable: dict[Partition, int] = {}  # that older offset, by partition: where this process's last transactions began

    def cluster_id(self) -> str:
        return self.inner.cluster_id()

    def topics(self) -> dict[str, int]:
        return self.inner.topics()

    def describe(self, topic: str) -> TopicInfo | None:
        self.traps.before("describe")
        return self.inner.describe(topic)

    def create(self, topics: Sequence[TopicSpec]) -> None:
        self.inner.create(topics)

    def ends(self, partitions: Sequence[Partition], *, committed: bool = True) -> dict[Partition, int]:
        self.traps.before("ends")
        found = self.inner.ends(partitions, committed=committed)
        return {p: self.shown(p, end) for p, end in found.items()} if committed and self.lagging else found

    def ask_end(self, partition: Partition) -> Callable[[], int | None]:
        """Told when it is looked for a second time, and as late: whoever relies on its being the end of before is found out."""
        self.traps.before("ends")
        looks = 0

        def told() -> int | None:
            nonlocal looks
            looks += 1
            return self.inner.ends([partition], committed=False)[partition] if looks > 1 else None

        return told

    def shown(self, partition: Partition, end: int) -> int:
        """The last stable offset as a broker shows it that has not yet heard of the last transaction's end."""
        return min(end, self.stable.get(partition, end))

    def sync(self) -> None: ...

    def starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        self.traps.before("starts")
        return self.inner.starts(partitions)

    def offsets_at(self, partitions: Sequence[Partition], time_ms: int) -> dict[Partition, int]:
        return self.inner.offsets_at(partitions, time_ms)

    def group_positions(self, group: str) -> dict[Partition, Position]:
        self.traps.before("group")
        return self.inner.group_positions(group)

    def group_members(self, group: str) -> list[GroupMember]:
        return self.inner.group_members(group)

    def set_group_positions(self, group: str, positions: Mapping[Partition, Position]) -> None:
        self.traps.before("group")
        self.inner.set_group_positions(group, positions)
        self.traps.after("group")

    def producer(self, *, gapless: bool = False, busy: bool = False) -> Producer:
        self.traps.before("producer")
        return FaultyProducer(self, self.inner.producer(gapless=gapless, busy=busy), gapless=gapless)

    def transaction(self, transactional_id: str) -> Transaction:
        self.traps.before("fence")
        made = FaultyTransaction(self, self.inner.transaction(transactional_id))
        self.traps.after("fence")
        return made

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        start_at: str = "earliest",
        paused: bool = False,
        assigned: Callable[[list[Partition]], None] | None = None,
        revoked: Callable[[list[Partition]], None] | None = None,
        lost: Callable[[list[Partition]], None] | None = None,
    ) -> FaultyConsumer:
        self.traps.before("join")
        inner = self.inner.consumer(group, topics, start_at=start_at, paused=paused, assigned=assigned, revoked=revoked, lost=lost)
        return FaultyConsumer(self, inner)

    def reader(self, positions: Mapping[Partition, int], *, committed: bool = True) -> FaultyReader:
        self.traps.before("reader")
        return FaultyReader(self, self.inner.reader(positions, committed=committed), tuple(positions), committed=committed)

    def close(self) -> None: ...


class FaultyProducer:
    """``sfc.ports.Producer``."""

    def __init__(self, log: FaultyLog, inner: EmbeddedProducer, *, gapless: bool) -> None:
        self._log = log
        self._traps = log.traps
        self._inner = inner
        self._gapless = gapless
        self._lost = False
        self._given_up: list[Callable[[str], None]] = []

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
        on_failure: Callable[[str], None] | None = None,
    ) -> None:
        traps = self._traps
        op = "job" if on_failure is not None else "command" if self._gapless else "letter"
        traps.before(op)
        if self._lost and self._gapless:
            return  # what comes behind a record that was lost never arrives
        if traps.armed and (kind := traps.instead(op)):
            if on_failure is not None:
                self._given_up.append(on_failure)
            else:
                self._lost = True
            if kind != "given-up-job-in-log":
                return
        self._inner.send(topic, value, key, headers, partition, on_failure)
        traps.after(op)

    def poll(self) -> None:
        self._traps.before("poll")
        self._serve()
        self._inner.poll()

    def _serve(self) -> None:
        while self._given_up:
            self._given_up.pop(0)("not acknowledged in time")

    def flush(self) -> None:
        self._traps.before("flush")
        self._serve()
        self._inner.flush()
        if self._lost:
            raise ProducerFailed("a record was lost")
        self._traps.after("flush")

    def close(self) -> None: ...


class FaultyTransaction:
    """``sfc.ports.Transaction``."""

    def __init__(self, log: FaultyLog, inner: EmbeddedTransaction) -> None:
        self._log = log
        self._traps = log.traps
        self._inner = inner
        self._wrote: list[tuple[str, bytes | None, bytes | None, Headers | None, int | None]] = []

    def begin(self) -> None:
        self._traps.before("begin")
        self._wrote.clear()
        self._inner.begin()
        self._traps.after("begin")

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> None:
        self._traps.before("write")
        if partition is not None and not self._wrote:
            at = Partition(topic, partition)
            self._log.stable[at] = self._log.inner.ends([at], committed=False)[at]
        self._wrote.append((topic, value, key, headers, partition))
        self._inner.send(topic, value, key, headers, partition)
        self._traps.after("write")

    def send_offsets(self, positions: Mapping[Partition, Position], consumer: Consumer) -> None:
        self._traps.before("write")
        self._inner.send_offsets(positions, consumer.inner if isinstance(consumer, FaultyConsumer) else consumer)

    def commit(self) -> None:
        traps = self._traps
        traps.before("commit")
        if traps.armed:
            match traps.instead("commit"):
                case "slow-commit":
                    self._log.clock.advance(1_500)
                case "unknown-commit-undone":
                    raise ProducerFailed("the outcome of the commit is unknown")
                case "unknown-commit-done":
                    self._inner.commit()
                    raise ProducerFailed("the outcome of the commit is unknown")
                case "torn-transaction":
                    self._tear()
                case _:
                    pass
        self._inner.commit()
        traps.after("commit")

    def _tear(self) -> None:
        """Makes the first half of the states visible and nothing else, and kills the process; nothing where there are no states."""
        states = [record for record in self._wrote if record[0].endswith(".state")][:-1]
        half = states[: (len(states) + 1) // 2]
        if not half:
            return
        self._inner.abort()
        self._inner.begin()
        for record in half:
            self._inner.send(*record)
        self._inner.commit()
        number = half[0][4]
        assert number is not None
        assert self._log.torn is not None
        self._log.torn(number, [key for _, _, key, _, _ in half if key is not None])
        self._traps.crash()

    def abort(self) -> None:
        self._traps.before("abort")
        self._inner.abort()
        self._traps.after("abort")

    def close(self) -> None:
        if not self._traps.dead:
            self._inner.close()


class FaultyConsumer:
    """``sfc.ports.Consumer``."""

    def __init__(self, log: FaultyLog, inner: EmbeddedConsumer) -> None:
        self._log = log
        self._traps = log.traps
        self.inner = inner

    def take(self, records_max: int, timeout_s: float) -> list[Record]:
        self._traps.before("take")
        chance = self._log.chance
        most = records_max if chance.random() < 0.7 else chance.randint(1, 4)
        records = self.inner.take(min(most, records_max), 0)
        if len(records) > 1:
            records = _interleaved(records, chance)
        if records and self._traps.armed:
            self._traps.after("take-some")
            while self._traps.instead("take-some"):
                # consume() was seen to run the callbacks of a rebalance and still hand over what it had.
                self.inner.take(0, 0)
        self._traps.after("take")
        return records

    def start(self, partition: Partition, offset: int) -> None:
        self._traps.before("start")
        self.inner.start(partition, offset)

    def pause(self, partitions: Sequence[Partition]) -> None:
        self.inner.pause(partitions)

    def resume(self, partitions: Sequence[Partition]) -> None:
        self.inner.resume(partitions)

    def assignment(self) -> set[Partition]:
        return self.inner.assignment()

    def commit(self, positions: Mapping[Partition, Position], *, wait: bool = True) -> None:
        self._traps.before("group-commit")
        if self._traps.armed and self._traps.instead("group-commit"):
            ends = self._log.inner.ends(list(positions))
            positions = {p: Position(self._log.chance.choice((0, ends[p]))) for p in positions}
        self.inner.commit(positions, wait=wait)
        self._traps.after("group-commit")

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, Position]:
        self._traps.before("committed")
        return self.inner.committed(partitions)

    def close(self) -> None:
        if not self._traps.dead:
            self.inner.close()


def _interleaved(records: list[Record], chance: random.Random) -> list[Record]:
    """The partitions' records in another order; within a partition it stays."""
    queues: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        queues.setdefault((record.topic, record.partition), []).append(record)
    if len(queues) == 1:
        return records
    left = [list(reversed(queue)) for queue in queues.values()]
    mixed: list[Record] = []
    while left:
        queue = left[int(chance.random() * len(left))]
        mixed.append(queue.pop())
        if not queue:
            left.remove(queue)
    return mixed


class FaultyReader:
    """``sfc.ports.Reader``."""

    def __init__(self, log: FaultyLog, inner: EmbeddedReader, partitions: tuple[Partition, ...], *, committed: bool) -> None:
        self._log = log
        self._traps = log.traps
        self._inner = inner
        self._partitions = partitions
        self._committed = committed
        self._definitions = any(p.topic.endswith(".definitions") for p in partitions)
        self._empty = 0

    def take(self, records_max: int, timeout_s: float) -> list[Record]:
        self._traps.before("read")
        log = self._log
        if self._definitions and log.definitions_lag > 0:
            log.definitions_lag -= 1
            return self._waited(timeout_s)
        if log.lagging > 0 and self._committed and any(self._inner.position(p) >= log.stable.get(p, 1 << 62) for p in self._partitions):
            log.lagging -= 1
            return self._waited(timeout_s)
        records = self._inner.take(records_max, 0)
        if not records:
            return self._waited(timeout_s)
        self._empty = 0
        self._traps.after("read")
        return records

    def _waited(self, timeout_s: float) -> list[Record]:
        self._empty += 1
        if timeout_s:
            self._log.clock.advance(int(timeout_s * 1000))
            if self._empty > STUCK_TAKES:
                raise Stuck(f"who reads {', '.join(f'{p.topic}-{p.number}' for p in self._partitions)} waits for ever")
        return []

    def position(self, partition: Partition) -> int:
        return self._inner.position(partition)

    def close(self) -> None:
        if not self._traps.dead:
            self._inner.close()
