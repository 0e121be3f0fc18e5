"""A local store that outlives its engine: what a restart reads, and when the store is not trusted (EXACTLY-ONCE 19)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sfc.adapters.clock import SystemClock
from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.memory_store import MemoryStateStore
from sfc.engine.flow import Flow
from sfc.engine.rules import RULES
from sfc.engine.shard import ShardState
from sfc.errors import ProducerFailed, ShardStopped
from sfc.ports import Partition, TopicSpec
from sfc.runtime import checkpoint
from sfc.runtime import restore as restore_module
from sfc.runtime.checkpoint import Checkpoint, Place, Progress, place_of, read_checkpoint, why_not
from sfc.runtime.definitions import Definitions
from sfc.runtime.lane import Lane
from sfc.runtime.restore import Restore
from sfc.wire.partition import partition_of
from sfc.wire.state import decode_flow, encode_flow, encode_shard, interval_headers, shard_key
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

HOME = partition_of(b"twice:a", SHARDS)
STATE = Partition(NAMES.state, HOME)


@pytest.fixture(autouse=True)
def each_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint with each commit."""
    monkeypatch.setattr(checkpoint, "EACH_RECORDS", 1)


@pytest.fixture
def flows() -> list[str]:
    """Of the shard HOME."""
    return [f for n in range(99) if partition_of((f := f"twice:{n}").encode(), SHARDS) == HOME][:10]


def committed(bench: Bench, interval: int, flows: dict[str, int | None]) -> None:
    """One interval as a lane commits it: these flows at these sequence numbers (None: forgotten), and the shard's record."""
    fence = bench.log.transaction(NAMES.transactional_id(HOME))
    fence.begin()
    for flow, seq in flows.items():
        value = None if seq is None else encode_flow(Flow(flow, 0, "twice", 1, "h-twice", seq))
        fence.send(NAMES.state, value, flow.encode(), interval_headers(interval), HOME)
    fence.send(
        NAMES.state, encode_shard(ShardState(HOME, interval=interval, rules=RULES)), shard_key(HOME), interval_headers(interval), HOME
    )
    fence.commit()
    fence.close()


def restored(bench: Bench, store: MemoryStateStore, place: Place | None = None) -> Restore:
    restore = Restore(bench.log, NAMES, HOME, store, place or place_of(bench.log, NAMES), SystemClock())
    while True:
        assert restore.step(float("inf"))
        if restore.finish() is not None:
            break
    restore.close()
    return restore


def contents(store: MemoryStateStore) -> dict[str, int]:
    return {key.decode(): decode_flow(value).seq for key, value in store.scan(HOME) if not key.startswith(b"/")}


def test_a_restart_reads_only_what_came_since_the_checkpoint(bench: Bench, flows: list[str]) -> None:
    committed(bench, 1, dict.fromkeys(flows, 1))
    store = MemoryStateStore()
    cold = restored(bench, store)
    assert (cold.cold, cold.records) == ("no checkpoint", len(flows) + 1)
    committed(bench, 2, {flows[0]: 2, flows[1]: None})
    warm = restored(bench, store)
    assert (warm.cold, warm.records) == ("", 3)
    assert contents(store) == {flows[0]: 2, **dict.fromkeys(flows[2:], 1)}
    idle = restored(bench, store)
    assert (idle.cold, idle.records) == ("", 0)


def test_a_lane_that_dies_leaves_a_store_from_which_the_next_goes_on(bench: Bench) -> None:
    """And what it had decided and not committed is not in it."""
    store = MemoryStateStore()
    lane = bench.lane(store)
    for n in range(20):
        bench.start(f"twice:{n}", n)
    settle(bench, [lane])
    bench.start("twice:late", 1)
    for job in bench.await_jobs(lane):
        bench.answer(job, job.value)
    lane._drop_all()  # as kill -9 does
    lane._consumer.close()
    second = bench.lane(store)
    settle(bench, [second], 2)
    assert sorted(second.shards) == [0, 1]
    everything = MemoryStateStore()
    for number in range(SHARDS):
        restore = Restore(bench.log, NAMES, number, everything, place_of(bench.log, NAMES), SystemClock())
        restore.step(float("inf"))
        assert restore.finish() is not None
        assert dict(store.scan(number)) == dict(everything.scan(number))
        restore.close()
    bench.run([second], lambda: len(bench.answers) == 21)
    second.close()


