"""What a lane must not do when it stood still, when its shard can't write, and when it is careful."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.adapters.clock import SystemClock
from sfc.adapters.memory_store import MemoryStateStore
from sfc.engine.commands import Hold
from sfc.errors import ProducerFailed, RecordTooLarge
from sfc.runtime import lane as lane_module
from sfc.runtime import shard as shard_module
from sfc.runtime.definitions import Definitions
from sfc.runtime.interval import note_flow, write_interval
from sfc.runtime.lane import Lane, LaneLimits
from sfc.runtime.shard import OwnedShard
from sfc.wire.commands import encode_command
from sfc.wire.partition import partition_of
from sfc.wire.state import shard_key
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle


def of_shard_0(name: str, count: int) -> list[str]:
    return [f for n in range(40 * count) if partition_of((f := f"{name}:{n}").encode(), SHARDS) == 0][:count]


def listed_lane(bench: Bench) -> Lane:
    """A lane that nobody puts out of a group."""
    definitions = Definitions(bench.log, NAMES)
    return Lane(
        bench.log, NAMES, SHARDS, definitions, MemoryStateStore(), SystemClock(), LaneLimits(interval_s=0.02), fixed=list(range(SHARDS))
    )


def test_who_stood_still_behind_his_commit_does_not_write_over_his_successors_intervals(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *more = of_shard_0("twice", 6)
    sleeper = listed_lane(bench)
    bench.start(first)
    bench.run([sleeper], lambda: len(bench.answers) == 1)
    settle(bench, [sleeper])
    fence: Any = sleeper.shards[0]._fence
    commit = fence.commit
    successors: list[Lane] = []

    def stand_still() -> None:
        commit()
        successors.append(listed_lane(bench))
        for number, flow in enumerate(more):
            bench.start(flow)
            bench.run(successors, lambda number=number: len(bench.answers) >= 2 + number)  # type: ignore[misc]
            settle(bench, successors)
        monkeypatch.setattr(shard_module, "SLOW_COMMIT_S", 0.0)

    monkeypatch.setattr(fence, "commit", stand_still)
    bench.start(second)
    bench.run([sleeper], lambda: bool(successors))
    monkeypatch.setattr(shard_module, "SLOW_COMMIT_S", 60.0)
    (successor,) = successors
    interval = successor.shards[0].state.interval
    settle(bench, [sleeper])
    bench.run([sleeper], lambda: 0 in sleeper.shards)
    assert sleeper.shards[0].state.interval >= interval
    third = listed_lane(bench)
    settle(bench, [third])
    assert not third.stopped


def test_a_shard_that_can_not_write_its_interval_stays_stopped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = bench.lane()
    settle(bench, [lane], 10)
    monkeypatch.setattr(lane_module, "LOOK_AT_STOPPED_S", 0.0)

    def too_large(fence: Any, *args: Any) -> Any:
        class Limited:
            begin, commit, abort = fence.begin, fence.commit, fence.abort

            @staticmethod
            def send(topic: str, *record: Any) -> None:
                if topic == NAMES.history:
                    raise RecordTooLarge("the topic takes less now")
                fence.send(topic, *record)

        return write_interval(Limited(), *args)  # type: ignore[arg-type]

    monkeypatch.setattr(shard_module, "write_interval", too_large)
    bench.start(of_shard_0("twice", 1)[0])
    bench.run([lane], lambda: 0 in lane.stopped, work=False)
    settle(bench, [lane])
    assert 0 in lane.stopped
    assert len(bench.jobs.take(100, 0)) == 1


def test_a_shard_whose_transactions_fail_is_taken_again_after_a_pause(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = bench.lane()
    settle(bench, [lane], 10)
    tried: list[int] = []

    def fail(fence: Any, names: Any, state: Any, *_: Any) -> None:
        tried.append(state.number)
        raise ProducerFailed("not allowed to write")

    monkeypatch.setattr(shard_module, "write_interval", fail)
    monkeypatch.setattr(lane_module, "TAKE_AGAIN_S", 600.0)
    bench.start(of_shard_0("twice", 1)[0])
    bench.run([lane], lambda: bool(tried), work=False)
    settle(bench, [lane], 100)
    assert len(tried) == 1
    monkeypatch.undo()
    lane._take_again_s = 0.0
    bench.run([lane], lambda: bool(bench.answers))


def test_a_careful_tick_notes_no_flow_that_stands(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = bench.lane()
    flows = of_shard_0("nap", 20)
    for flow in flows:
        bench.start(flow)
    value, head = encode_command(Hold("blueprint:nap", 1, True))
    bench.producer.send(NAMES.commands, value, shard_key(0), head, 0)
    settle(bench, [lane])
    shard: OwnedShard = lane.shards[0]
    assert shard.state.holds["blueprint:nap"].held
    shard.state.careful_until = 10**9
    noted: list[str] = []

    def note(*args: Any) -> Any:
        noted.append(args[-1])
        return note_flow(*args)

    monkeypatch.setattr(shard_module, "note_flow", note)
    bench.run([lane], lambda: shard._timers.next_ms() == 0, work=False)
    assert noted == []
