"""Reads named partitions without a group: restores, tails of small topics, displays."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, Message, TopicPartition

from sfc.adapters.kafka.records import record
from sfc.adapters.kafka.troubles import Troubles, logger
from sfc.errors import LogError
from sfc.ports import Partition, Record

_SLICE_S = 0.1


class KafkaReader:
    """See ``sfc.ports.Reader``.

    ``take`` returns early, and empty, when the end of a partition showed that its position moves over a gap: whoever reads up to
    an end offset sees it reached at once, though the last thing before it is a transaction marker.
    ``start_and_end_of`` answers with a partition's log start and end, for offsets that are not there any more.
    """

    def __init__(
        self,
        properties: Mapping[str, object],
        positions: Mapping[Partition, int],
        start_and_end_of: Callable[[Partition], tuple[int, int]],
    ) -> None:
        self._troubles = Troubles(properties, "reader")
        self._positions = dict(positions)
        self._start_and_end_of = start_and_end_of
        self._client = Client({**properties, "error_cb": self._troubles}, logger=logger)
        self._misplaced = False
        self._assign()

    def take(self, records_max: int, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            first = self._client.poll(max(0.0, min(left, _SLICE_S)))
            records: list[Record] = []
            moved = False
            if first is not None:
                rest = self._client.consume(records_max - 1, 0) if records_max > 1 else []
                for message in (first, *rest):
                    error = message.error()
                    if error is None:
                        records.append(one := record(message))
                        self._positions[Partition(one.topic, one.partition)] = one.offset + 1
                    elif error.code() == KafkaError._PARTITION_EOF:
                        moved = self._at_end(message) or moved
                    else:
                        self._trouble(message, error)
                if self._misplaced:
                    self._assign()
            if records or moved or time.monotonic() >= deadline:
                return records

    def position(self, partition: Partition) -> int:
        return self._positions[partition]

    def close(self) -> None:
        self._client.close()

    def _assign(self) -> None:
        self._misplaced = False
        self._client.assign([TopicPartition(p.topic, p.number, offset) for p, offset in self._positions.items()])

    def _at_end(self, message: Message) -> bool:
        partition, offset = self._place(message)
        if offset <= self._positions[partition]:
            return False
        self._positions[partition] = offset
        return True

    def _trouble(self, message: Message, error: KafkaError) -> None:
        if error.fatal():
            raise LogError(f"Kafka at {self._troubles.servers} ended the reader: {self._troubles.say(error)}")
        if error.code() not in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            self._troubles(error)
            return
        partition, _ = self._place(message)
        position = self._positions[partition]
        start, end = self._start_and_end_of(partition)
        name = f"{partition.topic}/{partition.number}"
        if position > end:
            raise LogError(
                f"{name} was to be read from offset {position} on, but ends at {end}: it was truncated, or made again under the same name."
            )
        place = max(position, start)
        if place > position:
            logger.warning("%s begins at offset %d now: what lay between %d and it has been deleted", name, start, position)
        self._positions[partition] = place
        self._misplaced = True  # the client has given this partition up, so it can't be moved: it is assigned again

    @staticmethod
    def _place(message: Message) -> tuple[Partition, int]:
        topic, number, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert number is not None
        return Partition(topic, number), -1 if offset is None else offset