WRONG: dict[str, dict[str, Any]] = {
    "of another cluster": {"cluster": "elsewhere"},
    "the topic was made anew": {"topic": "another"},
    "past the end of the log": {"offset": 10**6},
    "of a time to come": {"at_ms": 10**15},
    "too old": {"at_ms": 1},
}


@pytest.mark.parametrize("why", sorted(WRONG))
def test_a_store_whose_checkpoint_does_not_hold_is_wiped(bench: Bench, flows: list[str], why: str) -> None:
    committed(bench, 1, {flows[0]: 1})
    store = MemoryStateStore()
    restored(bench, store)
    found = read_checkpoint(store.checkpoint(HOME))
    assert found is not None
    store.apply(HOME, {b"twice:ghost": encode_flow(Flow("twice:ghost", 0, "twice", 1, "h"))})
    store.apply(HOME, {}, msgspec.json.encode(msgspec.structs.replace(found, **WRONG[why])))
    again = restored(bench, store)
    assert again.cold == why
    assert contents(store) == {flows[0]: 1}


def test_a_large_store_is_wiped_in_turns_and_nothing_is_read_before_it_is_empty(
    bench: Bench, flows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore_module, "WIPED", 4)
    committed(bench, 1, {flows[0]: 1})
    store = MemoryStateStore()
    store.apply(HOME, {b"twice:ghost-%d" % n: encode_flow(Flow(f"twice:ghost-{n}", 0, "twice", 1, "h")) for n in range(10)}, b"of nobody")
    restore = Restore(bench.log, NAMES, HOME, store, place_of(bench.log, NAMES), SystemClock())
    left = []
    while not restore.step(0):
        left.append(len(contents(store)))
    assert left[:2] == [6, 2]
    assert restore.finish() is not None
    restore.close()
    assert contents(store) == {flows[0]: 1}


def test_a_store_is_wiped_when_its_place_lies_below_the_start_of_the_log() -> None:
    place, found = Place("c", "t", 1_000), Checkpoint("c", "t", 5, 1, 10)
    assert why_not(found, place, 5, 9, 20) == ""
    assert why_not(found, place, 6, 9, 20) == "below the start of the log"


@pytest.mark.parametrize("value", [None, b"{}", b"not one"])
def test_a_checkpoint_that_cannot_be_read_is_none(value: bytes | None) -> None:
    assert read_checkpoint(value) is None


def test_the_age_is_half_of_the_time_for_which_tombstones_are_kept() -> None:
    log = EmbeddedLog.memory()
    log.create([TopicSpec(NAMES.state, 1, {"cleanup.policy": "compact", "delete.retention.ms": "60000"})])
    assert place_of(log, NAMES).age_ms_max == 30_000
    log.close()


def test_a_store_that_knows_more_than_the_log_is_wiped(bench: Bench, flows: list[str]) -> None:
    """The log was cut off, and has grown again."""
    committed(bench, 1, {flows[0]: 1})
    store = MemoryStateStore()
    restored(bench, store)
    ahead = encode_shard(ShardState(HOME, interval=7, rules=RULES))
    store.apply(HOME, {b"twice:ghost": encode_flow(Flow("twice:ghost", 0, "twice", 1, "h")), shard_key(HOME): ahead})
    committed(bench, 2, {flows[0]: 2})
    again = restored(bench, store)
    assert again.cold == "the log is behind it"
    assert contents(store) == {flows[0]: 2}


