"""Engines that follow others' shards, and engines with a list of their own."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.adapters.clock import SystemClock
from sfc.adapters.memory_store import MemoryStateStore
from sfc.bootstrap.roles import own_shards
from sfc.errors import BadInput, LogUnavailable
from sfc.ports import Partition
from sfc.runtime import metrics, standby
from sfc.runtime.checkpoint import place_of
from sfc.runtime.definitions import Definitions
from sfc.runtime.fences import Fences
from sfc.runtime.lane import Lane, LaneLimits
from sfc.runtime.restore import Restore
from sfc.runtime.standby import Standby
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "LOOK_AT_ENDS_S", 0.0)


def following(bench: Bench, store: MemoryStateStore) -> Standby:
    return Standby(bench.log, NAMES, SHARDS, store, SystemClock())


def taken(bench: Bench, store: MemoryStateStore, number: int) -> Restore:
    restore = Restore(bench.log, NAMES, number, store, place_of(bench.log, NAMES), SystemClock())
    restore.step(float("inf"))
    assert restore.finish() is not None
    restore.close()
    return restore


def decided(bench: Bench, flows: int) -> None:
    lane = bench.lane()
    for n in range(flows):
        bench.start(f"twice:{n}", n)
    settle(bench, [lane])
    lane.close()


def test_a_shard_that_was_followed_is_restored_by_its_last_records_alone(bench: Bench) -> None:
    decided(bench, 20)
    store = MemoryStateStore()
    tails = following(bench, store)
    for _ in range(4):
        tails.step([])
    assert tails.caught_up
    decided(bench, 1)
    for number in range(SHARDS):
        restore = taken(bench, store, number)
        everything = MemoryStateStore()
        cold = taken(bench, everything, number)
        assert restore.cold == ""
        assert restore.records < cold.records
        assert dict(store.scan(number)) == dict(everything.scan(number))
    tails.close()


def test_stores_are_wiped_in_turns_and_a_shard_that_is_taken_meanwhile_is_filled_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "WIPED", 4)
    monkeypatch.setattr(standby, "SLICE_S", 0.0)
    decided(bench, 20)
    store = MemoryStateStore()
    for number in range(SHARDS):
        store.apply(number, {b"twice:ghost-%d" % n: b"of nobody" for n in range(10)})
    tails = following(bench, store)
    assert tails.step([]) == 0
    assert sorted(len(list(store.scan(number))) for number in range(SHARDS)) == [6, 10]
    mine = next(number for number in range(SHARDS) if len(list(store.scan(number))) == 6)
    while not tails.caught_up:
        tails.step([mine])
    everything = MemoryStateStore()
    for number in range(SHARDS):
        taken(bench, store, number)
        taken(bench, everything, number)
        assert dict(store.scan(number)) == dict(everything.scan(number))
    tails.close()


def test_what_is_not_committed_yet_does_not_reach_a_follower(bench: Bench) -> None:
    decided(bench, 2)
    store = MemoryStateStore()
    tails = following(bench, store)
    fence = bench.log.transaction(NAMES.transactional_id(0))
    fence.begin()
    fence.send(NAMES.state, b"{}", b"twice:open", None, 0)
    for _ in range(4):
        tails.step([])
    assert store.get(0, b"twice:open") is None
    fence.abort()
    fence.close()
    for _ in range(4):
        tails.step([])
    assert store.get(0, b"twice:open") is None
    tails.close()


def test_shards_of_its_own_are_not_touched(bench: Bench) -> None:
    decided(bench, 10)
    store = MemoryStateStore()
    tails = following(bench, store)
    for _ in range(3):
        tails.step([0])
    assert not list(store.scan(0))
    assert list(store.scan(1))
    tails.step([0, 1])
    held = dict(store.scan(1))
    decided(bench, 10)
    tails.step([0, 1])
    assert dict(store.scan(1)) == held
    tails.close()


def test_a_log_that_does_not_answer_stalls_a_follower_and_ends_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    decided(bench, 10)
    store = MemoryStateStore()
    tails = following(bench, store)
    ends = bench.log.ends

    def away(*_: Any, **__: Any) -> Any:
        raise LogUnavailable("no broker")

    monkeypatch.setattr(bench.log, "ends", away)
    assert tails.step([]) == 0
    monkeypatch.setattr(bench.log, "ends", ends)
    monkeypatch.setattr(tails, "_again_s", 0.0)
    assert tails.step([]) > 0
    tails.close()


def test_a_lane_that_stands_by_takes_over_warm(bench: Bench) -> None:
    """And is ready while it has no shard of its own."""
    definitions = Definitions(bench.log, NAMES)
    store = MemoryStateStore()
    first = bench.lane()
    settle(bench, [first], 3)
    second = Lane(bench.log, NAMES, SHARDS, definitions, store, SystemClock(), LaneLimits(interval_s=0.02), fixed=[], standby=True)
    for n in range(20):
        bench.start(f"twice:{n}", n)
    settle(bench, [first, second])
    assert second.ready
    second.close()
    first.close()
    third = Lane(bench.log, NAMES, SHARDS, Definitions(bench.log, NAMES), store, SystemClock(), LaneLimits(interval_s=0.02), fixed=[0, 1])
    third.step(0)
    assert sorted(third.shards) == [0, 1]
    bench.run([third], lambda: len(bench.answers) == 20)
    third.close()


def test_a_list_of_shards_needs_no_group(bench: Bench) -> None:
    lanes = [
        Lane(
            bench.log,
            NAMES,
            SHARDS,
            Definitions(bench.log, NAMES),
            MemoryStateStore(),
            SystemClock(),
            LaneLimits(interval_s=0.02),
            None,
            [n],
        )
        for n in range(SHARDS)
    ]
    for n in range(10):
        bench.start(f"twice:{n}", n)
    bench.run(lanes, lambda: len(bench.answers) == 10)
    assert [list(lane.shards) for lane in lanes] == [[0], [1]]
    assert bench.log.group_members(NAMES.engine_group) == []
    for lane in lanes:
        lane.close()
    assert not any(lane.shards for lane in lanes)
    again = Lane(bench.log, NAMES, SHARDS, Definitions(bench.log, NAMES), MemoryStateStore(), SystemClock(), None, None, [0, 1])
    bench.start("twice:a", 1)
    bench.run([again], lambda: len(bench.answers) == 11)
    again.close()


def test_of_two_that_list_the_same_shard_the_last_keeps_it(bench: Bench) -> None:
    first, second = (
        Lane(
            bench.log,
            NAMES,
            SHARDS,
            Definitions(bench.log, NAMES),
            MemoryStateStore(),
            SystemClock(),
            LaneLimits(interval_s=0.02),
            None,
            [0, 1],
        )
        for _ in range(2)
    )
    settle(bench, [first], 3)
    settle(bench, [second], 3)
    for n in range(10):
        bench.start(f"twice:{n}", n)
    bench.run([first, second], lambda: {a.flow for a in bench.answers} == {f"twice:{n}" for n in range(10)})
    settle(bench, [first, second])
    assert not first.shards
    assert sorted(second.shards) == [0, 1]
    starts = [e for h in bench.histories() for e in h.events if type(e).__name__ == "ExecutionStarted"]
    assert len(starts) == 10
    first.close()
    second.close()


@pytest.mark.parametrize(("listed", "shards"), [("", None), ("0-3,6", [0, 1, 2, 3, 6]), ("7", [7]), ("2,1-2", [1, 2])])
def test_a_list_of_shards_is_read(listed: str, shards: list[int] | None) -> None:
    assert own_shards(listed, 8) == shards


@pytest.mark.parametrize("listed", ["8", "0-8", "3-1"])
def test_a_list_of_shards_that_are_not_there_is_refused(listed: str) -> None:
    with pytest.raises(BadInput, match="0-7"):
        own_shards(listed, 8)


def test_fences_are_taken_ahead_and_each_goes_with_its_shard(bench: Bench) -> None:
    lane = Lane(
        bench.log, NAMES, SHARDS, Definitions(bench.log, NAMES), MemoryStateStore(), SystemClock(), LaneLimits(interval_s=0.02),
        fences_at_once=4,
    )  # fmt: skip
    for n in range(10):
        bench.start(f"twice:{n}", n)
    bench.run([lane], lambda: len(bench.answers) == 10)
    assert sorted(lane.shards) == [0, 1]
    lane.close()
    ahead = Fences(bench.log, NAMES, 4)
    ahead.take([0, 1])
    fence = ahead.pop(0)
    assert fence is not None
    ahead.take([1])
    ahead.drop(1)
    assert ahead.pop(1) is None
    fence.close()
    ahead.close()


def test_a_fence_that_is_not_to_be_had_is_told_to_who_needs_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(transactional_id: str) -> Any:
        raise LogUnavailable("no broker")

    monkeypatch.setattr(bench.log, "transaction", away)
    ahead = Fences(bench.log, NAMES, 4)
    ahead.take([0, 1])
    assert ahead.pop(0) is None
    ahead.close()


def test_the_number_of_owned_shards_is_told_when_one_has_gone(bench: Bench) -> None:
    lane = bench.lane()
    settle(bench, [lane], 3)
    for number, left, go in ((0, 1, lane._revoked), (1, 0, lane._lost)):
        go([Partition(NAMES.commands, number)])
        assert metrics.SHARDS_OWNED._value.get() == left
    lane.close()
