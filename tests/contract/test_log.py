"""The contract of ``sfc.ports.Log``, over every adapter: what the engine relies on, with the awkward cases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Timer
from uuid import uuid4

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.errors import LogError, ProducerFailed, ProducerFenced, RecordTooLarge, TransactionAborted
from sfc.ports import Consumer, Log, Partition, Position, Reader, Record, TopicSpec, Transaction
from sfc.wire.partition import murmur2, partition_of

DEADLINE_S = 30.0  # a broker may need a few seconds to rebalance; the embedded log needs none


class Backend:
    """One adapter, with a way to come back to the same log as a process does that starts again."""

    def __init__(self, kind: str, make: Callable[[], Log], *, lasting: bool) -> None:
        self.kind = kind
        self.lasting = lasting
        self._make = make
        self._open: list[Log] = [make()]

    @property
    def log(self) -> Log:
        return self._open[-1]

    def reopen(self) -> Log:
        self._open.pop().close()
        self._open.append(self._make())
        return self.log

    def close(self) -> None:
        for log in self._open:
            log.close()


@pytest.fixture(params=["memory", "sqlite", "kafka"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    if request.param == "kafka":
        from sfc.adapters.kafka import KafkaLog

        bootstrap = request.getfixturevalue("kafka")
        made = Backend("kafka", lambda: KafkaLog({"bootstrap.servers": bootstrap}), lasting=True)
    elif request.param == "sqlite":
        made = Backend("sqlite", lambda: EmbeddedLog.open(tmp_path / "log"), lasting=True)
    else:
        made = Backend("memory", EmbeddedLog.memory, lasting=False)
    yield made
    made.close()


@pytest.fixture
def log(backend: Backend) -> Log:
    return backend.log


def topic(log: Log, partitions: int = 1, **config: str) -> str:
    name = f"contract.{uuid4().hex[:12]}"
    log.create([TopicSpec(name, partitions, {key.replace("_", "."): value for key, value in config.items()})])
    return name


def ids(log: Log, *names: str) -> dict[str, str]:
    return {name: info.id for name in names if (info := log.describe(name))}


def group() -> str:
    return f"contract.{uuid4().hex[:12]}"


def publish(log: Log, name: str, *values: bytes, partition: int = 0) -> None:
    producer = log.producer()
    for value in values:
        producer.send(name, value, partition=partition)
    producer.flush()
    producer.close()


def until(what: Callable[[], bool], *members: Consumer) -> None:
    """Waits until something is so, calling ``take`` of the members in turn meanwhile."""
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it did not come to that in time"
        for member in members:
            member.take(100, 0.05)
        if not members:
            time.sleep(0.01)


def taken(source: Consumer | Reader, count: int) -> list[Record]:
    """The next ``count`` records; fails when they don't come."""
    got: list[Record] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(got) < count:
        assert time.monotonic() < deadline, f"only {len(got)} of {count} records came"
        got.extend(source.take(count - len(got), 0.2))
    return got


def commit(tx: Transaction, name: str, *values: bytes) -> None:
    """One transaction."""
    tx.begin()
    for value in values:
        tx.send(name, value, partition=0)
    tx.commit()


def refused_then_commit(tx: Transaction, name: str) -> None:
    tx.send(name, b"nowhere")
    tx.commit()


def everything(log: Log, name: str, *, committed: bool = True, held: bool = False, partition: int = 0) -> list[bytes | None]:
    """The values of a partition up to its end. ``held``: an open transaction is on it; else it is waited for that none is, since
    a broker answers a commit before it has written the markers."""
    at = Partition(name, partition)
    if committed and not held:
        until(lambda: log.ends([at]) == log.ends([at], committed=False))
    end = log.ends([at], committed=committed)[at]
    reader = log.reader({at: log.starts([at])[at]}, committed=committed)
    got: list[Record] = []
    deadline = time.monotonic() + DEADLINE_S
    while reader.position(at) < end:
        assert time.monotonic() < deadline, f"the reader stands at {reader.position(at)}, the end is {end}"
        got.extend(reader.take(1000, 0.1))
    reader.close()
    return [record.value for record in got]


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


