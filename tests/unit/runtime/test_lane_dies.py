"""A lane that dies in the middle of something commits nothing of it (EXACTLY-ONCE 18, 22, 23)."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.errors import LogUnavailable, ProducerFailed
from sfc.ports import Partition
from sfc.runtime.lane import Lane
from sfc.wire.partition import partition_of
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

HOME = partition_of(b"twice:a", SHARDS)


def fail_once(lane: Lane, outlet: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane's next call of this outlet raises."""
    there = getattr(lane._outlets, outlet)
    left = [error]

    def call(*args: Any, **more: Any) -> Any:
        if left:
            raise left.pop()
        return there(*args, **more)

    monkeypatch.setattr(lane._outlets, outlet, call)


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), RuntimeError("a bug")])
def test_a_half_taken_command_is_not_committed_when_the_lane_dies(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """It dies between a decision and its effect, and is closed as its thread does: the successor decides again, and the job leaves."""
    lane = bench.lane()
    settle(bench, [lane], 3)
    fail_once(lane, "job", error, monkeypatch)
    bench.start("twice:a", 1)
    with pytest.raises(type(error)):
        settle(bench, [lane])
    lane.close()
    assert bench.histories() == []
    second = bench.lane()
    assert [j.key for j in bench.await_jobs(second)] == [b"twice:a"]
    second.close()


def test_a_log_that_does_not_answer_costs_a_restore_and_no_command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane goes on by itself: it stays in its group."""
    lane = bench.lane()
    settle(bench, [lane], 3)
    fail_once(lane, "job", LogUnavailable("no broker answered in time"), monkeypatch)
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    settle(bench, [lane])
    starts = [e for h in bench.histories() for e in h.events if type(e).__name__ == "ExecutionStarted"]
    assert len(starts) == 1
    lane.close()


@pytest.mark.parametrize("error", [MemoryError(), ProducerFailed("spent")])
def test_what_dies_while_the_batch_is_taken_commits_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Callbacks of a rebalance run within the call that takes the batch."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.await_jobs(lane)
    lane.shards[HOME].state.clock_ms += 1
    bench.start("twice:a", 1)
    take = lane._consumer.take

    def dies(records_max: int, timeout_s: float) -> Any:
        monkeypatch.undo()
        take(records_max, timeout_s)
        raise error

    monkeypatch.setattr(lane._consumer, "take", dies)
    if isinstance(error, ProducerFailed):
        lane.step(0.05)
    else:
        with pytest.raises(MemoryError):
            lane.step(0.05)
    assert not lane.shards
    lane.close()


def test_a_shard_that_cannot_be_given_up_cleanly_keeps_no_other_from_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = bench.lane()
    for n in range(8):
        bench.start(f"twice:{n}", n)
    settle(bench, [lane], 4)
    first, second = (lane.shards[n] for n in (0, 1))

    def breaks() -> None:
        raise MemoryError

    monkeypatch.setattr(first, "commit", breaks)
    with pytest.raises(MemoryError):
        lane._revoked([Partition(NAMES.commands, n) for n in (0, 1)])
    assert second.state.closed
    assert not lane.shards
    lane.close()


def test_a_shard_that_one_took_by_mistake_comes_back_to_whom_it_is_assigned(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that woke up late initialised the shard's id, and let go when it was told; nobody would be assigned the shard anew."""
    monkeypatch.setattr("sfc.runtime.lane.FENCED_S", 0.05)
    lane = bench.lane()
    settle(bench, [lane], 3)
    thief = bench.log.transaction(NAMES.transactional_id(HOME))
    bench.start("twice:a", 1)
    bench.run([lane], lambda: HOME not in lane.shards)
    bench.run([lane], lambda: HOME in lane.shards and bool(bench.answers))
    thief.close()
    lane.close()