def test_a_restore_that_is_broken_off_is_done_again(bench: Bench, flows: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfc.runtime.restore.PORTION", 2)
    committed(bench, 1, dict.fromkeys(flows, 1))
    store = MemoryStateStore()
    half = Restore(bench.log, NAMES, HOME, store, place_of(bench.log, NAMES), SystemClock())
    assert not half.step(0)
    half.close()
    assert 0 < len(contents(store)) < len(flows)
    committed(bench, 2, {flows[0]: None})
    assert restored(bench, store).cold == "no checkpoint"
    assert contents(store) == dict.fromkeys(flows[1:], 1)


def test_a_torn_shard_stops_also_when_its_store_is_warm(bench: Bench, flows: list[str]) -> None:
    """Rule 24."""
    committed(bench, 1, {flows[0]: 1})
    store = MemoryStateStore()
    restored(bench, store)
    bench.producer.send(NAMES.state, b"{}", b"twice:x", interval_headers(9), HOME)
    bench.producer.flush()
    for _ in range(2):
        with pytest.raises(ShardStopped, match="torn"):
            restored(bench, store)


def test_a_zombies_store_has_nothing_that_was_not_committed_and_its_checkpoint_nothing_of_its_successor(bench: Bench) -> None:
    """The zombie sleeps before its commit, its successor takes the shard and commits; what the zombie asks then must not count."""
    store = MemoryStateStore()
    zombie = bench.lane(store)
    for n in range(10):
        bench.start(f"twice:{n}", n)
    settle(bench, [zombie])
    before = {n: (dict(store.scan(n)), store.checkpoint(n)) for n in range(SHARDS)}
    assert all(held for held, _ in before.values())
    bench.start("twice:a", 1)
    bench.await_jobs(zombie)
    successor = bench.lane()
    successor._to_take = [0, 1]  # the group has not told the zombie yet
    successor._consumer.start = lambda partition, offset: None  # type: ignore[method-assign]
    bench.start("twice:b", 1)
    for _ in range(3):
        successor._take_assigned()
    assert sorted(successor.shards) == [0, 1]
    for shard in successor.shards.values():
        shard.overlay.commands += 1
        shard.commit()
    for shard in list(zombie.shards.values()):
        shard.overlay.commands += 1
        zombie._commit(shard)
    assert not zombie.shards
    assert {n: (dict(store.scan(n)), store.checkpoint(n)) for n in range(SHARDS)} == before
    successor._drop_all()
    zombie.close()
    successor.close()


class Stubborn:
    """A clock that moves when it is told to."""

    now_s = 1_000.0

    def now_ms(self) -> int:
        return int(self.now_s * 1000)

    def monotonic_s(self) -> float:
        return self.now_s


def test_checkpoints_come_with_time_or_with_records(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "EACH_RECORDS", 100)
    clock = Stubborn()
    progress = Progress(place_of(bench.log, NAMES), bench.log, STATE, clock)
    assert progress.before_commit(99, 1) is None
    assert progress.before_commit(1, 2) is not None
    assert progress.before_commit(1, 3) is None
    clock.now_s += checkpoint.EACH_S
    found = read_checkpoint(progress.before_commit(1, 4))
    assert found is not None
    assert (found.interval, found.at_ms) == (4, clock.now_ms())


def test_nobody_waits_for_the_end_and_a_log_that_does_not_answer_costs_a_checkpoint_and_no_commit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EACH_RECORDS", 100)
    clock, told = Stubborn(), dict[int, int]()
    asked: list[Partition] = []

    def ask_end(partition: Partition) -> Callable[[], int | None]:
        asked.append(partition)
        number = len(asked)
        return lambda: told.get(number)

    monkeypatch.setattr(bench.log, "ask_end", ask_end)
    progress = Progress(place_of(bench.log, NAMES), bench.log, STATE, clock)
    clock.now_s += checkpoint.EACH_S
    asked_ms = clock.now_ms()
    assert progress.before_commit(1, 1) is None
    clock.now_s += checkpoint.EACH_S / 2
    assert progress.before_commit(checkpoint.EACH_RECORDS, 2) is None, "it is not asked again while an answer may come"
    assert asked == [STATE]
    told[1] = 7
    found = read_checkpoint(progress.before_commit(1, 3))
    assert found is not None
    assert (found.offset, found.interval, found.at_ms) == (7, 3, asked_ms), "as old as the question, and no older than this commit"
    clock.now_s += checkpoint.EACH_S
    assert progress.before_commit(1, 4) is None
    clock.now_s += checkpoint.EACH_S
    assert progress.before_commit(1, 5) is None
    assert len(asked) == 3, "asked anew, since nobody has answered"
    assert not progress.old()
    told[3] = 9
    assert progress.before_commit(1, 6) is not None


def test_an_idle_shard_writes_its_record_until_the_checkpoint_is_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "EACH_RECORDS", 100)
    clock, told = Stubborn(), list[int]()
    monkeypatch.setattr(bench.log, "ask_end", lambda _partition: lambda: told[0] if told else None)
    place = place_of(bench.log, NAMES)
    progress = Progress(place, bench.log, STATE, clock)
    clock.now_s += place.age_ms_max / 4000 + 1
    assert progress.old()
    assert progress.before_commit(1, 1) is None
    assert not progress.old()
    clock.now_s += checkpoint.EACH_S + 1
    assert progress.old(), "the answer is to be stored"
    told.append(5)
    assert progress.before_commit(1, 2) is not None
    clock.now_s += checkpoint.EACH_S + 1
    assert not progress.old()