# ---- consumer groups


def test_take_returns_in_time_when_there_is_nothing(log: Log) -> None:
    name = topic(log)
    consumer = log.consumer(group(), [name])
    until(lambda: consumer.assignment() == {Partition(name, 0)}, consumer)
    began = time.monotonic()
    assert consumer.take(10, 0.2) == []
    assert 0.15 < time.monotonic() - began < 2
    consumer.close()


def test_a_waiting_consumer_gets_a_record_at_once_and_what_is_queued_with_it(log: Log) -> None:
    name = topic(log)
    consumer = log.consumer(group(), [name])
    until(lambda: consumer.assignment() == {Partition(name, 0)}, consumer)
    publisher = Timer(0.1, publish, (log, name, b"now"))
    began = time.monotonic()
    publisher.start()
    assert [record.value for record in consumer.take(10, 10)] == [b"now"]
    assert time.monotonic() - began < 5
    publisher.join()
    publish(log, name, *[b"%d" % i for i in range(20)])
    assert [record.value for record in taken(consumer, 20)] == [b"%d" % i for i in range(20)]
    consumer.close()


def test_a_consumer_without_a_commit_starts_where_it_says(log: Log) -> None:
    name = topic(log)
    publish(log, name, b"before")
    earliest, latest = log.consumer(group(), [name]), log.consumer(group(), [name], start_at="latest")
    until(lambda: bool(latest.assignment()), latest)
    assert latest.take(1, 0.5) == []
    publish(log, name, b"after")
    assert [record.value for record in taken(latest, 1)] == [b"after"]
    assert [record.value for record in taken(earliest, 2)] == [b"before", b"after"]
    earliest.close()
    latest.close()


def test_two_consumers_share_the_partitions_and_one_inherits(log: Log) -> None:
    name, members = topic(log, 4), group()
    everyone = {Partition(name, number) for number in range(4)}
    first = log.consumer(members, [name])
    until(lambda: first.assignment() == everyone, first)
    second = log.consumer(members, [name])
    until(lambda: len(first.assignment()) == 2 and len(second.assignment()) == 2, first, second)
    assert first.assignment() | second.assignment() == everyone
    first.close()
    until(lambda: second.assignment() == everyone, second)
    second.close()


def test_a_rebalance_in_mid_batch_hands_over_at_the_committed_position(log: Log) -> None:
    name, members = topic(log, 2), group()
    for number in (0, 1):
        publish(log, name, *[b"%d" % i for i in range(10)], partition=number)
    told: list[tuple[str, list[Partition]]] = []
    done: dict[Partition, int] = {}

    def revoked(partitions: list[Partition]) -> None:
        told.append(("revoked", sorted(partitions)))
        assert set(partitions) <= first.assignment() | set(partitions)
        first.commit({at: Position(done[at], "half") for at in partitions})

    first = log.consumer(members, [name], assigned=lambda at: told.append(("assigned", sorted(at))), revoked=revoked)
    for record in taken(first, 20):
        done[Partition(record.topic, record.partition)] = min(record.offset + 1, 4)  # the rest of the batch is given up
    second = log.consumer(members, [name])
    came: list[Record] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(came) < 6 and time.monotonic() < deadline:
        assert first.take(10, 0.05) == []
        came.extend(second.take(10, 0.05))
    (moved,) = second.assignment()
    assert [record.offset for record in came] == [4, 5, 6, 7, 8, 9]
    assert {Partition(record.topic, record.partition) for record in came} == {moved}
    assert ("revoked", [moved]) in told
    assert sorted(at for what, ats in told for at in ats if what == "assigned")[:2] == [Partition(name, 0), Partition(name, 1)]
    assert moved not in first.assignment()
    told.clear()
    (kept,) = first.assignment()
    assert first.take(10, 0.5) == []  # the group comes to rest: a broker refuses commits of who leaves in mid-rebalance
    first.close()
    assert told == [("revoked", [kept])]
    second.close()


