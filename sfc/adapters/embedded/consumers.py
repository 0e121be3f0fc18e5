"""Those who read the embedded log: members of consumer groups, and readers without a group."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Condition

from sfc.adapters.embedded.broker import Broker
from sfc.adapters.embedded.partition import PartitionLog
from sfc.errors import LogError
from sfc.ports import Partition, Position, Record

Callback = Callable[[list[Partition]], None]


class Cursor:
    """Positions in some partitions, and the records behind them. Used under the broker's lock only."""

    def __init__(self, broker: Broker, wake: Condition, *, committed: bool, start_at: str) -> None:
        self.positions: dict[Partition, int] = {}
        self.paused: set[Partition] = set()
        self._logs: dict[Partition, PartitionLog] = {}
        self._broker = broker
        self._wake = wake
        self._hidden = broker.aborted if committed else None
        self._committed = committed
        self._earliest = start_at == "earliest"
        self._turn = 0

    def add(self, at: Partition, position: int | None) -> None:
        """Reads a partition from a position on; None: from where those start who have none."""
        log = self._logs[at] = self._broker.partition(at)
        self.positions[at] = self._default(at) if position is None else position
        (log.committed_waiters if self._committed else log.raw_waiters).add(self._wake)

    def drop(self, ats: Iterable[Partition]) -> None:
        for at in ats:
            self.positions.pop(at, None)
            self.paused.discard(at)
            self._logs.pop(at, None)
            if (log := self._broker.find(at)) is not None:
                log.committed_waiters.discard(self._wake)
                log.raw_waiters.discard(self._wake)

    def fetch(self, count: int) -> tuple[list[Record], bool]:
        """What is there, up to ``count``, and whether a position moved. Each call begins with another partition."""
        out: list[Record] = []
        moved = False
        order = list(self.positions)
        self._turn += 1
        for i in range(len(order)):
            at = order[(self._turn + i) % len(order)]
            if at in self.paused or len(out) >= count:
                continue
            log = self._broker.find(at)
            if log is None:  # its topic was deleted
                continue
            if log is not self._logs[at]:  # and made again: a position in the old one means nothing
                self.add(at, None)
            position = self.positions[at]
            if position == log.end:
                continue
            if position < log.start or position > log.end:
                position = self._default(at)
            records, after = log.fetch(position, count - len(out), self._hidden)
            moved = moved or after != self.positions[at]
            self.positions[at] = after
            out.extend(records)
        return out, moved

    def _default(self, at: Partition) -> int:
        log = self._broker.partition(at)
        if self._earliest:
            return log.start
        return log.stable if self._committed else log.end


