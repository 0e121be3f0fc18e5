"""A member of a consumer group (EXACTLY-ONCE 13-15)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka import Consumer as Client

from sfc.adapters.kafka.records import from_kafka, record, to_kafka
from sfc.adapters.kafka.troubles import Troubles, error_of, logger
from sfc.errors import LogError
from sfc.ports import Partition, Position, Record

Callback = Callable[[list[Partition]], None]

_SLICE_S = 0.1  # between two of them Ctrl-C and starts that had to wait get their turn
_STARTING_SLICE_S = 0.01
_LEAVE_SLICE_S = 0.01
_LEAVE_LIMIT_S = 5.0
_DRAINED = 1_000  # records thrown away at a time while leaving
_COORDINATOR_LIMIT_S = 8.0
_COMMIT_RETRY_S = 0.05
_COMMIT_LIMIT_S = 5.0
_COMMIT_AGAIN = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError._WAIT_COORD,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
    }
)
_COMMIT_AGAIN_WHILE_OWNED = _COMMIT_AGAIN | {KafkaError.ILLEGAL_GENERATION}  # a rebalance went by meanwhile; the partition stayed


def _nothing(partitions: list[Partition]) -> None: ...


class KafkaConsumer:
    """See ``sfc.ports.Consumer``.

    An exception out of one of the owner's callbacks is kept while the client finishes its rebalance, and raised by ``take`` or ``close``.
    """

    def __init__(
        self,
        properties: Mapping[str, object],
        topics: Sequence[str],
        *,
        paused: bool,
        assigned: Callback | None,
        revoked: Callback | None,
        lost: Callback | None,
    ) -> None:
        self._troubles = Troubles(properties, f"consumer of group {properties['group.id']}")
        self._reset = OFFSET_END if properties["auto.offset.reset"] == "latest" else OFFSET_BEGINNING
        self._paused = paused
        self._tell_assigned = assigned or _nothing
        self._tell_revoked = revoked or _nothing
        self._tell_lost = lost or self._tell_revoked
        self._raised: BaseException | None = None
        self._owned: set[Partition] = set()
        self._waiting: set[Partition] = set()  # handed over paused, not started yet
        self._begun: dict[Partition, int] = {}  # where a partition was last started
        self._starts: dict[Partition, int] = {}  # starts that the client was not ready for
        self._gone: set[Partition] = set()  # taken away during the present call of take
        self._unwanted: set[Partition] = set()  # came while leaving: the owner never hears of them
        self._unheard: dict[Partition, Position] = {}  # positions on their way to the group
        self._commit_again_s = 0.0
        self._closed = False
        self._leaving = False
        self._client = Client({**properties, "error_cb": self._troubles, "on_commit": self._on_commit}, logger=logger)
        self._client.subscribe(list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def take(self, records_max: int, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        self._gone.clear()
        while True:
            if self._starts:
                self._start_again()
            if self._commit_again_s and time.monotonic() >= self._commit_again_s:
                self._commit_unheard()
            left = deadline - time.monotonic()
            first = self._client.poll(max(0.0, min(left, _STARTING_SLICE_S if self._starts else _SLICE_S)))
            if first is not None:
                # What is queued already comes with it, without waiting.
                rest = self._client.consume(records_max - 1, 0) if records_max > 1 else []
                records = self._read(first, rest)
            else:
                records = []
            self._raise()
            if records or time.monotonic() >= deadline:
                return records

    def start(self, partition: Partition, offset: int) -> None:
        if partition not in self._owned:
            raise LogError(f"{partition.topic}/{partition.number} is not in this consumer's assignment: it can't be started.")
        self._waiting.discard(partition)
        self._begun[partition] = offset
        self._starts[partition] = offset
        self._start_again()

    def pause(self, partitions: Sequence[Partition]) -> None:
        self._client.pause([to_kafka(p) for p in partitions if p in self._owned])

    def resume(self, partitions: Sequence[Partition]) -> None:
        self._client.resume([to_kafka(p) for p in partitions if p in self._owned and p not in self._waiting])

    def assignment(self) -> set[Partition]:
        return set(self._owned)

    def commit(self, positions: Mapping[Partition, Position], *, wait: bool = True) -> None:
        if self._closed and not self._leaving:
            raise LogError("The consumer has left its group: it may not commit any more.")
        if not positions:
            return
        if not wait:
            self._unheard.update(positions)
            self._commit_unheard()
            return
        for partition in positions:
            self._unheard.pop(partition, None)
        offsets = [to_kafka(partition, position) for partition, position in positions.items()]
        deadline = time.monotonic() + _COMMIT_LIMIT_S
        while True:
            error = self._commit(offsets)
            if error is None:
                return
            if error.code() not in _COMMIT_AGAIN or time.monotonic() > deadline:
                break
            time.sleep(_COMMIT_RETRY_S)
        raise self._troubles.translated(KafkaException(error), "committing consumer offsets")

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, Position]:
        try:
            found = self._client.committed([to_kafka(p) for p in partitions], _COORDINATOR_LIMIT_S)
        except KafkaException as e:
            raise self._troubles.translated(e, "asking for committed offsets") from e
        for one in found:
            if one.error is not None:
                raise self._troubles.translated(KafkaException(one.error), "asking for committed offsets")
        return {from_kafka(one): Position(one.offset, one.metadata or "") for one in found if one.offset >= 0}

    def close(self) -> None:
        if self._closed:
            return
        self._closed = self._leaving = True
        # Closing with a rebalance still in the queue answers it twice: librdkafka then leaves before the revoke callback could commit, or
        # ends the whole process ("assert: !rd_kafka_assignment_in_progress"). So it leaves first, and closes when nothing is assigned.
        self._client.unsubscribe()
        deadline = time.monotonic() + _LEAVE_LIMIT_S
        while True:
            self._client.consume(_DRAINED, _LEAVE_SLICE_S)
            if not (self._owned or self._unwanted) or time.monotonic() > deadline:
                break
        self._client.close()
        self._leaving = False
        self._drop(sorted(self._owned), self._tell_revoked)
        self._raise()

    def group_metadata(self) -> Any:
        """What a transaction needs to commit offsets for this member."""
        return self._client.consumer_group_metadata()

    def _commit(self, offsets: list[TopicPartition]) -> KafkaError | None:
        try:
            done = self._client.commit(offsets=offsets, asynchronous=False)
        except KafkaException as e:
            return error_of(e)
        return next((one.error for one in done if one.error is not None), None)

    def _commit_unheard(self) -> None:
        """Sends what was committed without waiting, and of which nothing has been heard."""
        self._commit_again_s = 0.0
        offsets = [to_kafka(partition, position) for partition, position in self._unheard.items() if partition in self._owned]
        if offsets:
            try:
                self._client.commit(offsets=offsets, asynchronous=True)
            except KafkaException as e:
                raise self._troubles.translated(e, "committing consumer offsets") from e

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        for place in places:
            partition = from_kafka(place)
            sent = self._unheard.get(partition)
            failed = error or place.error
            if sent is None or sent.offset != place.offset:
                continue
            if failed is not None and failed.code() in _COMMIT_AGAIN_WHILE_OWNED:
                self._commit_again_s = time.monotonic() + _COMMIT_RETRY_S
            else:
                del self._unheard[partition]
                if failed is not None:
                    logger.warning("offsets of %s/%s were not committed: %s", *partition, self._troubles.say(failed))

    def _read(self, first: Message, rest: Sequence[Message]) -> list[Record]:
        records = []
        for message in (first, *rest):
            error = message.error()
            if error is None:
                records.append(record(message))
            elif error.fatal():
                raise LogError(f"Kafka at {self._troubles.servers} ended the consumer: {self._troubles.say(error)}")
            else:
                self._troubles(error)
        if self._gone or self._waiting or self._starts:
            # The client was seen to run the revoke callback and still hand over the partition's records; and where it was not ready to
            # move, what it has queued comes from another place than the one that was asked for.
            dropped = self._gone | self._waiting | self._starts.keys()
            records = [r for r in records if (r.topic, r.partition) not in dropped]
            self._restart(self._gone & self._owned - self._waiting)
        return records

    def _restart(self, partitions: Iterable[Partition]) -> None:
        """Partitions that went and came back within one call: what was dropped of them may have been theirs anew."""
        for partition in partitions:
            begun = self._begun.get(partition)
            if begun is None:
                position = self.committed([partition]).get(partition)
                begun = self._reset if position is None else position.offset
            self._starts[partition] = begun

    def _start_again(self) -> None:
        for partition, offset in list(self._starts.items()):
            place = TopicPartition(partition.topic, partition.number, offset)
            try:
                self._client.seek(place)
                self._client.resume([place])
            except KafkaException as e:
                if error_of(e).code() not in (KafkaError._STATE, KafkaError._PREV_IN_PROGRESS, KafkaError._TIMED_OUT):
                    raise self._troubles.translated(e, f"starting {partition.topic}/{partition.number}") from e
                # The client isn't ready to move it: take tries again.
            else:
                del self._starts[partition]

    def _on_assign(self, client: Client, places: list[TopicPartition]) -> None:
        partitions = [from_kafka(place) for place in places]
        for place in places:
            # A place of its own saves asking for the group's offset, which would be wrong for a lane anyway.
            place.offset = 0 if self._paused else OFFSET_INVALID
        client.incremental_assign(places)
        if self._closed:
            self._unwanted.update(partitions)
            return
        self._owned.update(partitions)
        if self._paused and places:
            client.pause(places)
            self._waiting.update(partitions)
        if partitions:
            self._guarded(self._tell_assigned, partitions)

    def _on_revoke(self, client: Client, places: list[TopicPartition]) -> None:
        self._drop([from_kafka(place) for place in places], self._tell_revoked)
        client.incremental_unassign(places)

    def _on_lost(self, client: Client, places: list[TopicPartition]) -> None:
        self._drop([from_kafka(place) for place in places], self._tell_lost)
        client.incremental_unassign(places)

    def _drop(self, partitions: list[Partition], tell: Callback) -> None:
        known = [partition for partition in partitions if partition not in self._unwanted]
        if known:
            self._guarded(tell, known)
        for partition in partitions:
            self._unwanted.discard(partition)
            self._owned.discard(partition)
            self._waiting.discard(partition)
            self._begun.pop(partition, None)
            self._starts.pop(partition, None)
            self._unheard.pop(partition, None)
            self._gone.add(partition)

    def _guarded(self, callback: Callback, partitions: list[Partition]) -> None:
        try:
            callback(partitions)
        except BaseException as e:
            self._raised = self._raised or e

    def _raise(self) -> None:
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised
