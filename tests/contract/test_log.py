"""The contract of ``sfc.ports.Log``, over every adapter: topics, records, transactions, with the awkward cases."""

from __future__ import annotations

import time

import pytest

from sfc.errors import LogError, ProducerFailed, ProducerFenced, RecordTooLarge, TransactionAborted
from sfc.ports import Log, Partition, Position, TopicSpec
from sfc.wire.partition import murmur2, partition_of
from tests.contract.logs import Backend, commit, everything, group, ids, publish, refused_then_commit, taken, topic, until

# ---- topics


def test_a_topic_is_described_as_it_was_made(log: Log) -> None:
    name = topic(log, 3, cleanup_policy="compact")
    log.create([TopicSpec(name, 7)])  # it is there: left as it is
    info = log.describe(name)
    assert info is not None
    assert (info.name, info.partitions, info.config["cleanup.policy"]) == (name, 3, "compact")
    assert info.config["message.timestamp.type"] == "CreateTime"
    assert info.id != ""
    assert log.topics()[name] == 3
    assert log.describe("contract.nowhere") is None


@pytest.mark.parametrize("name", ["", ".", "..", "a topic", "a/b", "a\x00b", "é", "x" * 250])
def test_a_name_that_no_topic_can_have_is_that_of_no_topic(log: Log, name: str) -> None:
    assert log.describe(name) is None


def test_topics_and_clusters_have_ids_that_last(backend: Backend) -> None:
    log = backend.log
    first, second = topic(log), topic(log)
    before = ids(log, first, second)
    assert len(set(before.values())) == 2
    cluster = log.cluster_id()
    assert cluster
    if backend.lasting:
        log = backend.reopen()
    assert ids(log, first, second) == before
    assert log.cluster_id() == cluster


# ---- records


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
)
def test_murmur2_is_that_of_the_java_client(data: bytes, expected: int) -> None:
    assert murmur2(data) == expected
    assert partition_of(data, 7) == (expected & 0x7FFFFFFF) % 7


def test_a_key_lands_on_its_murmur2_partition(log: Log) -> None:
    name = topic(log, 5)
    keys = [f"key-{i}".encode() for i in range(40)]
    producer = log.producer()
    for key in keys:
        producer.send(name, b"v", key=key)
    producer.flush()
    reader = log.reader({Partition(name, number): 0 for number in range(5)})
    assert {record.key: record.partition for record in taken(reader, 40)} == {key: partition_of(key, 5) for key in keys}
    reader.close()
    producer.close()


def test_a_record_comes_back_whole_and_in_order_per_partition(log: Log) -> None:
    name = topic(log, 2)
    before = time.time() * 1000
    producer = log.producer(busy=True)
    for i in range(300):
        producer.send(name, str(i).encode(), key=b"k", headers=[("a", b"1"), ("a", b""), ("b", bytes([0, 255]))], partition=i % 2)
    producer.send(name, None, key=b"gone", partition=0)
    producer.flush()
    for number in (0, 1):
        reader = log.reader({Partition(name, number): 0})
        got = taken(reader, 150)
        reader.close()
        assert [record.value for record in got] == [str(i).encode() for i in range(number, 300, 2)]
        assert [record.offset for record in got] == list(range(150))
        assert list(got[0].headers) == [("a", b"1"), ("a", b""), ("b", bytes([0, 255]))]
        assert (got[0].topic, got[0].partition, got[0].key, got[0].append_ms) == (name, number, b"k", None)
        assert before - 5000 < got[0].timestamp_ms < time.time() * 1000 + 5000
    assert everything(log, name)[150] is None
    producer.close()


def test_a_gapless_producer_keeps_the_order(log: Log) -> None:
    name = topic(log)
    producer = log.producer(gapless=True)
    values = [str(i).encode() for i in range(2000)]
    for value in values:
        producer.send(name, value, key=b"k", partition=0)
    producer.flush()
    producer.close()
    assert everything(log, name) == values


def test_append_time_is_the_logs_own(log: Log) -> None:
    name = topic(log, message_timestamp_type="LogAppendTime")
    publish(log, name, *[b"%d" % i for i in range(50)])
    reader = log.reader({Partition(name, 0): 0})
    times = [record.append_ms for record in taken(reader, 50)]
    reader.close()
    known = [at for at in times if at is not None]
    assert len(known) == 50
    assert known == sorted(known)
    assert abs(known[0] - time.time() * 1000) < 10_000


def test_offsets_are_found_by_time(log: Log) -> None:
    name = topic(log, message_timestamp_type="LogAppendTime")
    at = Partition(name, 0)
    publish(log, name, b"old")
    reader = log.reader({at: 0})
    first = taken(reader, 1)[0].timestamp_ms
    while time.time() * 1000 < first + 20:
        time.sleep(0.005)
    publish(log, name, b"new")
    second = taken(reader, 1)[0].timestamp_ms
    reader.close()
    assert log.offsets_at([at], first) == {at: 0}
    assert log.offsets_at([at], first + 1) == {at: 1}
    assert log.offsets_at([at], second + 60_000) == {at: 2}


def test_a_record_that_is_too_large_is_refused_when_it_is_sent(log: Log) -> None:
    name = topic(log)
    producer = log.producer()
    with pytest.raises(RecordTooLarge):
        producer.send(name, bytes(16 << 20), partition=0)
    producer.send(name, b"small", partition=0)
    producer.flush()
    producer.close()
    assert everything(log, name) == [b"small"]