class EmbeddedReader:
    """``sfc.ports.Reader``. ``take`` returns early, with nothing, when all it found was a gap."""

    def __init__(self, broker: Broker, positions: Mapping[Partition, int], *, committed: bool) -> None:
        self._broker = broker
        self._wake = Condition(broker.lock)
        self._cursor = Cursor(broker, self._wake, committed=committed, start_at="earliest")
        with broker.lock:
            for at, position in positions.items():
                self._cursor.add(at, position)

    def take(self, records_max: int, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        with self._broker.lock:
            while True:
                self._broker.check_open()
                records, moved = self._cursor.fetch(records_max)
                left = deadline - time.monotonic()
                if records or moved or left <= 0:
                    return records
                self._wake.wait(left)

    def position(self, partition: Partition) -> int:
        with self._broker.lock:
            return self._cursor.positions[partition]

    def close(self) -> None:
        with self._broker.lock:
            self._cursor.drop(list(self._cursor.positions))


class EmbeddedConsumer:
    """``sfc.ports.Consumer``. Partitions change hands one by one, each after its owner's ``revoked`` has returned."""

    def __init__(
        self,
        broker: Broker,
        group: str,
        topics: Sequence[str],
        *,
        start_at: str,
        paused: bool,
        assigned: Callback | None,
        revoked: Callback | None,
        lost: Callback | None,
        client_id: str,
    ) -> None:
        self._broker = broker
        self.group, self.member = broker.join(group, topics, client_id)
        self._cursor = Cursor(broker, self.member.wake, committed=True, start_at=start_at)
        self._paused = paused
        self._assigned = assigned
        self._revoked = revoked
        self._lost = lost or revoked
        self._waiting: set[Partition] = set()  # assigned, and no position known yet
        self._closed = False

    def take(self, records_max: int, timeout_s: float) -> list[Record]:
        if self._closed:
            raise LogError("The consumer is closed.")
        deadline = time.monotonic() + timeout_s
        member = self.member
        with self._broker.lock:
            member.taking = not member.out
        try:
            while True:
                while self._settle():
                    pass
                with self._broker.lock:
                    self._broker.check_open()
                    if self._unsettled():
                        continue
                    self._find_positions()
                    records, _ = self._cursor.fetch(records_max)
                    left = deadline - time.monotonic()
                    if records or left <= 0:
                        return records
                    member.wake.wait(left)
        finally:
            with self._broker.lock:
                member.taking = False
                member.seen_s = self._broker.now_s()

    def _unsettled(self) -> bool:
        self._broker.expire(self.group)
        member = self.member
        return member.out or bool(member.owned - member.target) or bool(self.group.grantable(member))

    def _settle(self) -> bool:
        """One step towards the target; callbacks run without the lock. False when there is nothing to do."""
        broker, member = self._broker, self.member
        with broker.lock:
            broker.expire(self.group)
            out = member.out
            leaving = sorted(member.owned if out else member.owned - member.target)
            coming = [] if out or leaving else self.group.grantable(member)
            for at in coming:  # it is ours before the callback, which may start it
                member.owned.add(at)
                self._waiting.add(at)
                if self._paused:
                    self._cursor.paused.add(at)
        if leaving:
            self._give_up(leaving, self._lost if out else self._revoked)
        if out:
            broker.rejoin(self.group, member)
            with broker.lock:
                member.taking = True
        if coming and self._assigned is not None:
            self._assigned(coming)
        return bool(out or leaving or coming)

    def _give_up(self, ats: list[Partition], callback: Callback | None) -> None:
        try:
            if callback is not None:
                callback(ats)
        finally:
            with self._broker.lock:
                self.member.owned.difference_update(ats)
                self._waiting.difference_update(ats)
                self._cursor.drop(ats)
                for other in self.group.members:
                    other.wake.notify()

    def _find_positions(self) -> None:
        for at in sorted(self._waiting):  # in the same order each time
            # A position that an open transaction is about to commit: who started before it would repeat the records.
            if at not in self._cursor.paused and at not in self.group.pending and self._broker.find(at) is not None:
                self._waiting.discard(at)
                position = self.group.committed.get(at)
                self._cursor.add(at, None if position is None else position.offset)

    def start(self, partition: Partition, offset: int) -> None:
        with self._broker.lock:
            if partition not in self.member.owned:
                raise LogError(f"{partition.topic}/{partition.number} is not assigned to this consumer.")
            self._waiting.discard(partition)
            self._cursor.add(partition, offset)
            self._cursor.paused.discard(partition)

    def pause(self, partitions: Sequence[Partition]) -> None:
        with self._broker.lock:
            self._cursor.paused.update(at for at in partitions if at in self.member.owned)

    def resume(self, partitions: Sequence[Partition]) -> None:
        with self._broker.lock:
            self._cursor.paused.difference_update(partitions)

    def assignment(self) -> set[Partition]:
        with self._broker.lock:
            return set(self.member.owned)

    def commit(self, positions: Mapping[Partition, Position], *, wait: bool = True) -> None:
        with self._broker.lock:
            if self.member.out:
                raise LogError(f"This consumer has been put out of the group {self.group.name}.")
            self._broker.commit(self.group, positions)
        self._broker.flush()

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, Position]:
        found = self._broker.positions(self.group.name)
        return {at: found[at] for at in partitions if at in found}

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with self._broker.lock:
            owned = sorted(self.member.owned)
            callback = self._lost if self.member.out else self._revoked
        try:
            if owned:
                self._give_up(owned, callback)
        finally:
            self._broker.leave(self.group, self.member)
