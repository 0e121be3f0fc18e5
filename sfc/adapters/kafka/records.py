"""librdkafka's message -> Record. It runs for every record that is read: few calls, no detours."""

from __future__ import annotations

from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message, TopicPartition

from sfc.ports import Headers, Partition, Position, Record

_new = tuple.__new__  # NamedTuple's own constructor is a Python function


def record(message: Message) -> Record:
    kind, at_ms = message.timestamp()
    try:
        headers: Any = message.headers()
    except (UnicodeDecodeError, SystemError):
        headers = None  # header names that aren't UTF-8 are nobody's that SFC knows
    if headers is None:
        headers = ()
    else:
        for header in headers:
            if header[1] is None:  # Kafka has null values in headers; the port has bytes
                headers = _without_nulls(headers)
                break
    return _new(
        Record,
        (
            message.topic(),
            message.partition(),
            message.offset(),
            message.key(),
            message.value(),
            headers,
            at_ms,
            at_ms if kind == TIMESTAMP_LOG_APPEND_TIME else None,
            message.leader_epoch() or 0,
        ),
    )


def _without_nulls(headers: list[tuple[str, bytes | None]]) -> Headers:
    return [(name, value or b"") for name, value in headers]


def to_kafka(partition: Partition, position: Position | None = None) -> TopicPartition:
    if position is None:
        return TopicPartition(partition.topic, partition.number)
    return TopicPartition(partition.topic, partition.number, position.offset, position.metadata)


def from_kafka(found: TopicPartition) -> Partition:
    return Partition(found.topic, found.partition)
