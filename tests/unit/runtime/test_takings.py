"""Shards on their way to a lane: the next ones begin beside the first."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.adapters.clock import SystemClock
from sfc.adapters.memory_store import MemoryStateStore
from sfc.errors import LogUnavailable
from sfc.runtime.definitions import Definitions
from sfc.runtime.takings import Takings
from tests.unit.runtime.lane_bench import NAMES, Bench, settle


@pytest.fixture
def takings(bench: Bench) -> Takings:
    definitions = Definitions(bench.log, NAMES)
    definitions.load()
    return Takings(bench.log, NAMES, MemoryStateStore(), definitions, SystemClock(), None, 1)


@pytest.fixture
def closed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Transactional ids whose fences were let go."""
    ids: list[str] = []
    transaction = bench.log.transaction

    def taken(transactional_id: str) -> Any:
        fence = transaction(transactional_id)
        close = fence.close

        def noted() -> None:
            ids.append(transactional_id)
            close()

        monkeypatch.setattr(fence, "close", noted)
        return fence

    monkeypatch.setattr(bench.log, "transaction", taken)
    return ids


def test_the_next_shard_has_begun_before_its_turn(bench: Bench, takings: Takings, closed: list[str]) -> None:
    first = takings.first_of([0, 1])
    assert (0 in takings, 1 in takings) == (True, True)
    assert first.step(float("inf"))
    takings.done(0)
    second = takings.first_of([1])
    assert second.step(float("inf"))
    takings.done(1)
    assert (first.number, second.number, 0 in takings, 1 in takings) == (0, 1, False, False)
    assert closed == []  # both fences are the lane's
    first.fence.close()
    second.fence.close()


def test_a_shard_that_has_begun_is_let_go_with_its_fence(bench: Bench, takings: Takings, closed: list[str]) -> None:
    takings.first_of([0, 1])
    takings.drop(1)
    assert (closed, 1 in takings) == ([NAMES.transactional_id(1)], False)
    takings.close()
    assert closed == [NAMES.transactional_id(1), NAMES.transactional_id(0)]


def test_what_fails_ahead_of_its_turn_is_told_at_its_turn(bench: Bench, takings: Takings, monkeypatch: pytest.MonkeyPatch) -> None:
    transaction, asked = bench.log.transaction, list[str]()

    def away(transactional_id: str) -> Any:
        asked.append(transactional_id)
        if transactional_id == NAMES.transactional_id(1):
            raise LogUnavailable("no broker")
        return transaction(transactional_id)

    monkeypatch.setattr(bench.log, "transaction", away)
    for _ in range(3):
        assert takings.first_of([0, 1]).number == 0
    assert asked == [NAMES.transactional_id(0), NAMES.transactional_id(1)]  # once ahead: it may take its time
    with pytest.raises(LogUnavailable):
        takings.first_of([1, 0])
    monkeypatch.undo()
    assert takings.first_of([1, 0]).number == 1
    takings.close()


def test_a_lane_owns_all_its_shards_and_nothing_is_begun_then(bench: Bench) -> None:
    lane = bench.lane()
    settle(bench, [lane], 3)
    assert sorted(lane.shards) == [0, 1]
    assert not any(number in lane._takings for number in (0, 1))
    lane.close()
