"""A consumer without a group: shards by a list that an operator keeps (EXACTLY-ONCE 14, decision 19)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from sfc.ports import Consumer, Log, Partition, Position, Reader, Record

Tell = Callable[[list[Partition]], None]


class FixedConsumer:
    """``sfc.ports.Consumer`` over partitions that never move: assigned with the first ``take``, revoked by ``close``.

    Nobody waits for a group to notice a death: whoever is started again has its shards at once. Two that have the same shard in their
    lists take it from each other by turns. Positions are committed for displays of lag only.
    """

    def __init__(self, log: Log, group: str, partitions: Sequence[Partition], assigned: Tell, revoked: Tell) -> None:
        self._log = log
        self._group = group
        self._partitions = list(partitions)
        self._tell_assigned: Tell | None = assigned
        self._tell_revoked = revoked
        self._places: dict[Partition, int] = {}  # of those that are delivered: the next offset
        self._reader: Reader | None = None
        self._closed = False

    def take(self, records_max: int, timeout_s: float) -> list[Record]:
        tell, self._tell_assigned = self._tell_assigned, None
        if tell is not None:
            tell(list(self._partitions))
        if not self._places:
            time.sleep(timeout_s)
            return []
        if self._reader is None:
            self._reader = self._log.reader(self._places)
        records = self._reader.take(records_max, timeout_s)
        for partition in self._places:
            self._places[partition] = self._reader.position(partition)
        return records

    def start(self, partition: Partition, offset: int) -> None:
        self._places[partition] = offset
        self._begin_anew()

    def pause(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            if self._places.pop(partition, None) is not None:
                self._begin_anew()

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Nothing of what was paused is remembered: the owner names the place with ``start``."""

    def assignment(self) -> set[Partition]:
        return set() if self._closed else set(self._partitions)

    def commit(self, positions: Mapping[Partition, Position], *, wait: bool = True) -> None:
        self._log.set_group_positions(self._group, positions)

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, Position]:
        found = self._log.group_positions(self._group)
        return {partition: found[partition] for partition in partitions if partition in found}

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._places.clear()
            self._begin_anew()
            self._tell_revoked(list(self._partitions))

    def _begin_anew(self) -> None:
        """A reader reads what it was made for; the next ``take`` makes another."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def joined(log: Log, group: str, topic: str, shards: Sequence[int] | None, assigned: Tell, revoked: Tell, lost: Tell) -> Consumer:
    """A lane's consumer: a member of the group, or of these shards."""
    if shards is None:
        return log.consumer(group, [topic], paused=True, assigned=assigned, revoked=revoked, lost=lost)
    return FixedConsumer(log, group, [Partition(topic, number) for number in shards], assigned, revoked)