@pytest.fixture
def broken_fence(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The next transaction that is made for HOME fails at its first commit."""
    made: list[int] = []
    transaction = bench.log.transaction

    def failing(transactional_id: str) -> Any:
        fence = transaction(transactional_id)
        if transactional_id == NAMES.transactional_id(HOME):
            made.append(HOME)
            if len(made) == 1:

                def commit() -> None:
                    raise ProducerFailed("the outcome is unclear")

                fence.commit = commit  # type: ignore[method-assign]
        return fence

    monkeypatch.setattr(bench.log, "transaction", failing)
    return made


def test_a_transaction_of_unclear_outcome_costs_its_shard_a_restore_and_no_other(bench: Bench, broken_fence: list[int]) -> None:
    """Rule 23."""
    lane = bench.lane()
    settle(bench, [lane], 3)
    other, outlets = lane.shards[1 - HOME], lane._outlets
    bench.start("twice:a", 1)
    bench.run([lane], lambda: len(broken_fence) == 2 and bool(bench.histories()))
    assert broken_fence == [HOME, HOME]
    assert lane.shards[1 - HOME] is other
    assert lane._outlets is outlets
    starts = [e for h in bench.histories() for e in h.events if type(e).__name__ == "ExecutionStarted"]
    assert len(starts) == 1
    lane.close()


def test_other_shards_go_on_while_one_is_restored(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = bench.lane()
    settle(bench, [lane], 3)
    other = next(f"twice:{n}" for n in range(99) if partition_of(f"twice:{n}".encode(), SHARDS) != HOME)
    monkeypatch.setattr("sfc.runtime.lane.TAKING_SLICE_S", 0)
    monkeypatch.setattr(Restore, "step", lambda self, until_s: False)  # never done
    lane._to_take.append(HOME)
    bench.start(other, 1)
    bench.run([lane], lambda: bool(bench.answers))
    assert sorted(lane.shards) == [1 - HOME]
    monkeypatch.undo()
    bench.start("twice:a", 2)
    bench.run([lane], lambda: len(bench.answers) == 2)
    lane.close()


def test_a_shard_that_goes_while_it_is_restored_is_let_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = bench.lane()
    settle(bench, [lane], 3)
    monkeypatch.setattr(Restore, "step", lambda self, until_s: False)
    monkeypatch.setattr("sfc.runtime.lane.TAKING_SLICE_S", 0)
    lane._to_take.append(HOME)
    lane.step(0)
    assert HOME in lane._takings
    lane._lost([Partition(NAMES.commands, HOME)])
    assert HOME not in lane._takings
    assert not lane._to_take
    lane.close()


def test_a_shard_that_is_idle_for_hours_keeps_its_checkpoint_young() -> None:
    clock = Stubborn()
    bench = Bench(EmbeddedLog.memory(clock=clock))
    bench.set_up()
    store = MemoryStateStore()
    lane = Lane(bench.log, NAMES, SHARDS, Definitions(bench.log, NAMES), store, clock)

    def at_ms() -> int:
        settle(bench, [lane], 5)
        clock.now_s += 1  # longer than an interval
        settle(bench, [lane], 5)
        found = read_checkpoint(store.checkpoint(HOME))
        return found.at_ms if found is not None else 0

    bench.start("nap:a", 1)
    bench.start("nap:b", 1)
    bench.start("twice:a", 1)
    first = at_ms()
    clock.now_s += 10
    assert at_ms() == first
    clock.now_s += 4 * 3_600
    assert at_ms() > first + 3_600_000
    lane.close()
    bench.log.close()