def test_a_delivery_that_fails_is_told_when_the_producer_is_asked(log: Log) -> None:
    name = topic(log)
    producer = log.producer()
    failures: list[str] = []
    producer.send(f"{name}.missing", b"lost", on_failure=failures.append)
    producer.send(name, b"kept", partition=0, on_failure=failures.append)
    assert failures == []  # only poll and flush call it
    producer.flush()
    assert len(failures) == 1
    assert failures[0] != ""
    producer.send(name, b"later", partition=0)
    producer.flush()
    producer.close()
    assert everything(log, name) == [b"kept", b"later"]


def test_a_producer_that_lost_a_record_silently_has_failed(log: Log) -> None:
    name = topic(log)
    producer = log.producer()
    producer.send(f"{name}.missing", b"lost")
    with pytest.raises(ProducerFailed):
        producer.flush()
    with pytest.raises(ProducerFailed):
        producer.send(name, b"more", partition=0)
    producer.close()


# ---- transactions


def test_an_abort_leaves_nothing_visible(log: Log) -> None:
    name = topic(log)
    tx = log.transaction(group())
    tx.begin()
    tx.send(name, b"aborted", partition=0)
    tx.abort()
    tx.begin()
    tx.send(name, b"committed", partition=0)
    tx.commit()
    tx.close()
    assert everything(log, name) == [b"committed"]


def test_a_reader_moves_over_the_gap_of_an_aborted_transaction(log: Log) -> None:
    name = topic(log)
    at = Partition(name, 0)
    tx = log.transaction(group())
    tx.begin()
    tx.send(name, b"1", partition=0)
    tx.send(name, b"2", partition=0)
    until(lambda: log.ends([at], committed=False)[at] == 2)  # sooner, a client may never send what is aborted
    assert log.ends([at]) == {at: 0}
    tx.abort()
    tx.close()
    until(lambda: log.ends([at])[at] == 3)  # two records and the transaction's marker
    assert everything(log, name) == []
    publish(log, name, b"after")
    reader = log.reader({at: 0})
    (record,) = taken(reader, 1)
    assert (record.offset, record.value) == (3, b"after")
    assert reader.position(at) == 4
    reader.close()


def test_the_end_of_a_partition_that_is_not_there_is_never_told(log: Log) -> None:
    told = log.ask_end(Partition(f"{group()}.nowhere", 0))
    here = log.ask_end(Partition(topic(log), 0))
    until(lambda: here() == 0)
    assert told() is None


def test_only_an_uncommitted_reader_sees_open_records(log: Log) -> None:
    name = topic(log)
    at = Partition(name, 0)
    publish(log, name, b"plain")
    tx = log.transaction(group())
    tx.begin()
    tx.send(name, b"open", partition=0)
    until(lambda: log.ends([at], committed=False)[at] == 2)
    publish(log, name, b"behind")
    assert log.ends([at]) == {at: 1}
    assert log.ends([at], committed=False) == {at: 3}
    told = log.ask_end(at)
    until(lambda: told() is not None)
    assert told() == 3
    assert everything(log, name, held=True) == [b"plain"]
    assert everything(log, name, committed=False) == [b"plain", b"open", b"behind"]
    reader = log.reader({at: 0})
    assert [record.value for record in taken(reader, 1)] == [b"plain"]
    assert reader.take(10, 0.2) == []  # stops at the last stable offset, though a plain record is behind it
    tx.commit()
    assert [record.value for record in taken(reader, 2)] == [b"open", b"behind"]
    reader.close()
    tx.close()


def test_offsets_are_committed_with_the_records_or_not_at_all(log: Log) -> None:
    source, sink, name = topic(log), topic(log), group()
    at = Partition(source, 0)
    publish(log, source, b"a", b"b")
    consumer = log.consumer(name, [source])
    taken(consumer, 2)
    tx = log.transaction(group())
    tx.begin()
    tx.send(sink, b"never", partition=0)
    tx.send_offsets({at: Position(1, "never")}, consumer)
    tx.abort()
    assert log.group_positions(name).get(at) is None
    tx.begin()
    tx.send(sink, b"once", partition=0)
    tx.send_offsets({at: Position(2, "with words")}, consumer)
    assert everything(log, sink, held=True) == []
    assert log.group_positions(name).get(at) is None
    tx.commit()
    assert consumer.committed([at]) == {at: Position(2, "with words")}
    assert everything(log, sink) == [b"once"]
    consumer.close()
    tx.close()


def test_a_zombie_is_fenced_and_its_open_transaction_ends(log: Log) -> None:
    name, name_of_id = topic(log), group()
    zombie = log.transaction(name_of_id)
    zombie.begin()
    zombie.send(name, b"zombie", partition=0)
    successor = log.transaction(name_of_id)
    at = Partition(name, 0)
    assert log.ends([at]) == log.ends([at], committed=False)  # nothing is open any more
    successor.begin()
    successor.send(name, b"successor", partition=0)
    with pytest.raises(ProducerFenced):
        zombie.commit()
    successor.commit()
    with pytest.raises(LogError):  # for good
        commit(zombie, name, b"again")
    assert everything(log, name) == [b"successor"]
    zombie.close()
    successor.begin()
    successor.send(name, b"still", partition=0)
    successor.commit()
    successor.close()
    assert everything(log, name) == [b"successor", b"still"]


def test_a_transaction_that_lost_a_record_is_not_committed(log: Log) -> None:
    name = topic(log)
    tx = log.transaction(group())
    tx.begin()
    tx.send(name, b"fine", partition=0)
    with pytest.raises(TransactionAborted):
        refused_then_commit(tx, f"{name}.missing")
    commit(tx, name, b"again")  # the producer is as good as before
    tx.close()
    assert everything(log, name) == [b"again"]
