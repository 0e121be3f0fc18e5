"""The contract of ``sfc.ports.Log``, over every adapter: consumer groups, with the awkward cases."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Timer

import pytest

from sfc.errors import LogError
from sfc.ports import GroupMember, Log, Partition, Position, Record
from tests.contract.logs import DEADLINE_S, Backend, group, publish, taken, topic, until

# ---- consumer groups


def test_take_returns_in_time_when_there_is_nothing(log: Log) -> None:
    name = topic(log)
    consumer = log.consumer(group(), [name])
    until(lambda: consumer.assignment() == {Partition(name, 0)}, consumer)
    began = time.monotonic()
    assert consumer.take(10, 0.2) == []
    assert 0.15 < time.monotonic() - began < 10
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


def test_a_commit_that_nobody_waits_for_is_there_soon_and_the_next_one_goes_over_it(log: Log) -> None:
    name, members = topic(log, 2), group()
    consumer = log.consumer(members, [name])
    places = {Partition(name, 0), Partition(name, 1)}
    until(lambda: consumer.assignment() == places, consumer)
    consumer.commit({at: Position(3) for at in places}, wait=False)
    until(lambda: consumer.committed(sorted(places)) == {at: Position(3) for at in places}, consumer)
    consumer.commit({Partition(name, 0): Position(4)}, wait=False)
    consumer.commit({Partition(name, 0): Position(5)})
    assert consumer.committed(sorted(places)) == {Partition(name, 0): Position(5), Partition(name, 1): Position(3)}
    consumer.close()
    with pytest.raises(LogError):
        consumer.commit({Partition(name, 0): Position(6)}, wait=False)


def test_a_consumer_that_has_left_may_not_commit(log: Log) -> None:
    name = topic(log)
    consumer = log.consumer(group(), [name])
    until(lambda: bool(consumer.assignment()), consumer)
    consumer.close()
    with pytest.raises(LogError):
        consumer.commit({Partition(name, 0): Position(1)})


def test_members_of_a_group_are_listed_by_name_with_what_they_have(log: Log) -> None:
    name, members = topic(log, 3), group()
    assert log.group_members(members) == []
    first = log.consumer(members, [name])
    until(lambda: len(first.assignment()) == 3, first)
    everything = tuple(Partition(name, number) for number in range(3))
    assert log.group_members(members) == [GroupMember("contract", "127.0.0.1", everything)]
    second = log.consumer(members, [name])
    until(lambda: len(first.assignment()) < 3 and len(first.assignment() | second.assignment()) == 3, first, second)
    both = log.group_members(members)
    assert [member.client_id for member in both] == ["contract", "contract"]
    assert sorted(member.partitions for member in both) == sorted(tuple(sorted(c.assignment())) for c in (first, second))
    first.close()
    second.close()
    assert log.group_members(members) == []