def test_partitions_handed_over_paused_wait_for_their_start(log: Log) -> None:
    name = topic(log, 2)
    for number in (0, 1):
        publish(log, name, *[b"%d" % i for i in range(5)], partition=number)
    consumer = log.consumer(group(), [name], paused=True)
    both = {Partition(name, 0), Partition(name, 1)}
    until(lambda: consumer.assignment() == both, consumer)
    assert consumer.take(10, 0.5) == []
    consumer.start(Partition(name, 1), 3)
    assert [(record.partition, record.offset) for record in taken(consumer, 2)] == [(1, 3), (1, 4)]
    consumer.start(Partition(name, 1), 4)  # anew
    assert [(record.partition, record.offset) for record in taken(consumer, 1)] == [(1, 4)]
    consumer.start(Partition(name, 0), 4)
    assert [(record.partition, record.offset) for record in taken(consumer, 1)] == [(0, 4)]
    consumer.close()


def test_a_start_within_the_assignment_callback_counts(log: Log) -> None:
    name = topic(log)
    publish(log, name, b"0", b"1", b"2")

    def assigned(partitions: list[Partition]) -> None:
        for at in partitions:
            consumer.start(at, 1)

    consumer = log.consumer(group(), [name], paused=True, assigned=assigned)
    assert [record.offset for record in taken(consumer, 2)] == [1, 2]
    consumer.close()


def test_a_paused_partition_goes_on_where_it_was(log: Log) -> None:
    name = topic(log)
    at = Partition(name, 0)
    consumer = log.consumer(group(), [name])
    publish(log, name, b"0")
    taken(consumer, 1)
    consumer.pause([at])
    publish(log, name, b"1")
    assert consumer.take(10, 0.5) == []
    consumer.resume([at])
    assert [record.offset for record in taken(consumer, 1)] == [1]
    consumer.close()


def test_records_offsets_and_metadata_survive_a_restart(backend: Backend) -> None:
    log = backend.log
    name, members = topic(log), group()
    at = Partition(name, 0)
    publish(log, name, b"a", b"b", b"c")
    consumer = log.consumer(members, [name])
    taken(consumer, 3)
    consumer.commit({at: Position(2, '{"revision": 7}')})
    consumer.close()
    if backend.lasting:
        log = backend.reopen()
    assert log.group_positions(members) == {at: Position(2, '{"revision": 7}')}
    again = log.consumer(members, [name])
    (record,) = taken(again, 1)
    assert (record.offset, record.value) == (2, b"c")
    assert again.committed([at, Partition(name, 1)]) == {at: Position(2, '{"revision": 7}')}
    again.close()


def test_positions_of_a_group_are_set_only_while_nobody_is_in_it(log: Log) -> None:
    name, members = topic(log, 2), group()
    positions: Mapping[Partition, Position] = {Partition(name, 0): Position(5, "by hand"), Partition(name, 1): Position(1)}
    assert log.group_positions(members) == {}
    log.set_group_positions(members, positions)
    assert log.group_positions(members) == positions
    consumer = log.consumer(members, [name])
    until(lambda: len(consumer.assignment()) == 2, consumer)
    with pytest.raises(LogError):
        log.set_group_positions(members, {Partition(name, 0): Position(0)})
    assert log.group_positions(members) == positions
    consumer.close()


def test_a_consumer_that_has_left_may_not_commit(log: Log) -> None:
    name = topic(log)
    consumer = log.consumer(group(), [name])
    until(lambda: bool(consumer.assignment()), consumer)
    consumer.close()
    with pytest.raises(LogError):
        consumer.commit({Partition(name, 0): Position(1)})
