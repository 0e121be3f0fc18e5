"""What Kafka's adapter promises beyond the contract that all logs share, on a real broker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from confluent_kafka import Producer as Client
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from sfc.adapters.kafka import KafkaLog
from sfc.errors import LogError, ProducerFailed, RecordTooLarge, TopicMissing, TransactionAborted
from sfc.ports import Consumer, Log, Partition, Position, Reader, Record, TopicSpec
from sfc.wire.partition import partition_of

DEADLINE_S = 60.0


@pytest.fixture
def log(kafka: str) -> Iterator[Log]:
    made = KafkaLog({"bootstrap.servers": kafka})
    yield made
    made.close()


def topic(log: Log, partitions: int = 1, config: dict[str, str] | None = None, records: int = 0) -> str:
    """A new topic with ``records`` in each partition, whose values are their offsets."""
    name = f"kafka.{uuid4().hex[:12]}"
    log.create([TopicSpec(name, partitions, config or {})])
    producer = log.producer(busy=True)
    for number in range(partitions):
        for offset in range(records):
            producer.send(name, b"%d" % offset, partition=number)
    producer.flush()
    producer.close()
    return name


def delete_before(kafka: str, partition: Partition, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for done in admin.delete_records([TopicPartition(partition.topic, partition.number, offset)]).values():
        done.result(DEADLINE_S)


def taken(source: Consumer | Reader, count: int) -> list[Record]:
    records: list[Record] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(records) < count and time.monotonic() < deadline:
        records += source.take(1_000, 0.05)
    return records


def until(true: Callable[[], bool], *consumers: Consumer) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        for consumer in consumers:
            consumer.take(1, 0.02)


def offsets(records: list[Record], number: int) -> list[int]:
    return [record.offset for record in records if record.partition == number]


def test_a_partition_started_within_the_callback_begins_exactly_there(log: Log, kafka: str) -> None:
    name = topic(log, 2, records=500)
    delete_before(kafka, Partition(name, 0), 100)  # offset 0, where a paused partition is parked, is no longer there
    began = {Partition(name, 0): 300, Partition(name, 1): 0}

    def assigned(partitions: list[Partition]) -> None:
        for partition in partitions:
            consumer.start(partition, began[partition])

    consumer = log.consumer(name, [name], paused=True, assigned=assigned)
    records = taken(consumer, 700)
    assert offsets(records, 0) == list(range(300, 500))
    assert offsets(records, 1) == list(range(500))
    consumer.close()


def test_a_running_partition_can_be_started_anew_anywhere(log: Log) -> None:
    name = topic(log, records=2_000)
    place = Partition(name, 0)
    consumer = log.consumer(name, [name], paused=True)
    until(lambda: bool(consumer.assignment()), consumer)
    for offset in (1_500, 10, 1_999, 700, 0):
        consumer.start(place, offset)
        first = consumer.take(5, DEADLINE_S)
        assert offsets(first, 0) == list(range(offset, offset + len(first)))
    consumer.pause([place])
    assert consumer.take(10, 0.1) == []
    consumer.start(place, 1_990)
    assert offsets(taken(consumer, 10), 0) == list(range(1_990, 2_000))
    consumer.start(place, 2_000)
    assert consumer.take(10, 0.1) == []
    consumer.close()


def test_a_partition_of_somebody_else_can_not_be_started(log: Log) -> None:
    name = topic(log)
    consumer = log.consumer(name, [name], paused=True)
    with pytest.raises(LogError, match="not in this consumer's assignment"):
        consumer.start(Partition(name, 0), 0)
    consumer.close()


def test_closing_with_a_rebalance_in_the_queue_still_lets_the_owner_commit(log: Log) -> None:
    """librdkafka left the group before the callback, or ended the process with a failed assertion."""
    name = topic(log, 2, records=3)
    revoked: list[Partition] = []

    def commit(partitions: list[Partition]) -> None:
        revoked.extend(partitions)
        first.commit({partition: Position(2, "left") for partition in partitions})

    first = log.consumer(name, [name], revoked=commit)
    until(lambda: len(first.assignment()) == 2, first)
    second = log.consumer(name, [name])
    until(lambda: bool(revoked), first, second)
    # The first one's own share waits in its queue meanwhile. On a slow machine the group may go round once more, for which it is asked.
    for _ in range(5):
        settled_s = time.monotonic() + DEADLINE_S / 3
        while not second.assignment() and time.monotonic() < settled_s:
            second.take(1, 0.02)
        if second.assignment():
            break
        first.take(1, 0.02)
    assert second.assignment()
    first.close()
    assert sorted(revoked) == [Partition(name, 0), Partition(name, 1)]
    assert second.committed(revoked) == {partition: Position(2, "left") for partition in revoked}
    second.close()


def test_an_exception_in_a_callback_comes_out_of_take_and_the_group_goes_on(log: Log) -> None:
    name = topic(log, records=3)

    def assigned(partitions: list[Partition]) -> None:
        raise ValueError(f"no room for {len(partitions)}")

    consumer = log.consumer(name, [name], assigned=assigned)
    with pytest.raises(ValueError, match="no room for 1"):
        until(lambda: False, consumer)
    assert consumer.assignment() == {Partition(name, 0)}
    assert offsets(taken(consumer, 2), 0)[-1] == 2
    consumer.close()


def test_a_reader_gets_to_the_end_over_trailing_markers(log: Log) -> None:
    name = topic(log)
    transaction = log.transaction(name)
    for end in (transaction.commit, transaction.abort):
        transaction.begin()
        transaction.send(name, b"x", partition=0)
        end()
    place = Partition(name, 0)
    until(
        lambda: log.ends([place], committed=False)[place] >= 2
    )  # the marker follows the commit's answer; what is aborted may never have left
    end_offset = log.ends([place], committed=False)[place]
    reader = log.reader({place: 0})
    records = []
    deadline = time.monotonic() + DEADLINE_S
    while reader.position(place) < end_offset and time.monotonic() < deadline:
        records += reader.take(100, DEADLINE_S)
    assert reader.position(place) >= end_offset
    assert [record.value for record in records] == [b"x"]
    reader.close()
    transaction.close()


def test_a_reader_tells_deleted_records_from_a_topic_made_again(log: Log, kafka: str) -> None:
    name = topic(log, records=10)
    place = Partition(name, 0)
    delete_before(kafka, place, 6)
    reader = log.reader({place: 2})
    assert offsets(taken(reader, 4), 0) == [6, 7, 8, 9]
    reader.close()
    beyond = log.reader({place: 50})
    with pytest.raises(LogError, match="from offset 50 on, but ends at 10"):
        taken(beyond, 1)
    beyond.close()


def test_a_transaction_that_was_refused_a_record_can_be_written_again(log: Log) -> None:
    name, small = topic(log), topic(log, config={"max.message.bytes": "2000"})
    transaction = log.transaction(name)
    transaction.begin()
    transaction.send(name, b"first try", partition=0)
    transaction.send(small, os.urandom(5_000), b"flow", partition=0)
    with pytest.raises(TransactionAborted, match=small) as aborted:
        transaction.commit()
    assert [(where, key) for where, key, _ in aborted.value.refused] == [(small, b"flow")]
    transaction.begin()
    transaction.send(name, b"second try", partition=0)
    transaction.commit()
    reader = log.reader({Partition(name, 0): 0})
    assert [record.value for record in taken(reader, 1)] == [b"second try"]
    reader.close()
    transaction.close()


def test_after_a_slow_commit_the_id_is_to_be_taken_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    name = topic(log)
    transaction = log.transaction(name)
    monkeypatch.setattr("sfc.adapters.kafka.transaction._SLOW_S", 0.0)
    transaction.begin()
    transaction.send(name, b"x", partition=0)
    transaction.commit()
    with pytest.raises(ProducerFailed, match="to be taken again"):
        transaction.begin()
    transaction.close()
    reader = log.reader({Partition(name, 0): 0})
    assert len(taken(reader, 1)) == 1  # finished all the same
    reader.close()


def test_closing_a_transaction_twice_does_no_harm(log: Log) -> None:
    fence = log.transaction(f"kafka-{uuid4().hex[:8]}")
    fence.begin()
    fence.close()
    fence.close()


def test_a_gapless_producer_is_not_handed_what_the_topic_would_refuse(log: Log) -> None:
    small = topic(log, config={"max.message.bytes": "2000"})
    producer = log.producer(gapless=True)
    with pytest.raises(RecordTooLarge, match="up to 2000"):
        producer.send(small, os.urandom(1_900), partition=0, headers=[("origin", b"x" * 200)])
    producer.send(small, os.urandom(1_500), partition=0)
    producer.flush()
    assert log.ends([Partition(small, 0)], committed=False) == {Partition(small, 0): 1}
    producer.close()


def test_keys_choose_the_partition_of_the_java_client(log: Log) -> None:
    name = topic(log, 7)
    producer = log.producer()
    keys = [f"shop:{i}".encode() for i in range(300)]
    for key in keys:
        producer.send(name, b"", key)
    producer.flush()
    producer.close()
    reader = log.reader({Partition(name, number): 0 for number in range(7)})
    assert {r.key: r.partition for r in taken(reader, 300)} == {key: partition_of(key, 7) for key in keys}
    reader.close()


def test_headers_without_value_are_empty(log: Log, kafka: str) -> None:
    name = topic(log)
    foreign = Client({"bootstrap.servers": kafka})
    foreign.produce(name, b"x", headers=[("a", None), ("b", b"1")])
    foreign.flush()
    reader = log.reader({Partition(name, 0): 0})
    assert taken(reader, 1)[0].headers == [("a", b""), ("b", b"1")]
    reader.close()


def test_questions_about_a_topic_that_is_not_there_say_so(log: Log) -> None:
    assert log.describe("kafka.nowhere") is None
    for partition in (Partition("kafka.nowhere", 0), Partition(topic(log), 9)):
        with pytest.raises(TopicMissing):
            log.ends([partition])
